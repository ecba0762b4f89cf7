"""How sparse coefficients and attributions are in a wavelet, scale by scale.

One pass over the data gives what people compare wavelets by: L1 norms, the share of coefficients that matter (the
published compression factor), the share of the attribution that the largest few hold, and Gini's index.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from awd_core.attribution.coefficients import coefficient_attributions
from awd_core.attribution.gradients import check_gradients
from awd_core.attribution.points import METHODS, Method
from awd_core.checks.choices import check_choice
from awd_core.checks.device import check_device
from awd_core.checks.real_numbers import real_array, real_list, real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.evidence.score_records import CoefficientScores, ScaleScore, Scores
from awd_core.files.arrays import SampleArray, as_samples, digest, read_block
from awd_core.transforms.boundary import without_boundary_warnings
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d, transformed_axes
from awd_core.typing import AnyArray, Array
from awd_core.wavelets.filters import WaveletLike
from awd_core.wavelets.wavelet import Wavelet

THRESHOLD = 1e-3
"""The published threshold, above which a coefficient or an attribution counts as present."""

TOP = (0.01, 0.05, 0.1)
"""Shares of the coefficients for which `CoefficientScores.kept` says what they hold."""


def coefficient_scores(
    wavelet: WaveletLike,
    X: Any,
    gradients: Any,
    *,
    levels: int,
    mode: str = "zero",
    ndim: int | None = None,
    method: Method = "saliency",
    baseline: float | AnyArray = 0.0,
    coefficient_threshold: float = THRESHOLD,
    attribution_threshold: float = THRESHOLD,
    top: Sequence[float] = TOP,
    curve_points: int = 64,
    batch_size: int = 256,
    device: str | torch.device | None = None,
) -> CoefficientScores:
    """Score a wavelet by its coefficients and attributions.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet.
    X : ndarray, Tensor or zarr array, shape (m, …, N) or (m, …, H, W)
        Inputs of the teacher, read a batch at a time.
    gradients : as X, of the same shape
        What `input_gradients` returned for the method.
    levels : int
        Number of levels.
    mode : str, optional
        Boundary mode.
    ndim : int, optional
        1 or 2 transformed axes; needed where X has three axes.
    method, baseline : optional
        Attribution method that the gradients are for, and its baseline: a number, or an array of the shape of an input.
    coefficient_threshold, attribution_threshold : float, optional
        Absolute values above which a coefficient and an attribution count as present, in their own units; as
        published by default, where inputs have a standard deviation of about one.
    top : sequence of float, optional
        Shares of the coefficients, in (0, 1], for `kept`.
    curve_points : int, optional
        Number of k, from one to all and evenly spaced on a logarithmic scale, at which the curve is told.
    batch_size : int, optional
        Inputs at a time.
    device : optional
        Where the transforms are computed. They have the precision of X; sums are in float64.

    Returns
    -------
    CoefficientScores

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, all gradients are zero, or an argument is out of range.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 32))
    >>> scores = coefficient_scores("db2", X, np.ones_like(X), levels=2)
    >>> [(scale.name, scale.coefficients) for scale in scores.scales]
    [('approximation 2', 10), ('details 2', 10), ('details 1', 17)]
    >>> scores.scales[0].attribution_share > 0.7  # the sum of an input is a matter of its approximation
    True
    """
    chosen = Wavelet.of(wavelet)
    samples, slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
    check_gradients(samples, slopes)
    ndim, levels = transformed_axes(tuple(samples.shape), ndim), whole_number("levels", levels)
    check_choice("method", method, METHODS, required=True)
    for name, value in (("coefficient", coefficient_threshold), ("attribution", attribution_threshold)):
        real_number(f"{name}_threshold", value, least=0)
    if not all(0 < share <= 1 for share in real_list("top", top)):
        raise ValueError(f"top is {list(top)}; give shares of the coefficients above 0 and up to 1")
    batch_size, curve_points = whole_number("batch_size", batch_size), whole_number("curve_points", curve_points)
    check_device(device)
    shift = real_array(baseline, "baseline").astype(np.float64)
    if np.broadcast_shapes(shift.shape, samples.shape[1:]) != tuple(samples.shape[1:]):
        raise ValueError(f"baseline has shape {shift.shape}; give a number or an array of shape {samples.shape[1:]}")
    transform = (DWT1d if ndim == 1 else DWT2d)(chosen, levels, mode, check_finite=False)
    digests = hashlib.sha256(), hashlib.sha256()
    with without_boundary_warnings():
        one = _scales(transform(torch.zeros(1, *samples.shape[1:], device=device)))
        sums = _Sums([scale.shape[1] for scale in one], top, curve_points)
        for blocks in _blocks(samples, slopes, batch_size):
            for digested, block in zip(digests, blocks, strict=True):
                digested.update(block.data)
            x = torch.from_numpy(blocks[0]).to(device)
            g, b = torch.from_numpy(blocks[1]).to(x), torch.from_numpy(shift).to(x)
            attributions = coefficient_attributions(transform, x, g, method, baseline=b)
            sums.add(_scales(transform(x)), _scales(attributions), (coefficient_threshold, attribution_threshold))
    settings = {
        "X": digests[0].hexdigest(),
        "gradients": digests[1].hexdigest(),
        "shape": list(samples.shape),
        "levels": levels,
        "mode": mode,
        "ndim": ndim,
        "method": method,
        "baseline": digest(np.atleast_1d(shift)),
        "coefficient_threshold": float(coefficient_threshold),
        "attribution_threshold": float(attribution_threshold),
        "top": [float(share) for share in top],
    }
    return sums.scores(chosen, settings)


def score_pair(start: WaveletLike, distilled: WaveletLike, X: Any, gradients: Any, **settings: Any) -> Scores:
    """Scores of the start and of the distilled wavelet on the same data: what a run keeps.

    Parameters
    ----------
    start, distilled : Wavelet, str or pywt.Wavelet
        The two wavelets.
    X, gradients, **settings
        As for `coefficient_scores`, whose errors are raised.

    Returns
    -------
    (CoefficientScores, CoefficientScores)

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 32))
    >>> [scores.wavelet for scores in score_pair("haar", "db2", X, np.ones_like(X), levels=2)]
    ['haar', 'db2']
    """
    return (
        coefficient_scores(start, X, gradients, **settings),
        coefficient_scores(distilled, X, gradients, **settings),
    )


class _Sums:
    """Sums over inputs, in float64."""

    def __init__(self, sizes: list[int], top: Sequence[float], curve_points: int) -> None:
        self.sizes, n = sizes, sum(sizes)
        self.top, self.top_k = top, np.array([math.ceil(share * n) for share in top], dtype=int)
        self.curve_k = np.unique(np.geomspace(1, n, curve_points).round().astype(int))
        self.inputs = 0
        # Rows: Σ|coefficient|, Σ|attribution|, present coefficients, present attributions, both.
        self.by_scale = np.zeros((5, len(sizes)))
        self.gini, self.counted = np.zeros(2), np.zeros(2, dtype=int)
        self.kept = np.zeros(len(self.top_k) + len(self.curve_k))

    def add(self, coefficients: list[AnyArray], attributions: list[AnyArray], thresholds: tuple[float, float]) -> None:
        self.inputs += len(coefficients[0])
        for scale, (s, a) in enumerate(zip(coefficients, attributions, strict=True)):
            present = s > thresholds[0], a > thresholds[1]
            counts = (present[0].sum(), present[1].sum(), (present[0] & present[1]).sum())
            self.by_scale[:, scale] += s.sum(), a.sum(), *counts
        for which, values in enumerate((coefficients, attributions)):
            falling = -np.sort(-np.concatenate(values, axis=1), axis=1)
            falling = falling[falling[:, 0] > 0]
            held = falling.cumsum(axis=1)
            held /= held[:, -1:]
            n = held.shape[1]
            # Σ of the shares held by the k largest, k = 1 … n, is (n + 1 + n·Gini)/2.
            self.gini[which] += ((2 * held.sum(axis=1) - n - 1) / n).sum()
            self.counted[which] += len(held)
            if which == 1:
                self.kept += held[:, np.concatenate([self.top_k, self.curve_k]) - 1].sum(axis=0)

    def scores(self, wavelet: Wavelet, settings: dict[str, Any]) -> CoefficientScores:
        levels = len(self.sizes) - 1
        names = [f"approximation {levels}", *(f"details {level}" for level in range(levels, 0, -1))]
        columns = [*zip(names, self.sizes, self.by_scale.T, strict=True)]
        *scales, total = [self._scale(*column) for column in (*columns, ("all", sum(self.sizes), self.by_scale.sum(1)))]
        with np.errstate(invalid="ignore"):
            gini, kept = self.gini / self.counted, (self.kept / self.counted[1]).tolist()
        return CoefficientScores(
            wavelet=wavelet.name,
            taps=tuple(wavelet.taps.tolist()),
            scales=tuple(scales),
            total=total,
            gini_coefficients=float(gini[0]),
            gini_attributions=float(gini[1]),
            curve_k=tuple(self.curve_k.tolist()),
            curve_kept=tuple(kept[len(self.top_k) :]),
            kept=tuple(zip(map(float, self.top), kept[: len(self.top_k)], strict=True)),
            without_attribution=self.inputs - int(self.counted[1]),
            settings=settings,
        )

    def _scale(self, name: str, size: int, sums: Array) -> ScaleScore:
        l1, counts = sums[:2] / self.inputs, sums[2:] / (self.inputs * size)
        with np.errstate(invalid="ignore"):
            shares = sums[:2] / self.by_scale[:2].sum(axis=1)
        return ScaleScore(name, size, *map(float, (*l1, *shares, *counts)))


def _blocks(samples: SampleArray, slopes: SampleArray, batch_size: int) -> Iterator[tuple[AnyArray, AnyArray]]:
    for start in range(0, samples.shape[0], batch_size):
        yield read_block(samples, start, start + batch_size), read_block(slopes, start, start + batch_size)


def _scales(coefficients: Coefficients) -> list[AnyArray]:
    """Absolute values in float64, shape (inputs, number) for each scale."""
    entries = (entry if isinstance(entry, tuple) else (entry,) for entry in coefficients)
    flat = (torch.cat([band.flatten(1) for band in bands], dim=1) for bands in entries)
    return [scale.detach().abs().double().cpu().numpy() for scale in flat]
