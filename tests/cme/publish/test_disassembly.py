import numpy as np
import pytest

from awd_cme.publish import disassembly_scores
from awd_cme.publish.disassembly import _features, _risk
from awd_cme.simulate.pits import Law, draw_pits
from awd_cme.tracks import make_table


def test_the_risk_is_equation_2_by_hand():
    levels = [np.array(one) for one in ([1, 2, 2], [1, 2, 1], [2, 1, 2], [1, 2, 3])]
    risk = _risk(levels, 3)
    # At the second frame: three tracks are in state 2, of which one falls; one is in state 1, which rises to 2.
    assert risk[1, 1] == pytest.approx(np.log((1 / 3) / (1 / 1)))
    assert (risk[:2, 0] == 0).all()
    assert np.isnan(risk[2, 1])


def test_features_are_those_of_equations_4_to_6():
    series = np.array([0.0, -1.0, -0.5, 0.2])
    mean, span, skew = _features(series, 4)
    assert mean == pytest.approx(series.mean())
    assert span == pytest.approx(np.log(1.2 / 4))
    assert skew == pytest.approx(((series - series.mean()) ** 3).mean() / series.std() ** 3)
    # The example of the paper: a range of 1 over 30 s and over 10 s.
    assert _features(np.r_[0.2, -0.8, np.zeros(28)], 30)[1] == pytest.approx(-3.4, abs=0.01)
    assert _features(np.r_[0.0, -1.0, np.zeros(8)], 10)[1] == pytest.approx(-2.3, abs=0.01)
    assert np.isnan(_features(np.zeros(5), 5)).all()


def simulated(count=800, seed=0):
    rng = np.random.default_rng(seed)
    pits, history = draw_pits(rng, count, success_share=0.5, law=Law())
    length = np.maximum(pits[["rise_seconds", "plateau_seconds", "fall_seconds"]].sum(axis=1).round(), 5).astype(int)
    track = np.repeat(np.arange(count), length)
    age = np.concatenate([np.arange(n) for n in length])
    signal = 100 * history[track, age] + rng.normal(0, 5, len(track))
    zero = np.zeros(len(track))
    return pits, make_table(
        track=track, frame=age, y=zero, x=zero, channels=["clathrin"], signals={"clathrin_amplitude": signal},
        seconds_per_frame=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_one_channel_tells_successful_pits_from_abortive_ones(seed):
    pits, table = simulated(seed=seed)
    found = disassembly_scores(table)
    score, success = found.features["score"].to_numpy(), pits["success"].to_numpy()
    known = np.isfinite(score)
    assert known.mean() > 0.95
    rank = np.argsort(np.argsort(score[known]))
    yes = success[known]
    auc = (rank[yes].sum() - yes.sum() * (yes.sum() - 1) / 2) / (yes.sum() * (~yes).sum())
    assert auc > 0.75
    kinds = found.features["class"]
    assert success[kinds == "CCP"].mean() > success[kinds == "AC"].mean() + 0.1
    assert found.medoids.loc["OT", "d3"] == found.medoids["d3"].max()
    assert found.medoids.loc["CCP", "d1"] > found.medoids.loc["AC", "d1"]


def test_the_control_alone_makes_risk_and_medoids():
    _, table = simulated(300)
    control = np.arange(300) < 200
    alone = disassembly_scores(table, chosen=control)
    among = disassembly_scores(table, control=control)
    assert np.array_equal(alone.risk, among.risk, equal_nan=True)
    assert alone.medoids.equals(among.medoids)
    assert alone.features["class"][200:].isna().all()
    assert among.features["class"][200:].notna().any()


def test_few_tracks_are_refused_with_what_is_needed():
    _, table = simulated(20)
    with pytest.raises(ValueError, match=r"20 tracks of clathrin can be classified.* needs 50 at least"):
        disassembly_scores(table)
