# %% [markdown]
# # The family of explanations: what a part says in its context
#
# Gradients say how a prediction answers to a small change. Contextual decomposition (CD; Murdoch, Liu, Yu 2018; Singh,
# Murdoch, Yu 2019) follows a part of the input through the network, beside the rest, and says what of the prediction is
# the part's: β + γ = f(x). A part may be a band of frequencies, a stroke of a digit, a topic of a text. From there it
# is one step to hierarchies of parts, to a mask over frequencies that is learnt, to networks that are trained not to
# use what they must not, and, for forests, to attribution curves. Each of these is here once, on data made on the spot
# or in scikit-learn.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from awd_core import (
    ExplanationPenalty,
    FourierTransform,
    LinearDictionary,
    TeacherClassifier,
    TrimModel,
    agglomerate,
    attribution_curve,
    band_decomposition,
    contextual_decomposition,
)
from awd_core.decomposition import neighbours, union_score

parser = argparse.ArgumentParser(description="Contextual decomposition, hierarchies, penalties and forests, in small.")
parser.add_argument("--out", type=Path, default=Path("runs/explanation_family"), help="folder for the figures")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
torch.manual_seed(0)


# %%
def convolutions() -> nn.Module:
    """A small network for sounds of 256 samples."""
    return nn.Sequential(
        nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 8, 9, stride=2), nn.ReLU(), nn.Conv1d(8, 16, 9, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip


def small_network() -> nn.Module:
    """A small network for digits of 8 × 8 pixels."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 10),
    )  # fmt: skip


def topics_network() -> nn.Module:
    """A small network for counts of twenty words."""
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 3))


# %% [markdown]
# ## Frequency bands of sounds
# Each class is a tone in a band of its own, in noise that is louder at low frequencies. CD of each band, and integrated
# gradients' cheaper sibling, input × gradient, of the same coefficients.

# %%
count, epochs = (240, 4) if options.quick else (1200, 20)
label = rng.integers(3, size=count)
time = np.arange(256)
tones = rng.uniform(0.06, 0.1, count) + 0.1 * label
phases = rng.uniform(0, 2 * np.pi, (count, 1))
noise = np.cumsum(rng.normal(size=(count, 256)), axis=1)
noise = 0.2 * (noise - noise.mean(axis=1, keepdims=True))
sounds = (0.6 * np.sin(2 * np.pi * tones[:, None] * time + phases) + noise).astype(np.float32)
fitted = TeacherClassifier(convolutions, max_epochs=epochs, learning_rate=3e-3, accelerator="cpu", patience=None)
network = fitted.fit(sounds[40:], label[40:]).as_torch()
print(f"sounds: {fitted.score(sounds[:40], label[:40]):.0%} of the test sounds are told")

fourier, edges = FourierTransform(256), [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.5]
x = torch.from_numpy(sounds[:40])
classes = torch.from_numpy(label[:40])
with torch.no_grad():
    found = band_decomposition(network, x, fourier, edges)
scores = found.relevant - found.relevant.mean(2, keepdim=True)
by_cd = scores[:, torch.arange(40), classes]
trim, (s,), _ = TrimModel.at(network, fourier, x)
out = trim(s)
evidence = (out - out.mean(1, keepdim=True))[torch.arange(40), classes].sum()
by_gradient = fourier.band_importance(s.detach() * torch.autograd.grad(evidence, s)[0], edges).values.T
figure, panels = plt.subplots(2, 3, figsize=(9, 4), sharex=True, layout="constrained")
for row, (values, name) in enumerate([(by_cd, "CD"), (by_gradient, "input × gradient")]):
    for kind in range(3):
        panels[row, kind].bar(
            range(8), values[:, classes == kind].mean(1).tolist(), color="#0072B2" if row == 0 else "#E69F00"
        )
        panels[row, kind].set_title(f"{name}, class {kind}", fontsize=9)
figure.supxlabel("band of frequency")
figure.savefig(options.out / "sounds.png", dpi=120)
for kind in range(3):
    best = [found.names[int(values[:, classes == kind].mean(1).argmax())] for values in (by_cd, by_gradient)]
    print(f"class {kind}: tones from {0.06 + 0.1 * kind:.2f}; most by CD {best[0]}, by input × gradient {best[1]}")

# %% [markdown]
# ## A mask over frequencies that is learnt
# CD is differentiable in the mask: the fewest frequencies that keep what the network says.

# %%
logits = torch.zeros(129, 1, requires_grad=True)
optimiser = torch.optim.Adam([logits], lr=0.5)
few = x[classes == 1]
for _ in range(10 if options.quick else 60):
    kept = contextual_decomposition(network, few, logits.sigmoid(), transform=fourier)
    rest = kept.irrelevant - kept.irrelevant.mean(1, keepdim=True)
    loss = rest.square().mean() + 10.0 * logits.sigmoid().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
mask = logits.detach().sigmoid()[:, 0]
inside = (fourier.frequencies() >= 0.15) & (fourier.frequencies() <= 0.21)
print(f"learnt mask: {mask[inside].mean():.2f} at the tones of class 1, {mask[~inside].mean():.2f} elsewhere")

# %% [markdown]
# ## Parts of digits, and a hierarchy of pixels
# NMF's atoms as parts; and the groups of pixels that the network joins first.

# %%
pixels, digits = load_digits(return_X_y=True)
images = (pixels.reshape(-1, 8, 8) / 16).astype(np.float32)
size = 500 if options.quick else 1500
reader = TeacherClassifier(small_network, max_epochs=epochs, learning_rate=3e-3, accelerator="cpu", patience=None)
digit_network = reader.fit(images[:size], digits[:size]).as_torch()
print(f"digits: {reader.score(images[size:], digits[size:]):.0%} of the test digits are told")
nmf = NMF(12, init="nndsvda", max_iter=1000, tol=1e-3, random_state=0).fit(images[:size].reshape(size, -1))
strokes = LinearDictionary.from_sklearn(nmf, shape=(8, 8))
shown = torch.from_numpy(images[size : size + 20])
with torch.no_grad():
    parts = band_decomposition(digit_network, shown, strokes)
told = parts.relevant[:, torch.arange(20), torch.from_numpy(digits[size : size + 20])]
print(f"digit {digits[size]}: the part that says most is {parts.names[int(told[:, 0].argmax())]}")

score = union_score(digit_network, shown[:1], target=int(digits[size]))
hierarchy = agglomerate(score, 64, neighbours((8, 8)), share=0.05)
hierarchy.plot((8, 8), levels=4).savefig(options.out / "hierarchy.png", dpi=120)
strongest = hierarchy.strongest(1)[0]
print(f"hierarchy: {len(hierarchy.levels)} levels; the strongest interaction joins {len(strongest.members)} pixels")

# %% [markdown]
# ## Topics of texts
# Counts of twenty words, from three topics; NMF finds the topics, CD says which of them the classifier heard.

# %%
topics = rng.dirichlet(np.full(20, 0.2), 3)
shares = rng.dirichlet(np.full(3, 0.4), 600)
words = rng.poisson(40 * shares @ topics).astype(np.float32)
about = shares.argmax(axis=1)
texts = TeacherClassifier(topics_network, max_epochs=2 * epochs, learning_rate=5e-3, accelerator="cpu", patience=None)
text_network = texts.fit(words[100:], about[100:]).as_torch()
found_topics = NMF(3, init="nndsvda", max_iter=1000, random_state=0).fit(words[100:])
dictionary = LinearDictionary.from_sklearn(found_topics)
with torch.no_grad():
    said = band_decomposition(text_network, torch.from_numpy(words[:100]), dictionary).relevant
said = said - said.mean(2, keepdim=True)
matrix = torch.stack([said[:, about[:100] == kind, kind].mean(1) for kind in range(3)])
print("topics: what each atom (column) says for each class (row)")
print(np.array2string(matrix.numpy(), precision=1, suppress_small=True))

# %% [markdown]
# ## Decoy digits, before and after the penalty
# A corner's brightness gives the digit away in training, and misleads in the test (Ross, Hughes, Doshi-Velez 2017;
# Rieger, Singh, Murdoch, Yu 2020). "Do not use the corner" is one line.

# %%
corner = np.zeros((8, 8))
corner[:2, :2] = 1


def with_decoy(x: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """Images whose corner has the brightness of a digit from 0 to 9."""
    made = x.copy()
    made[:, :2, :2] = brightness[:, None, None] / 9
    return made


train = with_decoy(images[:size], digits[:size])
test = with_decoy(images[size:], 9 - digits[size:])
print("decoy digits: λ, test accuracy, mean of what the corner says")
for weight in (0.0, 0.1, 1.0):
    penalty = ExplanationPenalty(corner, weight=weight) if weight else None
    decoyed = TeacherClassifier(
        small_network, max_epochs=epochs, learning_rate=3e-3, accelerator="cpu", patience=None, penalty=penalty
    ).fit(train, digits[:size])
    with torch.no_grad():
        heard = contextual_decomposition(decoyed.as_torch(), torch.from_numpy(test[:100]), corner).relevant
    print(f"   {weight:4.1f}   {decoyed.score(test, digits[size:]):.3f}   {heard.abs().mean():.3f}")

# %% [markdown]
# ## XOR in a forest
# Neither feature says anything alone; both together say all.

# %%
points = rng.uniform(-1, 1, (600, 3))
truth = (points[:, 0] > 0) ^ (points[:, 1] > 0)
forest = RandomForestClassifier(50, random_state=0).fit(points, truth)
grid = np.stack(np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-1, 1, 15)), -1).reshape(-1, 2)
pair = attribution_curve(forest, points, truth, [0, 1], grid)
pair.plot().savefig(options.out / "xor.png", dpi=120)
alone = attribution_curve(forest, points, truth, 0, np.linspace(-1, 1, 15))
print(f"XOR: alone from {np.nanmin(alone.values):.2f} to {np.nanmax(alone.values):.2f}", end="; ")
print(f"together from {np.nanmin(pair.values):.2f} to {np.nanmax(pair.values):.2f}")
print(f"\nLook at sounds.png, hierarchy.png and xor.png in {options.out}.")
