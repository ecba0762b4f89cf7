# %% [markdown]
# # A photograph's own wavelet
# Of all orthonormal filters with ten taps, the one in which a photograph is sparsest. Everything is learnt through
# lattice angles, so that every filter on the way is a wavelet. No network is asked yet: this is the sparsity term of
# distillation alone.

# %%
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_sample_image

from awd_core import DWT2d, OrthonormalFilter, Wavelet
from awd_core.plotting import save_figure
from awd_core.wavelets import plot_wavelet

parser = argparse.ArgumentParser(description="Learn the wavelet in which a photograph is sparsest.")
parser.add_argument("--out", type=Path, default=Path("runs/photograph"), help="folder for the files")
parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
options = parser.parse_known_args()[0]
options.out.mkdir(parents=True, exist_ok=True)
began = time.perf_counter()

photograph = load_sample_image("china.jpg").mean(axis=2)[:: 4 if options.quick else 1, :: 4 if options.quick else 1]
image = torch.from_numpy((photograph - photograph.mean()) / photograph.std())
start, levels = Wavelet.from_name("db5"), 2 if options.quick else 4

# %% [markdown]
# The L1 norm of the coefficients is the sparsity term of distillation; L-BFGS walks over four angles.

# %%
dwt = DWT2d(OrthonormalFilter(start, dtype=image.dtype), levels, "symmetric")
optimiser = torch.optim.LBFGS(dwt.parameters(), max_iter=60, line_search_fn="strong_wolfe")
norms: list[float] = []


def evaluate() -> torch.Tensor:
    """L1 norm per pixel, and its gradient with respect to the angles."""
    optimiser.zero_grad()
    norm = torch.stack([band.abs().sum() for band in dwt(image).tensors()]).sum() / image.numel()
    norm.backward()
    norms.append(norm.item())
    return norm


optimiser.step(evaluate)
learnt = dwt.filters[0].wavelet()

# %% [markdown]
# What is it good for? A few coefficients hold more of the picture; and nothing is lost, since it is a wavelet.


# %%
def kept_energy(wavelet: Wavelet, share: float) -> float:
    """Share of the detail's energy that the largest coefficients keep."""
    details = torch.cat([band.flatten() for band in list(DWT2d(wavelet, levels)(image).tensors())[1:]]).square()
    largest = details.sort(descending=True).values
    return float(largest[: int(share * len(largest))].sum() / largest.sum())


fixed = DWT2d(learnt, levels)
summary = {
    "image": f"china.jpg of scikit-learn, grey, {image.shape[0]} × {image.shape[1]}",
    "L1 norm per pixel, db5": norms[0],
    "L1 norm per pixel, learnt": min(norms),
    "energy of the details in the largest 5 % of coefficients, db5": kept_energy(start, 0.05),
    "energy of the details in the largest 5 % of coefficients, learnt": kept_energy(learnt, 0.05),
    "largest reconstruction error": float((fixed.inverse(fixed(image)) - image).abs().max()),
    "evaluations": len(norms),
    "seconds": round(time.perf_counter() - began, 2),
}
for name, value in summary.items():
    print(f"{name}: {value if isinstance(value, str) else np.format_float_positional(value, precision=4)}")

# %%
save_figure(plot_wavelet(learnt, before=start), options.out / "wavelet.png")
learnt.save(options.out / "wavelet.json")
(options.out / "certificate.txt").write_text(f"{learnt.certificate()}\n", encoding="utf-8")
(options.out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
print(f"\nLook at wavelet.png, certificate.txt and summary.json in {options.out}.")
