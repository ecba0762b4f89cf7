"""The curve: methods, counts and differences; its mean over splits and its figure."""

import numpy as np
import pytest

from awd_core import StudentSearch, Wavelet, error_curve
from awd_core.report import error_curve_figure
from awd_core.student import CurvePoint, ErrorCurve, mean_curve
from awd_core.student.curve import _variants

SEARCH = StudentSearch(random_starts=16, descents=5, iterations=25, finalists=1, folds=2)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((160, 32)).cumsum(1)
HIDDEN = Wavelet.from_angles([np.pi / 4 - 0.7, 0.7])
# A detail of the first level is the one number that counts.
SIGNAL = np.array([np.convolve(np.pad(x, 4, "symmetric"), HIDDEN.dec_hi, "same")[4:-4].max() for x in X])
Y = SIGNAL + 0.7 * SIGNAL.std() * RNG.standard_normal(160)
TRAIN, TEST = np.arange(100), np.arange(100, 160)


@pytest.fixture(name="curve", scope="module")
def one_curve():
    return error_curve(
        X[TRAIN], Y[TRAIN], test=(X[TEST], Y[TEST]), outputs=SIGNAL[TRAIN], teacher=SIGNAL[TEST],
        counts=(1, None, 9), plain=["haar", "db2"], wavelet="db2", levels=1, search=SEARCH,
    )  # fmt: skip


def test_every_method_has_its_points(curve):
    assert curve.methods == ["student", "haar", "db2", "best fixed", "chosen by labels", "teacher"]
    # Two numbers are all that there are, and more cannot be kept.
    assert [point.numbers for point in curve.of("haar")] == [1, 2]
    (teacher,) = curve.of("teacher")
    residual = Y[TEST] - SIGNAL[TEST]
    assert teacher.r2 == pytest.approx(1 - (residual**2).mean() / Y[TEST].var())
    assert all(point.difference == 0 == point.standard_error for point in curve.of("student"))


def test_the_student_is_what_the_truth_lets_it_be(curve):
    """One number holds the answer: the student's R² is the teacher's, and no fixed wavelet's comes near."""
    best, (teacher,) = curve.of("student")[0], curve.of("teacher")
    assert best.r2 == pytest.approx(teacher.r2, abs=0.05)
    assert np.abs(curve.student.wavelet.taps - HIDDEN.taps).max() < 1e-2
    assert curve.of("haar")[0].difference == pytest.approx(curve.of("haar")[0].r2 - best.r2)
    assert curve.of("haar")[0].difference < 0


def test_there_are_sixty_fixed_variants():
    variants = list(_variants(True))
    assert len(variants) == 60
    assert len(list(_variants(False))) == 20
    assert variants[4].name == "haar reversed negated"


def test_without_a_teacher_labels_choose_and_sets_share():
    halves = [slice(0, 50), slice(50, 100)]
    curve = error_curve(
        [X[half] for half in halves], [Y[half] for half in halves], test=[(X[TEST], Y[TEST])] * 2, counts=(None,),
        plain=[], wavelet="db2", levels=1, search=SEARCH,
    )  # fmt: skip
    assert curve.methods == ["student", "best fixed"]


def test_the_mean_of_splits(curve):
    moved = ErrorCurve(
        tuple(point._replace(r2=point.r2 + 0.2, difference=point.difference + 0.1) for point in curve.points)
    )
    mean = mean_curve([curve, moved])
    for before, after in zip(curve.points, mean.points, strict=True):
        assert after.r2 == pytest.approx(before.r2 + 0.1)
        assert after.difference == pytest.approx(before.difference + 0.05)
        assert after.standard_error == pytest.approx(0.05)
    with pytest.raises(ValueError, match=r"curves are 1 of 1 kind\(s\); give two or more of one kind"):
        mean_curve([curve])


@pytest.mark.parametrize("narrow", [False, True])
def test_the_figure_shows_every_method(curve, narrow):
    figure = error_curve_figure(curve, narrow=narrow)
    scores, differences = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == curve.methods
    assert [tick.get_text() for tick in scores.get_xticklabels()] == ["1", "2"]
    shown = {line.get_label(): line.get_ydata() for line in scores.lines}
    for method in curve.methods[:-1]:
        np.testing.assert_allclose(shown[method], [point.r2 for point in curve.of(method)])
    assert len(differences.containers) == 4
    figure.canvas.draw()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"test": X}, r"test is a pair \(X, y\), or with extra columns"),
        (
            {"test": (X[:, :9], Y)},
            r"test has inputs of shape \(9,\), extra columns \[\] and 1 label\(s\); training",
        ),
        ({"test": (X, Y, Y)}, r"extra columns \['extra 0'\] and 1 label"),
        ({"teacher": Y[:5]}, r"teacher has shape \(5,\) for 60 inputs"),
        ({"counts": (0,)}, "counts is 0; give a positive whole number, or None for all"),
        ({"y": np.ones(100)}, "y are all alike in column 0"),
    ],
)
def test_what_is_refused(options, match):
    given = {"X": X[TRAIN], "y": Y[TRAIN], "test": (X[TEST], Y[TEST]), "outputs": SIGNAL[TRAIN], "search": SEARCH}
    with pytest.raises(ValueError, match=match):
        error_curve(**given | options)


def test_a_point_is_a_row():
    assert CurvePoint("haar", 2, 0.5, -0.1, 0.02, "haar")._asdict()["standard_error"] == 0.02
