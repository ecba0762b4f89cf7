"""The canonical table: how it is made, checked, joined and summed up."""

import numpy as np
import pandas as pd
import pytest

from awd_cme.tracks.table import (
    LossReport,
    channels,
    columns,
    concat,
    empty_table,
    in_order,
    make_table,
    summary,
    validate,
)


@pytest.fixture
def table():
    """Two tracks: the first with frames around it and a gap, the second with a second segment."""
    nan = np.nan
    return make_table(
        track=[1] * 6 + [2] * 3,
        frame=[2, 3, 4, 5, 6, 7, 0, 1, 2],
        y=[1.0, 1.0, 2.0, nan, 3.0, 3.0, 9.0, 9.0, 9.0],
        x=[1.0, 1.0, 2.0, nan, 3.0, 3.0, 8.0, 8.0, 8.0],
        part=["before", "track", "track", "gap", "track", "after", "track", "track", "track"],
        segment=[0, 0, 0, 0, 0, 0, 0, 0, 1],
        category=[1] * 6 + [5] * 3,
        cell="day1/Cell1",
        source="a.mat",
        signals={
            "clathrin_amplitude": [99.0, 10.0, 30.0, nan, 20.0, 99.0, 1.0, 2.0, 3.0],
            "clathrin_p": [0.0, 0.01, 0.02, nan, 0.5, 0.0, 0.06, 0.07, 0.08],
        },
        seconds_per_frame=2.0,
        micrometres_per_pixel=0.1,
    )


def test_table_has_the_documented_columns_and_types(table):
    assert list(table.columns) == columns(["clathrin", "auxilin"])
    types = {name: str(kind) for name, kind in table.dtypes.items()}
    assert {types[name] for name in ("cell", "source", "part")} == {"category"}
    assert {types[name] for name in ("track", "frame", "segment")} == {"int64"}
    assert types["category"] == "Int64"
    assert {types[name] for name in types if name.startswith(("clathrin", "auxilin"))} == {"float64"}
    assert table.attrs == {"channels": ["clathrin", "auxilin"], "seconds_per_frame": 2.0, "micrometres_per_pixel": 0.1}
    assert channels(table) == ["clathrin", "auxilin"]


def test_times_and_lifetimes_follow_from_the_frame_interval(table):
    assert table["t"].tolist() == [4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 0.0, 2.0, 4.0]
    # Frames 3 to 6 are the first track's own, those around it do not count.
    assert table["lifetime"].tolist() == [8.0] * 6 + [6.0] * 3


def test_unknown_is_nan_and_never_zero():
    table = make_table(track=[1, 1], frame=[0, 1], y=[0.0, 1.0], x=[0.0, 1.0])
    unknown = [
        name for name in table.columns if name not in ("cell", "track", "frame", "y", "x", "segment", "part", "source")
    ]
    assert table[unknown].isna().all(axis=None)


def test_rows_in_any_order_give_the_same_table(table):
    shuffled = table.sample(frac=1, random_state=np.random.default_rng(3))
    pd.testing.assert_frame_equal(in_order(shuffled), table)
    assert in_order(table) is table


def test_rows_are_sorted_by_source_first_then_cell_as_text():
    table = make_table(
        track=[1, 1, 1], frame=[0, 0, 0], y=[0, 1, 2], x=[0, 1, 2], cell=["c10", "c2", "c1"], source=["b", "a", "b"]
    )
    assert table[["source", "cell"]].to_numpy().tolist() == [["a", "c2"], ["b", "c1"], ["b", "c10"]]


def test_summary_has_one_row_a_track(table):
    result = summary(table)
    assert result[["track", "first", "last", "frames", "gaps", "segments", "before", "after"]].to_numpy().tolist() == [
        [1, 3, 6, 4, 1, 1, 1, 1],
        [2, 0, 2, 3, 0, 2, 0, 0],
    ]
    # Frames around a track count in none of these, NaN of the gap is left out of the mean.
    assert result["clathrin_mean"].tolist() == [20.0, 2.0]
    assert result["clathrin_max"].tolist() == [30.0, 3.0]
    assert result["clathrin_significant"].tolist() == [2, 0]
    assert result["y"].tolist() == [2.0, 9.0]
    assert result["auxilin_max"].isna().all()
    assert result["auxilin_significant"].isna().all()
    assert result["lifetime"].tolist() == [8.0, 6.0]


def test_empty_table_is_canonical_and_sums_up_to_nothing():
    table = empty_table(["a"], seconds_per_frame=1.0)
    assert validate(table) is table
    assert len(summary(table)) == 0
    assert list(table.columns) == columns(["a"])
    assert str(table["category"].dtype) == "Int64"


def test_concat_joins_cells_and_fills_channels_that_lack(table):
    other = make_table(
        track=[1],
        frame=[0],
        y=[1.0],
        x=[1.0],
        cell="day1/Cell2",
        source="b.mat",
        channels=["clathrin"],
        seconds_per_frame=2.0,
    )
    joined = concat([other, table])
    assert joined["cell"].tolist() == ["day1/Cell1"] * 9 + ["day1/Cell2"]
    assert joined.attrs == {
        "channels": ["clathrin", "auxilin"],
        "seconds_per_frame": 2.0,
        "micrometres_per_pixel": None,
    }
    assert np.isnan(joined["auxilin_amplitude"].iloc[-1])
    pd.testing.assert_series_equal(joined["t"].iloc[:9], table["t"])
    # A table of one is what it was.
    pd.testing.assert_frame_equal(concat([table]), table)


def test_concat_with_an_empty_table_keeps_the_types(table):
    joined = concat([empty_table(), table])
    assert joined.dtypes.astype(str).tolist() == table.dtypes.astype(str).tolist()
    assert len(joined) == len(table)


def test_concat_refuses_the_same_tracks_twice(table):
    other = table.assign(source=pd.Categorical(["b.mat"] * len(table)))
    with pytest.raises(ValueError, match=r"same number and cell comes from another of the 2 sources"):
        concat([table, other])
    with pytest.raises(ValueError, match="are there twice"):
        concat([table, table])
    with pytest.raises(ValueError, match="no table to join"):
        concat([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["t", "clathrin_p"]), r"columns are missing: t, clathrin_p"),
        (lambda t: t.astype({"track": "int32"}), r"track must have the type int64, here it has int32"),
        (lambda t: t.astype({"category": "float64"}), r"category must have the type Int64"),
        (lambda t: t[list(reversed(t.columns))], r"must come in the order cell, track, frame"),
        (lambda t: t.iloc[::-1], r"not sorted by \(source, cell, track, frame\)"),
        (
            lambda t: t.assign(y=np.nan),
            r"y is NaN outside a gap: 8 rows, the first is row 0 \(cell day1/Cell1, track 1",
        ),
        (lambda t: t.assign(x=np.inf), r"x is infinite: 9 rows"),
        (lambda t: t.assign(clathrin_p=1.5), r"clathrin_p is outside 0 to 1"),
        (lambda t: t.assign(auxilin_amplitude_error=-1.0), r"auxilin_amplitude_error is negative"),
        (lambda t: t.assign(frame=t["frame"] - 1), r"frame is negative: 1 rows, the first is row 6"),
        (lambda t: t.assign(track=np.int64(1)).sort_values("frame"), r"same \(cell, track, frame\) are there twice"),
        (lambda t: t.assign(lifetime=np.arange(9.0)), r"lifetime changes within a track: 7 rows"),
        (lambda t: t.assign(category=pd.array([9] * 9, dtype="Int64")), r"category is outside 1 to 8"),
        (
            lambda t: t.assign(part=t["part"].to_numpy()[::-1].tolist()).astype({"part": t["part"].dtype}),
            r"part is not in",
        ),
    ],
)
def test_validate_says_what_is_wrong(table, change, message):
    with pytest.raises(ValueError, match=message):
        validate(change(table))


def test_validate_says_all_at_once(table):
    bad = table.assign(x=np.inf, clathrin_p=2.0)
    with pytest.raises(ValueError, match=r"(?s)x is infinite.*clathrin_p is outside"):
        validate(bad)


def test_validate_checks_attrs(table):
    table.attrs["seconds_per_frame"] = -1.0
    with pytest.raises(ValueError, match=r"attrs\['seconds_per_frame'\] must be a positive number"):
        validate(table)
    with pytest.raises(TypeError, match="must be a pandas DataFrame, got dict"):
        validate({})


def test_make_table_refuses_what_does_not_fit():
    row = {"track": [1], "frame": [0], "y": [0.0], "x": [0.0]}
    with pytest.raises(ValueError, match=r"lengths that differ: \{'y': 2"):
        make_table(**(row | {"y": [0.0, 1.0]}))
    with pytest.raises(ValueError, match="belong to none of the channels"):
        make_table(**row, signals={"dynamin_amplitude": [1.0]})
    with pytest.raises(ValueError, match=r"frame must be whole numbers, got 0.5"):
        make_table(**(row | {"frame": [0.5]}))


def test_report_adds_up_and_reads_well():
    report = LossReport(came=5, kept=3)
    report.add("tracks", 1, "cut")
    report.add("tracks", 1, "cut")
    report.add("rows", 0, "nothing")
    report.assume("pixels")
    report.assume("pixels")
    other = LossReport(came=2, kept=1, recognised=["b"])
    other.add("tracks", 1, "cut")
    report.merge(other)
    assert report.to_dict() == {
        "came": 7,
        "kept": 4,
        "dropped": [{"what": "tracks", "how_many": 3, "why": "cut"}],
        "assumed": ["pixels"],
        "recognised": ["b"],
        "doubts": [],
    }
    assert str(report) == "b\n7 tracks came, 4 kept.\nDropped: 3 tracks (cut).\nAssumed: pixels"
