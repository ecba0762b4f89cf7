# %% [markdown]
# # From mass maps to Ω_m, step by step
#
# What `awd-cosmo run` does, with the library: weak-lensing convergence maps, a residual network that learns Ω_m from
# them, the network's input gradients, a wavelet in which both maps and gradients are sparse, counts of pixel values at
# the wavelet's scales, and a ridge regression on them that anyone can read. The maps are simulated here; give a folder
# of your own, in any layout that `awd-cosmo` reads, with `--maps`.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from awd_core import SearchSettings, distill_path, input_gradients
from awd_core.report import path_figure
from awd_cosmo import (
    CountRidge,
    MapTeacher,
    Model,
    PowerSpectrum,
    ScaleCounts,
    Setup,
    latin_hypercube,
    open_maps,
    regression_scores,
    simulate_suite,
    split_maps,
)
from awd_cosmo.inference import TrainingDistribution
from awd_cosmo.report import shapes_figure
from awd_cosmo.simulate import MASSIVENUS_RANGES

parser = argparse.ArgumentParser(description="Ω_m from convergence maps, with a wavelet distilled from a network.")
parser.add_argument("--maps", type=Path, help="folder of maps with their cosmologies; simulated if not given")
parser.add_argument("--out", type=Path, default=Path("runs/mass_maps"), help="folder for figures, wavelet and model")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Maps, and which of them train
# A simulation that was interrupted goes on, and one that is done is not done again. Maps of one cosmology are alike, so
# the split keeps each cosmology on one side. Our simulation draws new phases for every map; published suites often
# share them among cosmologies, and then phases have to be kept apart too (`shared_phases="avoid"`).

# %%
cosmologies, realisations, pixels = (16, 2, 32) if options.quick else (96, 8, 64)
folder, phases = options.maps, "avoid"
if folder is None:
    folder, phases = options.out / f"maps-{cosmologies}-{realisations}-{pixels}", "independent"
    simulate_suite(
        folder, design=latin_hypercube(MASSIVENUS_RANGES, cosmologies, seed=0), realisations=realisations,
        setup=Setup(pixels=pixels), seed=0,
    )  # fmt: skip
maps = open_maps(folder)
cosmology = np.asarray(maps.table["cosmology"])
omega = maps.parameters(["Omega_m"])[:, 0]
split = split_maps(
    cosmology, maps.table["realisation"], by="cosmology", fractions=(0.6, 0.2, 0.2), seed=0, shared_phases=phases
)
train, validation, test = split.train, split.validation, split.test
kappa = maps.read()
print(f"{maps}\n{len(train)} maps train, {len(validation)} are for choices, {len(test)} test")

# %% [markdown]
# ## A teacher, and its gradients
# The network sees each training map turned and mirrored anew in every epoch. It is asked for its gradients once: how
# its estimate of Ω_m would change with every pixel of every training map.

# %%
epochs = 1 if options.quick else 15
teacher = MapTeacher(width=8, max_epochs=epochs, accelerator="cpu", seed=0)
teacher.fit(kappa[train], omega[train], validation=(kappa[validation], omega[validation]))
gradients = input_gradients(teacher.as_torch(), kappa[train][:, None], 0)[:, 0]

# %% [markdown]
# ## The path of wavelets
# From the wavelet in which the maps are sparsest (share 0) to the one in which the network's attributions are (share
# 1). Inputs are divided by their spread and gradients multiplied by it, which changes nothing but units.

# %%
spread = kappa[train].std()
path = distill_path(
    kappa[train] / spread, gradients * spread, wavelet="db3", levels=2 if options.quick else 3, ndim=2,
    shares=[0, 1] if options.quick else [0, 0.25, 0.5, 0.75, 1],
    search=SearchSettings(random_starts=0 if options.quick else 16, large_batch=1 << 20),
)  # fmt: skip

# %% [markdown]
# ## Counts and a ridge
# How many pixels of each band of the undecimated transform fall into each bin: the readable summary of a map. A ridge
# regression, whose penalty is chosen over whole cosmologies, makes Ω_m of it. Validation maps choose the point of the
# path, among those that lean on the network at all, and calibrate the error bars.


# %%
def fitted(statistic, name):
    """A statistic and a ridge on it, fitted to training maps, and how far it errs on validation maps."""
    statistic.fit(kappa[train])
    how = "none" if isinstance(statistic, PowerSpectrum) else "sqrt"
    ridge = CountRidge(transform=how).fit(statistic.transform(kappa[train]), omega[train], cosmology=cosmology[train])
    features = statistic.transform(kappa[validation])
    error = float(np.sqrt(np.mean((ridge.predict(features) - omega[validation]) ** 2)))
    print(f"  {name:28s} validation RMSE {error:.4f}")
    return statistic, ridge.calibrate(features, omega[validation]), error


def counts(wavelet):
    """Counts in bands of two levels."""
    return ScaleCounts(wavelet, levels=2, bins=20, per="pixel", pixel_scale=maps.arcmin_per_pixel)


tried = [fitted(counts(point.wavelet), f"share {point.share:g}") for point in path]
best = 1 + int(np.argmin([error for *_, error in tried[1:]]))
models = {
    "distilled wavelet": tried[best][:2],
    "sparse without teacher": tried[0][:2],
    f"plain {path.start.name}": fitted(counts(path.start), f"plain {path.start.name}")[:2],
    "power spectrum": fitted(PowerSpectrum(maps.arcmin_per_pixel), "power spectrum")[:2],
}
chosen = path[best]

# %% [markdown]
# ## The test
# Cosmologies that nothing has seen yet; error bars from a bootstrap over them. A difference of less than two of them is
# no difference: with this few maps a distilled wavelet rarely differs from a plain one, and says more about the network
# than it adds to the score.

# %%
estimates = {name: ridge.predict(one.transform(kappa[test])) for name, (one, ridge) in models.items()}
estimates["network"] = teacher.predict(kappa[test])
print(f"\nRMSE of Ω_m on {len(np.unique(cosmology[test]))} cosmologies held out; spread {omega[test].std():.4f}")
for name, estimate in estimates.items():
    score = regression_scores(omega[test], estimate, cosmology=cosmology[test])
    print(f"  {name:22s} {score.rmse.value:.4f} ± {score.rmse.standard_error:.4f}   R² {score.r2.value:.2f}")

# %% [markdown]
# ## The model, saved and asked
# One JSON file, which NumPy alone reads: estimates, error bars, and how far a map lies from the training maps.

# %%
statistic, ridge = models["distilled wavelet"]
model = Model(
    parameters=["Omega_m"], pixel_scale=maps.arcmin_per_pixel, shape=maps.shape, statistics=[statistic],
    regressor=ridge, wavelet=chosen.wavelet,
    training=TrainingDistribution.from_features(
        statistic.transform(kappa[train]), parameters=omega[train],
        reference=statistic.transform(kappa[validation]), reference_parameters=omega[validation],
    ),
)  # fmt: skip
model.save(options.out / "model.json")
some = test[:: len(test) // 3]
answer = Model.load(options.out / "model.json").predict(kappa[some], pixel_scale=maps.pixel_scale)
for row, truth in enumerate(omega[some]):
    estimate = f"Ω_m = {answer.estimate[row]:.3f} ± {answer.std[row]:.3f} (truth {truth:.3f})"
    print(f"{estimate}; {answer.percentile[row]:.0f} % of the known maps are more usual")

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
side = maps.shape[1] * maps.arcmin_per_pixel / 60
row = int(np.argmax(kappa[train].max(axis=(1, 2))))
limits = np.quantile(kappa[train][row], [0.005, 0.995])
steep = np.quantile(np.abs(gradients[row]), 0.995)
for axis, image, title, look in (
    (axes[0], kappa[train][row], "a map: convergence κ", {"cmap": "viridis", "vmin": limits[0], "vmax": limits[1]}),
    (axes[1], gradients[row], "the network's gradient ∂Ω_m/∂κ", {"cmap": "PuOr_r", "vmin": -steep, "vmax": steep}),
):
    drawn = axis.imshow(image, origin="lower", extent=(0, side, 0, side), **look)
    axis.set(title=title, xlabel="x (degrees)", ylabel="y (degrees)")
    figure.colorbar(drawn, ax=axis, shrink=0.85)
for name, marker, colour in (("network", "s", "#9A9A9A"), ("distilled wavelet", "o", "#0072B2")):
    axes[2].plot(omega[test], estimates[name], marker, color=colour, markersize=3, label=name)
ends = [omega.min(), omega.max()]
axes[2].plot(ends, ends, color="black", linewidth=0.8)
axes[2].set(title="test maps", xlabel="true Ω_m", ylabel="estimate", aspect="equal")
axes[2].legend(frameon=False)
figure.savefig(options.out / "maps.png", dpi=130)
path_figure(path, chosen).savefig(options.out / "path.png", dpi=130)
shapes_figure(chosen.wavelet, path.start, 2, maps.arcmin_per_pixel).savefig(options.out / "bands.png", dpi=130)
chosen.wavelet.save(options.out / "wavelet.json")
print(f"\nLook at maps.png, path.png and bands.png in {options.out}.")
