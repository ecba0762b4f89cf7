"""Numbers of bands: against NumPy, and what they are called."""

import numpy as np
import pytest
import pywt
import torch

from awd_core.student import NUMBERS
from awd_core.student.bands import Layout, banks_of, banks_of_taps
from awd_core.student.numbers import Numbers
from awd_core.wavelets import Wavelet

DB2 = Wavelet.from_name("db2")


def signals(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def bands_of(layout, x, wavelet=DB2, negated=False):
    return layout.of(x, banks_of_taps([torch.from_numpy(np.array(wavelet.taps))], layout.levels, negated))


@pytest.mark.parametrize("ndim", [1, 2])
def test_decimated_bands_are_pywavelets(ndim):
    x = signals(3, 20, 26)[:, : (1 if ndim == 1 else 20)].squeeze(1)
    layout = Layout(2, False, "symmetric", ndim)
    found = bands_of(layout, x)
    transform = pywt.wavedec if ndim == 1 else pywt.wavedec2
    approximation, *details = transform(x.numpy(), DB2.to_pywt(), "symmetric", 2)
    theirs = [approximation, *(band for entry in details for band in (entry if ndim == 2 else (entry,)))]
    assert layout.frame == ["A2", "D2", "D1"] if ndim == 1 else ["A2", "H2", "V2", "D2", "H1", "V1", "D1"]
    for name, band in zip(layout.frame, theirs, strict=True):
        np.testing.assert_allclose(found[name].numpy(), band, atol=1e-12)
    assert list(found)[len(layout.frame) :] == ["A1"]


def test_a_series_is_transformed_alike_by_a_matrix_and_directly():
    x, layout = signals(4, 30), Layout(3, True, "zero", 1)
    banks = banks_of(torch.tensor([[0.3, -1.1]], dtype=torch.float64), 3, False)
    for matrix, direct in zip(layout.of(x, banks).values(), layout._direct(x, banks).values(), strict=True):
        torch.testing.assert_close(matrix, direct, rtol=0, atol=1e-13)


def test_angles_and_taps_give_the_same_filters():
    free = torch.from_numpy(np.array(DB2.angles[1:]))[None]
    for negated in (False, True):
        ours, theirs = (
            banks_of(free, 1, negated)[0],
            banks_of_taps([torch.from_numpy(np.array(DB2.taps))], 1, negated)[0],
        )
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_numbers_are_those_of_numpy():
    layout = Layout(2, True, "symmetric", 1)
    bands = bands_of(layout, signals(5, 24))
    names = ["maximum", "minimum", "largest 3", "mean absolute", "log energy", "position"]
    numbers = Numbers(names, layout)
    columns = [column.name for column in numbers.table(bands)]
    table = dict(zip(columns, numbers.of(bands).numpy().T, strict=True))
    for name in layout.frame:
        band = bands[name].numpy()
        ordered = -np.sort(-band, axis=1)
        expected = {
            "maximum": band.max(1), "minimum": band.min(1), "largest 1": ordered[:, 0], "largest 2": ordered[:, 1],
            "largest 3": ordered[:, 2], "mean absolute": np.abs(band).mean(1),
            "log energy": np.log((band**2).mean(1)), "position": band.argmax(1),
        }  # fmt: skip
        for what, values in expected.items():
            np.testing.assert_allclose(table[f"{name} {what}"], values, atol=1e-12)
    assert len(table) == 8 * 3


def test_the_number_of_a_multiplicative_field_is_its_law():
    """Details that go with 1 + a local level are loud where it is high; those that do not are as loud anywhere."""
    rng = np.random.default_rng(1)
    level = np.repeat(rng.standard_normal((200, 8)), 32, axis=1)
    noise = rng.choice([-1.0, 1.0], level.shape)
    high, low = (
        NUMBERS["conditional variance"]
        .function(torch.from_numpy(level), torch.from_numpy(np.exp(level) * noise)[:, None])
        .T
    )
    assert float((high - low).mean()) > 1.0
    flat = NUMBERS["conditional variance"].function(torch.from_numpy(level), torch.from_numpy(noise)[:, None])
    torch.testing.assert_close(flat, torch.zeros(200, 2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_numbers_of_ones_own():
    def contrast(bands):
        """Largest over smallest magnitude."""
        return np.abs(bands["D1"].detach().numpy()).max(1)

    def two(bands):
        return torch.stack([bands["A1"].mean(1), bands["D1"].std(1)], 1)

    layout = Layout(1, True, "zero", 1)
    bands = {name: band.requires_grad_() for name, band in bands_of(layout, signals(4, 8)).items()}
    for given, smooth in (([contrast, two], False), ([two], True), (["maximum", "position"], False)):
        assert Numbers(given, layout).with_smoothness(bands)[1] is smooth
    table = Numbers(["maximum", contrast, two], layout).table(bands)
    assert [column.name for column in table] == ["A1 maximum", "D1 maximum", "contrast", "two[0]", "two[1]"]
    assert table[2].meaning == "Largest over smallest magnitude."
    assert table[1].meaning == "largest value of the details of level 1 (about 2 samples wide)"


def test_constant_inputs_have_finite_numbers():
    layout = Layout(2, True, "periodic", 2)
    found = Numbers([*NUMBERS, "largest 2"], layout).of(bands_of(layout, torch.ones(2, 8, 8, dtype=torch.float64)))
    assert bool(found.isfinite().all())


@pytest.mark.parametrize(
    ("numbers", "error", "match"),
    [
        ([], ValueError, r"numbers is \[\]; give a list of names and functions"),
        ("maximum", ValueError, "numbers is 'maximum'; give a list"),
        (["maximun"], ValueError, r"a number is 'maximun' \(did you mean maximum\?\); choose one of maximum, minimum"),
        (["largest 0"], ValueError, "a number is 'largest 0'; choose one of .*largest m"),
        ([3], TypeError, "a number is 3; give a name such as 'maximum', or a function"),
        (["maximum", "maximum"], ValueError, "numbers give A1 maximum, D1 maximum twice"),
        ([lambda bands: np.array([1, np.nan, 0, 0])], ValueError, "the number <lambda> is not finite for input 1"),
        ([lambda bands: np.zeros(3)], ValueError, r"the number <lambda> has shape \(3,\) for 4 inputs; return \(n,\)"),
    ],
)
def test_what_is_refused(numbers, error, match):
    layout = Layout(1, True, "zero", 1)
    with pytest.raises(error, match=match):
        Numbers(numbers, layout).table(bands_of(layout, signals(4, 8)))
