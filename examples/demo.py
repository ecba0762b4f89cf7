# %% [markdown]
# # The demonstration
# A photograph's own wavelet: of all orthonormal filters with ten taps, the one in which the photograph is sparsest.
# Everything is learnt through lattice angles, so every filter on the way is a wavelet.

# %%
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_sample_image

from awd_core import DWT2d, OrthonormalFilter, Wavelet
from awd_core.plot import plot_wavelet, save_figure

LEVELS = 4


# %% [markdown]
# The L1 norm of the coefficients is the sparsity term of distillation; L-BFGS walks over four angles.


# %%
def sparsest_wavelet(image: torch.Tensor, start: Wavelet) -> tuple[Wavelet, list[float]]:
    """Wavelet near the start that makes the image's coefficients sparsest, and the L1 norm at each step."""
    dwt = DWT2d(OrthonormalFilter(start, dtype=image.dtype), LEVELS, "symmetric")
    optimiser = torch.optim.LBFGS(dwt.parameters(), max_iter=60, line_search_fn="strong_wolfe")
    norms: list[float] = []

    def evaluate() -> torch.Tensor:
        optimiser.zero_grad()
        norm = torch.stack([band.abs().sum() for band in dwt(image).tensors()]).sum() / image.numel()
        norm.backward()
        norms.append(norm.item())
        return norm

    optimiser.step(evaluate)
    return dwt.filters[0].wavelet(), norms


def kept_energy(image: torch.Tensor, wavelet: Wavelet, share: float) -> float:
    """Share of the detail's energy that the largest coefficients keep."""
    details = torch.cat([band.flatten() for band in list(DWT2d(wavelet, LEVELS)(image).tensors())[1:]]).square()
    largest = details.sort(descending=True).values
    return float(largest[: int(share * len(largest))].sum() / largest.sum())


# %%
def main(out: Path) -> None:
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    photograph = load_sample_image("china.jpg").mean(axis=2)
    image = torch.from_numpy((photograph - photograph.mean()) / photograph.std())

    start = Wavelet.from_name("db5")
    learnt, norms = sparsest_wavelet(image, start)
    dwt = DWT2d(learnt, LEVELS)
    error = float((dwt.inverse(dwt(image)) - image).abs().max())

    save_figure(plot_wavelet(learnt, before=start), out / "wavelet.png")
    learnt.save(out / "wavelet.json")
    (out / "certificate.txt").write_text(f"{learnt.certificate()}\n", encoding="utf-8")
    summary = {
        "image": "china.jpg of scikit-learn, grey, 427 × 640",
        "L1 norm per pixel, db5": norms[0],
        "L1 norm per pixel, learnt": min(norms),
        "energy of the details in the largest 5 % of coefficients, db5": kept_energy(image, start, 0.05),
        "energy of the details in the largest 5 % of coefficients, learnt": kept_energy(image, learnt, 0.05),
        "largest reconstruction error": error,
        "evaluations": len(norms),
        "seconds": round(time.perf_counter() - began, 2),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, value in summary.items():
        print(f"{name}: {value if isinstance(value, str) else np.format_float_positional(value, precision=4)}")
    print(f"\nLook at {out / 'wavelet.png'}, {out / 'certificate.txt'} and {out / 'summary.json'}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the main jobs on embedded data.")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for the files")
    main(parser.parse_args().out)
