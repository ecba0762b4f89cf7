"""Where a model is differentiated: at the inputs themselves, or at weighted points between baselines and inputs.

Every method here has an average gradient ḡ = Σ_k w_k ∇f(p_k) per sample, with Σ_k w_k = 1:

- saliency, input × gradient: one point, x;
- integrated gradients (Sundararajan, Taly, Yan 2017, eq. 1): Gauss-Legendre points b + α_k (x − b);
- SHAP by expected gradients (Lundberg and Lee 2017; Erion et al. 2021, eq. 3): random points b_k + α_k (x + ε_k − b_k).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor

from awd_core.attribution.methods import METHODS as METHODS
from awd_core.attribution.methods import Method as Method
from awd_core.checks.choices import check_choice
from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.files.arrays import SampleArray, as_samples, digest, read_block
from awd_core.typing import AnyArray

Points = Callable[[int, AnyArray], Iterator[tuple[AnyArray, float]]]
"""From the number of the first sample and a block of samples to points of the block's shape, and their weights."""


def points_of(
    samples: SampleArray,
    method: Method,
    *,
    baseline: Any = None,
    n_steps: int = 50,
    n_samples: int = 50,
    noise: float = 0.0,
    seed: int | None = None,
) -> tuple[Points, dict[str, Any]]:
    """Points at which `method` wants the gradient, and the choices that determine them.

    Parameters
    ----------
    samples : SampleArray, shape (n, *shape)
        Inputs.
    method : Method
        See `awd_core.attribution.input_gradients`, also for what follows.
    baseline : None, float or array_like
        Nothing stands for 0.
    n_steps, n_samples : int
        Number of points for integrated gradients, for gradient SHAP.
    noise : float
        Standard deviation of what is added to inputs for gradient SHAP.
    seed : int, optional
        Needed for gradient SHAP.

    Returns
    -------
    points : callable
        Gives the points for a block of samples.
    choices : dict
        JSON values, None for what the method does not use; a baseline array by its digest.

    Raises
    ------
    ValueError
        For an unknown method, a baseline that does not fit, or choices that the method cannot use.
    """
    check_choice("method", method, METHODS, required=True)
    choices: dict[str, Any] = dict.fromkeys(("baseline", "n_steps", "n_samples", "noise", "seed"))
    if method in ("saliency", "input_x_gradient"):
        if baseline is not None:
            raise ValueError(f'baseline is for "integrated_gradients" and "gradient_shap"; "{method}" has none.')
        return _at_the_input, choices
    if method == "integrated_gradients":
        rows = _shared_or_per_sample(baseline, samples)
        choices |= {"baseline": _name(baseline, rows), "n_steps": whole_number("n_steps", n_steps)}
        return _straight_path(rows, n_steps), choices
    if seed is None:
        raise ValueError('"gradient_shap" draws at random: give seed=, a number, so that it can be repeated.')
    noise, rows = real_number("noise", noise, "a standard deviation", least=0), _rows(baseline, samples)
    choices |= {"baseline": _name(baseline, rows), "n_samples": whole_number("n_samples", n_samples)}
    choices |= {"noise": noise, "seed": whole_number("seed", seed, 0)}
    return _random_points(rows, n_samples, noise, int(seed)), choices


def _at_the_input(_: int, x: AnyArray) -> Iterator[tuple[AnyArray, float]]:
    yield x, 1.0


def _straight_path(rows: SampleArray, n_steps: int) -> Points:
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)

    def points(start: int, x: AnyArray) -> Iterator[tuple[AnyArray, float]]:
        b = read_block(rows, 0, 1) if rows.shape[0] == 1 else read_block(rows, start, start + len(x))
        b = b.astype(x.dtype)
        for node, weight in zip(nodes, weights, strict=True):
            yield b + x.dtype.type((1 + node) / 2) * (x - b), float(weight) / 2

    return points


def _random_points(rows: SampleArray, n_samples: int, noise: float, seed: int) -> Points:
    def points(start: int, x: AnyArray) -> Iterator[tuple[AnyArray, float]]:
        # One generator per sample: what is drawn for it does not depend on the batch it is in.
        generators = [np.random.default_rng([seed, start + i]) for i in range(len(x))]
        for _ in range(n_samples):
            point = np.empty_like(x)
            for i, rng in enumerate(generators):
                alpha, j = rng.random(), int(rng.integers(rows.shape[0]))
                shifted = x[i] + noise * rng.standard_normal(x[i].shape) if noise > 0 else x[i]
                b = read_block(rows, j, j + 1)[0]
                point[i] = b + alpha * (shifted - b)
            yield point, 1.0 / n_samples

    return points


def _shared_or_per_sample(baseline: Any, samples: SampleArray) -> SampleArray:
    rows = _rows(baseline, samples)
    if rows.shape[0] not in (1, samples.shape[0]):
        raise ValueError(
            f"baseline has {rows.shape[0]} rows; for integrated gradients give a number, one array of the shape"
            f" {tuple(samples.shape[1:])} of a sample, or one for each of the {samples.shape[0]} samples."
        )
    return rows


def _rows(baseline: Any, samples: SampleArray) -> SampleArray:
    """Baselines with shape (rows, *shape of a sample)."""
    shape = tuple(samples.shape[1:])
    if baseline is None:
        baseline = 0.0
    given = tuple(np.shape(baseline))
    if len(given) == len(shape) + 1 and given[1:] == shape:
        return as_samples(baseline, "baseline")
    values = baseline.detach().cpu().numpy() if isinstance(baseline, Tensor) else np.asarray(baseline)
    if len(given) > len(shape) or values.dtype.kind not in "fiu":
        raise ValueError(
            f"baseline has shape {given} and type {values.dtype}; give a number, or real numbers with the shape {shape}"
            f" of a sample or (rows, *{shape})."
        )
    try:
        return np.broadcast_to(values.astype(np.float64), shape)[None]
    except ValueError:
        raise ValueError(f"baseline of shape {given} does not fit samples of shape {shape}.") from None


def _name(baseline: Any, rows: SampleArray) -> str:
    """What identifies a baseline: its value if it is one number, otherwise its values' digest."""
    if baseline is None or np.ndim(baseline) == 0:
        return repr(float(0.0 if baseline is None else baseline))
    return digest(rows)
