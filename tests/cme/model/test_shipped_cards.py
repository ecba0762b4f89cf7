import numpy as np
import pytest

from awd_cme.model import ModelCard, predict_tracks, shipped_cards
from awd_cme.simulate.simulation import simulate_dataset, simulate_movie
from awd_cme.tracking.intensities import extract
from commands import say


@pytest.fixture(scope="module")
def new_cell():
    """A cell of another seed, measured in its images at the true positions."""
    simulated = simulate_movie("quick", seed=77, size=(96, 96), frames=120, pits=140)
    table = extract(simulated.movie, simulated.truth, sigma=1.4, threads=1)
    table["category"] = simulated.truth["category"].array
    return table, simulated.pits


@pytest.mark.parametrize("name", list(shipped_cards()))
def test_a_shipped_card_says_where_it_holds_and_knows_no_cells(name):
    card = ModelCard.load(shipped_cards()[name])
    assert set(card.notes["domain"]) == {"data", "what", "holds for", "does not hold for", "score"}
    assert not card.inputs.cells
    assert not card.targets.cells


def test_success_of_new_cells_is_predicted_whatever_their_brightness(new_cell):
    table, pits = new_cell
    found, losses = predict_tracks("simulated-success", table)
    known = found.merge(pits[["track", "burst", "complete"]], on="track").query("complete and lifetime > 15")
    rank, hit = known["prediction"].rank().to_numpy(), known["burst"].to_numpy()
    auc = (rank[hit].sum() - hit.sum() * (hit.sum() + 1) / 2) / (hit.sum() * (~hit).sum())
    assert auc > 0.7
    assert any("does not hold for" in said for said in losses.assumed)
    bright = table.assign(clathrin_amplitude=5 * table["clathrin_amplitude"])
    again, _ = predict_tracks("simulated-success", bright)
    np.testing.assert_allclose(again["prediction"], found["prediction"], rtol=1e-6)


def test_a_card_of_absolute_brightness_marks_cells_of_another(new_cell):
    table, _ = new_cell
    found, losses = predict_tracks("simulated-strength", table)
    assert not found["outside"].str.contains("brightness").any()
    bright = table.assign(clathrin_amplitude=5 * table["clathrin_amplitude"])
    found, losses = predict_tracks("simulated-strength", bright)
    assert found["outside"].str.contains("brightness").all()
    assert any("times those of the card's training cells" in said for said in losses.doubts)


def test_movies_of_new_cells_are_tracked_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate_dataset(tmp_path / "new", "quick", seed=5, cells=2, size=(48, 48), frames=60, pits=30)
    status, output = say("awd-cme predict simulated-success new --out p.csv")
    assert status == 0, output
    assert "predictions for" in output
    assert sorted(item.name for item in tmp_path.iterdir()) == ["new", "p.csv"]
    status, output = say("awd-cme predict nonesuch new")
    assert status == 2
    assert "no card of that name is shipped, but simulated-strength, simulated-success" in output
