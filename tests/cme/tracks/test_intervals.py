"""Frame intervals of cells, and tracks brought to another one."""

import numpy as np
import pytest

from awd_cme.tracks.intervals import at_interval, different, frame_intervals
from awd_cme.tracks.losses import LossReport
from awd_cme.tracks.table import concat, make_table, validate


def table(cell="a", seconds=1.0, frames=range(3, 24), track=1):
    frames = np.array(frames)
    t = frames * (seconds or 1.0)
    signals = {"x_amplitude": 10 + 2 * t, "x_p": np.where(frames % 5 == 0, 0.01, 0.5)}
    return make_table(
        track=[track] * len(frames), frame=frames, y=t, x=-t, cell=cell, source=cell, channels=["x"], signals=signals,
        seconds_per_frame=seconds,
    )  # fmt: skip


def test_each_cell_has_its_own():
    both = concat([table("a", 1.0), table("b", 5.0), table("c", 1.001), table("d", None)])
    assert both.attrs["seconds_per_frame"] is None
    found = frame_intervals(both)
    assert found["d"] is None
    assert [found[cell] for cell in "abc"] == pytest.approx([1.0, 5.0, 1.001])
    assert [sorted(cells) for cells in different(found).values()] == [["a", "c"], ["b"]]


@pytest.mark.parametrize("seconds", [5.0, 2.5, 0.5])
def test_values_are_those_of_their_times(seconds):
    losses = LossReport()
    found = validate(at_interval(table(), seconds, losses))
    # The straight line of the amplitude goes through what was measured wherever new frames fall.
    np.testing.assert_allclose(found["t"], found["frame"] * seconds)
    np.testing.assert_allclose(found["x_amplitude"], 10 + 2 * found["t"], rtol=1e-12)
    np.testing.assert_allclose(found["y"], found["t"], rtol=1e-12)
    assert (found["t"].min(), found["t"].max()) == {5.0: (5.0, 20.0), 2.5: (5.0, 22.5), 0.5: (3.0, 23.0)}[seconds]
    assert found["lifetime"].unique() == [21.0]
    assert f"brought to {seconds:g} s per frame" in losses.assumed[0]


def test_whole_multiples_take_rows_as_they_are():
    before = table()
    after = at_interval(before, 5.0, LossReport())
    rows = before[before["frame"] % 5 == 0]
    np.testing.assert_array_equal(after["x_p"], rows["x_p"])
    np.testing.assert_array_equal(after["x_amplitude"], rows["x_amplitude"])
    assert at_interval(before, 1.0, LossReport()) is before


def test_what_is_unknown_stays_so():
    with pytest.raises(ValueError, match=r"interval of 1 cell is unknown \(d\).*--seconds-per-frame"):
        at_interval(concat([table("a"), table("d", None)]), 5.0, LossReport())
    losses = LossReport()
    short = concat([table("a"), table("b", frames=range(6, 9))])
    assert at_interval(short, 5.0, losses)["cell"].unique().tolist() == ["a"]
    assert losses.dropped == [("tracks", 1, "no frame at an interval of 5 s")]
    holes = table()
    holes.loc[7, "x_amplitude"] = np.nan  # frame 10
    assert np.isnan(at_interval(holes, 5.0, LossReport())["x_amplitude"]).tolist() == [False, True, False, False]
