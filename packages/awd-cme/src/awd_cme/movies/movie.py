"""A movie in the hand: frames of one or more channels that are read, or made, when they are asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import is_whole_number, plain_array, real_number
from awd_core.typing import AnyArray

if TYPE_CHECKING:
    from awd_cme.movies.open import MovieFile


DEFAULT_CHANNELS = ("clathrin", "auxilin")
"""Names of channels that nobody has named, the master first; further ones are called channel3 and so on."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Movie:
    """Frames that are read, or made, when they are asked for.

    Attributes
    ----------
    shape : tuple of int
        (t, c, y, x).
    dtype : dtype
        Integers or floats, in the machine's byte order.
    channels : tuple of str
        A name for each channel, the master first.
    seconds_per_frame, micrometres_per_pixel : float or None
        None is unknown.
    origin : mapping of str to str
        Where axes, channels, seconds_per_frame and micrometres_per_pixel came from, a sentence each.
    read : callable
        Given the numbers t and c, the array (y, x). `frame` checks the numbers first.
    file : MovieFile or None
        How another process opens the same movie; None where it lies in no file.

    Examples
    --------
    >>> movie = Movie.from_array(np.arange(24).reshape(3, 2, 2, 2), seconds_per_frame=1.5)
    >>> movie.shape, movie.channels, movie.frame(2, "auxilin").tolist()
    ((3, 2, 2, 2), ('clathrin', 'auxilin'), [[20, 21], [22, 23]])
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    channels: tuple[str, ...]
    seconds_per_frame: float | None = None
    micrometres_per_pixel: float | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[int, int], AnyArray] = field(repr=False)
    file: "MovieFile | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.shape) != 4 or min(self.shape) < 1:
            raise ValueError(f"a movie has the shape (t, c, y, x) with at least one of each, got {self.shape}")
        if len(self.channels) != self.shape[1] or len(set(self.channels)) != len(self.channels):
            raise ValueError(
                f"channels are {self.channels}; give {self.shape[1]} different names, one for each channel of the movie"
            )
        for name in ("seconds_per_frame", "micrometres_per_pixel"):
            value = getattr(self, name)
            if value is not None:
                real_number(name, value, above=0, none="what is unknown")

    def frame(self, t: int, c: int | str = 0) -> AnyArray:
        """One frame of one channel.

        Parameters
        ----------
        t : int
            Number of the frame, from 0.
        c : int or str
            Number or name of the channel.

        Returns
        -------
        ndarray, shape (y, x)

        Raises
        ------
        IndexError
            If there is no such frame or channel.
        """
        channel = self.channel(c)
        if not is_whole_number(t) or not 0 <= t < self.shape[0]:
            raise IndexError(f"frame {t!r} was asked for; the movie has {self.shape[0]}, counted from 0")
        return self.read(int(t), channel)

    def channel(self, c: int | str) -> int:
        """Number of a channel that is given by its number or its name."""
        if isinstance(c, str):
            if c not in self.channels:
                raise IndexError(f"there is no channel {c!r}; the movie has {', '.join(self.channels)}")
            return self.channels.index(c)
        if not is_whole_number(c) or not 0 <= c < self.shape[1]:
            raise IndexError(f"channel {c!r} was asked for; the movie has {self.shape[1]}, counted from 0")
        return int(c)

    def stack(self, c: int | str = 0, start: int = 0, stop: int | None = None) -> AnyArray:
        """Frames from `start` up to, not including, `stop` of one channel, shape (frames, y, x), all in memory."""
        frames = range(self.shape[0])[start:stop]
        out = np.empty((len(frames), *self.shape[2:]), self.dtype)
        for k, t in enumerate(frames):
            out[k] = self.frame(t, c)
        return out

    def in_memory(self) -> "Movie":
        """The same movie with all frames read, for a small one that is gone through many times."""
        frames = np.empty(self.shape, self.dtype)
        for t, image in enumerate(self):
            frames[t] = image
        return replace(self, read=_ArrayPlanes(frames), file=None)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[AnyArray]:
        """The frames in turn, each with all channels, shape (c, y, x)."""
        for t in range(self.shape[0]):
            yield np.stack([self.read(t, c) for c in range(self.shape[1])])

    @classmethod
    def from_array(
        cls,
        array: npt.ArrayLike,
        *,
        axes: str = "TCYX",
        channels: Sequence[str] | None = None,
        seconds_per_frame: float | None = None,
        micrometres_per_pixel: float | None = None,
    ) -> "Movie":
        """Movie of frames that are in memory already; they are not copied.

        Parameters
        ----------
        array : array_like
            Frames of integers or floats.
        axes : str
            A letter for each axis of the array: T, C, Y and X, of which T and C may be left out.
        channels : sequence of str, optional
            Names; see `DEFAULT_CHANNELS`.
        seconds_per_frame, micrometres_per_pixel : float, optional
            None is unknown.

        Raises
        ------
        ValueError
            If the axes do not fit the array.
        """
        frames = plain_array(array, "the array")
        letters = axes.upper() if isinstance(axes, str) else ""
        if (
            len(letters) != frames.ndim
            or sorted(set(letters) | set("TC")) != sorted("TCYX")
            or len(set(letters)) < len(letters)
        ):
            raise ValueError(
                f"axes is {axes!r} for an array of the shape {frames.shape}; give one letter an axis of T, C, Y and X, "
                "such as 'TCYX' or 'TYX'"
            )
        if frames.dtype.kind not in "iuf":
            raise ValueError(f"the array has the type {frames.dtype}; a movie needs integers or floats")
        for missing in set("TC") - set(letters):
            frames, letters = frames[None], missing + letters
        frames = frames.transpose([letters.index(letter) for letter in "TCYX"])
        if isinstance(channels, str):
            raise TypeError(f"channels are {channels!r}; give a list of names, [{channels!r}]")
        names = tuple(channels) if channels is not None else default_names(frames.shape[1])
        given: dict[str, Any] = {"seconds_per_frame": seconds_per_frame, "micrometres_per_pixel": micrometres_per_pixel}
        origin = {name: "unknown" if value is None else "given as an argument" for name, value in given.items()}
        return cls(
            shape=(frames.shape[0], frames.shape[1], frames.shape[2], frames.shape[3]),
            dtype=frames.dtype,
            channels=names,
            origin={
                "axes": f"an array with the axes {axes}",
                "channels": "given as an argument" if channels else "by default",
            }
            | origin,
            read=_ArrayPlanes(frames),
            **given,
        )


class _ArrayPlanes:
    def __init__(self, frames: AnyArray) -> None:
        self._frames = frames

    def __call__(self, t: int, c: int) -> AnyArray:
        return np.asarray(self._frames[t, c])


def default_names(count: int) -> tuple[str, ...]:
    """Names of channels that nobody has named.

    Examples
    --------
    >>> default_names(3)
    ('clathrin', 'auxilin', 'channel3')
    """
    return (*DEFAULT_CHANNELS, *(f"channel{k}" for k in range(3, count + 1)))[:count]
