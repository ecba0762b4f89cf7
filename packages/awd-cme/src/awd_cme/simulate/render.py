"""A movie of given tracks: spots of known heights, an ideal background, and the noise of a camera.

The expected counts of a pixel above the camera's offset are

    S = B(t, y, x) + Σ_k A_k(t) · exp(−((y − y_k)² + (x − x_k)²) / 2σ²),

sampled at the centres of pixels (`awd_cme.spots.psf`), and the frame is what the camera makes of S / gain
photoelectrons (`awd_cme.simulate.camera`). Frames are made when they are asked for, each from a seed of its own: a
frame is the same whoever asks for it, in whatever order and in however many processes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.movies.movie import Movie
from awd_cme.simulate.camera import Camera
from awd_cme.spots.psf import add_spots
from awd_cme.tracks.table import MEASURES, validate
from awd_cme.tracks.table import channels as channels_of
from awd_core.checks import whole_number
from awd_core.typing import AnyArray, Array

Background = float | Array | Mapping[str, float | Array] | Callable[[int, int], float | Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class RenderedMovie(Movie):
    """A movie, and what it was made from.

    Attributes
    ----------
    table : DataFrame
        The canonical table with what was drawn: `<channel>_amplitude` is the height of the spot in the frame, NaN
        where none was drawn; `<channel>_background` the expected counts of the pixel below it, the offset of the
        camera included, without other spots; errors and p-values are NaN.
    camera : Camera
        Offset, gain and noise.
    expect : callable
        Given the numbers t and c, the expected counts above the camera's offset, (y, x) float64.
    """

    table: pd.DataFrame = field(repr=False)
    camera: Camera
    expect: Callable[[int, int], Array] = field(repr=False)

    def expected(self, t: int, c: int | str = 0) -> Array:
        """Expected counts of a frame, the camera's offset included, shape (y, x); `frame` scatters about them."""
        return self.expect(t, self.channel(c)) + self.camera.offset

    def noise_sd(self, t: int, c: int | str = 0) -> Array:
        """Standard deviation of the counts of every pixel of a frame, shape (y, x): for Cramér–Rao bounds."""
        return self.camera.noise_sd(self.expect(t, self.channel(c)))


def render_tracks(
    table: pd.DataFrame,
    *,
    shape: Sequence[int],
    seed: int | Sequence[int],
    sigma: float | Mapping[str, float],
    background: Background,
    channels: Sequence[str] | None = None,
    camera: Camera | None = None,
    seconds_per_frame: float | None = None,
    micrometres_per_pixel: float | None = None,
) -> RenderedMovie:
    """Movie of the tracks in a table, with the amplitudes of the table.

    Parameters
    ----------
    table : DataFrame
        Canonical table of one cell. A row is drawn in a channel if its position and that channel's amplitude are
        known; NaN is not drawn, and an amplitude below zero is drawn, and reported, as zero. Rows of all parts are
        drawn, "before" and "after" too.
    shape : sequence of int
        (t, y, x) of the movie, or (y, x) for as many frames as the table has.
    seed : int or sequence of int
        Of the noise. Frame t of channel c uses `numpy.random.default_rng([*seed, t, c])`.
    sigma : float or mapping of str to float
        Standard deviation of the spots in pixels, for all channels or by channel.
    background : float, ndarray, mapping of str to these, or callable
        Counts above the camera's offset: one number, an array (y, x), either by channel, or a function that returns
        either, given the numbers t and c. Not negative.
    channels : sequence of str, optional
        Which, in which order. Default: all of the table.
    camera : Camera, optional
        Default: `Camera()`.
    seconds_per_frame, micrometres_per_pixel : float, optional
        Default: as the table says.

    Returns
    -------
    RenderedMovie

    Raises
    ------
    ValueError
        If the table is not canonical, has several cells, lacks a channel, or has frames beyond the movie.

    Examples
    --------
    >>> from awd_cme.tracks import make_table
    >>> table = make_table(track=[1, 1], frame=[0, 1], y=[8.0, 8.0], x=[9.0, 9.5], channels=["clathrin"],
    ...                    signals={"clathrin_amplitude": [500.0, float("nan")]}, seconds_per_frame=1.0)
    >>> movie = render_tracks(table, shape=(16, 20), seed=0, sigma=1.4, background=50.0)
    >>> movie.shape, float(movie.expected(0)[8, 9]), float(movie.expected(1)[8, 9])
    ((2, 1, 16, 20), 650.0, 150.0)
    """
    validate(table)
    if len(cells := table["cell"].unique()) > 1:
        raise ValueError(f"the table holds {len(cells)} cells, a movie shows one; give the rows of one cell")
    there = channels_of(table)
    names = tuple(there if channels is None else channels)
    if missing := [name for name in names if name not in there]:
        raise ValueError(f"the table has no channel {', '.join(missing)}; it has {', '.join(there)}")
    last = int(table["frame"].max()) if len(table) else -1
    sizes = tuple(int(size) for size in shape)
    if len(sizes) == 2:
        sizes = (last + 1, *sizes)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"shape is {tuple(shape)}; give (t, y, x) or (y, x), at least one of each, and a track")
    if last >= sizes[0]:
        raise ValueError(
            f"the table has frame {last}, beyond a movie of {sizes[0]}; give more frames, or cut the tracks"
        )
    camera = Camera() if camera is None else camera
    interval = table.attrs.get("seconds_per_frame") if seconds_per_frame is None else seconds_per_frame
    pixel = table.attrs.get("micrometres_per_pixel") if micrometres_per_pixel is None else micrometres_per_pixel
    ground = _background(background, names, (sizes[1], sizes[2]))
    widths = [float(sigma[name] if isinstance(sigma, Mapping) else sigma) for name in names]
    drawn = _drawn(table, names, ground, sizes, camera)
    light = _Light(_Spots(drawn, names, sizes[0]), widths, ground, (sizes[1], sizes[2]))
    told: dict[str, Any] = {"seconds_per_frame": interval, "micrometres_per_pixel": pixel}
    return RenderedMovie(
        shape=(sizes[0], len(names), sizes[1], sizes[2]),
        dtype=camera.dtype,
        channels=names,
        origin=dict.fromkeys(("axes", "channels"), "rendered from a table of tracks")
        | {name: "unknown" if value is None else "as for the table of tracks" for name, value in told.items()},
        read=_Exposures(
            light,
            camera,
            tuple(
                whole_number("seed", one, 0) for one in (seed if isinstance(seed, Sequence | np.ndarray) else [seed])
            ),
        ),
        table=drawn,
        camera=camera,
        expect=light,
        **told,
    )


def _background(background: Background, names: tuple[str, ...], size: tuple[int, int]) -> Callable[[int, int], Array]:
    """The background of frame t of channel c, shape (y, x)."""
    if callable(background):
        return _Checked(background, size)
    by_name = background if isinstance(background, Mapping) else dict.fromkeys(names, background)
    if missing := [name for name in names if name not in by_name]:
        raise ValueError(f"there is no background for the channel {', '.join(missing)}")
    return _Still([_image(by_name[name], size) for name in names])


def _image(value: float | Array, size: tuple[int, int]) -> Array:
    image = np.asarray(value, dtype=np.float64)
    if image.ndim and image.shape != size:
        raise ValueError(f"the background has the shape {image.shape}, the frames {size}; give one number or an image")
    if not (np.isfinite(image).all() and image.min() >= 0):
        raise ValueError(f"the background must be finite and not negative, got {image.min():g} at least")
    return np.broadcast_to(image, size)


class _Still:
    def __init__(self, images: list[Array]) -> None:
        self._images = images

    def __call__(self, t: int, c: int) -> Array:
        return self._images[c]


class _Checked:
    def __init__(self, background: Callable[[int, int], float | Array], size: tuple[int, int]) -> None:
        self._background, self._size = background, size

    def __call__(self, t: int, c: int) -> Array:
        return _image(self._background(t, c), self._size)


def _drawn(
    table: pd.DataFrame,
    names: tuple[str, ...],
    ground: Callable[[int, int], Array],
    sizes: tuple[int, ...],
    camera: Camera,
) -> pd.DataFrame:
    """The table with what is drawn in place of what was measured."""
    drawn = table.copy()
    drawn.attrs = dict(table.attrs)
    frame, y, x = (table[name].to_numpy() for name in ("frame", "y", "x"))
    placed = ~(np.isnan(y) | np.isnan(x))
    rows = np.clip(np.rint(np.where(placed, y, 0)), 0, sizes[1] - 1).astype(np.int64)
    columns = np.clip(np.rint(np.where(placed, x, 0)), 0, sizes[2] - 1).astype(np.int64)
    order = np.argsort(frame, kind="stable")
    bounds = np.searchsorted(frame[order], np.arange(sizes[0] + 1))
    for name in channels_of(table):
        for measure in MEASURES[1:]:
            drawn[f"{name}_{measure}"] = np.nan
        amplitude = np.where(placed, np.maximum(table[f"{name}_amplitude"].to_numpy(), 0.0), np.nan)
        drawn[f"{name}_amplitude"] = amplitude if name in names else np.nan
        if name in names:
            values = np.full(len(table), np.nan)
            for t in range(sizes[0]):
                here = order[bounds[t] : bounds[t + 1]]
                if len(here):
                    values[here] = ground(t, names.index(name))[rows[here], columns[here]] + camera.offset
            drawn[f"{name}_background"] = np.where(placed, values, np.nan)
    return drawn


class _Spots:
    """Positions and heights of the spots, by frame and channel."""

    def __init__(self, drawn: pd.DataFrame, names: tuple[str, ...], frames: int) -> None:
        frame = drawn["frame"].to_numpy()
        order = np.argsort(frame, kind="stable")
        self._bounds = np.searchsorted(frame[order], np.arange(frames + 1))
        self._y, self._x = drawn["y"].to_numpy()[order], drawn["x"].to_numpy()[order]
        self._amplitude = [drawn[f"{name}_amplitude"].to_numpy()[order] for name in names]

    def __call__(self, t: int, c: int) -> tuple[Array, Array, Array]:
        here = slice(self._bounds[t], self._bounds[t + 1])
        amplitude = self._amplitude[c][here]
        known = ~np.isnan(amplitude)
        return self._y[here][known], self._x[here][known], amplitude[known]


class _Light:
    """Expected counts above the offset."""

    def __init__(
        self, spots: _Spots, sigma: list[float], ground: Callable[[int, int], Array], size: tuple[int, int]
    ) -> None:
        self._spots, self._sigma, self._ground, self._size = spots, sigma, ground, size

    def __call__(self, t: int, c: int) -> Array:
        image = np.array(self._ground(t, c), dtype=np.float64, order="C")
        add_spots(image, *self._spots(t, c), self._sigma[c])
        return image


class _Exposures:
    def __init__(self, light: _Light, camera: Camera, seed: tuple[int, ...]) -> None:
        self._light, self._camera, self._seed = light, camera, seed

    def __call__(self, t: int, c: int) -> AnyArray:
        light = self._camera.electrons(self._light(t, c))
        return self._camera.expose(light, np.random.default_rng([*self._seed, t, c]))
