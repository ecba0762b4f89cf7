"""Coefficients of a transform: PyWavelets' lists, with the shape of the signal beside them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, SupportsIndex, overload

from torch import Tensor
from torch.utils import _pytree


class Coefficients(list[Any]):
    """A list of coefficients in PyWavelets' order that remembers the shape of the signal it came from.

    Lengths of coefficients do not tell whether the signal had an even or an odd number of samples; this does, so
    that the inverse returns the shape that went in. In all else it is a list, and PyWavelets takes it as one (after
    `numpy()` if the tensors need it).

    Copies, slices, sums with other lists on either side, and what `torch.utils._pytree.tree_map`, `torch.vmap` and
    their like make of it keep the shape. A plain list of its entries, ``[band for band in coefficients]``, has none:
    make it a `Coefficients` again, use `map`, or give the inverse its ``shape``.

    Parameters
    ----------
    items : iterable
        Tensors (1-D) or a tensor followed by tuples of three (2-D).
    shape : tuple of int, optional
        Spatial shape of the signal: (N,) or (H, W). That of `items` if they are `Coefficients`; else none is known.
    """

    def __init__(self, items: Iterable[Any] = (), shape: tuple[int, ...] | None = None) -> None:
        super().__init__(items)
        self.shape: tuple[int, ...] = tuple(getattr(items, "shape", ()) if shape is None else shape)

    def copy(self) -> "Coefficients":
        """A new list of the same tensors."""
        return Coefficients(self)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Coefficients": ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> Any:
        found = super().__getitem__(index)
        return Coefficients(found, self.shape) if isinstance(index, slice) else found

    def __add__(self, other: list[Any], /) -> "Coefficients":
        return Coefficients(super().__add__(other), self.shape)

    def __radd__(self, other: list[Any], /) -> "Coefficients":
        return Coefficients(other + list(self), self.shape)

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


_pytree.register_pytree_node(
    Coefficients,
    lambda coefficients: (list(coefficients), coefficients.shape),
    Coefficients,
    serialized_type_name="awd_core.Coefficients",
    to_dumpable_context=list,
    from_dumpable_context=tuple,
)
