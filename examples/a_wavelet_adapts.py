# %% [markdown]
# # A wavelet adapts to a network
# The picture of the README, from data to figure. What counts in the signals is how strongly a motif occurs, at several
# scales: the motif is a wavelet that no textbook has. A small convolutional network learns to predict that from noisy
# labels. Its answers then choose the wavelet from which few numbers tell the same.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from torch import nn

from awd_core import StudentSearch, Teacher, Wavelet, distill_student, error_curve, teacher_outputs
from awd_core.plotting import save_figure
from awd_core.transforms import undecimated

parser = argparse.ArgumentParser(description="Draw a wavelet on its way from db3 to a network's own.")
parser.add_argument("--out", type=Path, default=Path("runs/adapting"), help="folder for the figure and the wavelet")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Signals
# Random walks with noise. The target is a weighted sum of the largest coefficients of a hidden wavelet at three scales,
# with noise. A third of the signals is held out before anything is fitted.

# %%
rng = np.random.default_rng(0)
n, length = (150 if options.quick else 900), 64
free = np.radians([35, -85])  # a smooth wavelet, far from all of PyWavelets'
hidden = Wavelet.from_angles([np.pi / 4 - free.sum(), *free], name="hidden")
X = rng.standard_normal((n, length)).cumsum(axis=1)
X = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True) + 0.5 * rng.standard_normal((n, length))
scales = undecimated(torch.from_numpy(X), hidden, 3, "periodic")
largest = np.stack([scale.details[0].amax(dim=1).numpy() for scale in scales], axis=1)
y = (largest - largest.mean(axis=0)) / largest.std(axis=0) @ [1.0, -0.8, 0.6]
y += 0.3 * y.std() * rng.standard_normal(n)
train, test = np.arange(2 * n // 3), np.arange(2 * n // 3, n)

# %% [markdown]
# ## The network
# A network remembers its training signals, so the answers to each third of them come from one that was trained on the
# others.


# %%
def make() -> nn.Module:
    """A convolution around the circle, the largest value in time, and a linear layer."""
    return nn.Sequential(
        nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 24, 37, padding=18, padding_mode="circular"), nn.AdaptiveMaxPool1d(1),
        nn.Flatten(), nn.Linear(24, 1),
    )  # fmt: skip


def trained(rows: np.ndarray) -> Teacher:
    """A network of these signals."""
    epochs = 2 if options.quick else 150
    teacher = Teacher(make, learning_rate=5e-3, schedule="one-cycle", batch_size=50, max_epochs=epochs, patience=None,
                      accelerator="cpu")  # fmt: skip
    return teacher.fit(X[rows], y[rows], validation=None)


answers = np.empty(len(train))
for inner, left_out in KFold(3).split(train):
    answers[left_out] = teacher_outputs(trained(train[inner]).as_torch(), X[train[left_out]])[:, 0]
predictions = teacher_outputs(trained(train).as_torch(), X[test])[:, 0]

# %% [markdown]
# ## The wavelet, on its way
# The same search, stopped after a few steps and after more: each filter on the way is a wavelet.

# %%
settings = {"wavelet": "db3", "numbers": ["maximum"], "levels": 3, "mode": "periodic"}
steps = [1, 3] if options.quick else [1, 2, 4, 30]
stages = [Wavelet.from_name("db3")]
for iterations in steps:
    search = StudentSearch(random_starts=0, descents=1, iterations=iterations, finalists=1, folds=0)
    stages.append(distill_student(X[train], answers, search=search, **settings).wavelet)

# %% [markdown]
# ## What each number is worth
# All wavelets are read by the same numbers, as many of them, chosen and fitted in the same way.

# %%
counts = [1, 2, 3, 4]
quick = StudentSearch(random_starts=0, descents=2, iterations=5, finalists=1, folds=0)
search = quick if options.quick else StudentSearch(random_starts=16, descents=4, iterations=40, finalists=1, folds=0)
curve = error_curve(
    X[train], y[train], test=(X[test], y[test]), outputs=answers, teacher=predictions, counts=counts,
    plain=["db3"], search=search, **settings,
)  # fmt: skip
raw = RidgeCV(np.logspace(-2, 4, 25)).fit(X[train], y[train]).score(X[test], y[test])
for point in curve.points:
    print(f"{point.method:18s} {point.numbers or '':>2} R² {point.r2:.3f}  {point.wavelet}")
print(f"{'raw samples':18s} {length} R² {raw:.3f}")

# %% [markdown]
# ## The picture
# Left the wavelet functions on the way of one search, and the one that the whole search ends in. Right the errors on
# signals that were held out.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
goal = hidden.functions(8)


def draw(wavelet: Wavelet, colour: str, words: str | None = None, **style: float | str) -> None:
    """The wavelet function where it is most like the hidden one, which may be a shift, reversed in sign."""
    t, _, psi = wavelet.functions(8)
    agreement = np.correlate(goal[2], psi, "full")
    best = np.abs(agreement).argmax()
    shifted = t + (best - len(psi) + 1) * (t[1] - t[0])
    left.plot(shifted, psi * np.sign(agreement[best]), color=colour, label=words, **style)


draw(stages[0], "#9A9A9A", "db3, the start")
for stage, wavelet in enumerate(stages[1:], 1):
    draw(wavelet, "#D55E00", alpha=0.2 + 0.1 * stage, linewidth=1)
draw(curve.student.wavelet, "#D55E00", "distilled", linewidth=2.2)
draw(hidden, "#333333", "hidden in the data", linestyle=":")
left.set(title="A wavelet adapts to a network", xlabel="samples", ylabel="wavelet function ψ")
left.legend(frameon=False, fontsize=8)

styles = {"student": ("AWD, from the network's answers", "o-", "#D55E00"),
          "chosen by labels": ("the same, from the labels", "^-", "#E69F00"),
          "best fixed": ("best of sixty plain wavelets", "s-", "#0072B2"),
          "db3": ("db3", "v:", "#9A9A9A")}  # fmt: skip
for method, (words, style, colour) in styles.items():
    points = curve.of(method)
    right.plot([p.numbers for p in points], [1 - p.r2 for p in points], style, color=colour, label=words)
right.axhline(1 - raw, color="#333333", linestyle=":", label=f"ridge on all {length} samples")
right.axhline(1 - curve.of("teacher")[0].r2, color="#CC79A7", linestyle="--", label="the network")
right.set(title="What each number is worth", xlabel="numbers in the model", ylabel="error, 1 − R²", xticks=counts)
right.set_ylim(0, None)
figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
save_figure(figure, options.out / "adapting.png", dpi=110)
curve.student.wavelet.save(options.out / "wavelet.json")
print(f"\nLook at adapting.png in {options.out}.")
