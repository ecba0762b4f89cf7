# %% [markdown]
# # Denoising in scikit-image with a wavelet distilled from a network
#
# A small convolutional network learns to take noise out of pictures of brick, grass and gravel. It does so well, and
# says nothing. Which wavelet has it come to see in? Distillation looks for the filter in which what the network keeps
# of a noisy patch is sparse; and a wavelet in which a picture is sparse is a good one to threshold in. The distilled
# wavelet then denoises by BayesShrink, scikit-image's own rule, beside wavelets with a name.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pywt
import torch
from skimage import data, img_as_float
from skimage.metrics import peak_signal_noise_ratio
from skimage.restoration import denoise_wavelet
from torch import Tensor, nn

from awd_core import SearchSettings, Wavelet, distill_path, input_gradients
from awd_core.transforms import without_boundary_warnings

parser = argparse.ArgumentParser(description="Denoise pictures with a wavelet distilled from a network.")
parser.add_argument("--out", type=Path, default=Path("runs/denoising"), help="folder for the figures and the wavelet")
parser.add_argument("--start", default="db5", help="wavelet to start from; its length stays")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)
rng = np.random.default_rng(0)

# %% [markdown]
# ## Pictures
# Of each picture the left half is for training, the next quarter for choices, the last quarter for the test. Pictures
# are in [0, 1]; the noise is white and its standard deviation known.

# %%
sigma, size, levels = 0.1, 32, 3
steps, number, starts = (20, 64, 0) if options.quick else (400, 2048, 16)
pictures = {name: img_as_float(getattr(data, name)()) for name in ("brick", "grass", "gravel")}
training = np.stack([picture[:, :256] for picture in pictures.values()]).astype(np.float32)


def noisy_strips(columns: slice, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The clean and the noisy strip of each picture."""
    noise = np.random.default_rng(seed)
    clean = {name: picture[:, columns] for name, picture in pictures.items()}
    return {name: (strip, strip + noise.normal(0, sigma, strip.shape)) for name, strip in clean.items()}


def patches(count: int) -> Tensor:
    """Clean patches of the training halves, (count, 1, size, size)."""
    places = zip(rng.integers(0, 3, count), rng.integers(0, 481, count), rng.integers(0, 225, count), strict=True)
    return torch.from_numpy(np.stack([training[k, None, y : y + size, x : x + size] for k, y, x in places]))


validation, test = noisy_strips(slice(256, 384), seed=1), noisy_strips(slice(384, 512), seed=2)

# %% [markdown]
# ## The teacher
# Three layers of convolutions that guess the noise of a patch.

# %%
layers = [nn.Conv2d(entering, leaving, 5, padding=2) for entering, leaving in ((1, 24), (24, 24), (24, 1))]
teacher = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
optimiser = torch.optim.Adam(teacher.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
for step in range(steps):
    clean = patches(32)
    noise = sigma * torch.randn_like(clean)
    loss = (teacher(clean + noise) - noise).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    if step % 100 == 99:
        print(f"step {step + 1}: error {float(loss.detach().sqrt()):.4f} of noise {sigma}", flush=True)
teacher.eval()


def denoised_by_network(image: np.ndarray) -> np.ndarray:
    """What the teacher leaves of an image."""
    x = torch.from_numpy(image.astype(np.float32))[None, None]
    with torch.no_grad():
        return (x - teacher(x))[0, 0].numpy()


# %% [markdown]
# ## What is distilled
# One number of the teacher, whose gradient is asked once: half of the energy, about the mean, of what it keeps of a
# patch. Its gradient is close to the patch that the network sees behind the noise, so that attributions to wavelet
# coefficients are sparse where that picture is. (The value of a single pixel would not do: it depends on a few
# neighbours, and of all wavelets the shortest is sparsest for that.)


# %%
class KeptEnergy(nn.Module):
    """½‖x̂ − mean‖² of the denoised patch x̂."""

    def forward(self, x: Tensor) -> Tensor:
        kept = x - teacher(x)
        return 0.5 * (kept - kept.mean((2, 3), keepdim=True)).square().sum((1, 2, 3))


X = (patches(number) + sigma * torch.randn(number, 1, size, size)).numpy()
gradients = input_gradients(KeptEnergy(), X, None)
X = X - X.mean(axis=(2, 3), keepdims=True)  # the mean of a patch is no shape
with without_boundary_warnings():  # patches are cut from images: their ends are no worse than others
    path = distill_path(
        X[:, 0], gradients[:, 0], wavelet=options.start, levels=levels, mode="periodization", ndim=2,
        shares=[0, 1] if options.quick else [0, 0.25, 0.5, 0.75, 1],
        search=SearchSettings(random_starts=starts, large_batch=1 << 21),
    )  # fmt: skip

# %% [markdown]
# ## BayesShrink, with any wavelet
# `skimage.restoration.denoise_wavelet` takes a wavelet by its name only, and a distilled one has none. The same rule,
# with the same numbers for a wavelet that has a name:


# %%
def bayes_shrink(image: np.ndarray, wavelet: Wavelet) -> np.ndarray:
    """Soft thresholds σ²/σₓ, one for each band of details, as scikit-image's method "BayesShrink"."""
    coefficients = pywt.wavedecn(image, wavelet.to_pywt(), level=levels)
    for details in coefficients[1:]:
        for key, d in details.items():
            spread = max(np.mean(d * d) - sigma**2, np.finfo(d.dtype).eps)
            details[key] = pywt.threshold(d, sigma**2 / np.sqrt(spread), mode="soft")
    return pywt.waverecn(coefficients, wavelet.to_pywt())[tuple(slice(n) for n in image.shape)]


strip = test["brick"][1]
theirs = denoise_wavelet(strip, sigma, "sym5", wavelet_levels=levels, rescale_sigma=False)
difference = np.abs(np.clip(bayes_shrink(strip, Wavelet.from_name("sym5")), 0, 1) - np.clip(theirs, 0, 1)).max()
print(f"largest difference from scikit-image, sym5: {difference:.1e}")


def decibels(strips: dict[str, tuple[np.ndarray, np.ndarray]], wavelet: Wavelet) -> list[float]:
    """Peak signal-to-noise ratio of each picture, denoised."""
    return [
        peak_signal_noise_ratio(clean, bayes_shrink(noisy, wavelet), data_range=1) for clean, noisy in strips.values()
    ]


# %% [markdown]
# ## Choices by validation
# Which point of the path, and, as strong a rival as can be had, which of PyWavelets' filters of the same length or
# shorter.

# %%
chosen = max(path, key=lambda point: np.mean(decibels(validation, point.wavelet)))
length = path.start.length
rivals = [
    wavelet
    for wavelet in map(Wavelet.from_name, pywt.wavelist(family="db") + pywt.wavelist(family="sym"))
    if wavelet.length <= length
]
best = max(rivals, key=lambda wavelet: np.mean(decibels(validation, wavelet)))
print(f"chosen: share {chosen.share:g} of the attributions; of {len(rivals)} named wavelets {best.name}")

# %% [markdown]
# ## The test
# Rows: the start; the sparsest wavelet for the noisy patches themselves, without the teacher (share 0); the distilled
# one; the best named one; and the network. Differences between wavelets of one length are small, a tenth of a decibel,
# and the network is far ahead of all: it does not threshold. (The search for the path begins at PyWavelets' filters of
# that length too, among them sym5, and leaves them; where it ends near one, that says what the network has learnt.)

# %%
before, named = f"{path.start.name} (start)", f"{best.name} (best named)"
rows = {
    "noisy": [peak_signal_noise_ratio(clean, noisy, data_range=1) for clean, noisy in test.values()],
    "haar": decibels(test, Wavelet.from_name("haar")),
    before: decibels(test, path.start),
    "sparse without teacher": decibels(test, path[0].wavelet),
    "distilled": decibels(test, chosen.wavelet),
    named: decibels(test, best),
    "network": [
        peak_signal_noise_ratio(clean, denoised_by_network(noisy), data_range=1) for clean, noisy in test.values()
    ],
}
print(f"\n{'PSNR, dB':24s}" + "".join(f"{name:>9s}" for name in test) + f"{'mean':>9s}")
for name, row in rows.items():
    print(f"{name:24s}" + "".join(f"{value:9.2f}" for value in row) + f"{np.mean(row):9.3f}")

# %%
chosen.wavelet.save(options.out / "wavelet.json")
figure = chosen.wavelet.plot(before=best)
figure.savefig(options.out / "wavelet.png", dpi=130)

clean, noisy = test["brick"]
shown = {
    "clean": clean,
    "noisy": noisy,
    before: bayes_shrink(noisy, path.start),
    "distilled": bayes_shrink(noisy, chosen.wavelet),
    "network": denoised_by_network(noisy),
}
figure, axes = plt.subplots(1, len(shown), figsize=(12, 2.8), layout="constrained")
for axis, (name, image) in zip(axes, shown.items(), strict=True):
    axis.imshow(image[:128], cmap="gray", vmin=clean.min(), vmax=clean.max())
    axis.set(title=f"{name}, {rows[name][0]:.1f} dB" if name in rows else name, xticks=[], yticks=[])
figure.savefig(options.out / "pictures.png", dpi=130)

figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
styles = {before: "s", "sparse without teacher": "v", "distilled": "o", named: "D"}
for (name, marker), colour in zip(styles.items(), ("#9A9A9A", "#56B4E9", "#0072B2", "#D55E00"), strict=True):
    gains = np.array(rows[name]) - np.array(rows[before])
    axis.plot([*gains, gains.mean()], np.arange(4), marker, color=colour, label=name, markersize=8)
axis.set_yticks(range(4), [*test, "mean"])
axis.invert_yaxis()
axis.set(xlabel=f"PSNR of the test strip over that with {path.start.name} (dB)")
axis.axvline(0, color="0.8", linewidth=0.8, zorder=0)
axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
figure.savefig(options.out / "decibels.png", dpi=130)
print(f"\nLook at wavelet.png, pictures.png and decibels.png in {options.out}.")
