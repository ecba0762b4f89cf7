"""The card predicts what the model predicts, says it in JSON, and needs no more than NumPy."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from awd_cme.model.card import ModelCard
from awd_cme.model.features import MaxCoefficients
from awd_cme.model.intervals import coefficient_intervals
from awd_cme.model.predict import predict_tracks
from awd_cme.model.regression import SeriesLogistic, SeriesRidge
from awd_cme.series.resample import subsample
from awd_cme.series.scaling import RULES, fit_z_scores
from awd_cme.series.series_set import SETTINGS, example_set
from awd_cme.tracks.intervals import with_interval
from awd_cme.tracks.table import make_table

RAW = example_set(n=300, cells=4)


def fitted(raw=RAW, rule="training", **options):
    scores = fit_z_scores(raw, inputs=rule)
    series = scores.apply(raw)
    features = MaxCoefficients("db5", seconds_per_sample=1.0, **options).fit(series.X)
    F = features.transform(series.X)
    predictor = (SeriesLogistic() if raw.classification else SeriesRidge()).fit(F, series.y, groups=series.groups())
    return features, predictor, scores, series, F


@pytest.mark.parametrize("which", ["positive", "negative", "absolute", "signed", "both"])
def test_it_predicts_what_the_model_predicts(which, tmp_path):
    for most, positions, energies in itertools.product((1, 3, 6), (False, True), (False, True)):
        features, predictor, scores, series, F = fitted(which=which, most=most, positions=positions, energies=energies)
        expected = scores.restore_targets(predictor.predict(F), series.cell)
        ModelCard.of(features, predictor, RAW, scores).save(tmp_path / "card.json")
        card = ModelCard.load(tmp_path / "card.json")
        # Rounding of some hundred operations; and of the coefficients, to 2⁻³⁸, where they carry numbers.
        near = {"rtol": 1e-10, "atol": 1e-10 * np.abs(expected).max()}
        np.testing.assert_allclose(card.predict(RAW.X, cell=RAW.cell), expected, **near)
        alone = [card.predict(x, cell=str(cell)) for x, cell in zip(RAW.X[:5], RAW.cell[:5], strict=True)]
        np.testing.assert_allclose(alone, expected[:5], **near)
        pooled = scores.apply(replace(RAW, cell=np.full(len(RAW), "new")))
        new = scores.restore_targets(predictor.predict(features.transform(pooled.X)), pooled.cell)
        np.testing.assert_allclose(card.predict(RAW.X), new, **near)
        np.testing.assert_allclose(card.predict(RAW.X[0]), new[0], **near)
        single = card.predict(RAW.X.astype(np.float32))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, new, rtol=1e-4, atol=1e-4 * np.abs(new).max())


def test_a_classification_gives_probabilities(tmp_path):
    raw = replace(RAW, y=RAW.y > np.median(RAW.y), classification=True)
    features, predictor, scores, _, F = fitted(raw, most=2)
    ModelCard.of(features, predictor, raw, scores).save(tmp_path / "card.json")
    card = ModelCard.load(tmp_path / "card.json")
    np.testing.assert_allclose(card.predict(raw.X, cell=raw.cell), predictor.predict_proba(F)[:, 1], rtol=1e-9)
    assert isinstance(card.predict(raw.X[0]), float)


def test_inputs_standardised_by_their_own_cells():
    features, predictor, scores, series, F = fitted(rule="own", most=2)
    card = ModelCard.of(features, predictor, RAW, scores)
    expected = scores.restore_targets(predictor.predict(F), series.cell)
    np.testing.assert_allclose(card.predict(RAW.X, cell=RAW.cell), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="give all series of a cell at once"):
        card.predict(RAW.X[0])


@pytest.mark.parametrize("targets", RULES)
@pytest.mark.parametrize("inputs", RULES)
def test_predictions_do_not_depend_on_how_many_are_asked_at_once(inputs, targets):
    """Known cells, a new one, and all of them; cells differ in brightness and in targets."""
    shift = 100.0 * (1 + np.unique(RAW.cell, return_inverse=True)[1])
    raw = replace(RAW, X=RAW.X + shift[:, None], y=RAW.y + shift)
    scores = fit_z_scores(raw, inputs=inputs, targets=targets)
    series = scores.apply(raw)
    features = MaxCoefficients("db5", most=2).fit(series.X)
    F = features.transform(series.X)
    card = ModelCard.of(features, SeriesRidge(clip=False).fit(F, series.y), raw, scores)
    cells = np.where(np.arange(len(raw)) % 5 == 0, "new", raw.cell)
    together = card.predict(raw.X, cell=cells)
    if inputs == "own":  # by cells, since all series of a cell are its statistics
        alone = np.empty(len(raw))
        for cell in np.unique(cells):
            alone[cells == cell] = card.predict(raw.X[cells == cell], cell=str(cell))
        np.testing.assert_array_equal(alone, together)
        return
    # sums of some hundred terms in another order
    near = {"rtol": 1e-10, "atol": 1e-10 * np.abs(together).max()}
    for k in range(0, len(raw), 7):
        same = (cells[k], str(cells[k]), cells[k : k + 1], [cells[k]])
        for cell in same:
            np.testing.assert_allclose(card.predict(raw.X[k], cell=cell), together[k], **near)
        np.testing.assert_allclose(card.predict(raw.X[k : k + 1], cell=cells[k : k + 1]), together[k : k + 1], **near)
        np.testing.assert_allclose(card.predict([raw.X[k], raw.X[0]], cell=cells[[k, 0]]), together[[k, 0]], **near)
    for cell in np.unique(cells):
        np.testing.assert_allclose(card.predict(raw.X[cells == cell], cell=str(cell)), together[cells == cell], **near)
    if targets == "training":
        known = cells != "new"
        expected = scores.restore_targets(features.transform(series.X) @ _slopes(card) + card.intercept[0], raw.cell)
        np.testing.assert_allclose(together[known], expected[known], rtol=1e-9)
    everywhere = [card.predict(x) for x in raw.X[:9]]
    np.testing.assert_allclose(card.predict(raw.X)[:9], everywhere, **near)
    np.testing.assert_allclose(card.predict(raw.X, cell="new")[:9], everywhere, **near)


def _slopes(card):
    return card.coefficients[:, 0]


def test_cells_may_be_numbers_and_one_is_for_one():
    raw = replace(RAW, cell=np.unique(RAW.cell, return_inverse=True)[1].astype(str))
    features, predictor, scores, *_ = fitted(raw, most=2)
    card = ModelCard.of(features, predictor, raw, scores)
    expected = card.predict(raw.X, cell=raw.cell)
    np.testing.assert_array_equal(card.predict(raw.X, cell=raw.cell.astype(int)), expected)
    near = {"rtol": 1e-10, "atol": 1e-10 * np.abs(expected).max()}
    np.testing.assert_allclose(card.predict(raw.X[0], cell=int(raw.cell[0])), expected[0], **near)
    with pytest.raises(ValueError, match="cell has 2 entries for 1 series; give one for each, or one for all"):
        card.predict(raw.X[0], cell=raw.cell[:2])


@pytest.mark.parametrize("dtype", ["f2", ">f4", ">f8", "i2", "g"])
def test_series_of_any_type_of_numbers(dtype):
    features, predictor, scores, *_ = fitted(most=2)
    card = ModelCard.of(features, predictor, RAW, scores)
    X = (50 * RAW.X).astype(dtype)  # far above what a sum may be in half precision
    assert np.isfinite(X).all()
    expected = card.predict(X.astype(np.float64))
    near = {"rtol": 1e-4, "atol": 1e-4 * np.abs(expected).max()}  # sums of float32 numbers
    np.testing.assert_allclose(card.predict(X), expected, **near)
    np.testing.assert_allclose(card.predict(X[0]), expected[0], **near)
    np.testing.assert_allclose(card.predict(X, cell=RAW.cell), card.predict(X.astype(float), cell=RAW.cell), **near)


@pytest.mark.parametrize("resampling", ["published", "pad", "interpolate"])
def test_series_of_any_length(resampling):
    raw = replace(RAW, settings=replace(RAW.settings, resampling=resampling))
    features, predictor, scores, *_ = fitted(raw, most=2)
    card = ModelCard.of(features, predictor, raw, scores)
    long, short = np.repeat(RAW.X[0], 2), RAW.X[1, :25]
    found = card.predict([long, short])
    assert found.shape == (2,)
    assert card.predict(long) == pytest.approx(found[0])
    if resampling == "published":
        assert found[1] == pytest.approx(card.predict(subsample(short, 40).values))
    if resampling == "pad":
        filled = np.append(short, np.full(15, scores.inputs.mean))
        assert found[1] == pytest.approx(card.predict(filled))


@pytest.mark.parametrize("rule", ["training", "own"])
def test_padded_series_of_cells_of_different_brightness(rule):
    mask = np.arange(40) < np.where(np.arange(len(RAW)) % 3 == 0, 25, 40)[:, None]
    bright = np.where(RAW.cell == RAW.cell[0], 500.0, 0.0)[:, None]
    settings = replace(RAW.settings, resampling="pad")
    raw = replace(RAW, X=np.where(mask, RAW.X + bright, 0.0), mask=mask, settings=settings)
    features, predictor, scores, series, F = fitted(raw, rule, most=2)
    card = ModelCard.of(features, predictor, raw, scores)
    expected = scores.restore_targets(predictor.predict(F), series.cell)
    unpadded = [x[valid] for x, valid in zip(raw.X, mask, strict=True)]
    np.testing.assert_allclose(card.predict(unpadded, cell=raw.cell), expected, rtol=1e-9)
    if rule == "training":
        alone = [card.predict(x, cell=str(cell)) for x, cell in zip(unpadded[:4], raw.cell[:4], strict=True)]
        np.testing.assert_allclose(alone, expected[:4], rtol=1e-9)


def test_the_file_says_what_a_person_asks(tmp_path):
    features, predictor, scores, series, F = fitted(which="both", most=2, positions=True)
    ends = coefficient_intervals(predictor, F, series.y, series.groups())
    card = ModelCard.of(features, predictor, RAW, scores, intervals=ends, notes={"r2": 0.5})
    card.save(tmp_path / "card.json")
    text = json.loads((tmp_path / "card.json").read_text())
    assert text["unit"] == "s"
    assert text["scales"][0] == {"name": "approximation 16 s", "time": 16.0, "span": 136.0, "coefficients": 10}
    assert text["wavelet"]["name"] == "db5"
    assert text["wavelet"]["function"]["time"][-1] == pytest.approx(9.0)
    first = text["coefficients"][0]
    assert first["feature"] == "approximation 16 s, largest 1"
    assert first["low"] < first["high"]
    assert text["notes"] == {"r2": 0.5}
    again = ModelCard.load(tmp_path / "card.json")
    np.testing.assert_array_equal(again.coefficients, card.coefficients)
    old = {**text, "coefficients": [{k: v for k, v in row.items() if k != "p"} for row in text["coefficients"]]}
    assert np.isnan(ModelCard.from_dict(old).coefficients[:, 3]).all()
    assert again.to_dict() == card.to_dict()


def test_without_a_frame_interval_times_are_samples():
    raw = replace(RAW, seconds_per_sample=np.full(len(RAW), np.nan))
    features, predictor, scores, *_ = fitted(raw, most=1)
    card = ModelCard.of(features, predictor, raw, scores)
    assert card.unit == "samples"
    assert card.names[0] == "approximation 16 samples, largest 1"


def test_scoring_needs_numpy_alone(tmp_path):
    features, predictor, scores, *_ = fitted(most=2)
    card = ModelCard.of(features, predictor, RAW, scores)
    card.save(tmp_path / "card.json")
    np.save(tmp_path / "X.npy", RAW.X)
    code = (
        "import sys, numpy as np\n"
        "from awd_cme.model.card import ModelCard\n"
        "print(ModelCard.load('card.json').predict(np.load('X.npy')).sum())\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'pywt', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(card.predict(RAW.X).sum())


def test_what_it_cannot_score():
    features, predictor, scores, *_ = fitted(most=2)
    card = ModelCard.of(features, predictor, RAW, scores)
    bad = RAW.X.copy()
    bad[3, 5] = np.nan
    with pytest.raises(ValueError, match="series 3 has a NaN"):
        card.predict(bad)
    with pytest.raises(ValueError, match="the series has a NaN"):
        card.predict(bad[3])
    with pytest.raises(ValueError, match="cell has 2 entries for 300 series"):
        card.predict(RAW.X, cell=["a", "b"])
    with pytest.raises(ValueError, match="intervals have the shape"):
        ModelCard.of(features, predictor, RAW, scores, intervals=np.zeros((3, 2)))
    timed = MaxCoefficients("db5", most=1, positions=True, seconds_per_sample=2.0).fit(RAW.X)
    with pytest.raises(ValueError, match="give MaxCoefficients the median seconds_per_sample"):
        ModelCard.of(timed, SeriesRidge().fit(timed.transform(RAW.X), RAW.y), RAW, scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(format="other"), 'no "format": "awd-cme-card"'),
        (lambda v: v.update(version=9), "its version is 9"),
        (lambda v: v.pop("wavelet"), "it lacks wavelet"),
        (lambda v: v["coefficients"].pop(), "the coefficients have the shape"),
        (lambda v: v["coefficients"][0].update(feature="bias"), "'bias' stands where"),
        (lambda v: v["coefficients"][0].update(value=float("inf")), "not finite"),
        (lambda v: v["wavelet"].update(taps=[1.0]), "even number"),
        (lambda v: v.update(task="ranking"), "the task is"),
    ],
)
def test_files_that_are_no_cards(tmp_path, change, message):
    features, predictor, scores, *_ = fitted(most=2)
    values = ModelCard.of(features, predictor, RAW, scores).to_dict()
    change(values)
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=rf"cannot be read as a model card: .*({message})"):
        ModelCard.load(tmp_path / "card.json")
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read as a model card"):
        ModelCard.load(tmp_path / "card.json")
    with pytest.raises(FileNotFoundError):
        ModelCard.load(tmp_path / "none.json")


def test_errors_of_rounding_do_not_choose_the_times():
    # Where a series is padded whole scales are zero but for rounding, which no two ways of computing share.
    rng = np.random.default_rng(0)
    raw = np.zeros((200, 40))
    for row, length in zip(raw, rng.integers(5, 12, 200), strict=True):
        row[:length] = rng.standard_normal(length)
    features = MaxCoefficients("db5", which="both", most=2, positions=True, energies=True).fit(raw)
    one = features.transform(raw)
    noisy = features.transform(raw + 1e-15 * rng.standard_normal(raw.shape))
    assert np.allclose(one, noisy, rtol=0, atol=1e-9)


def tracks_of(*series, channels=("clathrin",), **options):
    """A canonical table of one track a second of each series."""
    lengths = [len(values) for values in series]
    return make_table(
        cell="cell1",
        track=np.repeat(np.arange(len(series)), lengths),
        frame=np.concatenate([np.arange(length) for length in lengths]),
        y=np.ones(sum(lengths)),
        x=np.ones(sum(lengths)),
        channels=channels,
        signals={f"{channels[0]}_amplitude": np.concatenate(series)},
        seconds_per_frame=1.0,
        **options,
    )


def test_tracks_unlike_the_training_tracks_are_predicted_and_marked():
    features, predictor, scores, *_ = fitted(which="both", most=2)
    notes = {"series": replace(SETTINGS["published"], at_most=60.0, least_frames=12).to_dict()}
    card = ModelCard.of(features, predictor, RAW, scores, notes=notes)
    usual, short, bright, both = RAW.X[0], RAW.X[1, :14], 40 * RAW.X[0], 40 * RAW.X[0, 10:25]
    few, long = usual[15:24], np.resize(usual, 61)
    predictions, losses = predict_tracks(card, tracks_of(usual, short, bright, both, few, long))
    assert predictions["outside"][[0, 2, 3]].tolist() == ["", "limit", "lifetime limit"]
    assert predictions["outside"][1].startswith("lifetime")
    assert predictions["outside"][4].startswith("lifetime frames")
    assert predictions["outside"][5].startswith("lifetime")
    assert card.predict(bright, cell="cell1") == predictions["prediction"][2]
    assert predictions["prediction"][0] == pytest.approx(card.predict(usual, cell="cell1"))
    assert any(
        "3 of 6 tracks although its training left such out: lifetime of 15 s or less" in s for s in losses.assumed
    )
    assert any("beyond the targets of the training tracks" in sentence for sentence in losses.assumed)
    # Cards that do not say what their learning problem left out mark the limits alone.
    plain = ModelCard.of(features, predictor, RAW, scores)
    assert predict_tracks(plain, tracks_of(usual, short, bright))[0]["outside"].tolist()[::2] == ["", "limit"]
    category = [4] * len(usual)
    marked, _ = predict_tracks(card, tracks_of(usual, category=category))
    assert marked["outside"].tolist() == ["category"]


def test_other_frame_intervals_and_missing_amplitudes_are_marked():
    features, predictor, scores, *_ = fitted(which="both", most=2)
    notes = {"series": SETTINGS["yeast"].to_dict(), "seconds_per_frame": RAW.seconds_per_frame()}
    assert notes["seconds_per_frame"] == 1.0
    card = ModelCard.of(features, predictor, RAW, scores, notes=notes)
    holes = RAW.X[1].copy()
    holes[::3] = np.nan
    known, losses = predict_tracks(card, tracks_of(RAW.X[0], holes))
    assert [mark.split() for mark in known["outside"]] == [[], ["missing"]]
    assert any("missing in 1 track and were interpolated; in 1 more than 10% are" in said for said in losses.assumed)
    slow = with_interval(tracks_of(RAW.X[0][::2]), 2.0)
    marked, losses = predict_tracks(card, slow)
    assert "interval" in marked["outside"][0].split()
    assert "the card is of tracks of 1 s per frame, and those of cell1 have 2 s" in losses.doubts[0]
    brought, losses = predict_tracks(card, slow, resample=True)
    assert "interval" not in brought["outside"][0]
    line = np.interp(np.arange(39), np.arange(0, 40, 2), RAW.X[0][::2])
    assert brought["prediction"][0] == pytest.approx(card.predict([line], cell="cell1")[0])
    told, losses = predict_tracks(card, with_interval(slow, np.nan))
    assert told["outside"].tolist() == [""]
    assert any("frame interval of 1 cell is unknown" in said for said in losses.assumed)


def test_a_table_of_other_channels_is_told_how_to_name_them():
    features, predictor, scores, *_ = fitted(which="both", most=2)
    card = ModelCard.of(features, predictor, RAW, scores)
    table = tracks_of(RAW.X[0], channels=("red", "green"))
    told = r"has the channels red, green, and the card reads (\w+); name them in the table's order: --channels \1,\w+"
    with pytest.raises(ValueError, match=told):
        predict_tracks(card, table)
