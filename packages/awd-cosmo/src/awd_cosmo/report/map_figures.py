"""The figures of a cosmological report that hold maps: the shapes of the wavelet's bands, and attributions.

Colours: `cividis` for what is positive or has no sign of interest, `PuOr` about zero for what has; both are read by
every kind of colour vision. First rows are drawn at the bottom, as FITS has them.
"""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter

from awd_core.plotting import NARROW
from awd_core.typing import Array
from awd_core.wavelets import Wavelet
from awd_cosmo.report.artefacts import Attributions
from awd_cosmo.statistics.kernels import WAVELET_KERNELS, wavelet_kernels
from awd_cosmo.statistics.undecimated import equivalent_filters, frame_filters

SEQUENTIAL, DIVERGING, MAGNITUDE = "cividis", "PuOr_r", "magma"
BANDS = ("LL", "LH", "HL", "HH")


def band_shapes(wavelet: Wavelet, level: int) -> list[Array]:
    """The filters of the four bands of a level of the undecimated transform, as images.

    Where a filter stands beside its pixel depends on the wavelet's phase, which is of no importance here.

    LL, LH, HL, HH, the first letter along x, each (n, n) with n = (L − 1)(2^level − 1) + 1: what the map is correlated
    with, rows along y. Levels count from 1.

    Examples
    --------
    >>> low = band_shapes(Wavelet.from_name("haar"), 1)[0]
    >>> low.round(2).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    smooth, detail = equivalent_filters(*frame_filters(wavelet), level)[-1]
    pairs = ((smooth, smooth), (smooth, detail), (detail, smooth), (detail, detail))
    return [np.outer(along_y, along_x) for along_x, along_y in pairs]


def shapes_figure(wavelet: Wavelet, start: Wavelet, level: int, pixel_arcmin: float, *, narrow: bool = False) -> Figure:
    """Draw what the four bands of a level look for, before and after.

    Parameters
    ----------
    wavelet, start : Wavelet
        After and before.
    level : int
        Level of the undecimated transform.
    pixel_arcmin : float
        Arcmin per pixel.
    narrow : bool
        Before on the left and after on the right, a row for each band.
    """
    both = (start, wavelet)
    whole = [band_shapes(one, level) for one in both]
    reach = max(_radius(shape) for one in whole for shape in one)
    shapes = [[_centred(shape, reach) for shape in one] for one in whole]
    figure = Figure(figsize=(NARROW, 8.6) if narrow else (8.4, 4.6), layout="constrained")
    grid = figure.subplots(*((4, 2) if narrow else (2, 4)), squeeze=False)
    for b, name in enumerate(BANDS):
        top = max(float(np.abs(shape[b]).max()) for shape in shapes)
        panels = [grid[b, w] if narrow else grid[w, b] for w in range(2)]
        for axes, one, shape in zip(panels, both, shapes, strict=True):
            image = _show(axes, shape[b] / top, pixel_arcmin, DIVERGING, (-1.0, 1.0), centred=True)
            _title(axes, f"{name}, {one.name if one is start else 'distilled'}")
    figure.supxlabel("x (arcmin)", fontsize=9)
    figure.supylabel("y (arcmin)", fontsize=9)
    _bar(figure, image, list(grid.flat), "weight, relative to the band's largest", narrow=narrow)
    return figure


def kernels_figure(wavelet: Wavelet, start: Wavelet, *, narrow: bool = False) -> Figure:
    """Draw the four kernels of 3 × 3 pixels that the published peak counts cut from a wavelet, before and after."""
    kernels = [wavelet_kernels(one) for one in (start, wavelet)]
    figure = Figure(figsize=(NARROW, 8.2) if narrow else (8.4, 4.3), layout="constrained")
    grid = figure.subplots(*((4, 2) if narrow else (2, 4)), squeeze=False)
    top = max(float(np.abs(one).max()) for one in kernels)
    for b, name in enumerate(WAVELET_KERNELS):
        for w, (one, of) in enumerate(zip(kernels, (start.name, "distilled"), strict=True)):
            axes = grid[b, w] if narrow else grid[w, b]
            image = axes.imshow(one[b], origin="lower", cmap=DIVERGING, vmin=-top, vmax=top)
            for (y, x), value in np.ndenumerate(one[b]):
                ink = "white" if abs(value) > 0.7 * top else "black"
                axes.text(x, y, f"{value:.2f}".replace("-", "−"), ha="center", va="center", fontsize=8, color=ink)
            axes.set_xticks([])
            axes.set_yticks([])
            _title(axes, f"{name}, {of}")
    _bar(figure, image, list(grid.flat), "weight", narrow=narrow)
    return figure


def pixel_attributions_figure(
    attributions: Attributions, pixel_arcmin: float, symbol: str, *, narrow: bool = False
) -> Figure:
    """Draw maps, and what the teacher's estimate would change by in each pixel.

    `symbol` is the parameter, as figures write it. On a narrow page two maps, each above its gradient.
    """
    count = min(len(attributions.maps), 2 if narrow else 4)
    figure = Figure(figsize=(NARROW, 6.2) if narrow else (2.2 * count + 0.6, 5.0), layout="compressed")
    grid = figure.subplots(2, count, squeeze=False, sharex=True, sharey=True)
    maps, gradients = attributions.maps[:count], attributions.gradients[:count]
    middle, reach = float(np.nanmedian(maps)), _reach(maps)
    low, high = float(np.nanquantile(maps, 0.002)), float(np.nanquantile(maps, 0.998))
    steep = _reach(gradients)
    if not low < high:
        low, high = middle - reach, middle + reach
    for k in range(count):
        above = _show(grid[0, k], maps[k], pixel_arcmin, SEQUENTIAL, (low, high))
        which = "" if attributions.bin is None else f", bin {attributions.bin[k] + 1}"
        _title(grid[0, k], f"true {symbol} = {attributions.truth[k]:.3f}{which}")
        below = _show(grid[1, k], gradients[k], pixel_arcmin, DIVERGING, (-steep, steep))
    _bar(figure, above, list(grid[0]), "convergence κ", narrow=narrow)
    _bar(figure, below, list(grid[1]), rf"gradient $\partial${symbol}/$\partial\kappa$", narrow=narrow)
    figure.supxlabel("x (arcmin)", fontsize=9)
    figure.supylabel("y (arcmin)", fontsize=9)
    return figure


def band_attributions_figure(
    attributions: Attributions, which: int, pixel_arcmin: float, *, narrow: bool = False
) -> Figure:
    """Draw one map beside the magnitudes of the attributions in the bands of the wavelet, on one scale of colours."""
    names = list(attributions.bands)
    columns = 2 if narrow else min(4, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    size = (NARROW, 2.05 * rows + 0.9) if narrow else (2.1 * columns + 0.8, 2.1 * rows + 0.7)
    figure = Figure(figsize=size, layout="compressed")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    flat = list(panels.flat)
    kappa = attributions.maps[which]
    low, high = float(np.nanquantile(kappa, 0.002)), float(np.nanquantile(kappa, 0.998))
    _show(flat[0], kappa, pixel_arcmin, SEQUENTIAL, (low, high) if low < high else None)
    _title(flat[0], "map κ")
    magnitudes = [np.abs(attributions.bands[name][which]) for name in names]
    top = max(float(np.nanquantile(magnitude, 0.995)) for magnitude in magnitudes) or 1.0
    for axes, name, magnitude in zip(flat[1:], names, magnitudes, strict=False):
        image = _show(axes, magnitude, pixel_arcmin, MAGNITUDE, PowerNorm(0.5, 0.0, top))
        _title(axes, name)
    for axes in flat[len(names) + 1 :]:
        axes.set_visible(False)
    _bar(figure, image, flat, "|attribution| of a coefficient, colours by its root", narrow=narrow)
    figure.supxlabel("x (arcmin)", fontsize=9)
    figure.supylabel("y (arcmin)", fontsize=9)
    return figure


def _bar(figure: Figure, image: AxesImage, beside: list[Axes], text: str, *, narrow: bool) -> None:
    """Draw a scale of colours, below the panels on a narrow page; a power of ten stands in its name, not in ticks."""
    place = "bottom" if narrow else "right"
    bar = figure.colorbar(image, ax=beside, shrink=0.8, location=place, aspect=30 if len(beside) > 4 else 18)
    reach = max(map(abs, image.get_clim()), default=0.0)
    power = math.floor(math.log10(reach)) if reach > 0 else 0
    if -2 < power < 3:
        power = 0
    bar.formatter = FuncFormatter(lambda value, _: f"{value / 10.0**power:.3g}".replace("-", "−"))
    bar.set_label(text + (rf" ($\times 10^{{{power}}}$)" if power else ""), fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _show(
    axes: Axes,
    image: Array,
    pixel_arcmin: float,
    colours: str,
    limits: tuple[float, float] | Normalize | None,
    *,
    centred: bool = False,
) -> AxesImage:
    height, width = (side * pixel_arcmin for side in image.shape)
    x, y = (width / 2, height / 2) if centred else (0.0, 0.0)
    norm = Normalize(*limits) if isinstance(limits, tuple) else limits
    shown = axes.imshow(
        image, origin="lower", cmap=colours, norm=norm, extent=(-x, width - x, -y, height - y), interpolation="nearest"
    )
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=4)
    axes.set_facecolor("#BBBBBB")  # where nothing was observed
    return shown


def _centre(shape: Array) -> list[int]:
    """The pixel nearest to the centroid of a filter's energy."""
    energy = shape**2
    along_y, along_x = energy.sum(axis=1), energy.sum(axis=0)
    return [round(float(part @ np.arange(len(part)) / part.sum())) for part in (along_y, along_x)]


def _radius(shape: Array, share: float = 0.995) -> int:
    """Half the side of the square about the centre that holds so much of the energy."""
    y, x = _centre(shape)
    rows, columns = np.indices(shape.shape)
    distance = np.maximum(abs(rows - y), abs(columns - x)).ravel()
    held = np.cumsum(np.bincount(distance, (shape**2).ravel()))
    return int(np.searchsorted(held, share * held[-1]))


def _centred(shape: Array, radius: int) -> Array:
    """The square of that radius about the centre, zeros beyond the filter."""
    y, x = _centre(shape)
    return np.pad(shape, radius)[y : y + 2 * radius + 1, x : x + 2 * radius + 1]


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9)


def _reach(images: Array) -> float:
    """Where a scale of colours about zero ends: few pixels may be beyond."""
    reach = float(np.nanquantile(np.abs(images), 0.995))
    return reach if math.isfinite(reach) and reach > 0 else 1.0
