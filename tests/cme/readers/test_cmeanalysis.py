"""`ProcessedTracks.mat` of both MATLAB versions, and experiments of them."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

from awd_cme.readers.read import read_tracks, recognise
from awd_cme.tracks.table import summary
from cmeanalysis_files import EMPTY, make_tracks, write_matlab5, write_matlab73

WRITERS = pytest.mark.parametrize("write", [write_matlab5, write_matlab73], ids=["matlab5", "matlab73"])


@pytest.fixture(params=[write_matlab5, write_matlab73], ids=["matlab5", "matlab73"])
def write(request, tmp_path):
    return lambda tracks, name="ProcessedTracks.mat": request.param(tmp_path / name, tracks)


def test_every_number_lands_where_it_belongs(write):
    tracks = make_tracks(4, seconds=1.5, gaps=[2])
    path = write(tracks)
    assert recognise(path) == "cmeanalysis"
    table, report = read_tracks(path, cell="Cell1")
    assert (report.came, report.kept, report.dropped) == (4, 4, [])
    assert table.attrs["seconds_per_frame"] == 1.5
    assert table["cell"].unique().tolist() == ["Cell1"]
    for number, track in enumerate(tracks, start=1):
        rows = table[table["track"] == number]
        parts = {part: rows[rows["part"].isin(part.split())] for part in ("before", "track gap", "after")}
        sources = {"before": track["startBuffer"], "track gap": track, "after": track["endBuffer"]}
        for part, own in parts.items():
            source = sources[part]
            np.testing.assert_array_equal(own["frame"], source["f"][0] - 1)
            np.testing.assert_allclose(own["t"], source["t"][0], rtol=1e-15)
            # The first row is the master channel's, which gives the positions; MATLAB's pixels count from 1.
            np.testing.assert_array_equal(own["x"], source["x"][0] - 1)
            np.testing.assert_array_equal(own["y"], source["y"][0] - 1)
            for channel, name in enumerate(("clathrin", "auxilin")):
                for field, measure in (
                    ("A", "amplitude"),
                    ("c", "background"),
                    ("A_pstd", "amplitude_error"),
                    ("c_pstd", "background_error"),
                    ("pval_Ar", "p"),
                ):
                    np.testing.assert_array_equal(own[f"{name}_{measure}"], source[field][channel])
        np.testing.assert_array_equal(rows.loc[rows["part"] == "gap", "frame"], track["f"][track["gapVect"]] - 1)
        assert set(rows["category"]) == {int(track["catIdx"][0, 0])}
        assert set(rows["lifetime"]) == {track["lifetime_s"][0, 0]}


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_one_two_and_three_channels(write, channels):
    tracks = make_tracks(3, channels=channels)
    table, report = read_tracks(write(tracks))
    names = ["clathrin", "auxilin", "channel3"][:channels]
    assert table.attrs["channels"] == names
    assert any("clathrin" in sentence for sentence in report.assumed)
    own = table[(table["track"] == 2) & (table["part"] == "track")]
    np.testing.assert_array_equal(own[f"{names[-1]}_amplitude"], tracks[1]["A"][-1])
    with pytest.raises(ValueError, match=f"has {channels} channels, the option names 4"):
        read_tracks(write(tracks), channels=list("abcd"))
    renamed, report = read_tracks(write(tracks), channels=list("abc")[:channels])
    assert renamed.attrs["channels"] == list("abc")[:channels]
    assert not any("channels" in sentence for sentence in report.assumed)


def test_a_single_track(write):
    tracks = make_tracks(1)
    table, report = read_tracks(write(tracks))
    assert (report.came, report.kept) == (1, 1)
    assert table["part"].value_counts().to_dict() == {
        "track": tracks[0]["f"].size,
        "before": 5,
        "after": 5,
        "gap": 0,
    }


def test_no_track_is_an_error_or_an_empty_table(write):
    path = write([])
    with pytest.raises(ValueError, match=r"holds no track; --on-error skip \(on_error='skip'\)"):
        read_tracks(path)
    table, report = read_tracks(path, on_error="skip")
    assert (len(table), report.came) == (0, 0)


def test_compound_tracks_are_joined_split_or_dropped(write):
    tracks = make_tracks(3, compound=[1], length=20)
    frames = tracks[1]["f"][0]
    assert np.isnan(frames).sum() == 1
    path = write(tracks)

    joined, report = read_tracks(path)
    own = joined[joined["track"] == 2]
    assert report.came == report.kept == 3
    assert ("rows", 1, "separators between the segments of compound tracks") in report.dropped
    assert report.dropped[1][:2] == ("rows", 3)  # frames that both segments have
    np.testing.assert_array_equal(own["frame"], np.unique(frames[~np.isnan(frames)]) - 1)
    # The first segment keeps its frames, whole.
    np.testing.assert_array_equal(own.loc[own["segment"] == 0, "clathrin_amplitude"], tracks[1]["A"][0, :20])
    np.testing.assert_array_equal(own.loc[own["segment"] == 1, "clathrin_amplitude"], tracks[1]["A"][0, 24:])
    assert set(own["category"]) == {5}

    split, report = read_tracks(path, compound="split")
    assert (report.came, report.kept) == (3, 4)
    assert any("1 compound tracks were split into the 2 tracks" in sentence for sentence in report.assumed)
    np.testing.assert_array_equal(split.loc[split["track"] == 2, "clathrin_amplitude"], tracks[1]["A"][0, :20])
    np.testing.assert_array_equal(split.loc[split["track"] == 4, "clathrin_amplitude"], tracks[1]["A"][0, 21:])
    assert summary(split)["lifetime"].tolist()[1] == 20.0

    kept, report = read_tracks(path, compound="drop")
    assert (report.came, report.kept, kept["track"].nunique()) == (3, 2, 2)
    assert ("tracks", 1, "compound, of several segments") in report.dropped


def test_frames_around_a_compound_track_stay_with_the_segment_they_adjoin(write):
    tracks = make_tracks(2, compound=[1], length=20)
    start, end = tracks[1]["start"][0, 0], tracks[1]["end"][0, 0]
    for name, frames in (("startBuffer", np.arange(start - 3, start)), ("endBuffer", end + np.arange(1, 4.0))):
        fields = {field: np.full((2, 3), 7.0) for field in ("x", "y", "A", "c", "A_pstd", "c_pstd", "pval_Ar")}
        tracks[1][name] = {"t": frames[None], "f": frames[None]} | fields | {"pval_Ar": np.full((2, 3), 0.5)}
    path = write(tracks)
    split, report = read_tracks(path, compound="split")
    assert split[split["track"] == 2]["part"].value_counts()[["before", "after"]].tolist() == [3, 0]
    assert split[split["track"] == 3]["part"].value_counts()[["before", "after"]].tolist() == [0, 3]
    assert not any(what == "rows" and "adjoin" in why for what, _, why in report.dropped)
    joined, _ = read_tracks(path)
    assert joined[joined["track"] == 2]["part"].value_counts()[["before", "after"]].tolist() == [3, 3]


def test_both_versions_give_the_same_table(tmp_path):
    tracks = make_tracks(15, gaps=[3], compound=[5, 9])
    tracks[7]["startBuffer"] = EMPTY
    tracks[8]["catIdx"] = EMPTY
    one, first = read_tracks(write_matlab5(tmp_path / "5.mat", tracks), cell="c")
    two, second = read_tracks(write_matlab73(tmp_path / "7.mat", tracks), cell="c")
    pd.testing.assert_frame_equal(one.drop(columns="source"), two.drop(columns="source"), check_exact=True)
    assert first.dropped == second.dropped
    assert pd.isna(one.loc[one["track"] == 9, "category"]).all()
    assert any("1 tracks of" in sentence and "category" in sentence for sentence in first.assumed)


def test_compressed_arrays_are_read_too(tmp_path):
    tracks = make_tracks(3)
    path = write_matlab73(tmp_path / "p.mat", tracks)
    plain, _ = read_tracks(path)
    with h5py.File(path, "r+") as file:  # as MATLAB stores larger arrays
        for name in ("A", "x"):
            for (reference,) in file[f"tracks/{name}"][()]:
                place, values = file[reference].name, file[reference][()]
                del file[place]
                new = file.create_dataset(place, data=values, chunks=values.shape, compression="gzip")
                new.attrs["MATLAB_class"] = np.bytes_("double")
            references = file[f"tracks/{name}"]
            references[:, 0] = [file[path].ref for path in _names(file, tracks, name)]
    packed, _ = read_tracks(path)
    pd.testing.assert_frame_equal(packed, plain, check_exact=True)


def _names(file, tracks, field):
    """Paths of the datasets that hold a field's values: a deleted dataset's references are stale."""
    heap = file["#refs#"]
    numbers = {name: node for name, node in heap.items() if isinstance(node, h5py.Dataset)}
    return [
        next(f"#refs#/{name}" for name, node in numbers.items() if np.array_equal(node[()].T, track[field]))
        for track in tracks
    ]


def test_what_the_file_does_not_tell_is_said(tmp_path):
    tracks = make_tracks(2)
    for track in tracks:
        for name in ("catIdx", "lifetime_s", "pval_Ar"):
            del track[name]
    table, report = read_tracks(write_matlab5(tmp_path / "p.mat", tracks))
    assert table[["category", "clathrin_p"]].isna().loc[table["part"] == "track"].all(axis=None)
    assert table["t"].isna().all()
    said = " ".join(report.assumed)
    assert "no field 'catIdx'" in said
    assert "no field 'pval_Ar'" in said
    assert "the frame interval is unknown" in said
    told, _ = read_tracks(tmp_path / "p.mat", seconds_per_frame=2.0)
    np.testing.assert_array_equal(told["t"], told["frame"] * 2.0)


def test_fields_that_are_missing_are_named(write):
    tracks = make_tracks(2)
    for track in tracks:
        del track["x"]
    with pytest.raises(ValueError, match=r"lacks the fields \['x'\]"):
        read_tracks(write(tracks))


def test_arrays_of_the_wrong_length_are_refused(write):
    tracks = make_tracks(3)
    tracks[1]["A"] = tracks[1]["A"][:, :-2]
    with pytest.raises(ValueError, match=r"field 'A' of track 2 has the shape"):
        read_tracks(write(tracks))


def test_frames_beyond_the_movie(write):
    tracks = make_tracks(5)
    last = max(track["endBuffer"]["f"][0, -1] for track in tracks)
    path = write(tracks)
    with pytest.raises(ValueError, match=r"a frame beyond the movie's last \(the movie has \d+ frames\)"):
        read_tracks(path, frames=int(last) - 1)
    assert read_tracks(path, frames=int(last))[1].kept == 5
    table, report = read_tracks(path, frames=int(last) - 1, on_error="skip")
    assert (report.came, report.kept, table["track"].nunique()) == (5, 4, 4)
    assert report.dropped == [("tracks", 1, "a frame beyond the movie's last in 1 row")]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_a_clear_error(write, share):
    path = write(make_tracks(8))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"ProcessedTracks.mat"):
        read_tracks(path)


def test_foreign_matlab_files(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"lftData": np.eye(3)})
    with pytest.raises(ValueError, match=r"with the variables \['lftData'\]; known are \['tracks', 'goodTrackData'\]"):
        read_tracks(tmp_path / "a.mat")
    scipy.io.savemat(tmp_path / "b.mat", {"tracks": np.eye(3)})
    with pytest.raises(ValueError, match=r"'tracks' in .*b.mat is no struct array, but float64"):
        read_tracks(tmp_path / "b.mat")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["image"] = np.eye(3)
    with pytest.raises(ValueError, match=r"with the variables \['image'\]"):
        read_tracks(tmp_path / "c.h5")


def make_experiment(root, writer=write_matlab73):
    for seed, (cell, seconds) in enumerate(
        [("control/201101_Cell2_1s", 1.0), ("control/201101_Cell10_1s", 1.0), ("drug/Cell1_500ms", 0.5)]
    ):
        writer(root / cell / "TagRFP" / "Tracking" / "ProcessedTracks.mat", make_tracks(3, seconds=seconds, seed=seed))
        (root / cell / "EGFP").mkdir()
    return root


@WRITERS
def test_an_experiment_is_read_whole(tmp_path, write):
    table, report = read_tracks(make_experiment(tmp_path, write), frames=300)
    assert table["cell"].unique().tolist() == [
        "control/201101_Cell10_1s",
        "control/201101_Cell2_1s",
        "drug/Cell1_500ms",
    ]
    assert (report.came, report.kept) == (9, 9)
    assert "3 cells, 2 conditions (control, drug), tracked in TagRFP" in report.recognised[0]
    assert table.attrs["seconds_per_frame"] is None  # the cells differ
    step = table["t"] / table["frame"]
    assert step[table["cell"] == "drug/Cell1_500ms"].unique() == pytest.approx([0.5])
    single, _ = read_tracks(tmp_path / "drug" / "Cell1_500ms")
    assert single["cell"].unique().tolist() == ["Cell1_500ms"]
    assert single.attrs["seconds_per_frame"] == 0.5


def test_an_interval_that_only_the_name_tells(tmp_path):
    tracks = make_tracks(2)
    for track in tracks:
        del track["lifetime_s"]
    place = tmp_path / "Cell1_1.5s" / "RFP" / "Tracking" / "ProcessedTracks.mat"
    table, _ = read_tracks(write_matlab5(place, tracks))
    assert table.attrs["seconds_per_frame"] == 1.5
    assert table["cell"].unique().tolist() == ["Cell1_1.5s"]
    _, report = read_tracks(write_matlab5(place, make_tracks(2, seconds=2.0)))
    assert any("2 s, as the times" in sentence and "says 1.5 s" in sentence for sentence in report.assumed)
    _, report = read_tracks(place, seconds_per_frame=3.0)
    assert any("3 s as told; its times says 2 s" in sentence for sentence in report.assumed)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [("drug_300s/Cell1_1s", 1.0), ("drug_2s/Cell1", 2.0), ("Cell1_1s_30s", None), ("Cell1_1s_1000ms", 1.0)],
)
def test_which_name_gives_the_interval(tmp_path, cell, seconds):
    tracks = make_tracks(2)
    for track in tracks:
        del track["lifetime_s"]
    table, report = read_tracks(write_matlab5(tmp_path / cell / "RFP" / "Tracking" / "ProcessedTracks.mat", tracks))
    assert table.attrs["seconds_per_frame"] == seconds
    unknown = "the frame interval is unknown" in " ".join(report.assumed)
    assert unknown == (seconds is None)
    assert table["t"].isna().all() == unknown


def test_a_cell_that_was_tracked_twice_needs_a_master(tmp_path):
    root = make_experiment(tmp_path)
    write_matlab5(root / "drug/Cell1_500ms/EGFP/Tracking/ProcessedTracks.mat", make_tracks(2))
    with pytest.raises(ValueError, match=r"in the channels \['EGFP', 'TagRFP'\]; name the one to take by master"):
        read_tracks(root)
    assert read_tracks(root, master="TagRFP")[1].came == 9
    with pytest.raises(ValueError, match=r"tracked in the channels \['TagRFP'\].* got 'EGFP'"):
        read_tracks(root, master="EGFP")


def test_a_broken_cell_is_an_error_or_is_listed(tmp_path):
    root = make_experiment(tmp_path)
    (root / "drug/Cell1_500ms/TagRFP/Tracking/ProcessedTracks.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(ValueError, match="cannot be read as a MATLAB file"):
        read_tracks(root)
    table, report = read_tracks(root, on_error="skip")
    assert table["cell"].nunique() == 2
    assert report.dropped[0][:2] == ("cells", 1)
    assert "Cell1_500ms" in report.dropped[0][2]


def test_a_folder_without_tracks(tmp_path):
    with pytest.raises(ValueError, match=r"holds no Tracking/ProcessedTracks.mat"):
        read_tracks(tmp_path)
    with pytest.raises(ValueError, match="is a folder; the format 'yeast' is read from a file"):
        read_tracks(tmp_path, format="yeast")
    make_experiment(tmp_path)
    with pytest.raises(ValueError, match="whole experiment, whose cells have their names"):
        read_tracks(tmp_path, cell="Cell1")
