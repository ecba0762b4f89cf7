"""Peaks and minima of maps: pixels strictly above, or below, their eight neighbours.

The one-pixel border is left out, for it has fewer neighbours; with a mask, so is every pixel whose 3 × 3 neighbourhood
touches a pixel that was not observed. Where neighbours tie, nobody is a peak: a plateau has none. That is where
`skimage.feature.peak_local_max(map, min_distance=1, exclude_border=1)` differs, which takes from a plateau the pixels
that no neighbour exceeds, then thins them out; and it never takes pixels at the map's minimum. Without ties both agree.

Why it is fast. A block of maps that fits the processor's cache is compared as one long row: the neighbour above is the
value one width earlier. Comparisons across the ends of rows say nothing, and are dropped with the border.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, plain_array, refuse_masked, whole_number
from awd_core.typing import AnyArray, Flags, Indices
from awd_core.workers import available_cores

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.floating[Any]]
Mask = Flags
Kind = Literal["peaks", "minima"]
KINDS = ("peaks", "minima")

BLOCK = 1 << 16
"""Pixels of a block of maps: with a few arrays of its size beside it, it stays in the cache of one core."""

CHUNK = 1 << 24
"""Pixels that are read at once from a stack that is not in memory."""


@overload
def find_peaks(maps: "Tensor", *, mask: Any = None, kind: Kind = "peaks", workers: int | None = None) -> "Tensor": ...


@overload
def find_peaks(
    maps: npt.ArrayLike, *, mask: npt.ArrayLike | None = None, kind: Kind = "peaks", workers: int | None = None
) -> Mask: ...


def find_peaks(maps: Any, *, mask: Any = None, kind: Kind = "peaks", workers: int | None = None) -> Any:
    """Mark the peaks, or the minima, of maps.

    Parameters
    ----------
    maps : array_like or torch.Tensor, shape (ny, nx) or (n, ny, nx)
        Convergence κ, dimensionless, or anything else that has peaks. A tensor may lie on any device.
    mask : array_like of bool, shape (ny, nx) or (n, ny, nx), optional
        True where a map was observed. Values elsewhere are not looked at, and may be NaN.
    kind : {"peaks", "minima"}
        Whether to look for pixels above their neighbours or below.
    workers : int, optional
        Threads, over maps; as many as there are cores by default. The result does not depend on it.

    Returns
    -------
    ndarray of bool, or torch.Tensor of bool on the maps' device, of the maps' shape
        True at the peaks.

    Raises
    ------
    ValueError
        If an observed value is NaN or infinite, or a shape is not one of those above.

    Examples
    --------
    >>> kappa = np.zeros((5, 5))
    >>> kappa[2, 3] = 0.1
    >>> np.argwhere(find_peaks(kappa)).tolist()
    [[2, 3]]
    """
    check_choice("kind", kind, KINDS, required=True)
    if is_tensor(maps) and maps.device.type != "cpu":
        return _on_device(maps, mask, kind)
    stack = plain_array(maps.detach().numpy() if is_tensor(maps) else maps, "maps")
    single = stack.ndim == 2
    stack = checked_maps(stack[None] if single else stack)
    observed = checked_mask(mask, stack.shape)
    usable = usable_pixels(stack.shape, observed)
    found = np.empty(stack.shape, np.bool_)

    def mark(start: int, block: Floats) -> None:
        refuse_not_finite(block, None if observed is None else rows_of(observed, start, len(block)), start)
        marked = _marked(block, rows_of(usable, start, len(block)), kind)
        found[start : start + len(block)] = marked

    for_each_block(stack, mark, workers)
    result = found[0] if single else found
    if is_tensor(maps):
        import torch

        return torch.from_numpy(result)
    return result


def peak_positions(block: Floats, usable: Mask, kind: Kind = "peaks") -> Indices:
    """Positions of the peaks in maps that lie one behind the other.

    Parameters
    ----------
    block : ndarray, shape (m, ny, nx)
        Contiguous and finite; best some `BLOCK` pixels.
    usable : ndarray of bool, shape (ny, nx) or (m, ny, nx)
        From `usable_pixels`.
    kind : {"peaks", "minima"}
        What to look for.

    Returns
    -------
    ndarray of int, shape (k,)
        Indices into `block.ravel()`, rising.

    Examples
    --------
    >>> block = np.zeros((1, 3, 4))
    >>> block[0, 1, 2] = 1.0
    >>> peak_positions(block, usable_pixels(block.shape))
    array([6])
    """
    return np.flatnonzero(_marked(block, usable, kind))


def usable_pixels(shape: tuple[int, ...], mask: Mask | None = None) -> Mask:
    """Pixels that can be peaks: not at the border, and with an observed neighbourhood.

    Parameters
    ----------
    shape : tuple of int
        (n, ny, nx) of the maps.
    mask : ndarray of bool, shape (ny, nx) or (n, ny, nx), optional
        True where observed.

    Returns
    -------
    ndarray of bool, shape (ny, nx), or (n, ny, nx) if the mask has it

    Examples
    --------
    >>> int(usable_pixels((1, 5, 6)).sum())
    12
    """
    ny, nx = shape[-2:]
    observed = np.ones((ny, nx), np.bool_) if mask is None else mask
    usable = np.zeros(observed.shape, np.bool_)
    if ny >= 3 and nx >= 3:
        rows = observed[..., :-2, :] & observed[..., 1:-1, :] & observed[..., 2:, :]
        usable[..., 1:-1, 1:-1] = rows[..., :-2] & rows[..., 1:-1] & rows[..., 2:]
    return usable


def checked_maps(maps: Any) -> Any:
    """Maps as they were given, if they are a stack of real numbers: an array in memory or one that is read by slices.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If their shape is not (n, ny, nx) with at least one pixel.
    """
    stack: Any = maps if hasattr(maps, "shape") and hasattr(maps, "dtype") else np.asarray(maps)
    if is_tensor(stack):
        stack = stack.detach().cpu().numpy()
    refuse_masked(stack, "maps")
    if np.dtype(stack.dtype).kind not in "fiu":
        raise TypeError(f"maps must hold real numbers, got {stack.dtype}; convert them with astype(float)")
    if len(stack.shape) != 3 or 0 in stack.shape[1:]:
        raise ValueError(f"maps must have the shape (n, ny, nx), got {tuple(stack.shape)}; give one map as maps[None]")
    return stack


def checked_mask(mask: Any, shape: tuple[int, ...]) -> Mask | None:
    """Mask as an array of bool that fits the maps, or None if there is none.

    Raises
    ------
    ValueError
        If its shape is neither (ny, nx) nor that of the maps, it holds other values than 0 and 1, or nothing is
        observed.
    """
    if mask is None:
        return None
    given = np.asarray(mask.detach().cpu().numpy() if is_tensor(mask) else mask)
    if given.shape not in (tuple(shape[-2:]), tuple(shape)):
        raise ValueError(
            f"a mask must have the maps' shape, {tuple(shape[-2:])} for all or {tuple(shape)} one by one, "
            f"got {given.shape}"
        )
    observed: Mask = given.astype(np.bool_)
    if given.dtype != np.bool_ and not np.array_equal(given, observed):
        raise ValueError("a mask must hold True (or 1) where observed and False (or 0) elsewhere, got other values")
    if not observed.any():
        raise ValueError("the mask leaves nothing: no pixel is observed; True means observed")
    return observed


def refuse_not_finite(block: Floats, observed: Mask | None, start: int) -> None:
    """Raise if a block of maps holds NaN or infinity where it was observed, naming the map (numbered from `start`)."""
    with np.errstate(all="ignore"):
        total = block.sum()
    if np.isfinite(total):  # it cannot be with anything else among the summands
        return
    bad = ~np.isfinite(block)
    if observed is not None:
        bad &= observed
    if bad.any():
        number, y, x = np.argwhere(bad)[0]
        raise ValueError(
            f"map {start + number} holds {block[number, y, x]} at row {y}, column {x} ({bad[number].sum()} such pixels "
            "in that map); fill them, or name them in a mask (False = not observed)"
        )


def rows_of(mask: Mask, start: int, count: int) -> Mask:
    """Part of a mask that belongs to `count` maps from `start` on: all of it if it is one for all maps."""
    return mask if mask is None or mask.ndim == 2 else mask[start : start + count]


def for_each_block(
    maps: Any, work: Callable[[int, Floats], object], workers: int | None = None, pixels: int = BLOCK
) -> None:
    """Call a function for every block of maps, in threads; NumPy lets them run side by side.

    Parameters
    ----------
    maps : array or anything with `shape`, `dtype` and slices that NumPy can read, shape (n, ny, nx)
        What is not an array in memory is read `CHUNK` pixels at a time.
    work : callable
        Takes the number of the first map and the block (m, ny, nx), as `floating` makes it.
    workers : int, optional
        Threads; as many as there are cores by default.
    pixels : int
        Size of a block.
    """
    count, ny, nx = maps.shape
    size = max(1, pixels // (ny * nx))
    chunk = count if isinstance(maps, np.ndarray) else size * max(1, CHUNK // (size * ny * nx))
    for first in range(0, count, max(chunk, 1)):
        part = np.asarray(maps[first : first + chunk])

        def one(start: int, part: AnyArray = part, first: int = first) -> None:
            work(first + start, floating(part[start : start + size]))

        in_threads(one, range(0, len(part), size), workers)


def floating(maps: AnyArray) -> Floats:
    """Maps contiguous in memory, float32 if they are, of whatever byte order, else float64."""
    single = maps.dtype.kind == "f" and maps.dtype.itemsize == 4
    block: Floats = np.ascontiguousarray(maps, dtype=np.float32 if single else np.float64)
    return block


def in_threads(work: Callable[[int], object], items: Iterable[int], workers: int | None = None) -> None:
    """Call a function for every item, in as many threads as there are cores (or `workers`)."""
    most = available_cores() if workers is None else whole_number("workers", workers, none="as many as there are cores")
    todo = list(items)
    threads = min(most, len(todo))
    if threads < 2:
        for item in todo:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, todo):
            pass  # raises what a thread has raised, and the rest is not begun


def is_tensor(value: object) -> bool:
    """Whether it is a torch tensor, found out without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def _marked(block: Floats, usable: Mask, kind: Kind) -> Mask:
    """Marks of the peaks, shape (m, ny, nx)."""
    beyond = np.greater if kind == "peaks" else np.less
    width, size = block.shape[-1], block.size
    flat = block.reshape(-1)
    found = np.zeros(size, np.bool_)
    edge = width + 1
    if size > 2 * edge:
        middle, inner = flat[edge : size - edge], found[edge : size - edge]
        other = np.empty_like(inner)
        with np.errstate(invalid="ignore"):  # NaN outside the mask
            beyond(middle, flat[: size - 2 * edge], out=inner)
            for offset in (-width, -width + 1, -1, 1, width - 1, width, width + 1):
                beyond(middle, flat[edge + offset : size - edge + offset], out=other)
                np.logical_and(inner, other, out=inner)
    marked = found.reshape(block.shape)
    marked &= usable
    return marked


def _on_device(maps: "Tensor", mask: Any, kind: Kind) -> "Tensor":
    """The same with torch, for tensors that NumPy cannot see."""
    import torch

    if maps.ndim not in (2, 3):
        raise ValueError(f"maps must have the shape (ny, nx) or (n, ny, nx), got {tuple(maps.shape)}")
    if not maps.is_floating_point():
        raise TypeError(f"maps on a device must be floating point, got {maps.dtype}; convert them with maps.float()")
    shape = tuple(maps.shape) if maps.ndim == 3 else (1, *maps.shape)
    x = maps.detach().reshape(shape)
    observed = checked_mask(mask, shape)
    bad = ~torch.isfinite(x)
    if observed is not None:
        bad &= torch.from_numpy(observed).to(x.device)
    if bool(bad.any()):
        number = int(bad.flatten(1).any(1).nonzero()[0])
        raise ValueError(
            f"map {number} holds NaN or infinity; fill such pixels, or name them in a mask (False = not observed)"
        )
    beyond = torch.gt if kind == "peaks" else torch.lt
    ny, nx = shape[1:]
    found = torch.from_numpy(usable_pixels(shape, observed)).to(x.device).expand(shape).clone()
    if ny >= 3 and nx >= 3:
        middle, inner = x[:, 1:-1, 1:-1], found[:, 1:-1, 1:-1]
        for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
            inner &= beyond(middle, x[:, 1 + dy : ny - 1 + dy, 1 + dx : nx - 1 + dx])
    return found.reshape(maps.shape)
