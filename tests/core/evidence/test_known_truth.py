"""The simulation of known truth: what it says of itself is so, and its truth can be found again."""

import numpy as np
import pytest
import pywt
import torch

from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.evidence.known_truth import WEIGHTS, KnownTruth, simulate_known_truth
from awd_core.transforms.dwt import DWT1d, DWT2d
from awd_core.wavelets.wavelet import Wavelet

# Two taps more than needed leave three angles: enough to be wrong in, and few enough to be quick.
SEARCH = SearchSettings(random_starts=4, small_batch=1 << 14, large_batch=1 << 15, finalists=1)


def small(**options):
    return simulate_known_truth(**({"seed": 3, "samples": 200, "shape": (32,), "levels": 2, "active": 5} | options))


@pytest.mark.parametrize("mode", ["zero", "symmetric", "periodization", "smooth"])
@pytest.mark.parametrize(("shape", "transform"), [((32,), pywt.wavedec), ((16, 20), pywt.wavedec2)])
def test_the_response_is_the_weighted_sum_of_pywavelets_coefficients(shape, transform, mode):
    truth = small(shape=shape, mode=mode, wavelet="db2", samples=20, interior=False)
    axes = {"axis": -1} if len(shape) == 1 else {"axes": (-2, -1)}
    approximation, *details = transform(truth.X.astype(np.float64), "db2", mode=mode, level=2, **axes)
    bands = {"cA2": approximation}
    for level, entry in zip((2, 1), details, strict=True):
        named = {"cD": entry} if len(shape) == 1 else dict(zip(("cH", "cV", "cD"), entry, strict=True))
        bands |= {f"{name}{level}": band for name, band in named.items()}
    expected = sum(weight * bands[band][(slice(None), *position)] for band, position, weight in truth.active)
    # The response is stored in float32.
    np.testing.assert_allclose(truth.y, expected, rtol=1e-6, atol=1e-5)


def test_the_slope_is_the_gradient_of_the_response():
    truth = small()
    by_hand = truth.X.astype(np.float64) @ truth.slope
    np.testing.assert_allclose(truth.y, by_hand, rtol=1e-6, atol=1e-5)  # float32 of the stored response


def test_weights_are_the_attributions_of_an_interior_truth():
    # Rows of Ψ off the boundary are orthonormal, so Ψ₀Ψᵀw = w there, and at the boundary nothing of w arrives.
    for truth, transform in (
        (small(), DWT1d("db3", 2, "zero")),
        (small(shape=(24, 24), active=9), DWT2d("db3", 2, "zero")),
    ):
        attributions = transform.adjoint_forward(torch.from_numpy(truth.slope))
        for found, expected in zip(attributions.tensors(), truth.weights().tensors(), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)  # db3's taps are orthonormal to 1e-11


def test_interior_coefficients_keep_off_the_boundary():
    anywhere = simulate_known_truth(seed=0, samples=2, shape=(64,), active=77, interior=False)
    inside = simulate_known_truth(seed=0, samples=2, shape=(64,), active=51)
    assert len(set(anywhere.active)) == 77
    # By hand: with 6 taps the parts of the wavelet span 6, 16 and 36 samples, at strides of 2, 4 and 8.
    counts = {band: sum(place.band == band for place in inside.active) for band in ("cA3", "cD3", "cD2", "cD1")}
    assert counts == {"cA3": 4, "cD3": 4, "cD2": 13, "cD1": 30}
    with pytest.raises(ValueError, match=r"active is 52, but 51 coefficients off the boundary are all that 3 levels"):
        simulate_known_truth(seed=0, samples=2, shape=(64,), active=52)


def test_periodization_has_no_boundary():
    truth = simulate_known_truth(seed=0, samples=2, shape=(64,), active=64, mode="periodization")
    assert len(truth.active) == 64


def test_seeds_decide_everything():
    one, same, other = small(noise=0.1), small(noise=0.1), small(noise=0.1, seed=4)
    np.testing.assert_array_equal(one.X, same.X)
    np.testing.assert_array_equal(one.y, same.y)
    assert one.active == same.active
    assert not np.array_equal(one.X, other.X)
    assert one.active != other.active


def test_inputs_and_weights_do_not_change_with_the_noise():
    quiet, noisy = small(samples=20_000), small(samples=20_000, noise=0.5)
    np.testing.assert_array_equal(quiet.X, noisy.X)
    added = noisy.y - quiet.y
    # Standard errors of a deviation and of a correlation over 20,000 samples are 0.5 % and 0.007.
    assert added.std() == pytest.approx(0.5 * np.linalg.norm(quiet.slope), rel=0.02)
    assert abs(np.corrcoef(added, quiet.y)[0, 1]) < 0.03
    assert noisy.best_r2 == pytest.approx(0.8)
    assert all(WEIGHTS[0] <= abs(place.weight) <= WEIGHTS[1] for place in quiet.active)


def test_white_noise_is_white():
    X = small(samples=20_000).X
    assert X.dtype == np.float32
    covariance = np.cov(X.T)
    np.testing.assert_allclose(covariance, np.eye(32), atol=0.05)  # seven standard errors of 1/√20000


def test_random_wavelets_are_wavelets_of_that_length():
    one, same, other = (small(wavelet="random", taps=8, seed=seed, active=2) for seed in (5, 5, 6))
    assert one.wavelet == same.wavelet != other.wavelet
    assert one.wavelet.length == 8
    assert one.wavelet.certificate().is_orthonormal(1e-12)


def test_a_hidden_wavelet_may_be_a_value():
    hidden = Wavelet.from_angles([np.pi / 4 - 0.3, 0.3])
    assert small(wavelet=hidden).wavelet is hidden


@pytest.fixture(scope="module")
def trained() -> tuple[KnownTruth, object]:
    truth = simulate_known_truth(seed=2, wavelet="random", taps=6, samples=4000, shape=(32,), levels=2, active=6)
    return truth, truth.teacher(seed=2, max_epochs=12, batch_size=64)


def test_a_teacher_learns_the_response_and_its_gradients_vary(trained):
    truth, (teacher, r2) = trained
    assert 0.99 < r2 <= 1
    gradients = truth.gradients(teacher)
    assert gradients.shape == truth.X.shape
    assert gradients.dtype == np.float32
    error = np.linalg.norm(gradients.mean(axis=0) - truth.slope) / np.linalg.norm(truth.slope)
    assert error < 0.02  # biased by what the training left, a hundredth of the slope
    assert (gradients.std(axis=0) > 1e-3).all()  # a linear model's would be zero
    np.testing.assert_array_equal(gradients, truth.gradients(teacher.as_torch()))


def test_the_same_seed_trains_the_same_teacher(trained):
    truth, (_, r2) = trained
    assert truth.teacher(seed=2, max_epochs=12, batch_size=64).r2 == r2


def test_distillation_finds_the_hidden_wavelet(trained):
    truth, (teacher, _) = trained
    path = distill_path(
        truth.X,
        truth.gradients(teacher),
        wavelet="coif1",
        levels=2,
        shares=(0.0, 1.0),
        seed=0,
        search=SEARCH,
    )
    blind, found = (point.wavelet.distance(truth.wavelet) for point in path)
    start = Wavelet.from_name("coif1").distance(truth.wavelet)
    assert start > 0.3
    assert found < 0.02  # teachers of other seeds come to 0.002 to 0.006
    assert blind > 20 * found


def test_a_teacher_that_has_learnt_too_little_is_refused():
    with pytest.raises(RuntimeError, match=r"R² on 20 held-out samples is -?\d.\d+, not above 0.9 .*max_epochs"):
        small().teacher(seed=0, max_epochs=1)


@pytest.mark.parametrize("held_out", [0.0, 0.001, 1.0, -0.5])
def test_a_useless_share_held_out_is_refused(held_out):
    with pytest.raises(ValueError, match=r"held_out is .* at least 2 to test with and 2 to train on"):
        small().teacher(seed=0, held_out=held_out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (4, 4, 4)}, r"shape is \(4, 4, 4\); give \(N,\) for series or \(H, W\) for images"),
        ({"shape": (1,)}, r"2 samples or more along each"),
        ({"samples": 0}, r"samples is 0; give a positive whole number"),
        ({"active": 0}, r"active is 0; give a positive whole number"),
        ({"seed": -1}, r"seed is -1; give a whole number, 0 or more"),
        ({"noise": -0.1}, r"noise is -0.1; give a standard deviation relative"),
        ({"noise": float("nan")}, r"noise is nan"),
        ({"mode": "mirror"}, r"mode is 'mirror'"),
        ({"wavelet": "random"}, r"taps is None; a random wavelet needs an even number of taps, 4 or more"),
        ({"wavelet": "random", "taps": 7}, r"taps is 7; a random wavelet needs an even number"),
        ({"wavelet": "db2", "taps": 4}, r"taps is 4, but a wavelet is given"),
        ({"active": 1000, "interior": False}, r"active is 1000, but \d+ coefficients are all that 2 levels of db3"),
        (
            {"wavelet": "db10", "shape": (16,)},
            r"active is 5, but 1 coefficients off the boundary .* set interior=False",
        ),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)
