"""Detection of diffraction-limited spots in one image: candidates, places, significance.

Candidates are the local maxima of the image under a negative Laplacian of a Gaussian of the spots' own width, the
filter that shows a Gaussian spot best against an uneven background. Each one's place is then fitted (`refine`), and its
amplitude tested against 0 with the noise of its own surroundings (`fit_spots`).

How many tests. Among n pixels the highest of pure noise are local maxima too, so a candidate's p-value counts for what
it is among n tests, not among the candidates. Two rules: "fdr", Benjamini and Hochberg's (1995, "Controlling the false
discovery rate", J. R. Stat. Soc. B 57) with n hypotheses: of the spots found, at most the share `level` is expected to
be noise; and "familywise", Bonferroni's: the chance of any spot of noise in an image is at most `level`. Neighbouring
pixels are not independent, which both rules bear, and makes them strict; the place that was fitted to noise raises its
amplitude, which makes them lax: in images of pure noise the two together come to less than `level`.

What `p` means of a spot that was found. It is that of the fit, as if its place had been known before; but the place was
chosen for being bright, and three of four local maxima of pure noise have a p below 0.05. So it orders spots, and with
the rule above it tells real ones; by itself it is no evidence. In another channel, at places found in this one, it is.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from awd_cme.spots.fit import fit_spots
from awd_cme.spots.refine import refine
from awd_cme.spots.windows import checked_image, checked_sigma, close_pairs, half_width
from awd_core.checks import check_choice, real_number
from awd_core.typing import AnyArray, Array, Flags, Indices

Control = Literal["fdr", "familywise"]
COLUMNS = ("y", "x", "amplitude", "background", "amplitude_error", "background_error", "p")
NOTHING = 0.05
"""p-value at a candidate's pixel above which it is dropped at once."""

EDGE = 0.5
"""Spots whose centre is nearer than so many σ to the image's border are not looked for: half of them is outside."""


def detect_spots(
    image: npt.ArrayLike,
    *,
    sigma: float,
    level: float = 0.05,
    control: Control = "fdr",
    separation: float | None = None,
) -> pd.DataFrame:
    """Spots of an image, with significance.

    Parameters
    ----------
    image : array_like, shape (height, width)
        Counts, of any integer or float type, all finite.
    sigma : float
        Standard deviation of the spots in pixels; `estimate_sigma` measures it.
    level : float
        Share of false ones among the spots, or chance of any; between 0 and 1.
    control : {"fdr", "familywise"}
        Which of them, see the module's description.
    separation : float, optional
        Least distance of two spots in pixels; of nearer ones the more significant stays. Default: 1.5σ.

    Returns
    -------
    DataFrame
        One row a spot, sorted by y and x: `y`, `x` in pixels, `amplitude`, `background`, their errors
        `amplitude_error`, `background_error` in counts, and `p` of the amplitude against 0, as if the place had been
        known before (see the module's description).

    Raises
    ------
    TypeError
        If the image holds no real numbers.
    ValueError
        If it is no image, has pixels that are not finite, or an argument is out of its range.

    Examples
    --------
    >>> rows, columns = np.mgrid[:40, :40]
    >>> image = 60 * np.exp(-((rows - 19.7) ** 2 + (columns - 12.2) ** 2) / (2 * 1.5**2))
    >>> image += 100 + 5 * np.random.default_rng(0).standard_normal(image.shape)
    >>> detect_spots(image, sigma=1.5)[["y", "x"]].round(1).values.tolist()
    [[19.7, 12.2]]
    """
    pixels, sigma = _all_finite(image), checked_sigma(sigma)
    level = real_number("level", level, "a probability such as 0.05", above=0, below=1)
    check_choice("control", control, get_args(Control), required=True)
    if separation is not None:
        real_number("separation", separation, "a number of pixels", least=0)
    height, width = pixels.shape
    iy, ix = _maxima(pixels, sigma)
    # A place that is fitted raises the amplitude by some 5 %: what is nothing at its pixel is not worth the fit.
    some = fit_spots(pixels, iy, ix, sigma).p < NOTHING
    places = refine(pixels, iy[some], ix[some], sigma)
    y, x = places.y, places.x
    least = EDGE * sigma - 0.5
    with np.errstate(invalid="ignore"):
        kept = (y >= least) & (y <= height - 1 - least) & (x >= least) & (x <= width - 1 - least)
    y, x = y[kept], x[kept]
    fits = fit_spots(pixels, y, x, sigma)
    spots = pd.DataFrame(dict(zip(COLUMNS, (y, x, *(getattr(fits, name) for name in COLUMNS[2:])), strict=True)))
    chosen = spots[_significant(fits.p, level, control, pixels.size)].sort_values("p", kind="stable")
    apart = 1.5 * sigma if separation is None else separation
    chosen = chosen.iloc[_first_of_close(chosen["y"].to_numpy(), chosen["x"].to_numpy(), apart)]
    return chosen.sort_values(["y", "x"]).reset_index(drop=True)


@dataclass(frozen=True)
class Width:
    """Width of spots as it was measured.

    Attributes
    ----------
    sigma : float
        Median standard deviation of the spots, in pixels.
    error : float
        Its standard error.
    spots : int
        How many were measured.
    """

    sigma: float
    error: float
    spots: int


def estimate_sigma(images: npt.ArrayLike, *, start: float = 1.5, most: int = 500) -> Width:
    """Width of the spots of images, from the bright ones that stand alone.

    Spots are detected with the width that is known so far, and their widths fitted; the median is the next width, until
    it stays. A spot counts that is significant, has no other within 6σ, and is among the `most` brightest in terms of
    its error.

    Parameters
    ----------
    images : array_like, shape (height, width) or (images, height, width)
        Some frames of one channel: ten, from all over the movie, are plenty.
    start : float
        First guess in pixels; it may be wrong by a factor of two.
    most : int
        Spots to use.

    Returns
    -------
    Width
        Median, its standard error (1.2533 times that of the mean, with the median absolute deviation for the spread),
        and the number of spots.

    Raises
    ------
    ValueError
        If fewer than ten spots can be used, or the width does not settle.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> image = 100 + 2 * rng.standard_normal((160, 160))
    >>> rows, columns = np.mgrid[:160, :160]
    >>> for y, x in np.mgrid[20:150:20, 20:150:20].reshape(2, -1).T + rng.uniform(-0.5, 0.5, (49, 2)):
    ...     image += 60 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.3**2))
    >>> round(estimate_sigma(image).sigma, 1)
    1.3
    """
    stack = np.asarray(images)
    frames = [_all_finite(frame) for frame in (stack if stack.ndim == 3 else stack[None])]
    sigma = checked_sigma(start)
    for _ in range(12):
        widths = _widths(frames, sigma, most)
        if len(widths) < 10:
            raise ValueError(
                f"only {len(widths)} spots stand out and alone at a width of {sigma:.2f} pixels, and ten are needed to "
                "measure it; give more frames, another start, or the width itself as sigma"
            )
        before, sigma = sigma, float(np.clip(np.median(widths), 0.5, 20.0))
        if abs(sigma - before) < 0.005:
            spread = 1.4826 * float(np.median(np.abs(widths - sigma)))
            return Width(sigma, float(1.2533 * spread / np.sqrt(len(widths))), len(widths))
    raise ValueError(f"the width does not settle: {before:.3f}, then {sigma:.3f} pixels; give it as sigma")


def _widths(frames: list[AnyArray], sigma: float, most: int) -> Array:
    found = []
    for frame in frames:
        spots = detect_spots(frame, sigma=sigma, control="familywise")
        y, x = spots["y"].to_numpy(), spots["x"].to_numpy()
        alone = np.ones(len(spots), dtype=bool)
        alone[close_pairs(y, x, 6 * sigma)[:, 0]] = False
        fits = refine(frame, np.rint(y[alone]).astype(int), np.rint(x[alone]).astype(int), sigma, free_width=True)
        stands_out = (spots["amplitude"] / spots["amplitude_error"]).to_numpy()[alone]
        found.append(np.column_stack([fits.sigma, stands_out])[np.isfinite(fits.sigma)])
    widths, stands_out = np.concatenate(found).T
    return np.asarray(widths[np.argsort(-stands_out, kind="stable")[:most]])


def _all_finite(image: npt.ArrayLike) -> AnyArray:
    pixels = checked_image(image)
    if not np.isfinite(pixels).all():
        bad = int((~np.isfinite(pixels)).sum())
        raise ValueError(f"the image has {bad} pixels that are not finite; put the local background in their place")
    return pixels


def _maxima(pixels: AnyArray, sigma: float) -> tuple[Indices, Indices]:
    """Local maxima, positive ones, of the negative Laplacian of a Gaussian."""
    from scipy.ndimage import gaussian_laplace, maximum_filter

    # Beyond the border the image goes on as its own negative about the last pixel: slopes stay, and no spot is joined
    # by its mirror image, as it would be by the usual reflection.
    margin = half_width(sigma)
    padded = np.pad(pixels.astype(np.float64), margin, mode="reflect", reflect_type="odd")
    response = -gaussian_laplace(padded, sigma)[margin:-margin, margin:-margin]
    highest = maximum_filter(response, size=2 * int(np.ceil(sigma)) - 1 if sigma > 1 else 3)
    iy, ix = np.nonzero((response == highest) & (response > 0))
    return iy, ix


def _significant(p: Array, level: float, control: Control, tests: int) -> Flags:
    known = np.where(np.isnan(p), 1.0, p)
    if control == "familywise":
        return known <= level / tests
    ordered = np.sort(known)
    below = np.flatnonzero(ordered <= level * np.arange(1, len(known) + 1) / tests)
    return known <= (ordered[below[-1]] if len(below) else -1.0)


def _first_of_close(y: Array, x: Array, distance: float) -> Indices:
    """Spots, in the order given, that have none before them within a distance that stays."""
    gone = np.zeros(len(y), dtype=bool)
    for one, other in close_pairs(y, x, distance):
        if one < other and not gone[one]:
            gone[other] = True
    return np.flatnonzero(~gone)
