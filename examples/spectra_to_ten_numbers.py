# %% [markdown]
# # From spectra and a network to ten numbers
# How much fat is in a piece of meat? A near-infrared spectrum tells it within one percent; chemistry takes a day. The
# 215 spectra of this example were measured on a Tecator Infratec Food and Feed Analyzer (in the public domain, with the
# request to name the instrument). A small network reads them well, and nobody can say how. Here ten numbers take its
# place: values of a wavelet's details at certain wavelengths, each with a weight and an error.
#
# The data are on OpenML; with network, one line makes the file:
#
#     sklearn.datasets.fetch_openml("tecator", version=1).frame.to_csv("tecator.csv", index=False)

# %%
import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import savgol_filter
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import KFold

from awd_core import MLP, StudentCard, StudentSearch, Teacher, WaveletStudent, distill_student, teacher_outputs

parser = argparse.ArgumentParser(description="Distil a network that reads spectra into ten numbers.")
parser.add_argument(
    "--data", type=Path, default=Path(os.environ.get("AWD_DATA", ".")) / "spectra/tecator.csv",
    help="a table with a hundred absorbances from 850 to 1048 nm and a column fat",
)  # fmt: skip
parser.add_argument("--out", type=Path, default=Path("runs/spectra"), help="folder for the figures and the model")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Spectra
# Split before anything is fitted. What scatters the light in a sample scales its spectrum and tilts it, so chemists
# look at second derivatives, of unit deviation in each spectrum. The network gets these; they see no other spectrum.

# %%
table = pd.read_csv(options.data)
spectra, fat = table.iloc[:, :100].to_numpy(), table["fat"].to_numpy()
wavelengths = 850 + 2 * np.arange(100)
places = np.random.default_rng(0).permutation(len(fat))
train, test = places[:160], places[160:]
derivatives = savgol_filter(spectra, 9, 3, deriv=2, axis=1)
derivatives = (derivatives - derivatives.mean(axis=1, keepdims=True)) / derivatives.std(axis=1, keepdims=True)


def error(predicted: np.ndarray) -> float:
    """Root of the mean squared error on test spectra, in percent of fat."""
    return float(np.sqrt(np.mean((predicted - fat[test]) ** 2)))


# %% [markdown]
# ## The network, and what it says of spectra that it has not seen
# A network remembers the noise of its own training spectra, so each fifth of them is shown to one that was trained on
# the other four.

# %%
epochs = 5 if options.quick else 300


def trained(rows: np.ndarray) -> Teacher:
    """A perceptron of these spectra."""
    teacher = Teacher(
        MLP, {"n_in": 100, "hidden": (32, 32), "activation": "tanh"}, scale_inputs="feature", optimizer="adamw",
        learning_rate=1e-2, weight_decay=0.1, schedule="one-cycle", batch_size=160, max_epochs=epochs, patience=None,
        accelerator="cpu",
    )  # fmt: skip
    return teacher.fit(derivatives[rows], fat[rows], validation=None)


network = trained(train)
outputs = np.empty(len(train))
for inner, held_out in KFold(5, shuffle=True, random_state=0).split(train):
    outputs[held_out] = teacher_outputs(trained(train[inner]).as_torch(), derivatives[train[held_out]])[:, 0]
print(f"network: {error(network.predict(derivatives[test])):.2f} % of fat")

# %% [markdown]
# ## The wavelet from which ten numbers tell most of what the network says
# A number is the value of a detail at one place, over the root of the band's mean square: a spectrum twice as high
# gives the same. The numbers are chosen one by one, for each wavelet its own; of the wavelets that the searches end in,
# the one with the least leave-one-out error is taken. The test spectra are not touched.

# %%
numbers, levels, most = ["relative value"], 4, 10
starts = ["db2"] if options.quick else ["haar", "db2", "db3", "sym4"]
search = StudentSearch(
    random_starts=0 if options.quick else 4, descents=1 if options.quick else 2, iterations=15, folds=0
)
settings = {"numbers": numbers, "levels": levels, "undecimated": False}
found = [
    distill_student(spectra[train], outputs, wavelet=start, most=most, search=search, **settings) for start in starts
]
best = min(found, key=lambda one: one.error)
student = WaveletStudent(best, most=most, **settings).fit(spectra[train], fat[train], outputs=outputs)
print(f"ten numbers of {best.wavelet!r}: {error(student.predict(spectra[test])):.2f} % of fat")

# %% [markdown]
# ## The model in full
# Each row is a number, where it is read, and what a change by one does to the prediction. Of a decimated band of
# level j, value k is about 2^j channels of 2 nm wide.


# %%
def nanometres(name: str) -> str:
    """Where a number such as "D3 relative value 7" is read."""
    band, *_, place = name.split()
    step = 2 ** int(band[1:])
    # The middle of the channels that it sees, by L taps on every level.
    at = int(place) * step - (step - 1) * (len(best.wavelet.taps) - 3) / 2
    return f"{850 + 2 * at:.0f} nm, about {2 * step} nm wide"


for row in student.coefficients_:
    where = "" if row.name == "intercept" else nanometres(row.name)
    print(f"{row.name:22s} {row.estimate:+9.3f} ± {row.standard_error:.3f}  {where}")

# %% [markdown]
# ## What each number is worth
# Beside the student: plain wavelets with as many numbers, chosen by the labels; and partial least squares, the field's
# own method, with as many components, of the same derivatives.

# %%
counts = [2, 4] if options.quick else [1, 2, 3, 5, 7, 10]
curves = {"student": [], "haar": [], "db2": [], "sym4": [], "partial least squares": []}
for count in counts:
    for name in curves:
        if name == "partial least squares":
            model = PLSRegression(count, scale=False).fit(derivatives[train], fat[train])
            curves[name].append(error(model.predict(derivatives[test]).ravel()))
            continue
        taught = name == "student"
        model = WaveletStudent(best if taught else name, most=count, learn=False, **settings)
        model.fit(spectra[train], fat[train], outputs=outputs if taught else None)
        curves[name].append(error(model.predict(spectra[test])))

figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
styles = {"student": "o-", "haar": "s:", "db2": "v:", "sym4": "D:", "partial least squares": "x--"}
for (name, style), colour in zip(styles.items(), ("#0072B2", "#9A9A9A", "#56B4E9", "#E69F00", "#D55E00"), strict=True):
    axis.plot(counts, curves[name], style, color=colour, label=name)
axis.axhline(error(network.predict(derivatives[test])), color="black", linewidth=1, label="network")
axis.set(xlabel="numbers, or components", ylabel="test RMSE (% of fat)", yscale="log", xticks=counts)
axis.legend(frameon=False)
figure.savefig(options.out / "curve.png", dpi=130)

# %% [markdown]
# ## Where the ten numbers look
# By how much the prediction moves with the absorbance at each wavelength, near the mean spectrum. Fat absorbs near
# 930 nm.

# %%
figure, axes = plt.subplots(2, 1, figsize=(6, 4.4), sharex=True, layout="constrained")
shades = plt.get_cmap("viridis")((fat - fat.min()) / np.ptp(fat))
for row in train[:: 1 + len(train) // 60]:
    axes[0].plot(wavelengths, derivatives[row], color=shades[row], linewidth=0.6)
axes[0].set(ylabel="second derivative\n(unit deviation)")
# The slope of the prediction, by a small step up and down at every wavelength.
mean = spectra[train].mean(axis=0)
steps = 1e-4 * np.vstack([np.eye(100), -np.eye(100)])
moved = student.head_(student.transform(mean + steps))[:, 0]
axes[1].plot(wavelengths, (moved[:100] - moved[100:]) / 2e-4, color="#0072B2")
axes[1].axhline(0, color="0.8", linewidth=0.8)
axes[1].set(xlabel="wavelength (nm)", ylabel="% of fat per\nunit of absorbance")
figure.savefig(options.out / "weights.png", dpi=130)

# %% [markdown]
# ## A file that predicts with NumPy alone

# %%
best.wavelet.save(options.out / "wavelet.json")
student.save(options.out / "student.json")
card = StudentCard.load(options.out / "student.json")
print(f"the file's: {error(card.predict(spectra[test])):.2f} % of fat")
print(f"\nLook at curve.png and weights.png in {options.out}.")
