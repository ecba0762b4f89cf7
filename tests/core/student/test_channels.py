"""Students of inputs with channels: numbers of each channel, a wavelet for all or one for each, the same in NumPy."""

import numpy as np
import pytest

from awd_core import StudentCard, WaveletStudent, distill_student
from awd_core.student import StudentSearch

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 2, 24))
Y = X[:, 1].max(axis=1) + 0.1 * X[:, 0].min(axis=1)
QUICK = StudentSearch(random_starts=0, descents=1, iterations=2, folds=0)
NUMBERS = ["maximum", "log energy", "conditional variance"]


@pytest.mark.parametrize("undecimated", [True, False])
def test_the_numbers_are_those_of_each_channel(undecimated):
    how = {"numbers": NUMBERS, "levels": 2, "learn": False, "undecimated": undecimated}
    both = WaveletStudent("db2", ndim=1, **how).fit(X, Y)
    parts = [WaveletStudent("db2", **how).fit(X[:, k], Y) for k in range(2)]
    names = [name for k in range(2) for name in both.get_feature_names_out() if name.startswith(f"ch{k + 1}")]
    places = [list(both.get_feature_names_out()).index(name) for name in names]
    assert both.transform(X)[:, places] == pytest.approx(
        np.hstack([part.transform(X[:, k]) for k, part in enumerate(parts)])
    )
    assert any("of level 2 (about 4 samples wide) of ch2" in row.meaning for row in both.coefficients_)


def test_every_channel_may_have_its_wavelet():
    two = ["db2", "sym2"]
    how = {"numbers": ["maximum"], "levels": 2, "learn": False}
    each = WaveletStudent(two, ndim=1, per_channel=True, **how).fit(X, Y)
    parts = [WaveletStudent(name, **how).fit(X[:, k], Y) for k, name in enumerate(two)]
    assert each.transform(X) == pytest.approx(np.hstack([part.transform(X[:, k]) for k, part in enumerate(parts)]))
    found = distill_student(X, Y, ndim=1, per_channel=True, wavelet="db2", levels=2, search=QUICK)
    assert len(found.wavelets) == 2
    assert found.settings["per_channel"] is True


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("undecimated", [True, False])
def test_a_file_predicts_the_same(tmp_path, per_channel, undecimated):
    student = WaveletStudent(
        "db2", numbers=NUMBERS, levels=2, ndim=1, per_channel=per_channel, undecimated=undecimated, search=QUICK
    ).fit(X, Y)
    student.save(tmp_path / "s.json")
    card, again = StudentCard.load(tmp_path / "s.json"), WaveletStudent.load(tmp_path / "s.json")
    assert card.predict(X) == pytest.approx(student.predict(X))
    assert np.array_equal(again.predict(X), student.predict(X))


def test_images_have_channels_too():
    images = RNG.standard_normal((20, 3, 8, 8))
    truths = images[:, 2].max(axis=(1, 2))
    student = WaveletStudent("haar", ndim=2, levels=1, learn=False).fit(images, truths)
    assert student.transform(images).shape == (20, 12)


def test_without_channels_a_file_is_as_before(tmp_path):
    WaveletStudent("haar", levels=1, learn=False).fit(X[:, 0], Y).save(tmp_path / "s.json")
    assert "channel" not in (tmp_path / "s.json").read_text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"per_channel": True}, "per_channel is True and inputs have no axis of channels"),
        ({"per_channel": True, "per_level": True}, "per_level and per_channel are both True"),
        ({"ndim": 2, "X": X[:, 0]}, r"X has shape \(40, 24\); give series"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    arguments = {"X": X[:, 0], "levels": 1, "search": QUICK} | given
    with pytest.raises(ValueError, match=message):
        distill_student(arguments.pop("X"), Y, **arguments)


def test_many_numbers_are_screened():
    long = RNG.standard_normal((80, 300))
    truths = long[:, 120] - long[:, 121] + long[:, 40] - long[:, 41]
    found = distill_student(
        long, truths, wavelet="haar", numbers=["value"], levels=1, undecimated=False, mode="zero", most=2,
        search=QUICK,
    )  # fmt: skip
    assert found.columns == ("D1 value 60", "D1 value 20")[:: 1 if found.columns[0].endswith("60") else -1]
    assert found.error < 0.01
