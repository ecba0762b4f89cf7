"""Coefficients of a transform: PyWavelets' lists, with the shape of the signal beside them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor


class Coefficients(list[Any]):
    """A list of coefficients in PyWavelets' order that remembers the shape of the signal it came from.

    Lengths of coefficients do not tell whether the signal had an even or an odd number of samples; this does, so
    that the inverse returns the shape that went in. In all else it is a list, and PyWavelets takes it as one (after
    `numpy()` if the tensors need it).

    Parameters
    ----------
    items : iterable
        Tensors (1-D) or a tensor followed by tuples of three (2-D).
    shape : tuple of int
        Spatial shape of the signal: (N,) or (H, W).
    """

    def __init__(self, items: Iterable[Any] = (), shape: tuple[int, ...] = ()) -> None:
        super().__init__(items)
        self.shape = tuple(shape)

    def tensors(self) -> Iterator[Tensor]:
        """All bands one after the other, from coarse to fine."""
        for entry in self:
            if isinstance(entry, tuple):
                yield from entry
            else:
                yield entry

    def map(self, function: Callable[[Tensor], Any]) -> "Coefficients":
        """The same structure with a function applied to every band."""
        entries = (tuple(map(function, entry)) if isinstance(entry, tuple) else function(entry) for entry in self)
        return Coefficients(entries, self.shape)

    def numpy(self) -> "Coefficients":
        """The same structure as NumPy arrays, off any graph and device: what `pywt.waverec` and `waverec2` take."""
        return self.map(lambda band: band.detach().cpu().numpy())
