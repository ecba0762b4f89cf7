"""TrackMate: tables of spots with one and with four header rows, and the full XML file."""

import numpy as np
import pandas as pd
import pytest

from awd_cme.readers.read import read_tracks, recognise
from awd_cme.tracks.table import summary

KEYS = "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_T,FRAME,MEAN_INTENSITY_CH1,MEAN_INTENSITY_CH2"
KEYS += ",CONTRAST_CH1"
NAMES = "Label,Spot ID,Track ID,Quality,X,Y,T,Frame,Mean intensity ch1,Mean intensity ch2,Contrast ch1"
SHORT = "Label,Spot ID,Track ID,Quality,X,Y,T,Frame,Mean ch1,Mean ch2,Ctrst ch1"
UNITS = ",,,(quality),({unit}),({unit}),(sec),,(counts),(counts),"
SPOTS = [  # track, x, y, t, frame, inside of channel 1 and of channel 2, contrast of channel 1
    ("0", 0.2, 0.1, 0.0, 0, 300.0, 50.0, 0.2),
    ("0", 0.4, 0.1, 3.0, 2, 400.0, 60.0, 0.25),
    ("7", 1.0, 1.2, 1.5, 1, 100.0, 70.0, 0.0),
    ("None", 2.0, 2.0, 1.5, 1, 10.0, 10.0, 0.0),
]


def spot_rows(spots=SPOTS):
    return [f"ID{n},{n},{t},5,{x},{y},{s},{f},{a},{b},{c}" for n, (t, x, y, s, f, a, b, c) in enumerate(spots)]


def write_csv(path, *, unit="micron", spots=SPOTS, header=(KEYS, NAMES, SHORT, UNITS)):
    path.write_text("\n".join([*header, *spot_rows(spots)]).format(unit=unit) + "\n", encoding="utf-8")
    return path


def test_four_header_rows_tell_the_units(tmp_path):
    path = write_csv(tmp_path / "cell1.csv")
    assert recognise(path) == "trackmate"
    with pytest.raises(ValueError, match="positions have the unit micron, and nothing tells a pixel's size"):
        read_tracks(path)
    table, report = read_tracks(path, micrometres_per_pixel=0.1)
    assert "4 header rows" in report.recognised[0]
    assert ("spots", 1, "in no track") in report.dropped
    assert (report.came, report.kept) == (2, 2)
    assert table.attrs == {"channels": ["clathrin", "auxilin"], "seconds_per_frame": 1.5, "micrometres_per_pixel": 0.1}
    assert table[["track", "frame", "part"]].to_numpy().tolist() == [
        [0, 0, "track"],
        [0, 1, "gap"],
        [0, 2, "track"],
        [7, 1, "track"],
    ]
    np.testing.assert_allclose(table["x"], [2.0, np.nan, 4.0, 10.0], rtol=1e-15)
    np.testing.assert_allclose(table["y"], [1.0, np.nan, 1.0, 12.0], rtol=1e-15)
    # A contrast of 0.2 at 300 inside: (300 - out) / (300 + out) = 0.2 gives out = 200.
    np.testing.assert_allclose(table["clathrin_background"], [200.0, np.nan, 240.0, 100.0], rtol=1e-12)
    np.testing.assert_allclose(table["clathrin_amplitude"], [100.0, np.nan, 160.0, 0.0], atol=1e-10)
    np.testing.assert_array_equal(table["auxilin_amplitude"], [50.0, np.nan, 60.0, 70.0])
    assert table["auxilin_background"].isna().all()
    assert any("auxilin: the amplitude is MEAN_INTENSITY_CH2, with the background in it" in s for s in report.assumed)


@pytest.mark.parametrize(
    ("length", "pixel", "time", "seconds"),
    [("\N{GREEK SMALL LETTER MU}m", 0.1, "minutes", 90.0), ("nanometer", 1e-4, "\N{GREEK SMALL LETTER MU}s", 1.5e-6),
     ("mm", 100.0, "hour", 5400.0)],
)  # fmt: skip
def test_units_of_tables(tmp_path, length, pixel, time, seconds):
    header = (KEYS, NAMES, SHORT, UNITS.replace("(sec)", f"({time})"))
    path = write_csv(tmp_path / "c.csv", unit=length, header=header)
    table, _ = read_tracks(path, micrometres_per_pixel=pixel)
    assert table.attrs["seconds_per_frame"] == pytest.approx(seconds)
    np.testing.assert_allclose(table["x"], [2.0, np.nan, 4.0, 10.0], rtol=1e-12)


def test_one_header_row_leaves_the_unit_open(tmp_path):
    path = write_csv(tmp_path / "old.csv", header=(KEYS,))
    table, report = read_tracks(path)
    assert "1 header rows" in report.recognised[0]
    assert any("positions are in pixels: the file does not name their unit" in sentence for sentence in report.assumed)
    assert table["x"].dropna().tolist() == [0.2, 0.4, 1.0]
    assert table.attrs["seconds_per_frame"] == 1.5  # times that do not just count frames
    told, _ = read_tracks(path, position_unit="nanometre", micrometres_per_pixel=0.0002)
    np.testing.assert_allclose(told["x"].dropna(), [1.0, 2.0, 5.0], rtol=1e-12)


def test_pixels_need_no_size(tmp_path):
    table, report = read_tracks(write_csv(tmp_path / "p.csv", unit="pixel"))
    assert table.attrs["micrometres_per_pixel"] is None
    assert not any("positions" in sentence for sentence in report.assumed)


def test_tab_separated_tables_and_intensities_without_a_channel(tmp_path):
    text = write_csv(
        tmp_path / "p.csv", header=(KEYS.replace("_CH1", "").replace(",MEAN_INTENSITY_CH2", ",OTHER"),)
    ).read_text()
    (tmp_path / "t.csv").write_text(text.replace(",", "\t"))
    table, _ = read_tracks(tmp_path / "t.csv", channels=["dynamin"])
    np.testing.assert_allclose(table["dynamin_amplitude"].dropna(), [100.0, 160.0, 0.0], atol=1e-10)


def test_columns_that_are_missing_are_named(tmp_path):
    write_csv(tmp_path / "a.csv", header=(KEYS.replace("POSITION_X", "X"),))
    with pytest.raises(ValueError, match=r"the columns \['POSITION_X'\] are missing; it has"):
        read_tracks(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("TRACK_ID,TRACK_DURATION,NUMBER_SPOTS\n1,3.0,4\n")
    with pytest.raises(ValueError, match=r"b\.csv is TrackMate's table of whole tracks"):
        read_tracks(tmp_path / "b.csv")


def test_a_track_that_splits_cannot_be_told_from_a_table(tmp_path):
    spots = [*SPOTS, ("7", 1.5, 1.2, 1.5, 1, 1.0, 1.0, 0.0)]
    path = write_csv(tmp_path / "s.csv", unit="pixel", spots=spots)
    with pytest.raises(ValueError, match="1 row of 1 track has two rows for the same frame; the first is track 7"):
        read_tracks(path)
    table, report = read_tracks(path, on_error="skip")
    assert table["track"].unique().tolist() == [0]
    assert ("tracks", 1, "two rows for the same frame in 1 row") in report.dropped
    assert any("only TrackMate's table of edges" in sentence for sentence in report.assumed)


def xml(*, spots, edges, filtered=None, unit="micron", width=0.5, interval=2.0, time="sec", image=True):
    """A full file; edges are (track, source, target)."""
    frames = sorted({frame for _, frame, *_ in spots})
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<TrackMate version="7.11.1">']
    lines += [f'<Model spatialunits="{unit}" timeunits="{time}">', f'<AllSpots nspots="{len(spots)}">']
    for at in frames:
        lines.append(f'<SpotsInFrame frame="{at}">')
        for number, frame, x, y in spots:
            if frame == at:
                lines.append(
                    f'<Spot ID="{number}" name="ID{number}" FRAME="{frame}" POSITION_X="{x}" POSITION_Y="{y}" '
                    f'MEAN_INTENSITY_CH1="{100 + number}" MEAN_INTENSITY_CH2="{200 + number}" VISIBILITY="1" />'
                )
        lines.append("</SpotsInFrame>")
    tracks = sorted({track for track, *_ in edges})
    lines += ["</AllSpots>", "<AllTracks>"]
    for track in tracks:
        lines.append(f'<Track name="Track_{track}" TRACK_ID="{track}">')
        lines += [f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}" />' for owner, a, b in edges if owner == track]
        lines.append("</Track>")
    lines += ["</AllTracks>", "<FilteredTracks>"]
    lines += [f'<TrackID TRACK_ID="{track}" />' for track in (tracks if filtered is None else filtered)]
    lines += ["</FilteredTracks>", "</Model>", "<Settings>"]
    lines.append(
        f'<ImageData filename="a.tif" pixelwidth="{width}" timeinterval="{interval}" nframes="9" />' if image else ""
    )
    return "\n".join([*lines, "</Settings>", "</TrackMate>"])


# Track 0 runs through 1-2-3 and splits into 4-6-8 and 5-7; 8 comes after a skipped frame. In track 1, 11 and 12 merge.
SPLITTING = [
    (1, 0, 1, 1),
    (2, 1, 1, 1),
    (3, 2, 1, 1),
    (4, 3, 2, 1),
    (5, 3, 0, 1),
    (6, 4, 2, 1),
    (7, 4, 0, 1),
    (8, 6, 3, 1),
]
MERGING = [(11, 0, 5, 5), (12, 0, 6, 5), (13, 1, 5, 6), (14, 2, 5, 6)]
EDGES = [
    (0, 1, 2),
    (0, 2, 3),
    (0, 3, 4),
    (0, 3, 5),
    (0, 4, 6),
    (0, 5, 7),
    (0, 6, 8),
    (1, 11, 13),
    (1, 12, 13),
    (1, 13, 14),
]
PLAIN = ([(21, 0, 9, 9), (22, 1, 9, 9)], [(2, 22, 21)])  # an edge that points backwards in time


@pytest.fixture
def tree(tmp_path):
    path = tmp_path / "tree.xml"
    path.write_text(xml(spots=[*SPLITTING, *MERGING, *PLAIN[0], (31, 0, 3, 3)], edges=EDGES + PLAIN[1]))
    return path


def test_splits_and_merges_are_joined(tree):
    table, report = read_tracks(tree)
    assert recognise(tree) == "trackmate-xml"
    assert (report.came, report.kept) == (3, 3)
    assert ("spots", 1, "in no track") in report.dropped
    own = table[table["track"] == 0]
    assert own["frame"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    # Of the branches that start in frame 3 the longer one keeps the frames: spots 4, 6, 8.
    assert own["clathrin_amplitude"].tolist()[3:5] == [104.0, 106.0]
    assert own["part"].tolist() == ["track"] * 5 + ["gap", "track"]
    assert own["segment"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert table.loc[table["track"] == 2, "frame"].tolist() == [0, 1]


def test_splits_and_merges_become_tracks_of_their_branches(tree):
    table, report = read_tracks(tree, compound="split")
    assert report.kept == 7
    branches = {tuple(rows["clathrin_amplitude"].dropna() - 100) for _, rows in table.groupby("track")}
    assert branches == {(1, 2, 3), (4, 6, 8), (5, 7), (11,), (12,), (13, 14), (21, 22)}
    assert any("2 compound tracks were split into the 6 tracks" in sentence for sentence in report.assumed)
    assert (table["segment"] == 0).all()


def test_splits_and_merges_are_dropped(tree):
    table, report = read_tracks(tree, compound="drop")
    assert table["track"].unique().tolist() == [2]
    assert ("tracks", 2, "compound, of several segments") in report.dropped


def test_units_of_the_image_become_pixels_and_seconds(tree):
    table, _ = read_tracks(tree)
    assert table.attrs == {"channels": ["clathrin", "auxilin"], "seconds_per_frame": 2.0, "micrometres_per_pixel": 0.5}
    assert table.loc[table["track"] == 2, "x"].tolist() == [18.0, 18.0]
    assert table.loc[table["track"] == 2, "t"].tolist() == [0.0, 2.0]
    told, report = read_tracks(tree, micrometres_per_pixel=0.25)
    assert told.loc[told["track"] == 2, "x"].tolist() == [36.0, 36.0]
    assert any("a pixel is 0.25 µm as told" in sentence for sentence in report.assumed)


def test_minutes_frames_and_no_image(tmp_path):
    path = tmp_path / "t.xml"
    path.write_text(xml(spots=PLAIN[0], edges=PLAIN[1], time="min", interval=0.5))
    assert read_tracks(path)[0].attrs["seconds_per_frame"] == 30.0
    path.write_text(xml(spots=PLAIN[0], edges=PLAIN[1], time="frame", unit="pixel", width=1.0))
    table, report = read_tracks(path)
    assert table["t"].isna().all()
    assert any("frame interval is unknown" in sentence for sentence in report.assumed)
    path.write_text(xml(spots=PLAIN[0], edges=PLAIN[1], image=False))
    with pytest.raises(ValueError, match="nothing tells a pixel's size"):
        read_tracks(path)


def test_only_filtered_tracks_are_kept(tmp_path):
    path = tmp_path / "f.xml"
    path.write_text(xml(spots=SPLITTING + MERGING + PLAIN[0], edges=EDGES + PLAIN[1], filtered=[2]))
    table, report = read_tracks(path)
    assert (report.came, report.kept) == (3, 1)
    assert ("tracks", 2, "filtered out in TrackMate") in report.dropped
    assert table["track"].unique().tolist() == [2]


def test_the_simple_file_of_tracks_is_refused(tmp_path):
    path = tmp_path / "simple.xml"
    path.write_text(
        '<?xml version="1.0"?>\n<Tracks nTracks="1" spaceUnits="pixel" frameInterval="1.0">'
        '<particle nSpots="1"><detection t="0" x="1" y="2" z="0" /></particle></Tracks>'
    )
    with pytest.raises(ValueError, match=r"simple XML file of tracks.*save the full one"):
        read_tracks(path)


def test_foreign_truncated_and_inconsistent_xml(tmp_path, tree):
    path = tmp_path / "x.xml"
    path.write_text("<?xml version='1.0'?><svg><g/></svg>")
    with pytest.raises(ValueError, match=r"XML file of something else \(<svg>\)"):
        read_tracks(path)
    text = tree.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"is no whole XML file: .* It may be cut off"):
        read_tracks(path)
    path.write_text(xml(spots=PLAIN[0], edges=[(0, 21, 99)]))
    with pytest.raises(ValueError, match="1 of 1 links name spots that are not there"):
        read_tracks(path)
    path.write_text(xml(spots=[(1, 0, 1, 1), (2, 0, 1, 1)], edges=[(0, 1, 2)]))
    with pytest.raises(ValueError, match="1 of 1 links join two spots of one frame"):
        read_tracks(path)
    path.write_text(xml(spots=[], edges=[]))
    with pytest.raises(ValueError, match="holds no track"):
        read_tracks(path)
    path.write_text(text.replace("POSITION_X", "X"))
    with pytest.raises(ValueError, match=r"the spots lack the attributes \['POSITION_X'\]"):
        read_tracks(path)


@pytest.mark.parametrize(
    ("name", "spots", "tracks", "branching"),
    [
        ("FakeTracks.xml", 12, 2, 0),
        ("trackmate_tracks_with_gap_closing.xml", 133, 5, 0),
        ("trackmate_tracks_with_splitting_merging.xml", 183, 4, 1),
    ],
)
def test_real_files(real_data, name, spots, tracks, branching):
    path = real_data / "cme" / "trackmate" / name
    split, report = read_tracks(path, compound="split")
    assert (split["part"] == "track").sum() == spots
    assert report.came == tracks
    kept, _ = read_tracks(path, compound="drop")
    assert kept["track"].nunique() == tracks - branching
    # What TrackMate says of each track that does not branch, in its own file.
    told = pd.read_xml(path, xpath=".//Track", parser="etree").set_index("TRACK_ID")
    found = summary(kept).set_index("track")
    np.testing.assert_array_equal(found["frames"] - found["gaps"], told.loc[found.index, "NUMBER_SPOTS"])
    np.testing.assert_array_equal(found["last"] - found["first"], told.loc[found.index, "TRACK_DURATION"])
    np.testing.assert_allclose(found["x"], told.loc[found.index, "TRACK_X_LOCATION"], rtol=1e-12)
    np.testing.assert_allclose(found["y"], told.loc[found.index, "TRACK_Y_LOCATION"], rtol=1e-12)
    # The ring around a spot is as bright as the movie's background: above zero, below the spot.
    assert (split["clathrin_background"].dropna() > 0).all()
    assert (split["clathrin_amplitude"].dropna() > 0).mean() > 0.9


@pytest.mark.parametrize("name", ["gap_closing", "splitting_merging"])
@pytest.mark.parametrize("ending", ["", "_edges", "_spots"])
def test_tables_of_links_tell_what_the_xml_file_tells(real_data, name, ending):
    folder = real_data / "cme" / "trackmate"
    whole, _ = read_tracks(folder / f"trackmate_tracks_with_{name}.xml", compound="split")
    links, report = read_tracks(
        folder / f"trackmate_tracks_with_{name}{ending}.csv", compound="split", seconds_per_frame=1.0
    )
    assert "links between" in report.recognised[0]
    columns = ["frame", "y", "x"]
    one, two = (table.sort_values(columns)[columns].to_numpy() for table in (whole, links))
    np.testing.assert_allclose(one, two, rtol=1e-12)
    assert whole.groupby("track").size().tolist() == links.groupby("track").size().tolist()


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("LABEL,TRACK_ID,SPOT_SOURCE_ID,SPOT_TARGET_ID,LINK_COST,EDGE_TIME,EDGE_X_LOCATION", r"links between spots"),
        ("LABEL,TRACK_INDEX,TRACK_ID,NUMBER_SPOTS,TRACK_DURATION,TRACK_START", "whole tracks"),
    ],
)
def test_tables_of_links_and_of_whole_tracks_say_which_to_export(tmp_path, head, what):
    path = tmp_path / "export.csv"
    path.write_text(head + "\n" + ",".join("0" for _ in head.split(",")) + "\n")
    with pytest.raises(ValueError, match=rf"export.csv is TrackMate's table of {what}.*export the table of spots"):
        read_tracks(path)


EDGE_KEYS = "LABEL,TRACK_ID,SPOT_SOURCE_ID,SPOT_TARGET_ID,LINK_COST"
EDGE_NAMES = [
    "Label,Track ID,Source spot ID,Target spot ID,Cost",
    "Label,Track ID,Source ID,Target ID,Cost",
    ",,,,(cost)",
]
BRANCHED = [  # as SPOTS: 0 → 1 → 2 and 1 → 3, all of one track; 4 in none
    (track, x, y, 1.5 * frame, frame, 1.0, 1.0, 0.0)
    for track, x, y, frame in [
        ("0", 0.1, 0.1, 0),
        ("0", 0.2, 0.1, 1),
        ("0", 0.3, 0.1, 2),
        ("0", 0.3, 0.5, 2),
        ("", 2, 2, 1),
    ]
]
LINKS = [(0, 1), (1, 2), (1, 3)]


def write_three(folder, *, links=LINKS, spots=4, splits=1, names="cell1_{}.csv"):
    """Spots, edges and tracks of one export."""
    write_csv(folder / names.format("spots"), spots=BRANCHED)
    edges = [f"a → b,0,{source},{target},1.0" for source, target in links]
    (folder / names.format("edges")).write_text("\n".join([EDGE_KEYS, *EDGE_NAMES, *edges]), encoding="utf-8")
    heads = ["LABEL,TRACK_INDEX,TRACK_ID,NUMBER_SPOTS,NUMBER_SPLITS,NUMBER_MERGES", *["Track,I,ID,N,S,M"] * 2, ",,,,,"]
    (folder / names.format("tracks")).write_text("\n".join([*heads, f"Track_0,0,0,{spots},{splits},0"]))
    return folder


@pytest.mark.parametrize("names", ["cell1_{}.csv", "{}.csv", "cell1-{}.csv", "{}_cell1.csv"])
@pytest.mark.parametrize("given", ["spots", "edges", "tracks"])
def test_spots_edges_and_tracks_are_one_cell_whichever_is_given(tmp_path, given, names):
    path = write_three(tmp_path, names=names) / names.format(given)
    table, losses = read_tracks(path, compound="split", micrometres_per_pixel=0.1)
    assert table.groupby("track")["frame"].apply(list).tolist() == [[0, 1], [2], [2]]
    assert not losses.doubts
    assert any("3 links, 1 split, 0 merges" in said for said in losses.recognised)
    assert table["clathrin_amplitude"].notna().all()


def test_a_folder_with_all_three_tables_holds_one_cell(tmp_path):
    table, _ = read_tracks(write_three(tmp_path), micrometres_per_pixel=0.1)
    assert table["cell"].nunique() == 1
    assert table["frame"].tolist() == [0, 1, 2]


def test_tables_of_two_exports_are_told(tmp_path):
    write_three(tmp_path, spots=9, splits=0)
    _, losses = read_tracks(tmp_path / "cell1_spots.csv", micrometres_per_pixel=0.1)
    assert losses.doubts == [
        "cell1_tracks.csv counts 9 spots, and spots and edges have 4: one export or two?",
        "cell1_tracks.csv counts 0 splits, and spots and edges have 1: one export or two?",
    ]
    write_three(tmp_path, links=[(0, 1), (1, 77)])
    with pytest.raises(ValueError, match=r"cell1_edges.csv: 1 of 2 links name spots that are not in one track"):
        read_tracks(tmp_path / "cell1_spots.csv", micrometres_per_pixel=0.1)
