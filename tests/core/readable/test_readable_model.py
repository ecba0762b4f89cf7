"""The model that one can read: chosen by answers, held against plainer ones, kept in a file that NumPy alone reads."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from awd_core import ReadableModel, StudentCard, readable_model
from awd_core.readable import Axis, Domain, parse_axis
from awd_core.student import StudentSearch

QUICK = StudentSearch(random_starts=0, descents=1, iterations=3, finalists=1, folds=0)
HOW = {"wavelet": "db2", "levels": 2, "numbers": 3, "search": QUICK}


def events(n, size=32, channels=(), seed=0):
    """Noise with bumps at any place, and the sum of their heights; of channels the first has them."""
    rng = np.random.default_rng(seed)
    X = 0.1 * rng.standard_normal((n, *channels, size))
    y = rng.exponential(size=n)
    for row, place in enumerate(rng.integers(2, size - 6, n)):
        inside = X[row, 0] if channels else X[row]
        inside[place : place + 4] += y[row] * np.array([1, 1, -1, -1])
    return X, y


@pytest.fixture(scope="module")
def made():
    X, y = events(200)
    noise = np.random.default_rng(1).standard_normal(200)
    return X, y, readable_model(X, y + noise, y, axis="ms:0:62", features="maxima", **HOW)


def test_answers_tell_more_than_noisy_truths(made):
    X, y, found = made
    assert np.corrcoef(found.model.predict(X), y)[0, 1] > 0.9
    kinds = [row.kind for row in found.worth.rows]
    assert kinds == ["baseline", "raw", "raw", "plain", "plain", "labels", "model", "network"]
    (model,) = found.worth.of("model")
    assert (model.difference, model.difference_low, model.difference_high) == (0, 0, 0)
    assert found.worth.train + found.worth.test == 200
    assert model.low < model.score < model.high


def test_the_model_reads_as_text(made):
    *_, found = made
    text = str(found.model)
    assert re.match(r"\d numbers? of a wavelet of 4 taps; on inputs that were held out: R² ", text)
    assert "largest value of" in text
    assert "4 ms" in text or "8 ms" in text, "the unit of the axis"
    assert re.fullmatch(r"<ReadableModel of y: \d numbers? of inputs \(32,\); print it to read it>", repr(found.model))
    assert "<pre>" in found.model._repr_html_()


def test_its_file_comes_back_and_is_a_student_too(made, tmp_path):
    X, _, found = made
    found.model.save(tmp_path / "model.json")
    again, card = ReadableModel.load(tmp_path), StudentCard.load(tmp_path / "model.json")
    assert np.array_equal(again.predict(X), found.model.predict(X))
    assert np.array_equal(card.predict(X), found.model.predict(X))
    assert str(again) == str(found.model)
    assert again.to_dict() == found.model.to_dict()
    told = json.loads((tmp_path / "model.json").read_text())["readable"]["numbers"][1]
    assert told["low"] <= told["weight"] <= told["high"]


def test_numpy_alone_predicts(made, tmp_path):
    X, _, found = made
    found.model.save(tmp_path / "model.json")
    np.save(tmp_path / "X.npy", X)
    program = (
        "import sys, numpy as np; from awd_core import ReadableModel; "
        f"m = ReadableModel.load({str(tmp_path / 'model.json')!r}); x = np.load({str(tmp_path / 'X.npy')!r}); "
        "m.predict(x); m.unlike(x); str(m); "
        "print([name for name in ('torch', 'sklearn', 'scipy', 'pywt') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_unlike_the_training_data_is_marked(made):
    X, _, found = made
    fresh, _ = events(200, seed=5)
    assert found.model.unlike(fresh).mean() < 0.05
    strange = [30 * X[:5], X[:5] + 3, np.zeros((5, 32)), 3 * np.random.default_rng(0).standard_normal((5, 32))]
    for other in strange:
        assert found.model.unlike(other).all()
    rows = found.model.score_rows(np.vstack([X[:1], 50 * X[:1], np.full((1, 32), np.nan)]))
    assert rows["unlike"] == ["no", "yes", "yes"]
    assert rows["prediction"][2] is None
    assert rows["why"][0] == ""
    assert rows["why"][2] == "not finite"
    with pytest.raises(ValueError, match=r"X has shape \(32,\); one input alone is X\[None\]"):
        found.model.predict(X[0])


def test_classes_have_probabilities_and_a_log_loss():
    X, y = events(240)
    labels = np.array(["low", "middle", "high"])[np.searchsorted([0.4, 1.1], y)]
    logits = -((y[:, None] - np.array([1.8, 0.2, 0.7])) ** 2)  # in sorted order: high, low, middle
    found = readable_model(X, labels, logits, features="maxima", **HOW)
    assert found.model.task == "classification"
    assert found.model.predict_proba(X[:4]).sum(axis=1) == pytest.approx(1)
    assert np.mean(found.model.predict(X) == labels) > 0.7
    (network,), (frequencies,) = found.worth.of("network"), found.worth.of("baseline")
    assert network.score > frequencies.score
    assert network.log_loss < frequencies.log_loss
    assert "probability of high" in found.model.score_rows(X[:2])
    assert "The class with the largest sum is predicted." in str(found.model)


def test_a_network_that_is_always_right_has_an_interval():
    X, y = events(120)
    labels = (y > 0.7).astype(int)
    found = readable_model(X, labels, np.where(labels, 9.0, -9.0), features="maxima", **HOW)
    (network,) = found.worth.of("network")
    assert (network.score, network.high) == (1, 1)
    assert network.low == pytest.approx(0.025 ** (1 / found.worth.test))


@pytest.mark.parametrize("per_channel", [False, True])
def test_channels_are_read_each(per_channel):
    X, y = events(160, channels=(2,))
    found = readable_model(X, y, y, channels="first", per_channel=per_channel, features="maxima", **HOW)
    assert len(found.model.card.wavelets) == (2 if per_channel else 1)
    assert all(number.place.startswith("ch1.") for number in found.model.card.numbers[:1])
    assert "of channel 1" in str(found.model)
    assert f"{'each with a wavelet of its own' if per_channel else 'one wavelet for all'}" in found.worth.notes[0]
    last = readable_model(
        np.moveaxis(X, 1, -1), y, y, channels="last", per_channel=per_channel, features="maxima", **HOW
    )
    assert last.model.shape == (32, 2)
    assert np.array_equal(last.model.predict(np.moveaxis(X, 1, -1)), found.model.predict(X))


def test_several_targets_at_once():
    X, y = events(160)
    both = np.column_stack([y, y**2])
    found = readable_model(X, both, both, features="maxima", **HOW)
    assert found.model.predict(X[:5]).shape == (5, 2)
    assert found.worth.of("network")[0].score == pytest.approx(1)
    assert {"y0", "y1"} <= set(found.model.score_rows(X[:2]))


def test_groups_are_held_out_whole_and_are_the_units():
    X, y = events(160)
    groups = np.repeat(np.arange(20), 8)
    found = readable_model(X, y, y, groups=groups, features="maxima", **HOW)
    assert found.worth.grouped
    assert found.worth.units == 5
    assert found.worth.test == 40


def test_test_data_are_not_fitted_to():
    X, y = events(160)
    X_test, y_test = events(50, seed=3)
    one = readable_model(X, y, y, test=(X_test, y_test), features="maxima", **HOW)
    other = readable_model(X, y, y, test=(X_test, y_test[::-1]), features="maxima", **HOW)
    assert one.model.card.to_dict() == other.model.card.to_dict()
    assert one.worth.test == 50
    assert "its answers to the test inputs were not given" in one.worth.notes[-1]


def test_features_are_chosen_where_they_are_not_named():
    rng = np.random.default_rng(0)
    fixed = rng.standard_normal((160, 16))
    at_a_place = fixed[:, 5] - fixed[:, 6]
    assert readable_model(fixed, at_a_place, wavelet="haar", levels=2, search=QUICK).model.features == ("values",)
    X, y = events(160)
    assert "maxima" in readable_model(X, y, **HOW).model.features


def test_a_value_lies_where_it_is_read():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 64))
    y = X[:, 40] - X[:, 41]
    found = readable_model(
        X, y, wavelet="haar", levels=1, numbers=1, mode="zero", features="values", axis=("nm", 100, 226), search=QUICK
    )
    (row,) = found.model.table()[1:]
    assert (row.scale, row.position) == ("4 nm", "181 nm")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": np.arange(9.0)}, "y has 9 entries for 20 inputs"),
        ({"outputs": np.ones((19, 1))}, "outputs has 19 entries for 20 inputs"),
        ({"outputs": np.full(20, np.nan)}, "outputs contain NaN or infinity"),
        ({"outputs": np.ones(20)}, "outputs are all alike"),
        ({"groups": np.arange(4)}, r"groups have shape \(4,\)"),
        ({"features": "maximum"}, "features is 'maximum'.*did you mean maxima"),
        ({"features": ""}, "features is ''; give auto, or names"),
        ({"channels": "middle"}, "channels is 'middle'; choose one of first, last"),
        ({"axis": ("nm", 3, 3)}, "the axis is 'nm' from 3 to 3; give a name, and two numbers that differ"),
        ({"numbers": 0}, "numbers is 0"),
        ({"test": (np.ones((5, 9)), np.arange(5.0))}, r"test X has inputs of shape \(9,\), X of shape \(32,\)"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    X, y = events(20)
    arguments = {"y": y, "features": "maxima", **HOW} | given
    with pytest.raises(ValueError, match=message):
        readable_model(X, **arguments)


def test_axis_and_domain_refuse_and_come_back():
    assert parse_axis("Raman shift, 1/cm:100:3200") == Axis("Raman shift, 1/cm", 100, 3200)
    with pytest.raises(ValueError, match="the axis is 'nm:a:b'; give name:low:high"):
        parse_axis("nm:a:b")
    domain = Domain.of(np.random.default_rng(0).standard_normal((50, 2)), ["a", "b"])
    again = Domain.from_dict(json.loads(json.dumps(domain.to_dict())))
    assert again.distance(np.ones((1, 2))) == domain.distance(np.ones((1, 2)))


def test_the_limit_is_what_each_input_reaches_of_the_others():
    S = np.random.default_rng(0).standard_normal((12, 3)) * [1, 10, 0.1]
    reached = []
    for row in range(12):
        rest = np.delete(S, row, axis=0)
        away = S[row] - rest.mean(0)
        reached.append(away @ np.linalg.inv(np.cov(rest.T)) @ away / 3)
    assert Domain.of(S, list("abc")).limit == pytest.approx(1.1**2 * np.quantile(reached, 0.999), rel=1e-6)
