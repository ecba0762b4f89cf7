"""Bands of a transform as parts of an input: of frequency, of wavelets, atoms of a dictionary."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from awd_core.attribution.trim import TrimModel
from awd_core.checks.choices import check_choice
from awd_core.decomposition.decompose import contextual_decomposition
from awd_core.transforms.coefficients import Coefficients
from awd_core.transforms.dictionary import LinearDictionary
from awd_core.transforms.fourier import (
    CoefficientTree,
    FourierTransform,
    Transform,
    flatten_coefficients,
    unflatten_coefficients,
)

Bands = int | Sequence[float] | Sequence[str] | Mapping[str, Sequence[str]] | None
"""Frequencies: a number of bands, or edges. Others: names of bands, or groups of them by name. None: each by itself."""


class BandDecomposition(NamedTuple):
    """What each band of the input says, in the context of the others."""

    names: tuple[str, ...]
    """Names of the bands."""
    relevant: Tensor
    """Shape (bands, n, *outputs): β of each band."""
    irrelevant: Tensor
    """Of the same shape: the rest, so that both add up to the prediction for each band."""


def band_names(transform: Transform, coefficients: CoefficientTree) -> tuple[str, ...]:
    """Names of all bands of a transform that is no Fourier transform.

    Parameters
    ----------
    transform : Transform
        Wavelets have PyWavelets' names, cA3, cD3, … and in two dimensions cA3, cH3, cV3, cD3, …; a dictionary "atom 0"
        and so on; the tensors of other transforms "tensor 0" and so on.
    coefficients : Tensor, list, tuple or mapping
        Coefficients of some input.

    Examples
    --------
    >>> from awd_core.transforms import DWT1d
    >>> dwt = DWT1d("haar", levels=2)
    >>> band_names(dwt, dwt(torch.zeros(1, 8)))
    ('cA2', 'cD2', 'cD1')
    """
    if isinstance(coefficients, Coefficients):
        levels = len(coefficients) - 1
        names = [f"cA{levels}"]
        for level, entry in zip(range(levels, 0, -1), coefficients[1:], strict=True):
            letters = "HVD" if isinstance(entry, tuple) else "D"
            names += [f"c{letter}{level}" for letter in letters]
        return tuple(names)
    if isinstance(transform, LinearDictionary):
        return tuple(f"atom {number}" for number in range(len(transform.atoms)))
    return tuple(f"tensor {number}" for number in range(len(flatten_coefficients(coefficients))))


def band_masks(transform: Transform, coefficients: CoefficientTree, bands: Bands = None) -> dict[str, CoefficientTree]:
    """Masks of coefficients, one for each band.

    Parameters
    ----------
    transform : Transform
        A wavelet transform, `FourierTransform`, `LinearDictionary`, or any other.
    coefficients : Tensor, list, tuple or mapping
        Its coefficients of some input, for their structure.
    bands : optional
        For `FourierTransform` a number of bands or their edges, as for its `band_masks`. For others names of
        `band_names`, or a mapping from names of groups to the names in each; by default every band by itself.

    Returns
    -------
    dict of str to masks
        Nested as the coefficients; each mask is to be broadcast against its tensor.

    Raises
    ------
    ValueError
        For bands that there are not, and for frequencies without bands.

    Examples
    --------
    >>> from awd_core.transforms import DWT1d
    >>> dwt = DWT1d("haar", levels=2)
    >>> masks = band_masks(dwt, dwt(torch.zeros(1, 8)), {"fine": ["cD2", "cD1"]})
    >>> [float(mask) for mask in masks["fine"]]
    [0.0, 1.0, 1.0]
    """
    if isinstance(transform, FourierTransform):
        if bands is None or isinstance(bands, Mapping) or _is_text(bands):
            raise ValueError(
                f"bands is {bands!r}; give a number of bands of frequency, or their edges in cycles per sample"
            )
        edges, masks = transform.band_masks(bands)  # type: ignore[arg-type]
        names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
        return {name: mask[..., None] for name, mask in zip(names, masks, strict=True)}
    known = band_names(transform, coefficients)
    made: dict[str, CoefficientTree] = {}
    for group, members in _groups(bands, known).items():
        for name in members:
            check_choice("a band", name, known, required=True)
        chosen = torch.tensor([float(name in members) for name in known], dtype=torch.float64)
        if isinstance(transform, LinearDictionary):
            made[group] = chosen
        else:
            made[group] = unflatten_coefficients(coefficients, list(chosen.unbind()))
    return made


def _groups(bands: Bands, known: Sequence[str]) -> dict[str, list[str]]:
    """Names of bands by the name of their group."""
    if isinstance(bands, Mapping):
        return {str(group): list(members) for group, members in bands.items()}
    if bands is None:
        return {name: [name] for name in known}
    if not _is_text(bands) or not bands:
        raise ValueError(
            f"bands is {bands!r}; give a list of names, or a mapping from groups to lists, of {', '.join(known)}; or "
            "None for all"
        )
    return {str(name): [str(name)] for name in bands}  # type: ignore[union-attr]


def band_decomposition(
    model: Callable[..., Tensor], x: Tensor, transform: Transform, bands: Bands = None, *, batch_size: int | None = None
) -> BandDecomposition:
    """Split predictions by the bands of a transform: transformation importance by contextual decomposition.

    After Singh, Ha, Lanusse, Boehm, Liu, Yu 2020, "Transformation importance with applications to cosmology"
    (arXiv:2003.01926), whose figures have such scores of bands of frequency. Unlike gradients, which are those of one
    point, a band is followed through the network as it is.

    Parameters
    ----------
    model : Module or callable
        The network, as for `contextual_decomposition`.
    x : Tensor, shape (n, *shape)
        Inputs.
    transform : Transform
        A linear inverse is needed. What the coefficients leave out of x is in no band.
    bands : optional
        As for `band_masks`; by default every band by itself, which `FourierTransform` has not.
    batch_size : int, optional
        As for `contextual_decomposition`.

    Returns
    -------
    BandDecomposition

    Raises
    ------
    ValueError, TypeError, DecompositionError
        As for `contextual_decomposition` and `band_masks`.

    Examples
    --------
    >>> from awd_core.transforms import DWT1d
    >>> x = torch.arange(16.0).reshape(1, 16)
    >>> found = band_decomposition(lambda x: x.relu().sum(1), x, DWT1d("haar", levels=2))
    >>> found.names, found.relevant.shape
    (('cA2', 'cD2', 'cD1'), torch.Size([3, 1]))
    """
    trim, leaves, _ = TrimModel.at(model, transform, x)
    masks = band_masks(transform, trim.structured(leaves), bands)
    flat = [flatten_coefficients(tree) for tree in masks.values()]
    stacked = tuple(
        torch.stack([mask.reshape(*[1] * (leaf.ndim - mask.ndim), *mask.shape) for mask in of_bands])
        for leaf, of_bands in zip(leaves, zip(*flat, strict=True), strict=True)
    )
    # `at` makes leaves that ask for gradients, for methods that are made of them.
    found = contextual_decomposition(trim, tuple(leaf.detach() for leaf in leaves), stacked, batch_size=batch_size)
    return BandDecomposition(tuple(masks), found.relevant, found.irrelevant)


def _is_text(bands: object) -> bool:
    return isinstance(bands, Sequence) and not isinstance(bands, str) and all(isinstance(name, str) for name in bands)
