# %% [markdown]
# # A gallery of transformation importance: frequencies, parts, wavelets
#
# Pixels are a poor language for what a network has learnt. Transformation importance (TRIM; Singh, Ha, Lanusse, Böhm,
# Liu, Yu 2020) puts the inverse of a transform before the network and attributes a prediction to the transform's
# coefficients: to spatial frequencies, to the parts that a matrix factorisation finds, to wavelets. Here are all three,
# for one classifier of handwritten digits, and for each a test: take away what is said to matter, and see whether the
# prediction falls.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from awd_core import DWT2d, FourierTransform, LinearDictionary, TrimModel, input_gradients

parser = argparse.ArgumentParser(description="Importance of frequencies, parts and wavelets for handwritten digits.")
parser.add_argument("--out", type=Path, default=Path("runs/trim_gallery"), help="folder for the figures")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)

# %% [markdown]
# ## Images and a teacher
# 1,797 images of 8 × 8 pixels, scaled to [0, 1], and a small convolutional network. What is attributed is the evidence
# for the right digit: its score less the mean score of all digits.

# %%
epochs, steps, shown = (3, 8, 60) if options.quick else (25, 64, 400)
pixels, labels = load_digits(return_X_y=True)
images = pixels.reshape(-1, 1, 8, 8) / 16
parts = train_test_split(images, labels, test_size=400, random_state=0, stratify=labels)
x_train, x_test, y_train, y_test = (torch.from_numpy(part) for part in parts)
x_test, y_test = x_test[:shown], y_test[:shown]

teacher = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 36, 10)
).double()
optimiser = torch.optim.Adam(teacher.parameters(), lr=2e-3)
for _ in range(epochs):
    for batch in torch.randperm(len(x_train)).split(64):
        loss = nn.functional.cross_entropy(teacher(x_train[batch]), y_train[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
teacher.eval()


class Evidence(nn.Module):
    """Score of each digit less the mean of all."""

    def forward(self, x: Tensor) -> Tensor:
        scores = teacher(x)
        return scores - scores.mean(1, keepdim=True)


evidence = Evidence()


def accuracy(x: Tensor) -> float:
    """Share of test images whose digit is recognised in these versions of them."""
    with torch.no_grad():
        return float((teacher(x).argmax(1) == y_test).double().mean())


def lost(x: Tensor) -> Tensor:
    """Evidence for the right digit that other versions of the test images have less."""
    with torch.no_grad():
        change = evidence(x_test) - evidence(x)
    return change.gather(1, y_test[:, None])[:, 0]


print(f"test accuracy of the teacher: {accuracy(x_test):.3f}")

# %% [markdown]
# ## Which spatial frequencies?
# Integrated gradients start from the image without any of its Fourier coefficients, that is from black; so the bands'
# sums add up to the evidence of the image less that of the black one. The test: set a band's coefficients to zero.

# %%
fourier = FourierTransform((8, 8))
bands = [0.0, 0.06, 0.15, 0.2, 0.27, 0.33, 0.4, 0.5, np.inf]
trim, coefficients, residual = TrimModel.at(evidence, fourier, x_test)
attributions = IntegratedGradients(trim).attribute(
    coefficients, target=y_test, additional_forward_args=(residual,), n_steps=steps, internal_batch_size=4000
)[0]
edges, importance, counts = fourier.band_importance(attributions.detach()[:, 0], bands)
print(f"bands' sum less the evidence, at most: {(importance.sum(1) - lost(torch.zeros_like(x_test))).abs().max():.1e}")

_, masks = fourier.band_masks(bands)
filtered = [fourier.inverse(fourier(x_test) * ~mask[..., None]) for mask in masks]
curve, drops = importance.mean(0).numpy(), np.array([float(lost(x).mean()) for x in filtered])
print("band (cycles/pixel)   frequencies   importance   drop if filtered   accuracy then")
for k, x in enumerate(filtered):
    band = f"{edges[k]:6.2f} to {edges[k + 1]:5.2f}"
    print(f"{band}   {counts[k]:11d} {curve[k]:12.2f} {drops[k]:18.2f} {accuracy(x):15.3f}")
print(f"correlation of importance and drop over the bands: {np.corrcoef(curve, drops)[0, 1]:.2f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
positions, names = np.arange(len(curve)), [f"{low:.2f}–" for low in edges[:-1]]
left.bar(positions - 0.2, curve, 0.4, label="TRIM, integrated gradients", color="#0072B2")
left.bar(positions + 0.2, drops, 0.4, label="drop when filtered out", color="#E69F00")
left.set_xticks(positions, names)
left.set(xlabel="band of spatial frequency (cycles/pixel, from)", ylabel="evidence for the right digit")
left.margins(y=0.25)
left.legend(frameon=False)
per_digit = torch.stack([importance[y_test == digit].mean(0) for digit in range(10)]).numpy()
reach = np.abs(per_digit).max()
image = right.imshow(per_digit, aspect="auto", cmap="PuOr_r", vmin=-reach, vmax=reach)
right.set_xticks(positions, names)
right.set(xlabel="band (cycles/pixel, from)", ylabel="digit", yticks=range(10), title="importance by digit")
figure.colorbar(image, label="evidence")
figure.savefig(options.out / "frequencies.png", dpi=130)

# %% [markdown]
# ## Which parts?
# Non-negative matrix factorisation (NMF) takes images apart into strokes. It is no invertible transform, but TRIM keeps
# what the parts leave out as a constant residual, so that the teacher still sees the true image. Input × gradient with
# Captum gives the same numbers as the teacher's gradient with respect to the pixels, asked once.

# %%
rank = 8 if options.quick else 20
nmf = NMF(rank, init="nndsvda", max_iter=3000, tol=1e-3, random_state=0).fit(x_train.flatten(1).numpy())
dictionary = LinearDictionary.from_sklearn(nmf, shape=(1, 8, 8))
trim, coefficients, residual = TrimModel.at(evidence, dictionary, x_test)
weights = coefficients[0].detach()
attributions = (
    InputXGradient(trim).attribute(coefficients, target=y_test, additional_forward_args=(residual,))[0].detach()
)

gradients = torch.from_numpy(input_gradients(evidence, x_test, "all"))[torch.arange(len(x_test)), y_test]
difference = (weights * dictionary.adjoint_forward(gradients) - attributions).abs().max()
share = 1 - residual.square().sum() / x_test.square().sum()
print(f"\nthe parts hold {share:.1%} of the images' energy, the residual the rest")
print(f"largest difference between Captum and the gradient asked once: {difference:.1e}")

# %% [markdown]
# The test: take one part away from each image; that with the largest attribution, that with the largest weight, or any.

# %%
present = (weights > 0).double()
choices = {
    "largest attribution": attributions.argmax(1),
    "largest weight": weights.argmax(1),
    "at random": torch.multinomial(present, 1, generator=torch.Generator().manual_seed(0))[:, 0],
}
falls = {}
for name, part in choices.items():
    with torch.no_grad():
        falls[name] = lost(dictionary.inverse(weights.scatter(1, part[:, None], 0.0)) + residual)
    error = falls[name].std() / np.sqrt(len(part))
    print(f"evidence lost without the part ({name:19s}) {falls[name].mean():6.2f} ± {error:.2f}")

# %%
figure = plt.figure(figsize=(10, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
axes = left.subplots(4, 10)
average = torch.stack([attributions[y_test == digit].mean(0) for digit in range(10)])
for digit in range(10):
    column = axes[:, digit]
    column[0].imshow(x_test[y_test == digit].mean(0)[0].numpy(), cmap="gray_r")
    column[0].set_title(str(digit))
    for row, part in zip(column[1:], average[digit].argsort(descending=True), strict=False):
        row.imshow(dictionary.atoms[part].reshape(8, 8).numpy(), cmap="Reds")
        row.set_xlabel(f"{average[digit, part]:.1f}", fontsize=8)
for panel in axes.flat:
    panel.set(xticks=[], yticks=[])
left.suptitle("mean image, and the three parts that speak for it most")
axis = right.subplots()
axis.boxplot([fall.numpy() for fall in falls.values()], showfliers=False)
axis.set_xticks(range(1, 4), [name.replace(" ", "\n", 1) for name in falls])
axis.set_ylabel("evidence lost when the part is taken away")
axis.axhline(0, color="0.7", linewidth=0.8)
figure.savefig(options.out / "parts.png", dpi=130)

# %% [markdown]
# ## Which wavelets?
# Wavelets say where and how large at once. The coefficients are tensors, one for each band of three levels; TRIM takes
# any structure of them. What is kept in a few of them? Keep those with the largest attribution to the right digit, or
# with the largest magnitude, or any, and ask the teacher for the digit.

# %%
wavelet = DWT2d("haar", levels=3, mode="periodization")
trim, coefficients, residual = TrimModel.at(evidence, wavelet, x_test)
attributions = IntegratedGradients(trim).attribute(
    coefficients, target=y_test, additional_forward_args=(residual,), n_steps=steps, internal_batch_size=4000
)
flat = torch.cat([band.flatten(1) for band in attributions], dim=1).detach()
values = torch.cat([band.flatten(1) for band in coefficients], dim=1).detach()
gap = (flat.sum(1) - lost(torch.zeros_like(x_test))).abs().max()
print(f"\nattributions' sum less the evidence, at most: {gap:.1e}")


def keep(ranking: Tensor, number: int) -> Tensor:
    """Images of the coefficients that rank highest, all others set to zero."""
    kept = torch.zeros_like(values).scatter(1, ranking.argsort(1, descending=True)[:, :number], 1.0) * values
    sizes = [band[0].numel() for band in coefficients]
    bands = [part.reshape(band.shape) for part, band in zip(kept.split(sizes, 1), coefficients, strict=True)]
    return wavelet.inverse(trim.structured(tuple(bands)))


rankings = {
    "largest attribution": flat,
    "largest magnitude": values.abs(),
    "at random": torch.rand(values.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
}
numbers = [1, 2, 4, 8, 16, 32, 64]
with torch.no_grad():
    recognised = {name: [accuracy(keep(rank, k)) for k in numbers] for name, rank in rankings.items()}
print("coefficients kept    " + "".join(f"{k:7d}" for k in numbers))
for name, row in recognised.items():
    print(f"{name:21s}" + "".join(f"{value:7.3f}" for value in row))

# %% [markdown]
# "Largest attribution" knows the right digit, as every explanation of it does: the curve says how few coefficients hold
# the evidence, not how well a digit can be told.

# %%
few = 8
with torch.no_grad():
    rebuilt = keep(flat, few)
figure = plt.figure(figsize=(10, 3.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
axes = left.subplots(3, 10)
for digit in range(10):
    first = int(torch.nonzero(y_test == digit)[0])
    spread = torch.zeros(64, dtype=torch.float64)
    top = flat[first].argsort(descending=True)[:few]
    spread[top] = flat[first, top]
    weighed = [
        part.reshape(band[:1].shape)
        for part, band in zip(spread[None].split([b[0].numel() for b in coefficients], 1), coefficients, strict=True)
    ]
    with torch.no_grad():
        glow = wavelet.inverse(trim.structured(tuple(weighed)))[0, 0]
    rows = (x_test[first, 0], rebuilt[first, 0], glow)
    for panel, shown_image, colours in zip(axes[:, digit], rows, ("gray_r", "gray_r", "PuOr_r"), strict=True):
        limit = float(shown_image.abs().max())
        low = -limit if colours == "PuOr_r" else 0.0
        panel.imshow(shown_image.numpy(), cmap=colours, vmin=low, vmax=limit)
        panel.set(xticks=[], yticks=[])
for row, name in zip(axes[:, 0], ("image", f"from {few}\ncoefficients", "their\nattribution"), strict=True):
    row.set_ylabel(name, rotation=0, ha="right", va="center")
left.suptitle(f"the {few} of 64 Haar coefficients with the largest attribution")
axis = right.subplots()
for (name, row), style in zip(recognised.items(), ("o-", "s--", "^:"), strict=True):
    axis.plot(numbers, row, style, label=name)
axis.set_xscale("log", base=2)
axis.set_xticks(numbers, [str(k) for k in numbers])
axis.set(xlabel="coefficients kept (of 64)", ylabel="test images recognised", ylim=(0, 1.02))
axis.legend(frameon=False)
figure.savefig(options.out / "wavelets.png", dpi=130)
print(f"\nLook at frequencies.png, parts.png and wavelets.png in {options.out}.")
