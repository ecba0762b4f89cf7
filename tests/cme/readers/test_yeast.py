"""Two-channel yeast tracks, `goodTrackData`."""

import numpy as np
import pytest
import scipy.io

from awd_cme.readers.read import read_tracks, recognise
from awd_cme.tracks.table import summary

COUNTS = {"Sla1": 415, "Ede1": 530, "Las17": 798, "Myo5": 1628, "Vrp1": 2439, "Pan1": 232, "Ark1": 449}


def make_tracks(first=11, *, scale=1.0):
    """Two tracks of 6 and 4 frames in MATLAB's arrays, the POI tracked in the inner ones."""
    tracks = []
    for k, length in enumerate((6, 4)):
        raw = np.arange(100, 100 + length, dtype=np.uint16)[:, None]
        place = np.column_stack([np.arange(length) + 5.0, np.arange(length) + 9.0]) * scale
        begin = first + 10 * k
        tracks.append(
            {
                "ref_intensity": raw,
                "cor_intensity": raw + 50,
                "ref_intensity_bg_corrected": raw - 90.5,
                "cor_intensity_bg_corrected": raw - 120.0,
                "ref_tp_first": begin + 1,
                "ref_tp_last": begin + length - 2,
                "cor_tp_first": begin + 1,
                "cor_tp_last": begin + length - 1,
                "tp_prev_all": begin,
                "tp_post_all": begin + length - 1,
                "ref_coord_extrapol": place,
                "cor_coord_extrapol": place,
                "ref_coord": place[1:-1],
                "cor_coord": place[1:],
            }
        )
    return tracks


def write(path, tracks):
    array = np.empty((1, len(tracks)), dtype=[(name, object) for name in tracks[0]])
    for k, track in enumerate(tracks):
        for name, value in track.items():
            array[name][0, k] = value
    scipy.io.savemat(path, {"goodTrackData": array, "lifetime_associated": np.eye(2)})
    return path


def test_every_number_lands_where_it_belongs(tmp_path):
    path = write(tmp_path / "Sla1-GFP_Abp1-RFP.mat", make_tracks())
    assert recognise(path) == "yeast"
    table, report = read_tracks(path, seconds_per_frame=2.0)
    assert table.attrs["channels"] == ["Sla1", "Abp1"]
    assert (report.came, report.kept, report.dropped) == (2, 2, [])
    own = table[table["track"] == 1]
    assert own["frame"].tolist() == [10, 11, 12, 13, 14, 15]  # tp_prev_all counts from 1
    assert own["part"].tolist() == ["before", "track", "track", "track", "track", "after"]
    assert own["x"].tolist() == [5, 6, 7, 8, 9, 10]
    assert own["y"].tolist() == [9, 10, 11, 12, 13, 14]
    assert own["Sla1_amplitude"].tolist() == [9.5, 10.5, 11.5, 12.5, 13.5, 14.5]
    assert own["Sla1_background"].unique().tolist() == [90.5]
    assert own["Abp1_background"].unique().tolist() == [170.0]
    assert own["lifetime"].unique().tolist() == [8.0]  # four frames in which the POI was tracked
    assert own[["Sla1_p", "Sla1_amplitude_error", "category"]].isna().all(axis=None)


def test_channels_are_named_by_the_file_the_user_or_the_default(tmp_path):
    path = write(tmp_path / "Sla1-GFP_Abp1-RFP.mat", make_tracks())
    assert read_tracks(path, channels=["poi", "actin"])[0].attrs["channels"] == ["poi", "actin"]
    other, report = read_tracks(write(tmp_path / "tracks.mat", make_tracks()))
    assert other.attrs["channels"] == ["clathrin", "auxilin"]
    assert "clathrin, auxilin" in report.assumed[0]


def test_positions_too_large_for_pixels_are_nanometres(tmp_path):
    path = write(tmp_path / "a.mat", make_tracks(scale=1000.0))
    table, report = read_tracks(path)
    assert table.attrs["micrometres_per_pixel"] == 0.001
    assert table["x"].tolist()[:2] == [5000.0, 6000.0]
    assert any("are nanometres" in sentence for sentence in report.assumed)
    assert any("the size of a pixel is unknown" in sentence for sentence in report.assumed)
    table, report = read_tracks(path, micrometres_per_pixel=0.1)
    np.testing.assert_allclose(table["x"].tolist()[:2], [50.0, 60.0], rtol=1e-15)
    assert table.attrs["micrometres_per_pixel"] == 0.1
    table, _ = read_tracks(path, position_unit="pixel")
    assert table["x"].tolist()[:2] == [5000.0, 6000.0]
    assert table.attrs["micrometres_per_pixel"] is None


def test_series_of_the_wrong_length_and_missing_fields(tmp_path):
    tracks = make_tracks()
    tracks[1]["cor_intensity"] = tracks[1]["cor_intensity"][:-1]
    with pytest.raises(ValueError, match=r"cor_intensity of track 2 holds 3 numbers, its frames 21 to 24 need 4"):
        read_tracks(write(tmp_path / "a.mat", tracks))
    tracks = make_tracks()
    tracks[0]["ref_tp_first"] = np.array([1, 2])
    with pytest.raises(ValueError, match="ref_tp_first of track 1 holds 2 numbers, not one"):
        read_tracks(write(tmp_path / "b.mat", tracks))
    for track in tracks:
        del track["ref_intensity"]
    with pytest.raises(ValueError, match=r"goodTrackData lacks the fields \['ref_intensity'\]"):
        read_tracks(write(tmp_path / "c.mat", tracks))


def test_positions_that_the_file_extrapolates_are_told(tmp_path):
    tracks = make_tracks()
    tracks[0]["ref_coord"] = tracks[0]["ref_coord"][:2]
    _, report = read_tracks(write(tmp_path / "a.mat", tracks))
    assert any("1 tracks were tracked in fewer frames than they last" in sentence for sentence in report.assumed)


@pytest.mark.parametrize("poi", list(COUNTS))
def test_real_files(real_data, poi):
    path = real_data / "cme" / "yeast" / f"{poi}-GFP_Abp1-RFP.mat"
    table, report = read_tracks(path)
    assert report.came == report.kept == table["track"].nunique() == COUNTS[poi]
    assert report.dropped == []
    assert table.attrs["channels"] == [poi, "Abp1"]
    raw = scipy.io.loadmat(path, squeeze_me=True)["goodTrackData"]
    lengths = table.groupby("track").size().to_numpy()
    np.testing.assert_array_equal(lengths, [element["ref_intensity"].size for element in raw])
    for name, field in (
        (f"{poi}_amplitude", "ref_intensity_bg_corrected"),
        ("Abp1_amplitude", "cor_intensity_bg_corrected"),
    ):
        np.testing.assert_array_equal(table[name], np.concatenate([element[field] for element in raw]))
    raw_signal = np.concatenate([element["ref_intensity"] for element in raw]).astype(float)
    np.testing.assert_array_equal(table[f"{poi}_amplitude"] + table[f"{poi}_background"], raw_signal)
    frames = summary(table)
    np.testing.assert_array_equal(frames["first"], [element["ref_tp_first"] - 1 for element in raw])
    np.testing.assert_array_equal(frames["last"], [element["ref_tp_last"] - 1 for element in raw])
