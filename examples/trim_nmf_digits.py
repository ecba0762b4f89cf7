# %% [markdown]
# # Which parts of a digit does a classifier use?
#
# Non-negative matrix factorisation (NMF) takes images apart into parts: strokes. It is no invertible transform, but
# transformation importance (TRIM) keeps what the parts leave out as a constant residual, so that the teacher still sees
# the true image while its prediction is attributed to the parts. Whether the attribution is right can be tested: take
# the part with the largest attribution away from an image, or another part, and see how far the score falls.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from captum.attr import InputXGradient
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF
from sklearn.model_selection import train_test_split
from torch import nn

from awd_core.dictionary import LinearDictionary
from awd_core.gradients import input_gradients
from awd_core.trim import TrimModel

parser = argparse.ArgumentParser(description="Importance of the parts of handwritten digits that NMF finds.")
parser.add_argument("--out", type=Path, default=Path("trim_nmf_digits"), help="folder for the figure")
out = parser.parse_known_args()[0].out
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)

# %% [markdown]
# ## Images, parts and a teacher

# %%
pixels, labels = load_digits(return_X_y=True)
parts = train_test_split(pixels / 16, labels, test_size=400, random_state=0, stratify=labels)
x_train, x_test, y_train, y_test = (torch.from_numpy(part) for part in parts)
x_train, x_test = x_train.reshape(-1, 8, 8), x_test.reshape(-1, 8, 8)

nmf = NMF(20, init="nndsvda", max_iter=3000, tol=1e-3, random_state=0).fit(x_train.flatten(1).numpy())
dictionary = LinearDictionary.from_sklearn(nmf, shape=(8, 8))

teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).double()
optimiser = torch.optim.Adam(teacher.parameters(), lr=3e-3)
for _ in range(30):
    for batch in torch.randperm(len(x_train)).split(64):
        loss = nn.functional.cross_entropy(teacher(x_train[batch]), y_train[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
accuracy = (teacher(x_test).argmax(1) == y_test).double().mean()
print(f"test accuracy of the teacher: {accuracy:.3f}")

# %% [markdown]
# ## Attribution to the parts
# Input × gradient with Captum, on the model that has the inverse of NMF and the residual before it. The same numbers
# follow from the gradient of the teacher with respect to the pixels, asked once, with no further pass.

# %%
trim, coefficients, residual = TrimModel.at(teacher, dictionary, x_test)
weights = coefficients[0].detach()
attributions = InputXGradient(trim).attribute(coefficients, target=y_test, additional_forward_args=residual)[0].detach()

gradients = torch.from_numpy(input_gradients(teacher, x_test, "all"))
of_own_digit = gradients[torch.arange(len(x_test)), y_test]
difference = (weights * dictionary.adjoint_forward(of_own_digit) - attributions).abs().max()
share = residual.square().sum() / x_test.square().sum()
print(f"the parts hold {1 - share:.1%} of the images' energy, the residual the rest")
print(f"largest difference between the two ways: {difference:.1e}")

# %% [markdown]
# ## The test: taking a part away
# Three choices for each image: the part with the largest attribution, the part with the largest weight, one of its
# parts at random.


# %%
def drop(part: torch.Tensor) -> torch.Tensor:
    """Fall of the score of the right digit when one part is taken away from each image."""
    kept = weights.scatter(1, part[:, None], 0.0)
    with torch.no_grad():
        fall = teacher(x_test) - trim(kept, residual)
    return fall.gather(1, y_test[:, None])[:, 0]


present = (weights > 0).double()
choices = {
    "largest attribution": attributions.argmax(1),
    "largest weight": weights.argmax(1),
    "at random": torch.multinomial(present, 1, generator=torch.Generator().manual_seed(0))[:, 0],
}
drops = {name: drop(part) for name, part in choices.items()}
for name, fall in drops.items():
    error = fall.std() / np.sqrt(len(fall))
    print(f"score lost without the part ({name:19s}) {fall.mean():6.2f} ± {error:.2f}")

# %%
figure = plt.figure(figsize=(10, 4.6), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
axes = left.subplots(4, 10)
average = torch.stack([attributions[y_test == digit].mean(0) for digit in range(10)])
for digit in range(10):
    column = axes[:, digit]
    column[0].imshow(x_test[y_test == digit].mean(0).numpy(), cmap="gray_r")
    column[0].set_title(str(digit))
    for row, part in zip(column[1:], average[digit].argsort(descending=True), strict=False):
        row.imshow(dictionary.atoms[part].reshape(8, 8).numpy(), cmap="Reds")
        row.set_xlabel(f"{average[digit, part]:.1f}", fontsize=7)
for panel in axes.flat:
    panel.set(xticks=[], yticks=[])
left.suptitle("mean image, and the three parts that speak for it most")
axis = right.subplots()
axis.boxplot([fall.numpy() for fall in drops.values()], showfliers=False)
axis.set_xticks(range(1, 4), [name.replace(" ", "\n", 1) for name in drops])
axis.set_ylabel("score lost when the part is taken away")
axis.axhline(0, color="0.7", linewidth=0.8)
figure.savefig(out / "trim_nmf_digits.png", dpi=120)
print(f"figure: {out / 'trim_nmf_digits.png'}")
