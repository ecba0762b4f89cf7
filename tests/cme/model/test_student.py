"""The small model: chosen on answers, fitted to labels, told by a card that NumPy alone scores."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from awd_cme.model.student import SeriesStudent
from awd_cme.model.student_card import OF_BAND, StudentCard
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_set import example_set
from awd_core.student import StudentSearch
from awd_core.transforms import undecimated
from awd_core.wavelets import Wavelet

RAW = example_set(n=300, cells=5)
SEARCH = StudentSearch(random_starts=2, descents=1, iterations=10, finalists=1, folds=2)


def fitted(raw=RAW, rule="training", outputs=None, **options):
    scores = fit_z_scores(raw, inputs=rule, centre=False)
    training = scores.apply(raw)
    options = {"wavelet": "db2", "levels": 3, "search": SEARCH} | options
    return SeriesStudent(**options).fit(training, outputs), training, scores


@pytest.mark.parametrize("levels", [3, 5])
@pytest.mark.parametrize("mode", ["zero", "constant", "symmetric", "periodic", "reflect"])
@pytest.mark.parametrize("name", ["haar", "db2", "db5"])
def test_a_card_reads_the_undecimated_transform(name, mode, levels):
    wavelet = Wavelet.from_name(name)
    x = torch.randn(4, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = undecimated(x, wavelet, levels, mode)
    expected = [found[-1].approximation, *(level.details[0] for level in found[::-1])]
    student, training, scores = fitted(learn=False, most=1)
    card = student.card(training, scores)
    (row,) = card.numbers
    names = [f"A{levels}", *(f"D{level}" for level in range(levels, 0, -1))]
    for negated in (False, True):
        all_of_them = replace(
            card, taps=(wavelet.taps,) * levels, mode=mode, negated=negated,
            numbers=tuple(row._replace(number=f"{band} {kind}") for band in names for kind in ("maximum", "minimum")),
        )  # fmt: skip
        assert all_of_them.bands == names
        bands = [expected[0], *(-band if negated else band for band in expected[1:])]
        extremes = np.stack([end.numpy() for band in bands for end in (band.amax(dim=1), band.amin(dim=1))], axis=1)
        # sums of ten terms a level
        np.testing.assert_allclose(all_of_them.table(x.numpy(), np.ones(4)), extremes, atol=1e-12)


@pytest.mark.parametrize("rule", ["training", "own"])
@pytest.mark.parametrize("numbers", [["maximum"], list(OF_BAND)])
def test_a_card_predicts_what_the_student_predicts(tmp_path, rule, numbers):
    student, training, scores = fitted(rule=rule, numbers=numbers, most=6)
    student.card(training, scores, {"r2": 0.5}).save(tmp_path / "student.json")
    card = StudentCard.load(tmp_path / "student.json")
    assert len(card.numbers) <= 6
    assert card.notes == {"r2": 0.5}
    expected = scores.restore_targets(student.predict(training), RAW.cell)
    np.testing.assert_allclose(card.predict(RAW.X, cell=RAW.cell, frames=RAW.frames), expected, rtol=1e-9)
    np.testing.assert_allclose(card.table(training.X, RAW.frames), student.transform(training), rtol=1e-9, atol=1e-12)
    assert card.to_dict() == StudentCard.from_dict(card.to_dict()).to_dict()


def test_numbers_have_meaning_unit_interval():
    student, training, scores = fitted(most=3)
    card = student.card(training, scores)
    assert 1 <= len(card.numbers) <= 3
    F = student.transform(training)
    for place, one in enumerate(card.numbers):
        assert one.sd == pytest.approx(F[:, place].std())
        assert one.low < one.high
        if one.number != "log frames":
            assert one.unit == "deviations of clathrin"
            assert one.meaning.startswith("largest value of the ")
    # The strongest effect of humps on height × width is sure.
    assert min(one.p for one in card.numbers) < 0.05


def test_answers_choose_and_labels_fit():
    """Answers that follow one number alone: it is kept, whatever the labels say."""
    _, training, _ = fitted(learn=False)
    answers = undecimated(torch.from_numpy(training.X), "haar", 1, "zero")[0].details[0].amax(dim=1).numpy()
    by_answers, _, _ = fitted(outputs=answers, wavelet="haar", most=1, learn=False)
    assert by_answers.student_.get_feature_names_out().tolist() == ["D1 maximum"]
    F = by_answers.transform(training)[:, 0]
    slope = float(np.polyfit(F, training.y, 1)[0])
    assert by_answers.predictor_.coef_[0] == pytest.approx(slope, rel=0.05)  # the penalty is small


def test_success_is_rated():
    raw = replace(RAW, y=RAW.y > np.median(RAW.y), classification=True)
    student, training, scores = fitted(raw, most=3)
    card = student.card(training, scores)
    found = card.predict(raw.X, cell=raw.cell, frames=raw.frames)
    np.testing.assert_allclose(found, student.predict(training), rtol=1e-9)
    assert ((found > 0.5) == raw.y).mean() > 0.8
    assert np.isfinite([one.value for one in card.numbers]).all()


@pytest.mark.parametrize("resampling", ["published", "pad", "interpolate"])
def test_series_of_any_length_know_their_frames(resampling):
    raw = replace(RAW, settings=replace(RAW.settings, resampling=resampling))
    student, training, scores = fitted(raw, learn=False)
    card = student.card(training, scores)
    short = raw.X[1, :25]
    found = card.predict([np.repeat(raw.X[0], 2), short], cell=["cell1", "cell2"])
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(card.predict([short], cell="cell2")[0])


def test_what_it_cannot_take(tmp_path):
    student, training, scores = fitted(learn=False)
    card = student.card(training, scores)
    with pytest.raises(ValueError, match="most is 11; a model to be read has 10 numbers at most"):
        SeriesStudent(most=11)
    with pytest.raises(ValueError, match="a number is 'position'; choose one of maximum"):
        SeriesStudent(numbers=["position"])
    with pytest.raises(ValueError, match="the series are in counts"):
        SeriesStudent().fit(RAW)
    with pytest.raises(ValueError, match="put a single one into a list"):
        card.predict(RAW.X[0])
    with pytest.raises(ValueError, match="series 1 has a NaN"):
        card.predict([RAW.X[0], np.full(40, np.nan)])
    with pytest.raises(ValueError, match="frames has 2 entries for 1 series"):
        card.predict(RAW.X[:1], frames=[3, 4])
    for change, message in (
        ({"format": "other"}, 'no "format": "awd-cme-student"'),
        ({"version": 9}, "its version is 9"),
        ({"task": "ranking"}, "the task is"),
        ({"intercept": float("inf")}, "not finite"),
        ({"numbers": [{**card.to_dict()["numbers"][0], "number": "D9 maximum"}]}, "the number 'D9 maximum' is no"),
        ({"wavelet": {}}, "wavelet lacks taps, negated, mode"),
    ):
        (tmp_path / "card.json").write_text(json.dumps(card.to_dict() | change))
        with pytest.raises(ValueError, match=rf"cannot be read as a student's card: .*{message}"):
            StudentCard.load(tmp_path / "card.json")


def test_scoring_needs_numpy_alone(tmp_path):
    student, training, scores = fitted(learn=False)
    student.card(training, scores).save(tmp_path / "card.json")
    np.save(tmp_path / "X.npy", RAW.X)
    code = (
        "import sys, numpy as np\n"
        "from awd_cme.model.student_card import StudentCard\n"
        "StudentCard.load('card.json').predict(np.load('X.npy'))\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'pywt', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
