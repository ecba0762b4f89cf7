"""From clean maps to what a survey would see: coarser pixels, tiles, smoothing, shape noise, masks, turns.

Plain functions on stacks (n, ny, nx). A pixel that was not observed is NaN, on the way in and on the way out: nothing
here turns it into a zero. What is random is drawn for each map from (seed, item), so that neither the order of the
maps nor the number of workers has a part in it.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, is_whole_number, real_number, whole_number
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.maps.preprocessing import block_means, map_stack, smoothed

Floats = npt.NDArray[np.floating[Any]]
NoiseConvention = Literal["lenstools", "fair"]

CONVENTIONS: tuple[NoiseConvention, ...] = ("lenstools", "fair")
"""The conventions of shape noise in use; see `shape_noise_sigma`."""

_TURNS = 0x7DE5  # beside seed and item, so that turns share no draws with noise
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


def downsample(maps: npt.ArrayLike, factor: int, *, least: float = 0.5) -> Floats:
    """Mean over blocks of factor × factor pixels.

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        NaN where not observed.
    factor : int
        Divides both sides.
    least : float
        Share of a block that must have been observed; the mean is over its observed pixels, and NaN below that share.

    Returns
    -------
    ndarray, shape (n, ny / factor, nx / factor)
        In the type of the maps.

    Raises
    ------
    ValueError
        If the factor does not divide the sides, or `least` is outside (0, 1].

    Examples
    --------
    >>> downsample(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    stack = map_stack(maps, alone=False)
    _, ny, nx = stack.shape
    if factor < 1 or ny % factor or nx % factor:
        common = math.gcd(ny, nx)
        allowed = ", ".join(str(k) for k in range(1, common + 1) if common % k == 0)
        raise ValueError(f"factor = {factor} must divide the sides of {ny} × {nx} maps; {allowed} do")
    real_number("least", least, "a share", above=0, most=1)
    return block_means(stack, factor, least)


def tile_corners(
    shape: tuple[int, int], size: int, *, rest: Literal["raise", "drop"] = "raise"
) -> list[tuple[int, int]]:
    """Lower left pixels (y, x) of the square tiles that a map is cut into, row by row.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx) of the map.
    size : int
        Side of a tile in pixels.
    rest : {"raise", "drop"}
        What to do with pixels at the upper and right edge that fill no tile.

    Raises
    ------
    ValueError
        If the tiles do not fill the map and `rest` is "raise", or if the map is smaller than a tile.

    Examples
    --------
    >>> tile_corners((4, 6), 2)
    [(0, 0), (0, 2), (0, 4), (2, 0), (2, 2), (2, 4)]
    """
    ny, nx = shape
    if not is_whole_number(size) or not 1 <= size <= min(ny, nx):
        raise ValueError(f"tiles of {size!r} pixels do not fit into {ny} × {nx}; take 1 to {min(ny, nx)}")
    check_choice("rest", rest, ("raise", "drop"), required=True)
    if rest == "raise" and (ny % size or nx % size):
        raise ValueError(f"tiles of {size} pixels do not fill {ny} × {nx}; take a divisor, or rest='drop'")
    return [(y, x) for y in range(0, ny - size + 1, size) for x in range(0, nx - size + 1, size)]


def cut_tiles(maps: npt.ArrayLike, size: int, *, rest: Literal["raise", "drop"] = "raise") -> Floats:
    """Cut maps into square tiles, all of the first map first, in the order of `tile_corners`.

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        Any maps.
    size, rest
        As in `tile_corners`.

    Returns
    -------
    ndarray, shape (n · tiles, size, size)
        A copy.

    Examples
    --------
    >>> cut_tiles(np.arange(8).reshape(1, 2, 4), 2)[1]
    array([[2., 3.],
           [6., 7.]])
    """
    stack = map_stack(maps, alone=False)
    corners = tile_corners((stack.shape[1], stack.shape[2]), size, rest=rest)
    return np.stack([stack[:, y : y + size, x : x + size] for y, x in corners], axis=1).reshape(-1, size, size)


def smooth(
    maps: npt.ArrayLike,
    *,
    pixel_scale: Any,
    sigma_arcmin: float | None = None,
    fwhm_arcmin: float | None = None,
    edge: Literal["reflect", "wrap"] = "reflect",
) -> Floats:
    """Smooth with a Gaussian, leaving out what was not observed.

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        NaN where not observed.
    pixel_scale : Quantity or float
        Side of a pixel, in arcmin if a number.
    sigma_arcmin, fwhm_arcmin : float
        Standard deviation, or full width at half maximum, of the Gaussian: exactly one of them.
    edge : {"reflect", "wrap"}
        What lies beyond the edge: the map mirrored, or, for periodic simulations, its other side.

    Returns
    -------
    ndarray, shape (n, ny, nx)
        G * (m κ) / (G * m) where observed (m = 1), NaN elsewhere; the Gaussian is cut at four standard deviations.

    Raises
    ------
    ValueError
        If not exactly one width is given, or it is negative.

    Examples
    --------
    >>> field = np.zeros((1, 32, 32))
    >>> field[0, 16, 16] = 1.0
    >>> round(float(smooth(field, pixel_scale=0.5, sigma_arcmin=1.0)[0, 16, 16]), 4)  # 1 / (2π · 2²) and a little
    0.0398
    """
    if (sigma_arcmin is None) == (fwhm_arcmin is None):
        raise ValueError("give the width as sigma_arcmin or as fwhm_arcmin, exactly one of them")
    given = sigma_arcmin if fwhm_arcmin is None else fwhm_arcmin
    width = real_number("the width", given, "a number of arcmin", least=0) / (1.0 if fwhm_arcmin is None else _FWHM)
    check_choice("edge", edge, ("reflect", "wrap"), required=True)
    stack = map_stack(maps, alone=False)
    if width == 0:
        return stack.copy()
    return smoothed(stack, width / arcmin_per_pixel(pixel_scale), edge)


def shape_noise_sigma(
    convention: NoiseConvention, *, galaxies_per_arcmin2: float, pixel_scale: Any, source_redshift: float | None = None
) -> float:
    """Standard deviation of the shape noise in a pixel of a convergence map.

    Parameters
    ----------
    convention : {"lenstools", "fair"}
        "lenstools": σ_e / √(n A) with σ_e = 0.15 + 0.035 z for each component of the ellipticity (LensTools,
        `GaussianNoiseGenerator`). "fair": 0.4 / √(2 n A) (FAIR Universe challenge). They differ by
        a factor 1.5 at z = 1, so there is no default.
    galaxies_per_arcmin2 : float
        Density n of the source galaxies.
    pixel_scale : Quantity or float
        Side of a pixel, in arcmin if a number; A is its square.
    source_redshift : float, optional
        z; needed by "lenstools".

    Returns
    -------
    float
        σ of the noise of κ.

    Raises
    ------
    ValueError
        If the convention is unknown, a redshift is needed and missing, or the density is not positive.

    Examples
    --------
    >>> shape_noise_sigma("fair", galaxies_per_arcmin2=32.0, pixel_scale=0.5)
    0.1
    >>> round(shape_noise_sigma("lenstools", galaxies_per_arcmin2=25.0, pixel_scale=1.0, source_redshift=1.0), 6)
    0.037
    """
    check_choice("convention", convention, CONVENTIONS, required=True)
    real_number("galaxies_per_arcmin2", galaxies_per_arcmin2, above=0)
    galaxies = galaxies_per_arcmin2 * arcmin_per_pixel(pixel_scale) ** 2
    if convention == "fair":
        return 0.4 / math.sqrt(2.0 * galaxies)
    if source_redshift is None or not (math.isfinite(source_redshift) and source_redshift >= 0):
        raise ValueError(
            f"the convention 'lenstools' needs the redshift of the sources, got {source_redshift}; "
            "give --source-redshift Z (source_redshift=Z), or the convention 'fair'"
        )
    return (0.15 + 0.035 * source_redshift) / math.sqrt(galaxies)


def add_noise(maps: npt.ArrayLike, sigma: npt.ArrayLike, *, seed: int, items: Sequence[int]) -> Floats:
    """Add white Gaussian noise, drawn for each map from (seed, item).

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        NaN stays NaN.
    sigma : float or array_like, shape (n,)
        Standard deviation, for instance of `shape_noise_sigma`.
    seed : int
        Of the whole set.
    items : sequence of int, length n
        What tells one map from another, whatever the order they come in.

    Returns
    -------
    ndarray, shape (n, ny, nx)
        In the type of the maps.

    Examples
    --------
    >>> a = add_noise(np.zeros((2, 3, 3)), 0.1, seed=1, items=[7, 8])
    >>> b = add_noise(np.zeros((1, 3, 3)), 0.1, seed=1, items=[8])
    >>> bool((a[1] == b[0]).all())
    True
    """
    whole_number("seed", seed, 0)
    stack = map_stack(maps, alone=False)
    width = np.broadcast_to(np.asarray(sigma, dtype=np.float64), (len(stack),))
    if len(items) != len(stack):
        raise ValueError(f"{len(items)} items were given for {len(stack)} maps; give one for each")
    if not (np.isfinite(width).all() and (width >= 0).all()):
        raise ValueError("sigma must be finite and not negative")
    noisy = stack.copy()
    for row, item, s in zip(noisy, items, width, strict=True):
        row += (s * np.random.default_rng([seed, item]).standard_normal(row.shape)).astype(stack.dtype)
    return noisy


def turn(maps: npt.ArrayLike, element: int) -> Floats:
    """One of the eight symmetries of the square: `element` % 4 quarter turns, after a flip of x if it is 4 or more.

    Parameters
    ----------
    maps : array_like, shape (n, ny, nx)
        Square for odd elements.
    element : int
        0 (as it is) to 7.

    Returns
    -------
    ndarray, shape (n, ny, nx)
        Quarter turns are from x towards y.

    Raises
    ------
    ValueError
        If there is no such element, or a quarter turn would change the shape.

    Examples
    --------
    >>> turn([[[1, 2], [3, 4]]], 4)
    array([[[2., 1.],
            [4., 3.]]])
    """
    stack = map_stack(maps, alone=False)
    element = whole_number("element", element, 0, most=7)
    if element % 2 and stack.shape[1] != stack.shape[2]:
        raise ValueError(
            f"maps of {stack.shape[1]} × {stack.shape[2]} cannot be turned by a quarter; take an even element"
        )
    flipped = stack[:, :, ::-1] if element >= 4 else stack
    return np.ascontiguousarray(np.rot90(flipped, -(element % 4), axes=(1, 2)))


def turn_at_random(maps: npt.ArrayLike, *, seed: int, items: Sequence[int]) -> Floats:
    """Each map flipped and turned by an element drawn from (seed, item); only half turns where maps are not square.

    Examples
    --------
    >>> turn_at_random(np.ones((2, 4, 4)), seed=0, items=[0, 1]).shape
    (2, 4, 4)
    """
    stack = map_stack(maps, alone=False)
    if len(items) != len(stack):
        raise ValueError(f"{len(items)} items were given for {len(stack)} maps; give one for each")
    drawn = turns((stack.shape[1], stack.shape[2]), seed=seed, items=items)
    return np.concatenate([stack[:0], *(turn(stack[i : i + 1], element) for i, element in enumerate(drawn))])


def turns(shape: tuple[int, int], *, seed: int, items: Sequence[int]) -> list[int]:
    """The elements that `turn_at_random` turns maps (ny, nx) by; its draws are not those of `add_noise`.

    Examples
    --------
    >>> turns((4, 6), seed=0, items=[0, 1, 2])
    [2, 2, 2]
    """
    whole_number("seed", seed, 0)
    step = 1 if shape[0] == shape[1] else 2
    return [step * int(np.random.default_rng([seed, item, _TURNS]).integers(8 // step)) for item in items]


def apply_mask(maps: npt.ArrayLike, mask: npt.ArrayLike) -> Floats:
    """A copy with NaN where the mask, of shape (ny, nx) or (n, ny, nx), says that nothing was observed.

    Examples
    --------
    >>> apply_mask(np.ones((1, 1, 2)), [[True, False]])
    array([[[ 1., nan]]])
    """
    stack = map_stack(maps, alone=False)
    seen = np.asarray(mask)
    if seen.dtype != np.bool_:
        raise TypeError(f"a mask must be of bool, True where observed, got {seen.dtype}")
    if seen.shape not in (stack.shape, stack.shape[1:]):
        raise ValueError(f"a mask of shape {seen.shape} does not fit maps of shape {stack.shape}")
    return np.where(seen, stack, np.asarray(np.nan, stack.dtype))
