"""Coefficients keep the shape of their signal, whatever is done with the list."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.utils import _pytree

from awd_core import Coefficients, DWT1d, DWT2d
from awd_core.transforms.fourier import flatten_coefficients, unflatten_coefficients

WAYS = {
    "copy": lambda c: c.copy(),
    "a slice": lambda c: c[:],
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda c: pickle.loads(pickle.dumps(c)),  # noqa: S301 - our own
    "sum with nothing": lambda c: c + [],  # noqa: RUF005
    "sum of its parts": lambda c: c[:1] + c[1:],
    "another approximation in front": lambda c: [c[0]] + c[1:],  # noqa: RUF005
    "details behind": lambda c: c[:1] + list(c[1:]),
    "a new list of them": lambda c: Coefficients(c),
    "a new list with the shape": lambda c: Coefficients(list(c), c.shape),
    "map": lambda c: c.map(lambda band: band * 1),
    "tree_map": lambda c: _pytree.tree_map(lambda band: band * 1, c),
    "flatten and unflatten": lambda c: unflatten_coefficients(c, flatten_coefficients(c)),
    "numpy and back": lambda c: c.numpy().map(torch.from_numpy),
    "changed in place": lambda c: c.__iadd__([]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("dwt", "shape"), [(DWT1d("db2", 2), (3, 37)), (DWT2d("db2", 1), (2, 9, 11))])
def test_odd_sizes_come_back(dwt, shape, way):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
    kept = WAYS[way](dwt(x))
    assert isinstance(kept, Coefficients)
    assert kept.shape == shape[1:]
    torch.testing.assert_close(dwt.inverse(kept), x)


def test_vectorised_over_a_batch():
    dwt, x = DWT2d("db2", 1), torch.from_numpy(np.random.default_rng(0).standard_normal((4, 9, 11)))
    batched = torch.vmap(dwt)(x)
    assert batched.shape == (9, 11)
    torch.testing.assert_close(torch.vmap(dwt.inverse)(batched), x)


def test_as_a_tree():
    coefficients = DWT2d("db2", 1)(torch.ones(9, 11))
    leaves, structure = _pytree.tree_flatten(coefficients)
    assert len(leaves) == 4
    assert _pytree.treespec_loads(_pytree.treespec_dumps(structure)) == structure


def test_the_rest_is_a_list():
    coefficients = Coefficients([1, (2, 3, 4)])
    assert coefficients == [1, (2, 3, 4)]
    assert coefficients[-1] == (2, 3, 4)
    assert coefficients.shape == ()
    assert type([*coefficients]) is list
