# %% [markdown]
# # A wavelet adapts to a network
# The picture of the README, from data to figure. Records of a vibration are noise, and each hit of a damaged bearing
# rings for a few samples. A small convolutional network learns the size of the strongest hit. Its answers then choose
# the wavelet from which few numbers tell the same.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from torch import nn

from awd_core import StudentSearch, Teacher, Wavelet, distill_student, error_curve, teacher_outputs
from awd_core.plotting import save_figure

parser = argparse.ArgumentParser(description="Draw a wavelet on its way from db3 to a network's own.")
parser.add_argument("--out", type=Path, default=Path("runs/adapting"), help="folder for the figure and the wavelet")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Records
# A third of them is held out before anything is fitted.

# %%
rng = np.random.default_rng(0)
n, length = (150 if options.quick else 600), 64
time = np.arange(12)
ring = np.exp(-time / 4) * np.sin(2 * np.pi * time / 5)
X = 0.3 * rng.standard_normal((n, length))
y = np.zeros(n)
for record in range(n):
    for place in rng.choice(length - len(ring), size=rng.integers(1, 4), replace=False):
        size = rng.exponential()
        X[record, place : place + len(ring)] += size * ring
        y[record] = max(y[record], size)
train, test = np.arange(2 * n // 3), np.arange(2 * n // 3, n)

# %% [markdown]
# ## The network
# A network remembers its training records, so the answers to each third of them come from one that was trained on the
# others.


# %%
def make() -> nn.Module:
    """Two convolutions, the largest value in time, and a linear layer."""
    return nn.Sequential(
        nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 16, 11, padding=5), nn.ReLU(), nn.Conv1d(16, 16, 5, padding=2),
        nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 1),
    )  # fmt: skip


def trained(rows: np.ndarray) -> Teacher:
    """A network of these records."""
    epochs = 2 if options.quick else 30
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
counts = [1, 2, 4]
search = StudentSearch(random_starts=0, descents=2, iterations=5 if options.quick else 30, finalists=1, folds=0)
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
# Left the wavelet functions, the start in grey, each shifted to where the last one has its largest value, since a
# wavelet may stand anywhere. Right the errors on records that were held out.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
end = stages[-1].functions(8)
for stage, wavelet in enumerate(stages):
    t, _, psi = wavelet.functions(8)
    agreement = np.correlate(end[2], psi, "full")
    shift = (np.abs(agreement).argmax() - len(psi) + 1) * (t[1] - t[0])
    psi = psi * np.sign(agreement[np.abs(agreement).argmax()])
    last = stage == len(stages) - 1
    colour = "#9A9A9A" if stage == 0 else "#D55E00"
    words = "db3, the start" if stage == 0 else "distilled" if last else None
    opacity = 1 if stage == 0 or last else 0.25 + 0.15 * stage
    left.plot(t + shift, psi, color=colour, alpha=opacity, linewidth=2 if last else 1.3, label=words)
left.set(title="A wavelet adapts to a network", xlabel="samples", ylabel="wavelet function ψ")
left.legend(frameon=False)

styles = {"student": ("AWD", "o-", "#D55E00"), "best fixed": ("best of sixty plain wavelets", "s-", "#0072B2"),
          "db3": ("db3", "v:", "#9A9A9A")}  # fmt: skip
for method, (words, style, colour) in styles.items():
    points = curve.of(method)
    right.plot([p.numbers for p in points], [1 - p.r2 for p in points], style, color=colour, label=words)
right.axhline(1 - raw, color="#333333", linestyle=":", label=f"ridge on all {length} samples")
right.axhline(1 - curve.of("teacher")[0].r2, color="#CC79A7", linestyle="--", label="the network")
right.set(title="What each number is worth", xlabel="numbers in the model", ylabel="error, 1 − R²", xticks=counts)
right.set_ylim(0, None)
right.legend(frameon=False, fontsize=8)
save_figure(figure, options.out / "adapting.png", dpi=110)
stages[-1].save(options.out / "wavelet.json")
print(f"\nLook at adapting.png in {options.out}.")
