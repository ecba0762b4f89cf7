"""Histograms of the bands of a transform: of all their pixels, of their peaks or of their minima.

What `awd_cosmo.statistics.ScaleCounts` and `awd_cosmo.statistics.StarletCounts` have in common; they differ in the
transform.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, real_number
from awd_core.typing import AnyArray, Array, Indices
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.statistics.histograms import FIT_VALUES, feature_names, histogram_rows, learnt_edges, some_of, thresholds
from awd_cosmo.statistics.peaks import (
    BLOCK,
    Floats,
    Kind,
    Mask,
    checked_maps,
    checked_mask,
    for_each_block,
    peak_positions,
    refuse_not_finite,
    rows_of,
    usable_pixels,
)
from awd_cosmo.statistics.statistic import Statistic
from awd_cosmo.statistics.undecimated import BOUNDARIES, Band, Boundary, check_levels

Pixels = Literal["peaks", "minima", "both", "all"]

COUNTED: dict[str, tuple[str, ...]] = {
    "peaks": ("peaks",),
    "minima": ("minima",),
    "both": ("peaks", "minima"),
    "all": ("all",),
}
"""Histograms of one band, by what is counted."""


class Energy(NamedTuple):
    """A part of a band filter's energy, taps squared: factor · along_y ⊗ along_x."""

    factor: float
    along_y: Array
    along_x: Array
    before: int


class BandCounts(Statistic):
    """Histograms of bands, side by side.

    A subclass has the parameters of `awd_cosmo.statistics.ScaleCounts` but the wavelet, and tells its bands.
    """

    edges_: Array
    names_: list[str]
    _learnt: tuple[str, ...] = ("edges_", "names_")

    levels: int
    pixels: Pixels
    bands: Sequence[str] | None
    bins: int
    spacing: str
    sqrt: bool
    per: str
    mask: Any
    masked_share: float
    boundary: Boundary
    pixel_scale: Any
    workers: int | None

    def _all_bands(self) -> list[str]:
        """Names of the bands, "raw" first."""
        raise NotImplementedError

    def _transformed(self, block: Floats) -> Iterator[Band]:
        """Bands of maps, without the raw one."""
        raise NotImplementedError

    def _energies(self) -> dict[str, list[Energy]]:
        """What the taps of each band, squared, weigh; "raw" left out."""
        raise NotImplementedError

    def _bands_of(self, block: Floats) -> Iterator[Band]:
        """Bands of maps, "raw" first."""
        yield Band("raw", block, False)
        yield from self._transformed(block)

    def _tally(self, rows: Sequence[Floats], limits: Floats) -> AnyArray:
        """What the values of each row add to the bins between limits, (m, bins): how many they are."""
        return histogram_rows(rows, limits)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the bins.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Training maps, of which `awd_cosmo.statistics.histograms.FIT_MAPS` are used at most.
        y : object
            Ignored.

        Raises
        ------
        ValueError
            If a parameter is not among those allowed, or a band has nothing to count in the training maps.
        """
        check_choice("pixels", self.pixels, tuple(COUNTED), required=True)
        check_choice("per", self.per, ("map", "pixel"), required=True)
        check_choice("boundary", self.boundary, BOUNDARIES, required=True)
        real_number("masked_share", self.masked_share, "a share", least=0, below=1)
        if self.pixel_scale is not None:
            arcmin_per_pixel(self.pixel_scale)
        maps = some_of(checked_maps(X))
        check_levels(self.levels, maps.shape)
        names, rows = self._histograms()
        # An odd step: it does not stay in the same columns of a map.
        step = 1 + 2 * (maps.size // (2 * FIT_VALUES if self.pixels == "all" else 16 * FIT_VALUES))
        values: list[dict[tuple[int, str], Floats]] = [{} for _ in names]

        def look(start: int, band: str, kind: str, found: Sequence[Floats], pixels: Indices) -> None:
            for k in rows[band, kind]:
                values[k][start, band] = np.concatenate(found)[::step]

        self._count(maps, self.mask, look)
        edges = []
        for name, parts in zip(names, values, strict=True):
            pooled = np.concatenate([parts[key] for key in sorted(parts)])
            edges.append(learnt_edges(pooled, self.bins, self.spacing, what=f"values ({name})"))
        self.edges_, self.names_ = np.stack(edges), names
        return self

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Count.

        Parameters
        ----------
        X : array_like, shape (n, ny, nx)
            Maps.
        mask : array_like of bool, shape (ny, nx) or (n, ny, nx), optional
            In place of the parameter `mask`.

        Returns
        -------
        ndarray, shape (n, histograms · bins)
            Side by side, in the order of `names_`.

        Raises
        ------
        ValueError
            If `fit` was not called, an observed value is NaN or infinite, or the mask leaves a band nothing.
        """
        self._check_fitted()
        maps = checked_maps(X)
        check_levels(self.levels, maps.shape)
        counts = np.zeros((maps.shape[0], len(self.names_), self.edges_.shape[1] - 1))
        area = np.zeros((maps.shape[0], len(self.names_), 1))
        _, rows = self._histograms()

        def count(start: int, band: str, kind: str, found: Sequence[Floats], pixels: Indices) -> None:
            for k in rows[band, kind]:
                limits = thresholds(self.edges_[k], found[0].dtype)
                counts[start : start + len(found), k] += self._tally(found, limits)
                area[start : start + len(found), k, 0] += pixels

        self._count(maps, self.mask if mask is None else mask, count)
        if self.per == "pixel":
            counts /= area
        flat = counts.reshape(len(counts), -1)
        return np.sqrt(flat) if self.sqrt else flat

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the features: band, what is counted, and range of values."""
        self._check_fitted()
        return feature_names(self.names_, self.edges_)

    def _arcmin(self) -> float:
        """Arcmin per pixel, for scales on the sky."""
        if self.pixel_scale is None:
            raise ValueError(
                "scales on the sky need pixel_scale, the arcmin per pixel of the maps; set_params gives it"
            )
        return arcmin_per_pixel(self.pixel_scale)

    def _groups(self) -> list[str]:
        known = self._all_bands()
        groups = known if self.bands is None else list(self.bands)
        if not groups or isinstance(self.bands, str) or len(set(groups)) < len(groups):
            raise ValueError(f"bands must be a list of different bands such as ['raw', 'h1+v1'], got {self.bands!r}")
        for name in (name for group in groups for name in group.split("+")):
            if name not in known:
                raise ValueError(f"there is no band {name!r}; there are {', '.join(known)}, and sums such as 'h1+v1'")
        return groups

    def _histograms(self) -> tuple[list[str], dict[tuple[str, str], list[int]]]:
        """Names of the histograms, and to which of them a band and kind contributes."""
        pairs = [(group, kind) for group in self._groups() for kind in COUNTED[self.pixels]]
        rows: dict[tuple[str, str], list[int]] = {}
        for k, (group, kind) in enumerate(pairs):
            for band in group.split("+"):
                rows.setdefault((band, kind), []).append(k)
        return [f"{group} {kind}" for group, kind in pairs], rows

    def _count(self, maps: Any, mask: Any, take: Any) -> None:
        """Hand over the values to be counted of every block, band and kind: `take(start, band, kind, values, pixels)`.

        Values are a list, one array for each map; pixels are how many could have been counted, for each map.
        """
        observed = checked_mask(mask, maps.shape)
        wanted = {name for group in self._groups() for name in group.split("+")}
        shared = None
        if observed is not None and observed.ndim == 2:
            shared = self._seen(observed, wanted)

        def look(start: int, block: Floats) -> None:
            here = None if observed is None else rows_of(observed, start, len(block))
            refuse_not_finite(block, here, start)
            seen = shared if shared is not None or here is None else self._seen(here, wanted)
            whole = block if here is None else _filled(block, here)
            for band in self._bands_of(whole):
                if band.name in wanted:
                    clear = None if seen is None else seen[band.name]
                    if clear is not None and band.turned:
                        clear = clear.swapaxes(-2, -1)
                    for kind in COUNTED[self.pixels]:
                        take(start, band.name, kind, *_values(band.values, clear, kind))

        for_each_block(maps, look, self.workers, BLOCK // 2)

    def _seen(self, observed: Mask, wanted: set[str]) -> dict[str, Mask]:
        """Pixels of each band that hardly see what was not observed."""
        seen = {"raw": observed}
        for name, (share, total) in self._spread((~observed).astype(np.float64), wanted).items():
            # Rounding must not hide pixels far from every hole.
            seen[name] = observed & (share <= self.masked_share * total + 1e-12)
        for name in (name for name in seen if name in wanted):
            if not seen[name].any(axis=(-2, -1)).all():
                raise ValueError(
                    f"the mask leaves nothing of band {name}: more than {self.masked_share:g} of its filter falls on "
                    "what was not observed, everywhere; take fewer levels, leave the band out or raise masked_share"
                )
        return seen

    def _spread(self, pixels: Array, wanted: set[str]) -> dict[str, tuple[Array, float]]:
        """Sums of pixels (…, ny, nx), weighted with each band filter's taps squared; and the sum of these weights."""
        ny, nx = pixels.shape[-2:]
        # Beyond its border a map goes on as for the bands: mirrored, it is one period of a map of twice the size.
        if self.boundary == "symmetric":
            pixels = np.concatenate([pixels, pixels[..., ::-1, :]], axis=-2)
            pixels = np.concatenate([pixels, pixels[..., ::-1]], axis=-1)
        size = pixels.shape[-2:]
        waves = np.fft.rfft2(pixels)
        found = {}
        for name, parts in self._energies().items():
            if name not in wanted:
                continue
            response = sum(
                part.factor
                * np.fft.fft(_around(part.along_y, part.before, size[0]))[:, None]
                * np.fft.rfft(_around(part.along_x, part.before, size[1]))
                for part in parts
            )
            total = sum(part.factor * part.along_y.sum() * part.along_x.sum() for part in parts)
            sums = np.fft.irfft2(waves * np.conj(response), s=size, axes=(-2, -1))[..., :ny, :nx]
            found[name] = sums, float(total)
        return found


def _values(values: Floats, clear: Mask | None, kind: str) -> tuple[list[Floats], Indices]:
    """Values to be counted, by map, and the number of pixels that were looked at."""
    count, ny, nx = values.shape
    if kind == "all":
        if clear is None:
            return list(values.reshape(count, -1)), np.full(count, ny * nx)
        seen = np.broadcast_to(clear, values.shape)
        return [band[where] for band, where in zip(values, seen, strict=True)], seen.sum(axis=(1, 2))
    usable = usable_pixels(values.shape, clear)
    peak: Kind = "peaks" if kind == "peaks" else "minima"
    positions = peak_positions(values, usable, peak)
    parts = np.searchsorted(positions, np.arange(1, count) * ny * nx)
    pixels = np.broadcast_to(usable, values.shape).sum(axis=(1, 2))
    return np.split(values.reshape(-1)[positions], parts), pixels


def _around(taps: Array, before: int, size: int) -> Array:
    """Taps on a circle of some pixels, the one that stands on the pixel itself at 0."""
    circle = np.zeros(size)
    np.add.at(circle, (np.arange(len(taps)) - before) % size, taps)
    return circle


def _filled(block: Floats, observed: Mask) -> Floats:
    """Maps with the mean of what was observed where nothing was."""
    seen = np.broadcast_to(observed, block.shape)
    means = np.array([values[where].mean() for values, where in zip(block, seen, strict=True)], block.dtype)
    return np.where(seen, block, means[:, None, None])
