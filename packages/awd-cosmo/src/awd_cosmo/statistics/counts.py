"""Counts of peaks by height: histograms of a filtered map's values at the peaks of the raw map.

The published statistic ("Adaptive wavelet distillation from neural networks through interpretations", Ha et al. 2021,
section 4.2 and its code), with its filters and ranges by name, and what goes beyond: other ranges, minima, masks.
"""

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, whole_number
from awd_core.typing import Array, Indices
from awd_cosmo.statistics import kernels as filters
from awd_cosmo.statistics.histograms import (
    SPACINGS,
    feature_names,
    finished,
    histogram_rows,
    learnt_edges,
    some_of,
    thresholds,
)
from awd_cosmo.statistics.peaks import (
    Floats,
    Kind,
    Mask,
    checked_maps,
    checked_mask,
    find_peaks,
    for_each_block,
    is_tensor,
    peak_positions,
    refuse_not_finite,
    rows_of,
    usable_pixels,
)
from awd_cosmo.statistics.statistic import Statistic

if TYPE_CHECKING:
    from torch import Tensor


PUBLISHED_RANGES = {
    "raw": (-0.03, 0.19),
    "laplace_v1": (0.0, 0.22),
    "laplace_v2": (0.0, 0.22),
    "roberts_cross": (0.0, 0.22),
}
"""Ranges of κ that the published histograms with 22 bins cover, by filter."""

PUBLISHED_BOUNDS = (0.015, 0.02, 0.025, 0.03, 0.035)
"""Upper ends b among which validation chooses for the kernels of a wavelet: `PeakCounts(wavelet, range=(0, b))`."""


class PeakCounts(Statistic):
    """Histograms of filtered values at the peaks of the raw map, one for each kernel, side by side.

    Parameters
    ----------
    filter : str, Wavelet, pywt.Wavelet or array_like of shape (k, 3, 3)
        "raw", "laplace_v1", "laplace_v2", "roberts_cross"; a wavelet, or the name of one, of which the four kernels
        LL, LH, HL, HH are cut (`awd_cosmo.statistics.wavelet_kernels`); or kernels.
    bins : int
        Bins of one histogram; published: 22.
    range : str, (float, float) or array_like of shape (bins + 1,)
        "published": `PUBLISHED_RANGES`, for the four names. (low, high): bins of equal width, for all kernels. Edges.
        Or learnt for each kernel, from training maps: "even", of equal width between the quantiles 0.001 and
        0.999; "quantiles", of equal counts; "normal", as a normal variable's bins of equal width would be filled,
        fine in the tails. Where they are learnt, the outermost bins are open. Else, values outside are not counted, the
        upper end is.
    kind : {"peaks", "minima"}
        What to look for in the raw map.
    per : {"map", "pixel"}
        Counts as they are, or divided by the number of pixels that could have been peaks: the choice where training
        and observed maps differ in size or mask.
    sqrt : bool
        Whether to take the square root, which makes the scatter of counts even.
    mask : array_like of bool, shape (ny, nx), optional
        True where the maps were observed, for `fit` and `transform`.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Attributes
    ----------
    kernels_ : ndarray of shape (k, 3, 3), or "roberts_cross"
    names_ : list of str
        Of the kernels.
    edges_ : ndarray, shape (k, bins + 1)
        Bins of each kernel's histograms, in units of κ.

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(0, 0.02, (4, 32, 32))
    >>> PeakCounts("db5", range=(0, 0.03)).fit_transform(maps).shape
    (4, 88)
    """

    kernels_: Array | Literal["roberts_cross"]
    names_: list[str]
    edges_: Array
    _learnt = ("kernels_", "names_", "edges_")

    def __init__(
        self,
        filter: Any = "raw",
        *,
        bins: int = 22,
        range: Any = "published",  # noqa: A002
        kind: Kind = "peaks",
        per: Literal["map", "pixel"] = "map",
        sqrt: bool = False,
        mask: Any = None,
        workers: int | None = None,
    ) -> None:
        self.filter = filter
        self.bins = bins
        self.range = range
        self.kind = kind
        self.per = per
        self.sqrt = sqrt
        self.mask = mask
        self.workers = workers

    def fit(self, X: Any, y: Any = None) -> Self:
        """Settle the bins.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Training maps. They are looked at only where the bins are to be learnt.
        y : object
            Ignored.

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or there are no peaks to learn bins from.
        """
        check_choice("per", self.per, ("map", "pixel"), required=True)
        check_choice("kind", self.kind, ("peaks", "minima"), required=True)
        maps = checked_maps(X)
        kernels, names = _kernels_of(self.filter)
        given = _given_edges(self.range, self.bins, self.filter)
        if given is not None:
            edges = np.tile(given, (len(names), 1))
        else:
            values = self._values(some_of(maps), kernels)
            edges = np.stack([learnt_edges(row, self.bins, self.range, what=self.kind) for row in values])
        self.kernels_, self.names_, self.edges_ = kernels, names, edges
        return self

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Count.

        Parameters
        ----------
        X : array_like or torch.Tensor, shape (n, ny, nx)
            Maps. A tensor is counted on its own device.
        mask : array_like of bool, shape (ny, nx) or (n, ny, nx), optional
            In place of the parameter `mask`.

        Returns
        -------
        ndarray, shape (n, k · bins)
            The histograms of the kernels side by side, in the order of `names_`.

        Raises
        ------
        ValueError
            If `fit` was not called, or an observed value is NaN or infinite.
        """
        self._check_fitted()
        if is_tensor(X) and X.device.type != "cpu":
            return self._finished(*self._counted_on_device(X, self.mask if mask is None else mask))
        maps = checked_maps(X)
        observed = checked_mask(self.mask if mask is None else mask, maps.shape)
        usable = usable_pixels(maps.shape, observed)
        counts = np.empty((maps.shape[0], len(self.names_), self.edges_.shape[1] - 1))

        def count(start: int, block: Floats) -> None:
            size = block[0].size
            positions, values = self._at_peaks(start, block, observed, usable, self.kernels_)
            parts = np.searchsorted(positions, np.arange(len(block) + 1) * size)
            for k, edges in enumerate(self.edges_):
                rows = np.split(values[k], parts[1:-1])
                counts[start : start + len(block), k] = histogram_rows(rows, thresholds(edges, values.dtype))

        for_each_block(maps, count, self.workers)
        return self._finished(counts, usable)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: kernel and range of κ."""
        self._check_fitted()
        return feature_names(self.names_, self.edges_)

    def _finished(self, counts: Array, usable: Mask) -> Array:
        return finished(counts.reshape(len(counts), -1), usable, self.per, self.sqrt)

    def _at_peaks(
        self, start: int, block: Floats, observed: Mask | None, usable: Mask, kernels: Any
    ) -> tuple[Indices, Floats]:
        refuse_not_finite(block, None if observed is None else rows_of(observed, start, len(block)), start)
        positions = peak_positions(block, rows_of(usable, start, len(block)), self.kind)
        around = filters.neighbourhoods(block.reshape(-1), positions, block.shape[-1], kernels)
        values: Floats = filters.filter_values(kernels, around)
        return positions, values

    def _values(self, maps: Any, kernels: Any) -> Array:
        observed = checked_mask(self.mask, maps.shape)
        usable = usable_pixels(maps.shape, observed)
        found: dict[int, Floats] = {}

        def look(start: int, block: Floats) -> None:
            found[start] = self._at_peaks(start, block, observed, usable, kernels)[1]

        for_each_block(maps, look, self.workers)
        return np.concatenate([found[start] for start in sorted(found)], axis=1).astype(np.float64)

    def _counted_on_device(self, x: "Tensor", mask: Any) -> tuple[Array, Mask]:
        import torch

        found = find_peaks(x, mask=mask, kind=self.kind)
        count, ny, nx = x.shape
        # Half precision has too few digits for bins; the positions stay those in the maps as they are.
        flat = x.detach().reshape(-1).to(torch.float64 if x.dtype == torch.float64 else torch.float32)
        dtype = np.dtype(np.float64 if x.dtype == torch.float64 else np.float32)
        positions = found.reshape(-1).nonzero().reshape(-1)
        around = torch.stack([flat[positions + dy * nx + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
        values = filters.filter_values(self.kernels_, around)
        number = positions // (ny * nx)
        bins = self.edges_.shape[1] - 1
        counts = []
        for row, edges in zip(values, self.edges_, strict=True):
            limits = torch.from_numpy(thresholds(edges, dtype)).to(x.device)
            # Bin 0 is below the first edge, bin `bins + 1` above the last.
            bin_ = torch.searchsorted(limits, row.contiguous(), right=True)
            tally = torch.bincount(number * (bins + 2) + bin_, minlength=count * (bins + 2))
            counts.append(tally.reshape(count, bins + 2)[:, 1:-1])
        usable = usable_pixels(tuple(x.shape), checked_mask(mask, tuple(x.shape)))
        return torch.stack(counts, dim=1).double().cpu().numpy(), usable


def _kernels_of(filter: Any) -> tuple[Any, list[str]]:
    if isinstance(filter, str) and filter == filters.ROBERTS_CROSS:
        return filter, [filter]
    if isinstance(filter, str) and filter in filters.LINEAR:
        return filters.LINEAR[filter][None], [filter]
    if isinstance(filter, str) or hasattr(filter, "rec_lo") or np.ndim(filter) == 1:
        try:
            return filters.wavelet_kernels(filter), list(filters.WAVELET_KERNELS)
        except ValueError as error:
            known = ", ".join(filters.FILTERS)
            raise ValueError(f"filter must be {known}, an orthogonal wavelet or kernels: {error}") from error
    kernels = filters.checked_kernels(filter)
    return kernels, [f"kernel {k}" for k in range(len(kernels))]


def _given_edges(limits: Any, bins: int, filter: Any) -> Array | None:
    if isinstance(limits, str):
        if limits in SPACINGS:
            return None
        check_choice("range", limits, ("published", *SPACINGS), required=True)
        if not (isinstance(filter, str) and filter in PUBLISHED_RANGES):
            raise ValueError(
                f"the published range is known for {', '.join(PUBLISHED_RANGES)}; for a wavelet it is (0, b), "
                f"b chosen on validation from {PUBLISHED_BOUNDS}: give range=(0, b)"
            )
        limits = PUBLISHED_RANGES[filter]
    edges = np.asarray(limits, dtype=np.float64)
    bins = whole_number("bins", bins)
    if edges.shape == (2,):
        edges = np.linspace(edges[0], edges[1], bins + 1)
    if edges.shape != (bins + 1,) or not (np.diff(edges) > 0).all() or np.isnan(edges).any():
        raise ValueError(f"range must be (low, high) with low < high, or {bins + 1} rising edges for {bins} bins")
    return edges
