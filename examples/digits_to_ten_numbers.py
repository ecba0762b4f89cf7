# %% [markdown]
# # From images and a network to ten numbers
# Which of ten digits is it? A small convolutional network tells nearly all of scikit-learn's handwritten digits (1,797
# images of 8 × 8 pixels, 0 to 16). Here ten numbers take its place, the same for all classes: values of a
# two-dimensional wavelet's bands at places of the image, and a softmax from them, with probabilities and errors.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from awd_core import (
    StudentCard,
    StudentSearch,
    TeacherClassifier,
    WaveletStudentClassifier,
    distill_student,
    teacher_outputs,
)
from awd_core.student import forward_selection

parser = argparse.ArgumentParser(description="Distil a network that reads digits into ten numbers.")
parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="folder for the figures and the model")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Images
# Split before anything is fitted.

# %%
images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
places = np.random.default_rng(0).permutation(len(digits))[: 400 if options.quick else None]
train, test = np.split(places, [2 * len(places) // 3])

# %% [markdown]
# ## The network, and what it says of images that it has not seen
# The student learns from the network's logits, which say more than the label: that this 1 is nearly a 7. A network
# remembers its training images, so each third of them is shown to one that was trained on the others.


# %%
def make() -> nn.Module:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 16, 10),
    )  # fmt: skip


def trained(rows: np.ndarray) -> TeacherClassifier:
    """A network of these images."""
    teacher = TeacherClassifier(
        make, learning_rate=5e-3, schedule="one-cycle", batch_size=100, max_epochs=2 if options.quick else 20,
        patience=None, accelerator="cpu",
    )  # fmt: skip
    return teacher.fit(images[rows], digits[rows], validation=None)


network = trained(train)
logits = np.empty((len(train), 10))
for inner, held_out in StratifiedKFold(3, shuffle=True, random_state=0).split(train, digits[train]):
    logits[held_out] = teacher_outputs(trained(train[inner]).as_torch(), images[train[held_out]])
print(f"network: {network.score(images[test], digits[test]):.1%} of test images")

# %% [markdown]
# ## The wavelet and the numbers
# The bands are decimated, so that they hold an image in few values; of these the student may keep ten, chosen one by
# one by the leave-one-out error against the logits. The softmax is fitted to the labels.

# %%
settings = {"numbers": ["value"], "levels": 2, "undecimated": False, "mode": "zero"}
search = StudentSearch(random_starts=0, descents=1, iterations=5 if options.quick else 15, finalists=1, folds=0)
starts = ["haar"] if options.quick else ["haar", "db2", "db3"]
found = [
    distill_student(images[train], logits, wavelet=start, ndim=2, most=10, search=search, **settings)
    for start in starts
]
best = min(found, key=lambda one: one.error)
student = WaveletStudentClassifier(best, ndim=2, most=10, **settings)
student.fit(images[train], digits[train], outputs=logits)
print(f"ten numbers of {best.wavelet!r}: {student.score(images[test], digits[test]):.1%}")

# %% [markdown]
# ## What each number is worth
# Beside it: ten pixels, chosen in the same way (those of a wavelet that does nothing); and ten principal components,
# each of which reads all pixels.

# %%
counts = [2, 5, 10] if options.quick else [2, 3, 5, 7, 10]
flat = images.reshape(len(images), -1)
curves: dict[str, list[float]] = {"student": [], "pixels": [], "principal components": []}
pixels = forward_selection([torch.from_numpy(flat[train])], [torch.from_numpy(logits)], counts[-1])
components = PCA(counts[-1]).fit(flat[train])
tables = {
    "student": student.transform(images),
    "pixels": flat[:, pixels],
    "principal components": components.transform(flat),
}
for count in counts:
    for name, table in tables.items():  # columns stand in the order in which they were chosen
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        model.fit(table[train, :count], digits[train])
        curves[name].append(1 - model.score(table[test, :count], digits[test]))

figure, axis = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
styles = {"student": ("o-", "#0072B2"), "pixels": ("s:", "#9A9A9A"), "principal components": ("x--", "#D55E00")}
for name, (style, colour) in styles.items():
    axis.plot(counts, curves[name], style, color=colour, label=name)
axis.axhline(1 - network.score(images[test], digits[test]), color="black", linewidth=1, label="network")
axis.set(xlabel="numbers", ylabel="share of test images misread", xticks=counts, ylim=(0, None))
axis.legend(frameon=False)
figure.savefig(options.out / "curve.png", dpi=130)

# %% [markdown]
# ## What is read, and how it votes
# Each number is a weighted sum of pixels: a pattern. A class's coefficient says by how much its log odds grow with it.

# %%
unit = np.eye(64).reshape(64, 8, 8)
patterns = student.transform(unit).T.reshape(-1, 8, 8)
figure, axes = plt.subplots(2, len(patterns), figsize=(1.2 * len(patterns), 3.2), layout="constrained")
coefficients = student.head_.coefficients * student.transform(images[train]).std(axis=0)[:, None]
for k, (pattern, name) in enumerate(zip(patterns, student.get_feature_names_out(), strict=True)):
    largest = np.abs(pattern).max()
    axes[0, k].imshow(pattern, cmap="RdBu", vmin=-largest, vmax=largest)
    axes[0, k].set_title(name.replace(" value ", ", "), fontsize=8)
    axes[0, k].set(xticks=[], yticks=[])
    axes[1, k].barh(np.arange(10), coefficients[k], color="#0072B2")
    axes[1, k].set(yticks=np.arange(10) if k == 0 else [], ylim=(9.6, -0.6))
    axes[1, k].axvline(0, color="0.5", linewidth=0.8)
axes[1, 0].set_ylabel("digit")
figure.savefig(options.out / "patterns.png", dpi=130)
for row in student.coefficients_[: len(patterns) + 1]:
    print(f"digit {row.target}: {row.name:14s} {row.estimate:+7.2f} ± {row.standard_error:.2f}")

# %% [markdown]
# ## A file that predicts with NumPy alone

# %%
best.wavelet.save(options.out / "wavelet.json")
student.save(options.out / "student.json")
card = StudentCard.load(options.out / "student.json")
sure = card.predict_proba(images[test]).max(axis=1)
right = card.predict(images[test]) == digits[test]
print(f"of the half that it is surest of, {right[sure >= np.median(sure)].mean():.1%} are right")
print(f"\nLook at curve.png and patterns.png in {options.out}.")
