# %% [markdown]
# # Which spatial frequencies does a classifier use?
#
# Transformation importance (TRIM) attributes a prediction to the Fourier coefficients of the image instead of its
# pixels, and a sum over bands of frequency makes a curve of it. Such a curve can be tested: filter a band out of the
# test images, and see how far the evidence for the right digit falls.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from captum.attr import IntegratedGradients
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from awd_core.transforms import FourierTransform
from awd_core.trim import TrimModel

parser = argparse.ArgumentParser(description="Importance of bands of spatial frequency for handwritten digits.")
parser.add_argument("--out", type=Path, default=Path("trim_fourier_bands"), help="folder for the figure")
out = parser.parse_known_args()[0].out
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)

# %% [markdown]
# ## Images and a teacher
# 1,797 images of 8 × 8 pixels, scaled to [0, 1], and a small convolutional network.

# %%
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 1, 8, 8).astype(np.float32) / 16
parts = train_test_split(images, labels, test_size=400, random_state=0, stratify=labels)
x_train, x_test, y_train, y_test = (torch.from_numpy(part) for part in parts)

teacher = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 36, 10)
)
optimiser = torch.optim.Adam(teacher.parameters(), lr=2e-3)
for _ in range(8):
    for batch in torch.randperm(len(x_train)).split(64):
        loss = nn.functional.cross_entropy(teacher(x_train[batch]), y_train[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
teacher.eval()


def accuracy(x: Tensor) -> float:
    """Share of test images that are recognised."""
    return float((teacher(x).argmax(1) == y_test).float().mean())


print(f"test accuracy of the teacher: {accuracy(x_test):.3f}")

# %% [markdown]
# ## Attribution to Fourier coefficients
# Evidence is the score of the right digit less the mean score of all digits. Integrated gradients start from the image
# without any of its Fourier coefficients, that is from black; so the bands' sums add up to the evidence of the image
# less that of the black one.


# %%
class Evidence(nn.Module):
    """Score of each digit less the mean of all."""

    def forward(self, x: Tensor) -> Tensor:
        scores = teacher(x)
        return scores - scores.mean(1, keepdim=True)


evidence = Evidence()
fourier = FourierTransform((8, 8))
bands = [0.0, 0.06, 0.15, 0.2, 0.27, 0.33, 0.4, 0.5, np.inf]

trim, coefficients, residual = TrimModel.at(evidence, fourier, x_test)
attributions = (
    IntegratedGradients(trim)
    .attribute(coefficients, target=y_test, additional_forward_args=residual, n_steps=64, internal_batch_size=4000)[0]
    .detach()
)
edges, importance, counts = fourier.band_importance(attributions[:, 0], bands)
with torch.no_grad():
    gain = evidence(x_test) - evidence(torch.zeros_like(x_test))
gain = gain.gather(1, y_test[:, None])[:, 0]
print(f"largest gap between the bands' sum and the evidence: {float((importance.sum(1) - gain).abs().max()):.1e}")

# %% [markdown]
# ## The test: taking a band away
# Filtering is the same transform: coefficients of the band are set to zero, and the image is put together again.

# %%
_, masks = fourier.band_masks(bands)
drops, accuracies = [], []
for mask in masks:
    with torch.no_grad():
        filtered = fourier.inverse(fourier(x_test) * ~mask[..., None])
        change = evidence(x_test) - evidence(filtered)
    drops.append(float(change.gather(1, y_test[:, None]).mean()))
    accuracies.append(accuracy(filtered))

curve = importance.mean(0).numpy()
agreement = np.corrcoef(curve, drops)[0, 1]
print("band (cycles/pixel)   frequencies   importance   drop if filtered   accuracy then")
for k, n in enumerate(counts):
    print(f"{edges[k]:6.2f} to {edges[k + 1]:5.2f}   {n:11d} {curve[k]:12.2f} {drops[k]:18.2f} {accuracies[k]:15.3f}")
print(f"correlation of importance and drop over the bands: {agreement:.2f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
positions = np.arange(len(curve))
left.bar(positions - 0.2, curve, 0.4, label="TRIM, integrated gradients")
left.bar(positions + 0.2, drops, 0.4, label="drop when filtered out")
left.set_xticks(positions, [f"{low:.2f}–" for low in edges[:-1]])
left.set(xlabel="band of spatial frequency (cycles/pixel, from)", ylabel="evidence for the right digit", ylim=(0, 4.5))
left.legend()
per_digit = torch.stack([importance[y_test == digit].mean(0) for digit in range(10)])
shown = right.imshow(per_digit.numpy(), aspect="auto", cmap="viridis")
right.set_xticks(positions, [f"{low:.2f}–" for low in edges[:-1]])
right.set(xlabel="band (cycles/pixel, from)", ylabel="digit", yticks=range(10), title="importance by digit")
figure.colorbar(shown)
figure.savefig(out / "trim_fourier_bands.png", dpi=120)
print(f"figure: {out / 'trim_fourier_bands.png'}")
