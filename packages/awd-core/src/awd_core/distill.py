"""Distillation: the wavelet in which a teacher's inputs and attributions are sparse, along the path of their weights.

Only the ratio of γ and λ matters (`awd_core.objective`), so the published grid is a path: with a share α in [0, 1],

    minimise over the angles   (1 − α) S/S₀ + α A/A₀,       γ/λ = α/(1 − α) · S₀/A₀,

S₀ and A₀ being the terms at the wavelet that the user starts from. α = 0 is sparsity of the inputs alone, without the
interpretation term; α = 1 is sparsity of the attributions alone. Both ends are searched from many starts, the path is
followed from either end, and at each point the best of all that is found is refined on the large batch.
"""

import json
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from awd_core.files import write_atomically
from awd_core.gradient_paths import METHODS, Method, SampleArray, as_samples, digest
from awd_core.gradients import check_gradients
from awd_core.objective import DistillationObjective
from awd_core.search import Descent, curvature_at, descend, distinct, starts
from awd_core.wavelet import Wavelet

Progress = Callable[[int, int, str], object]
SHARES = tuple(i / 10 for i in range(11))
"""The default path: eleven shares α of the interpretation term, from none to all."""
COARSE, FINE = 1e-6, 1e-7
"""Relative tolerances of searches: on all batches but the last, whose minima are a little beside that of all data, and
on the last."""
CLOSE = {"medium": 5e-3, "refined": 1e-3}
"""A minimum that is worse by so much, relative to the best, on the batch before will not be the best on the next."""


@dataclass(frozen=True)
class PathPoint:
    """The best wavelet at one share of the interpretation term.

    Attributes
    ----------
    share : float
        α.
    ratio : float
        γ/λ in the published scaling; infinite at α = 1.
    wavelet : Wavelet
        The best of all local minima.
    sparsity, interpretation : float
        S and A of that wavelet over the large batch.
    objective : float
        (1 − α) S/S₀ + α A/A₀.
    descents : tuple of Descent
        All local searches at this share: those named "medium …" are on the medium batch, those named "refined …" on the
        last one, the rest on the small one.
    """

    share: float
    ratio: float
    wavelet: Wavelet
    sparsity: float
    interpretation: float
    objective: float
    descents: tuple[Descent, ...]

    @property
    def best(self) -> Descent:
        """The search that found the wavelet."""
        return min((d for d in self.descents if d.start.startswith("refined")), key=lambda d: d.objective)


class DistillationPath(Sequence[PathPoint]):
    """Wavelets along the path, in the order of the shares.

    Attributes
    ----------
    start : Wavelet
        Where the user started.
    start_sparsity, start_interpretation : float
        S₀ and A₀.
    settings : dict
        Everything that determines the result, digests of the data included.
    """

    def __init__(
        self,
        points: Sequence[PathPoint],
        start: Wavelet,
        start_sparsity: float,
        start_interpretation: float,
        settings: dict[str, Any],
    ) -> None:
        self._points = tuple(points)
        self.start = start
        self.start_sparsity = start_sparsity
        self.start_interpretation = start_interpretation
        self.settings = settings

    @overload
    def __getitem__(self, index: int) -> PathPoint: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PathPoint, ...]: ...
    def __getitem__(self, index: int | slice) -> PathPoint | tuple[PathPoint, ...]:
        return self._points[index]

    def __len__(self) -> int:
        return len(self._points)

    def __repr__(self) -> str:
        return f"<DistillationPath from {self.start.name}, shares {[point.share for point in self]}>"


@dataclass(frozen=True)
class SearchSettings:
    """How hard to search.

    In simulations with a hidden wavelet of ten taps, 2 to 24 % of the random starts led to the global minimum; more
    starts, or another seed, are the way to check.

    Attributes
    ----------
    random_starts : int
        Random filters to start from, beside PyWavelets' of that length.
    small_batch : int
        Values (samples × size) of X in the small batch, on which most searches are run.
    medium_batch : int
        Values in the medium batch, on which the best minima of the small one are compared. Left out if the large batch
        has not four times as many.
    large_batch : int
        Values in the large batch, on which the very best are refined; all of X if it has fewer.
    finalists : int
        How many local minima are taken from one batch to the next at each point, at most.
    iterations : int
        Iterations of each search, at most.
    """

    random_starts: int = 64
    small_batch: int = 1 << 17
    medium_batch: int = 1 << 21
    large_batch: int = 1 << 23
    finalists: int = 3
    iterations: int = 200

    def __post_init__(self) -> None:
        for name, least in (
            ("random_starts", 0),
            ("small_batch", 1),
            ("medium_batch", 1),
            ("large_batch", 1),
            ("finalists", 1),
            ("iterations", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {least} or more")


def distill_path(
    X: Any,
    gradients: Any,
    *,
    wavelet: Wavelet | str = "db5",
    levels: int = 4,
    mode: str = "zero",
    ndim: int | None = None,
    shares: Sequence[float] = SHARES,
    method: Method = "saliency",
    baseline: float | npt.NDArray[Any] = 0.0,
    seed: int = 0,
    search: SearchSettings | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> DistillationPath:
    """Wavelets that make inputs and attributions sparse, for every share of the two.

    Ha, Singh, Lanusse, Upadhyayula and Yu (NeurIPS 2021), equation 5, over orthonormal filters.

    Parameters
    ----------
    X : ndarray, Tensor or zarr array, shape (m, …, N) or (m, …, H, W)
        Inputs of the teacher.
    gradients : as X, of the same shape
        What `input_gradients` returned for the method, or gradients from any other framework.
    wavelet : Wavelet or str, optional
        Where to start; its length is the length of all.
    levels : int, optional
        Number of levels.
    mode : str, optional
        Boundary mode; zero as published.
    ndim : int, optional
        1 or 2 transformed axes; needed where X has three axes, else told by their number.
    shares : sequence of float, optional
        Shares α of the interpretation term, in [0, 1], increasing.
    method, baseline : optional
        Attribution method that the gradients are for, and its baseline.
    seed : int, optional
        Of the random starts and of the batches.
    search : SearchSettings, optional
        How hard to search.
    device, dtype : optional
        Where and in what precision the transforms are computed.
    checkpoint : path, optional
        A JSON file that every finished search is written to. Called again with the same arguments after an
        interruption, the function goes on from there, and ends with the same bits.
    progress : callable, optional
        Called with (searches done, searches in all, what is next).

    Returns
    -------
    DistillationPath

    Raises
    ------
    ValueError
        If shapes disagree, gradients are all zero or not finite, there are fewer inputs than free angles, the path is
        empty or its shares are not increasing in [0, 1], or the checkpoint is of another problem.
    """
    search = search or SearchSettings()
    start = Wavelet.of(wavelet)
    samples, slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
    check_gradients(samples, slopes)
    shares = _checked_shares(shares)
    ndim = transformed_axes(samples.shape, ndim)
    if method not in METHODS:
        raise ValueError(f"unknown attribution method {method!r}; choose one of {', '.join(METHODS)}")
    if np.ndim(baseline) and np.shape(baseline) != tuple(samples.shape[1:]):
        raise ValueError(
            f"the baseline has shape {np.shape(baseline)}; give a number, or an array of a sample's shape "
            f"{tuple(samples.shape[1:])}"
        )
    free = len(start.angles) - 1
    if samples.shape[0] < free:
        raise ValueError(
            f"there are {samples.shape[0]} inputs for {free} free angles of {start.length} taps; give more inputs, or "
            "start from a shorter wavelet"
        )
    settings = {
        "X": digest(samples),
        "gradients": digest(slopes),
        "shape": list(samples.shape),
        "wavelet": start.name,
        "angles": start.angles.tolist(),
        "levels": levels,
        "mode": mode,
        "ndim": ndim,
        "shares": list(shares),
        "method": method,
        "baseline": digest(np.atleast_1d(np.asarray(baseline, dtype=np.float64))),
        "seed": seed,
        "search": vars(search),
        "dtype": str(dtype),
        "device": str(device or "cpu"),
    }
    record = _Record(Path(checkpoint) if checkpoint else None, settings)

    def objective(values: int, stream: int) -> DistillationObjective:
        x, g = _batch(samples, slopes, values, np.random.default_rng([seed, stream]))
        return DistillationObjective(
            x, g, length=start.length, levels=levels, mode=mode, ndim=ndim, method=method,
            baseline=baseline, device=device, dtype=dtype,
        )  # fmt: skip

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
        small, medium, large = (
            objective(values, stream)
            for values, stream in ((search.small_batch, 1), (search.medium_batch, 2), (search.large_batch, 0))
        )
        batches = {"": small, "medium": medium, "refined": large}
        if large.X.shape[0] < 4 * medium.X.shape[0]:
            del batches["medium"]
        _, _, terms = large(np.array(start.angles[1:]), 1.0, 1.0)
        for name, value in (("coefficients", terms.sparsity), ("attributions", terms.interpretation)):
            if not value > 0:
                raise ValueError(
                    f"all {name} are zero at {start.name}, so there is nothing to make sparse; check X, the gradients "
                    "and the baseline"
                )
        job = _Job(batches, terms.sparsity, terms.interpretation, start, shares, seed, search, record, progress)
        points = list(job.points())
    return DistillationPath(points, start, terms.sparsity, terms.interpretation, settings)


@dataclass
class _Job:
    batches: dict[str, DistillationObjective]
    sparsity: float
    interpretation: float
    start: Wavelet
    shares: tuple[float, ...]
    seed: int
    search: SearchSettings
    record: "_Record"
    progress: Progress | None
    done: int = 0

    def points(self) -> Iterator[PathPoint]:
        """Both ends from all starts, the path from either end, and each point refined."""
        begin = list(starts(self.start, self.search.random_starts, self.seed))
        last = len(self.shares) - 1
        self.expected = len(begin) * min(2, last + 1) + 2 * last + len(self.shares) * 3 * self.search.finalists
        found: dict[int, list[Descent]] = {index: [] for index in range(last + 1)}
        for end in sorted({0, last}):
            found[end] = [self._search(end, name, free) for name, free in begin]
        for order in (range(1, last + 1), range(last - 1, -1, -1)):
            origin = 0 if order.step > 0 else last
            warm = distinct(found[origin], most=1)[0]
            for index in order:
                warm = self._search(index, f"path from {self.shares[origin]}", warm.free_angles)
                found[index].append(warm)
        ends = {end: distinct(found[end], most=self.search.finalists) for end in (0, last)}
        for index, share in enumerate(self.shares):
            for end, minima in ends.items():
                if index not in ends:
                    found[index] += [
                        self._search(index, f"minimum at {self.shares[end]}", d.free_angles) for d in minima
                    ]
            yield self._refined(index, share, found[index])

    def _refined(self, index: int, share: float, descents: list[Descent]) -> PathPoint:
        found = [*descents]
        for batch in [name for name in self.batches if name]:
            finalists = distinct(descents, most=self.search.finalists)
            close = [d for d in finalists if d.objective < finalists[0].objective * (1 + CLOSE[batch])]
            descents = [self._search(index, f"{batch} {d.start}", d.free_angles, batch) for d in close]
            found += descents
        best = min(descents, key=lambda d: d.objective)
        terms = best.steps[-1]
        if 0 in (share, 1 - share):  # then one of them has no weight, and was not computed
            _, _, known = self.batches["refined"](best.free_angles, 1.0, 1.0)
            terms = replace(terms, sparsity=known.sparsity, interpretation=known.interpretation)
        ratio = share / (1 - share) * self.sparsity / self.interpretation if share < 1 else math.inf
        wavelet = Wavelet.from_angles(best.angles, name=f"{self.start.name} distilled")
        wavelet = wavelet.with_metadata({"share": share, "start": self.start.name, "settings": self.record.settings})
        return PathPoint(share, ratio, wavelet, terms.sparsity, terms.interpretation, best.objective, tuple(found))

    def _search(self, index: int, name: str, free: npt.NDArray[np.float64], batch: str = "") -> Descent:
        share = self.shares[index]
        if self.progress:
            self.progress(self.done, max(self.expected, self.done), f"share {share:g}, {name}")
        self.done += 1
        # The key is where the search starts, bit for bit: what was found from there does not change.
        key = f"{share!r} {batch or 'small'} {free.tobytes().hex()}"
        weights, most = ((1 - share) / self.sparsity, share / self.interpretation), self.search.iterations

        def search() -> Descent:
            tolerance = FINE if batch == list(self.batches)[-1] else COARSE
            if not batch:
                return descend(self.batches[batch], free, name, *weights, iterations=most, tolerance=tolerance)
            names = list(self.batches)
            curvature = curvature_at(self.batches[names[names.index(batch) - 1]], free, *weights)
            return descend(
                self.batches[batch], free, name, *weights, iterations=most, tolerance=tolerance, curvature=curvature
            )

        return self.record.get(key, search)


class _Record:
    """Finished searches, in memory and, if wanted, in a file that is replaced whole after each of them."""

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, settings
        self.finished: dict[str, Descent] = {}
        if path and path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            differing = [key for key in settings if stored.get("settings", {}).get(key) != settings[key]]
            if differing:
                raise ValueError(
                    f"the checkpoint {path} belongs to another problem: {', '.join(differing)} differ(s); delete it to "
                    "start anew, or give another path"
                )
            self.finished = {key: Descent.from_dict(record) for key, record in stored["searches"].items()}

    def get(self, key: str, compute: Callable[[], Descent]) -> Descent:
        if key not in self.finished:
            self.finished[key] = compute()
            if self.path:
                searches = {key: descent.to_dict() for key, descent in self.finished.items()}
                text = json.dumps({"settings": self.settings, "searches": searches})
                write_atomically(self.path, text.encode())
        return self.finished[key]


def transformed_axes(shape: tuple[int, ...], ndim: int | None) -> int:
    """How many of the last axes are transformed.

    Raises
    ------
    ValueError
        If the shape has too few axes, or three and it is not said which are meant.
    """
    if ndim is None:
        if len(shape) == 3:
            raise ValueError(
                f"X has shape {tuple(shape)}, which may be series with channels or images; give ndim=1 or ndim=2"
            )
        ndim = 1 if len(shape) == 2 else 2
    if ndim not in (1, 2) or len(shape) < ndim + 1:
        raise ValueError(
            f"X has shape {tuple(shape)} and ndim is {ndim}; X is (m, …, N) with ndim=1, (m, …, H, W) with 2"
        )
    return ndim


def _checked_shares(shares: Sequence[float]) -> tuple[float, ...]:
    given = tuple(float(share) for share in shares)
    if not given:
        raise ValueError("the path is empty; give at least one share of the interpretation term, between 0 and 1")
    if any(not 0 <= share <= 1 for share in given) or any(b <= a for a, b in pairwise(given)):
        raise ValueError(f"the shares are {list(given)}; they must lie between 0 and 1 and increase")
    return given


def _batch(
    X: SampleArray, gradients: SampleArray, values: int, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Samples drawn without replacement, in their order, and their gradients; all of them if there are no more."""
    size = max(1, values // int(np.prod(X.shape[1:])))
    if size >= X.shape[0]:
        return np.asarray(X[:]), np.asarray(gradients[:])
    chosen = np.sort(rng.choice(X.shape[0], size, replace=False)).tolist()
    x, g = (np.concatenate([np.asarray(array[i : i + 1]) for i in chosen]) for array in (X, gradients))
    return x, g
