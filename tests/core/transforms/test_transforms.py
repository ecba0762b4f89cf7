"""Transforms other than wavelets: they invert, their adjoints are adjoints, and bands share out all frequencies."""

import math
from collections import namedtuple

import numpy as np
import pytest
import torch
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    LatentDirichletAllocation,
    MiniBatchNMF,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.exceptions import NotFittedError

from awd_core.transforms.dictionary import LinearDictionary
from awd_core.transforms.dwt import DWT2d
from awd_core.transforms.fourier import FourierTransform, Transform, flatten_coefficients, unflatten_coefficients

EXACT = {"rtol": 0, "atol": 1e-13}
"""Float64 values of order one through a transform of some hundred terms."""

SHAPES = [1, 2, 7, 8, (1, 1), (5, 4), (4, 5), (6, 6), (7, 9), (1, 4), (3, 4, 5)]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, **EXACT)


def jacobian_of_the_inverse(transform, s: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """∂ inverse(s) / ∂s, shape (size of x, size of s)."""
    return torch.autograd.functional.jacobian(transform.inverse, s).reshape(x.numel(), s.numel())


@pytest.mark.parametrize("shape", SHAPES)
def test_fourier_inverts_and_keeps_lengths(shape):
    fourier = FourierTransform(shape)
    x = normal(2, 3, *fourier.shape)
    s = fourier(x)
    assert s.shape == (2, 3, *fourier.frequency_shape, 2)
    close(fourier.inverse(s), x)
    axes = tuple(range(2, s.ndim))
    close((s**2).sum(axes), (x**2).sum(axes[:-1]))
    assert isinstance(fourier, Transform)


@pytest.mark.parametrize("shape", SHAPES)
def test_fourier_coefficients_are_those_of_numpys_full_transform(shape):
    fourier = FourierTransform(shape)
    x = normal(*fourier.shape)
    full = np.fft.fftn(x.numpy(), norm="ortho")
    half = full[..., : fourier.frequency_shape[-1]]
    last = np.arange(half.shape[-1])
    twice = (last > 0) & (2 * last != fourier.shape[-1])
    expected = half * np.where(twice, np.sqrt(2), 1)
    close(torch.view_as_complex(fourier(x)), torch.from_numpy(expected))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_inverse_of_fourier_is_its_adjoint(shape):
    fourier = FourierTransform(shape)
    x = normal(*fourier.shape)
    synthesis = jacobian_of_the_inverse(fourier, fourier(x), x)
    analysis = torch.autograd.functional.jacobian(fourier, x).reshape(-1, x.numel())
    close(synthesis, analysis.T)
    close(synthesis @ analysis, torch.eye(x.numel(), dtype=x.dtype))
    close(fourier.adjoint_forward(x).ravel(), synthesis.T @ x.ravel())


def test_fourier_gradients_of_first_and_second_order():
    fourier = FourierTransform((3, 4))
    x = normal(2, 3, 4).requires_grad_()
    s = normal(2, 3, 3, 2, seed=1).requires_grad_()
    for function, argument in ((fourier, x), (fourier.inverse, s)):
        squared = lambda z, f=function: f(z) ** 2  # noqa: E731
        assert torch.autograd.gradcheck(squared, argument)
        assert torch.autograd.gradgradcheck(squared, argument)


def test_fourier_does_not_lose_precision_by_conversion():
    fourier = FourierTransform(9).float()
    x = normal(2, 9)
    close(fourier.inverse(fourier(x)), x)
    assert fourier(x.float()).dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FourierTransform(0), ValueError, "one positive size for each axis to transform, got 0"),
        (lambda: FourierTransform(()), ValueError, "one positive size for each axis"),
        (
            lambda: FourierTransform(4)(torch.ones(2, 5)),
            ValueError,
            r"x must end in the axes \(4,\), got shape \(2, 5\)",
        ),
        (lambda: FourierTransform((4, 4))(torch.ones(4)), ValueError, r"must end in the axes \(4, 4\)"),
        (
            lambda: FourierTransform(4)(torch.ones(4, dtype=int)),
            TypeError,
            "real floating point numbers, got torch.int64",
        ),
        (lambda: FourierTransform(4).inverse(torch.ones(3)), ValueError, r"coefficients must end in the axes \(3, 2\)"),
        (lambda: FourierTransform(4).band_masks(0), ValueError, "bands must be at least 1"),
        (lambda: FourierTransform(4).band_masks([0.0]), ValueError, "two or more rising frequencies"),
        (lambda: FourierTransform(4).band_masks([0, 0.3, 0.2, 0.5]), ValueError, "two or more rising"),
        (lambda: FourierTransform(4).band_masks([0.1, 0.5]), ValueError, "so that no frequency is left out; got 0.1"),
        (lambda: FourierTransform((4, 4)).band_masks([0, 0.5]), ValueError, "0 to the highest frequency, 0.707107"),
        (lambda: FourierTransform(8).band_masks(9), ValueError, "holds no frequency .* give fewer or wider bands"),
    ],
)
def test_fourier_says_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("shape", [7, 8, (5, 4), (8, 8), (7, 9)])
@pytest.mark.parametrize("bands", [1, 3, [0, 0.15, 0.3, math.inf]])
def test_bands_share_out_all_frequencies(shape, bands):
    fourier = FourierTransform(shape)
    edges, masks = fourier.band_masks(bands)
    assert masks.shape == (len(edges) - 1, *fourier.frequency_shape)
    assert bool((masks.sum(0) == 1).all())
    for low, high, mask in zip(edges[:-1], edges[1:], masks.numpy(), strict=True):
        inside = fourier.frequencies()[mask]
        assert (inside >= low - 1e-9).all()
        assert (inside <= high + 1e-9).all()


@pytest.mark.parametrize("k", [0, 3, 4])
def test_a_wave_falls_into_the_band_of_its_frequency(k):
    t = torch.arange(16, dtype=torch.float64)
    fourier = FourierTransform((16, 16))
    wave = torch.cos(2 * math.pi * (3 * t[:, None] + k * t[None, :]) / 16 + 0.3)
    edges, values, counts = fourier.band_importance(fourier(wave) ** 2, [0, 0.2, 0.3, 0.4, 0.8])
    band = np.searchsorted(edges, math.hypot(3, k) / 16, side="right") - 1
    expected = torch.zeros(4, dtype=torch.float64)
    expected[band] = (wave**2).sum()
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-10)  # a sum of 256 squares, rounding of each 1e-13
    assert counts.sum() == 16 * 9


def test_a_frequency_on_an_edge_belongs_to_the_band_above():
    _, masks = FourierTransform(10).band_masks(5)  # edges 0.1, 0.2, 0.30000000000000004, … by NumPy
    assert masks.int().tolist() == [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0],
                                    [0, 0, 0, 0, 1, 1]]  # fmt: skip


def test_band_importance_adds_up_and_keeps_leading_axes():
    fourier = FourierTransform(9)
    attributions = normal(4, 2, 5, 2)
    signed = fourier.band_importance(attributions, 3)
    close(signed.values.sum(-1), attributions.sum((-1, -2)))
    assert signed.values.shape == (4, 2, 3)
    absolute = fourier.band_importance(attributions, 3, absolute=True)
    close(absolute.values.sum(-1), attributions.abs().sum((-1, -2)))
    assert signed.counts.tolist() == [2, 1, 2]


def orthonormal(n: int, seed: int = 0) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


MERCEDES = np.array([[0, 1], [-math.sqrt(3) / 2, -0.5], [math.sqrt(3) / 2, -0.5]])


@pytest.mark.parametrize(
    ("atoms", "bound"),
    [
        (orthonormal(6), 1.0),
        (3 * orthonormal(6), 9.0),
        (MERCEDES, 1.5),
        (np.concatenate([orthonormal(6), orthonormal(6, 1)]), 2.0),
        (normal(6, 6).numpy(), None),
        (normal(9, 6).numpy(), None),
    ],
    ids=["orthonormal", "orthogonal", "tight", "two bases", "general basis", "general frame"],
)
def test_complete_dictionaries_invert(atoms, bound):
    dictionary = LinearDictionary(atoms, offset=np.arange(atoms.shape[1]))
    assert dictionary.frame_bound == (None if bound is None else pytest.approx(bound, rel=1e-12))
    x = normal(3, 2, atoms.shape[1])
    s = dictionary(x)
    torch.testing.assert_close(dictionary.inverse(s), x, rtol=0, atol=1e-12)  # general ones: condition number < 100
    # Of all coefficients that give x, those of the smallest norm.
    reference = np.linalg.lstsq(atoms.T, (x.numpy() - np.arange(atoms.shape[1])).reshape(6, -1).T, rcond=None)[0].T
    torch.testing.assert_close(s.reshape(6, -1), torch.from_numpy(reference), rtol=0, atol=1e-11)
    jacobian = jacobian_of_the_inverse(dictionary, s[0, 0], x[0, 0])
    close(dictionary.adjoint_forward(x[0, 0]), jacobian.T @ x[0, 0])


@pytest.mark.parametrize("atoms", [orthonormal(6)[:4], normal(4, 6).numpy()], ids=["orthonormal", "general"])
def test_incomplete_dictionaries_project(atoms):
    dictionary = LinearDictionary(atoms)
    assert (dictionary.frame_bound is None) == (not np.allclose(atoms @ atoms.T, np.eye(4)))
    x = normal(3, 6, seed=5)
    residual = x - dictionary.inverse(dictionary(x))
    torch.testing.assert_close(residual @ torch.from_numpy(atoms.T), torch.zeros(3, 4).double(), rtol=0, atol=1e-12)
    assert residual.norm() > 0.1


def test_dictionaries_take_images_and_other_analyses():
    atoms = normal(5, 2, 3).numpy()
    x = normal(4, 1, 2, 3)
    matrix = normal(6, 5, seed=1).numpy()
    by_matrix = LinearDictionary(atoms, analysis=matrix)
    close(by_matrix(x), x.reshape(4, 1, 6) @ torch.from_numpy(matrix))
    by_function = LinearDictionary(atoms, analysis=lambda flat: flat @ matrix)
    close(by_function(x.requires_grad_()), by_matrix(x).detach())
    close(by_function(x[0, 0]), by_matrix(x[0, 0]).detach())
    assert by_matrix.inverse(by_matrix(x)).shape == x.shape
    close(by_matrix.inverse(by_matrix(x)), torch.einsum("nck,kij->ncij", by_matrix(x), torch.from_numpy(atoms)))
    close(by_matrix.adjoint_forward(x), torch.einsum("ncij,kij->nck", x, torch.from_numpy(atoms)))
    assert set(by_matrix.state_dict()) == {"atoms", "offset", "analysis"}
    assert by_matrix(x.detach().float()).dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: LinearDictionary([1.0, 2.0]),
            ValueError,
            r"shape \(n_atoms, \*shape of one input\), got shape \(2,\)",
        ),
        (lambda: LinearDictionary([[1.0, np.nan]]), ValueError, "must be finite"),
        (lambda: LinearDictionary(np.eye(3), offset=np.ones(2)), ValueError, r"offset must have the shape \(3,\)"),
        (
            lambda: LinearDictionary(np.ones((2, 3)), analysis=np.ones((2, 3))),
            ValueError,
            r"analysis must have shape \(3, 2\)",
        ),
        (lambda: LinearDictionary(np.eye(3))(torch.ones(2, 4)), ValueError, r"x must end in the axes \(3,\)"),
        (
            lambda: LinearDictionary(np.eye(3)).inverse(torch.ones(2, 4)),
            ValueError,
            r"coefficients must end in the axes",
        ),
        (
            lambda: LinearDictionary(np.eye(3), analysis=lambda x: x[:, :2])(torch.ones(2, 3)),
            ValueError,
            r"analysis must give shape \(2, 3\), it gave \(2, 2\)",
        ),
    ],
)
def test_dictionaries_say_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()


DATA = np.abs(np.random.default_rng(0).normal(size=(40, 12))) + np.linspace(0, 3, 12)

DECOMPOSITIONS = {
    "PCA": PCA(5),
    "complete PCA": PCA(),
    "whitened PCA": PCA(5, whiten=True),
    "IncrementalPCA": IncrementalPCA(5, whiten=True),
    "TruncatedSVD": TruncatedSVD(5),
    "FastICA": FastICA(5, whiten="unit-variance", random_state=0, max_iter=2000, tol=0.1),
    "SparsePCA": SparsePCA(4, random_state=0, max_iter=20),
    "NMF": NMF(4, random_state=0, max_iter=2000),
    "MiniBatchNMF": MiniBatchNMF(4, random_state=0, max_iter=2000),
}


@pytest.mark.parametrize("name", DECOMPOSITIONS)
def test_sklearn_decompositions_invert_their_own_reconstruction(name):
    estimator = DECOMPOSITIONS[name].fit(DATA)
    dictionary = LinearDictionary.from_sklearn(estimator, shape=(3, 4))
    x = torch.from_numpy(DATA[:7]).reshape(7, 3, 4)
    codes = estimator.transform(DATA[:7])
    close(dictionary(x), torch.from_numpy(codes))
    torch.testing.assert_close(  # whitening scales by large numbers and back
        dictionary.inverse(dictionary(x)).reshape(7, 12), torch.from_numpy(estimator.inverse_transform(codes)),
        rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    if name == "complete PCA":
        torch.testing.assert_close(dictionary.inverse(dictionary(x)), x, rtol=0, atol=1e-12)
    if "NMF" in name:
        assert bool((dictionary(x) >= 0).all())
    jacobian = jacobian_of_the_inverse(dictionary, dictionary(x[0]), x[0])
    close(dictionary.adjoint_forward(x[0]), jacobian.T @ x[0].ravel())


@pytest.mark.parametrize("split", [False, True])
def test_codes_of_a_learnt_dictionary(split):
    estimator = DictionaryLearning(6, random_state=0, max_iter=5, split_sign=split, transform_alpha=0.1).fit(DATA)
    dictionary = LinearDictionary.from_sklearn(estimator)
    codes = dictionary(torch.from_numpy(DATA[:5]))
    assert codes.shape == (5, 12 if split else 6)
    signed = codes[:, :6] - codes[:, 6:] if split else codes
    close(dictionary.inverse(codes), signed @ torch.from_numpy(estimator.components_))


def test_factor_analysis_has_a_mean_but_no_inverse_of_its_own():
    estimator = FactorAnalysis(3, random_state=0).fit(DATA)
    dictionary = LinearDictionary.from_sklearn(estimator)
    codes = dictionary(torch.from_numpy(DATA[:5]))
    close(
        dictionary.inverse(codes), codes @ torch.from_numpy(estimator.components_) + torch.from_numpy(estimator.mean_)
    )


def test_precision_of_the_input_is_kept_though_the_estimator_wants_its_own():
    dictionary = LinearDictionary.from_sklearn(NMF(4, random_state=0, max_iter=2000).fit(DATA))
    codes = dictionary(torch.from_numpy(DATA[:5]).float())
    assert codes.dtype == torch.float32
    assert dictionary.inverse(codes).dtype == torch.float32


def test_estimators_that_will_not_do_are_refused():
    with pytest.raises(NotFittedError, match="This NMF instance is not fitted yet"):
        LinearDictionary.from_sklearn(NMF(3))
    with pytest.raises(ValueError, match=r"shape \(3, 5\) has 15 values, but the estimator has 12"):
        LinearDictionary.from_sklearn(PCA(3).fit(DATA), shape=(3, 5))
    with pytest.raises(TypeError, match="KernelPCA has no matrix components_; give a fitted PCA"):
        LinearDictionary.from_sklearn(KernelPCA(2).fit(DATA))
    with pytest.raises(TypeError, match="LatentDirichletAllocation has no inverse_transform"):
        LinearDictionary.from_sklearn(LatentDirichletAllocation(2, max_iter=1).fit(DATA.round()))

    class Squared(PCA):
        def inverse_transform(self, X):
            return super().inverse_transform(X) ** 2

    with pytest.raises(TypeError, match="The inverse_transform of Squared is not linear"):
        LinearDictionary.from_sklearn(Squared(2).fit(DATA))


Pair = namedtuple("Pair", "low high")


def test_coefficients_are_flattened_depth_first_and_rebuilt_as_they_were():
    leaves = tuple(torch.full((2,), float(k)) for k in range(6))
    tree = [leaves[0], (leaves[1], {"b": leaves[2], "a": [leaves[3]]}), Pair(leaves[4], leaves[5])]
    assert all(a is b for a, b in zip(flatten_coefficients(tree), leaves, strict=True))
    rebuilt = unflatten_coefficients(tree, [leaf + 10 for leaf in leaves])
    assert isinstance(rebuilt[2], Pair)
    assert float(rebuilt[2].high[0]) == 15
    assert list(rebuilt[1][1]) == ["b", "a"]
    assert float(rebuilt[1][1]["a"][0][0]) == 13
    assert float(tree[1][1]["a"][0][0]) == 3


def test_lists_that_remember_something_still_do():
    dwt = DWT2d("db2", levels=1)
    x = normal(2, 7, 9)
    coefficients = dwt(x)
    leaves = flatten_coefficients(coefficients)
    assert [leaf is own for leaf, own in zip(leaves, coefficients.tensors(), strict=True)] == [True] * 4
    doubled = unflatten_coefficients(coefficients, [2 * leaf for leaf in leaves])
    assert type(doubled) is type(coefficients)
    assert doubled is not coefficients
    assert dwt.inverse(doubled).shape == x.shape
    close(dwt.inverse(doubled), 2 * x)


def test_what_is_no_tree_of_tensors_is_refused():
    with pytest.raises(TypeError, match=r"or a list, tuple or mapping of coefficients, got <class 'float'>"):
        flatten_coefficients([torch.ones(1), 2.0])
    with pytest.raises(ValueError, match="The structure has 2 tensors, but 1 were given"):
        unflatten_coefficients([torch.ones(1), torch.ones(1)], [torch.ones(1)])
