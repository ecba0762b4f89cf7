"""Names of columns decide what they are; whatever separator, encoding, decimal sign or unit the table is written in."""

import gzip
import zipfile

import numpy as np
import pytest

from awd_cme.readers.column_names import roles_of
from awd_cme.readers.read import read_tracks, recognise

# Track, frame, x, y: x and y are never the same, so an exchange shows.
ROWS = [(3, 0, 10.5, 50.25), (3, 1, 11.5, 51.25), (8, 1, 20.75, 5.0), (8, 2, 21.75, 6.5)]
RIGHT = [[3, 0, 50.25, 10.5], [3, 1, 51.25, 11.5], [8, 1, 5.0, 20.75], [8, 2, 6.5, 21.75]]


def written(path, head, row, *, separator=",", encoding="utf-8"):
    lines = [head, *(separator.join(row(*values)) for values in ROWS)] if head else [
        separator.join(row(*values)) for values in ROWS
    ]  # fmt: skip
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def plain(k, t, x, y):
    return [str(k), str(t), str(x), str(y)]


def commas(*values):
    return [str(value).replace(".", ",") for value in values]


def positions(table):
    return table[["track", "frame", "y", "x"]].to_numpy().tolist()


@pytest.mark.parametrize(
    "head",
    [
        "track_id,t,x,y",
        "TRACK_ID,FRAME,X,Y",
        "Track ID,Frame,Position X,Position Y",
        "trackID,frameNumber,posX,posY",
        "particle,frame,x,y",
        "Particle,Frame #,x [px],y [px]",
        "Trajectory,Slice,XPos (pixel),YPos (pixel)",
        "ID,t,centroid_x,centroid_y",
        "id,frame,position_x,position_y",
        "tracklet,timepoint,x_px,y_px",
        "label,image,column,row",
        "TID,time_point,X_COORD,Y_COORD",
    ],
)
def test_names_decide_in_any_spelling(tmp_path, head):
    table, report = read_tracks(written(tmp_path / "cell.csv", head, plain))
    assert positions(table) == RIGHT
    by_names = "by the names of its columns" in report.recognised[0]
    assert by_names == (recognise(tmp_path / "cell.csv") in ("table", "napari"))


def test_the_order_of_columns_is_none_of_its_meaning(tmp_path):
    for head, order in (("y,particle,x,frame", (3, 0, 2, 1)), ("x,y,track,frame,note", (2, 3, 0, 1, 1))):
        path = written(tmp_path / "t.csv", head, lambda *v, order=order: [str(v[k]) for k in order])
        assert positions(read_tracks(path)[0]) == RIGHT


def test_position_decides_only_without_names_and_says_so(tmp_path):
    path = written(tmp_path / "n.csv", "", lambda k, t, x, y: [str(k), str(t), str(y), str(x)])
    table, report = read_tracks(path)
    assert positions(table) == RIGHT
    assert any("which have no names, are napari's in their order: track_id, t, y, x" in said for said in report.assumed)
    table, _ = read_tracks(
        written(tmp_path / "o.csv", "", plain), columns={"track": "1", "frame": "2", "x": "3", "y": "4"}
    )
    assert positions(table) == RIGHT


def test_columns_that_are_told(tmp_path):
    path = written(tmp_path / "t.csv", "a,b,c,d,e", lambda k, t, x, y: [*plain(k, t, x, y), "7"])
    with pytest.raises(ValueError, match=r"no known one.*--columns track=NAME,frame=NAME,x=NAME,y=NAME"):
        read_tracks(path)
    told = {"track": "a", "frame": "b", "x": "c", "y": "d", "gfp_amplitude": "e"}
    table, _ = read_tracks(path, columns=told)
    assert positions(table) == RIGHT
    assert table["gfp_amplitude"].tolist() == [7.0] * 4
    with pytest.raises(ValueError, match="there is no column 'q' to be the track; there are a, b, c, d, e"):
        read_tracks(path, columns=told | {"track": "q"})
    with pytest.raises(ValueError, match="'speed' is no role; choose track, frame, time, x, y, z, cell"):
        read_tracks(path, columns=told | {"speed": "e"})
    with pytest.raises(ValueError, match="no column is known to be the x, y"):
        read_tracks(path, columns={"track": "a", "frame": "b"})


def test_numbers_of_spots_are_none_of_tracks(tmp_path):
    path = tmp_path / "spots.csv"
    path.write_text("id,frame,position_x,position_y\n" + "\n".join(f"{k},{k % 4},{k},{2 * k}" for k in range(12)))
    with pytest.raises(ValueError, match=r"each of its 12 rows has a number of its own in the column 'id'.*_edges"):
        read_tracks(path)
    path.write_text(path.read_text().replace("id,frame,position_x,position_y", "track_id,frame,x,y"))
    assert any("does the column 'track_id' number tracks" in said for said in read_tracks(path)[1].assumed)


@pytest.mark.parametrize(
    ("encoding", "separator", "numbers"),
    [
        ("utf-8", "\t", plain),
        ("utf-8", ";", plain),
        ("utf-8", " ", plain),
        ("utf-8", "|", plain),
        ("utf-8-sig", ";", commas),
        ("utf-16", "\t", commas),
        ("utf-16-le", "\t", plain),
        ("utf-16-be", ",", plain),
        ("cp1252", ";", commas),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.csv.gz"])
def test_separators_encodings_and_decimal_signs(tmp_path, encoding, separator, numbers, name):
    unit = "\N{MICRO SIGN}m" if encoding != "utf-8" else "um"
    head = separator.join(["track", "frame", f"x({unit})", f"y({unit})"])
    path = written(tmp_path / "t.csv", head, numbers, separator=separator, encoding=encoding)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(path.read_bytes()))
    else:
        path.rename(tmp_path / name)
    table, report = read_tracks(tmp_path / name, micrometres_per_pixel=1.0)
    assert positions(table) == RIGHT
    assert ("numbers have decimal commas" in report.assumed) == (numbers is commas)
    assert any("cp1252" in said for said in report.assumed) == (encoding == "cp1252")


def test_decimal_signs_that_contradict_each_other(tmp_path):
    path = written(tmp_path / "t.csv", "track;frame;x;y", lambda k, t, x, y: [f"{k}", f"{t}", *commas(x), str(y)],
                   separator=";")  # fmt: skip
    with pytest.raises(ValueError, match=r"decimal commas in the column 'x' \(10,5\) and decimal points elsewhere"):
        read_tracks(path)
    path = written(tmp_path / "u.csv", "track,frame,x,y", commas)
    with pytest.raises(ValueError, match="line 2 has 6 columns, and there are 4 names"):
        read_tracks(path)
    path = tmp_path / "v.csv"
    path.write_text('track,frame,x,y,signal\n1,0,1.5,2.5,"1,234.5"\n1,1,1.5,2.5,"2,000"\n')
    table, report = read_tracks(path)
    assert table["clathrin_amplitude"].tolist() == [1234.5, 2000.0]
    assert any("commas stand between thousands" in said for said in report.assumed)


def test_remarks_before_the_table(tmp_path):
    path = tmp_path / "t.txt"
    np.savetxt(path, ROWS, header="track frame x y")
    assert positions(read_tracks(path)[0]) == RIGHT
    written(tmp_path / "u.csv", "sep=;\ntrack;frame;x;y", plain, separator=";")
    assert positions(read_tracks(tmp_path / "u.csv")[0]) == RIGHT


def workbook(path, rows):
    """A workbook as programs write it: shared texts, numbers in cells that say where they are."""
    texts = [value for row in rows for value in row if isinstance(value, str)]
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)
    lines = []
    for number, row in enumerate(rows, 1):
        cells = ""
        for column, value in enumerate(row):
            place = f'r="{"ABCDEFGH"[column]}{number}"'
            if isinstance(value, str):
                cells += f'<c {place} t="s"><v>{texts.index(value)}</v></c>'
            elif value is not None:
                cells += f"<c {place}><v>{value}</v></c>"
        lines.append(f'<row r="{number}">{cells}</row>')
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    doc = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{doc}"><sheets>'
            '<sheet name="empty" sheetId="1" r:id="rId1"/><sheet name="tracks" sheetId="2" r:id="rId2"/></sheets>'
            "</workbook>",
        )  # fmt: skip
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">'
            '<Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
            '<Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>',
        )  # fmt: skip
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{shared}</sst>')
        archive.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData/></worksheet>')
        archive.writestr(
            "xl/worksheets/sheet2.xml", f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
        )
    return path


def test_workbooks(tmp_path):
    rows = [["Track ID", "Frame", "X (px)", "Y (px)", "Intensity"], *([*row, None] for row in ROWS)]
    rows[1][4] = 12.5
    table, report = read_tracks(workbook(tmp_path / "t.xlsx", rows))
    assert positions(table) == RIGHT
    np.testing.assert_array_equal(table["clathrin_amplitude"], [12.5, np.nan, np.nan, np.nan])
    assert any("the sheet 'tracks' is read, and not empty" in said for said in report.assumed)
    with zipfile.ZipFile(tmp_path / "z.xlsx", "w") as archive:
        archive.writestr("tracks.csv", "")
    with pytest.raises(ValueError, match="is a ZIP archive and no Excel file"):
        read_tracks(tmp_path / "z.xlsx")
    (tmp_path / "d.xlsx").write_bytes((tmp_path / "t.xlsx").read_bytes()[:200])
    with pytest.raises(ValueError, match="is a damaged Excel file"):
        read_tracks(tmp_path / "d.xlsx")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xda\xce\xbe\n" + bytes(99), "a movie of Nikon"),
        (b"\xd0\xcf\x11\xe0" + bytes(99), "an old file of Excel"),
        (bytes(range(256)) * 4, "nor text. Known are"),
    ],
)
def test_files_that_hold_no_text_are_not_read_as_names(tmp_path, content, what):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=what) as caught:
        read_tracks(tmp_path / "a.csv")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("word", ["n/a", "NA", "#N/A", "—", "five"])
def test_values_that_are_no_numbers_are_counted(tmp_path, word):
    path = tmp_path / "t.csv"
    path.write_text(f"frame,particle,y,x,signal\n0,1,2,3,{word}\n1,1,2,3,5\n2,1,2,3,\n")
    table, report = read_tracks(path)
    np.testing.assert_array_equal(table["clathrin_amplitude"], [np.nan, 5.0, np.nan])
    assert report.dropped == [("values", 1, f"no numbers in the column 'signal', such as {word!r}")]
    assert "2 of 3 amplitudes of clathrin are unknown (NaN)" in report.assumed


@pytest.mark.parametrize("unit", ["µm", "\N{GREEK SMALL LETTER MU}m", "um", "micron", "Microns", "micrometers",
    "micrometre", r"\u00B5m", "nm", "mm", "pixel", "px", "PIXELS"])  # fmt: skip
@pytest.mark.parametrize("brackets", ["({})", "[{}]"])
def test_units_in_any_spelling(tmp_path, unit, brackets):
    size = {"nm": 0.1, "mm": 100.0}.get(unit, 1.0 if unit.lower().startswith("p") else 0.1)
    per_pixel = {"nm": 100.0, "mm": 1e-4}.get(unit, size)
    named = brackets.format(unit)
    path = written(tmp_path / "t.csv", f"track,frame,x {named},y {named}",
                   lambda k, t, x, y: plain(k, t, x * per_pixel, y * per_pixel))  # fmt: skip
    table, _ = read_tracks(path, micrometres_per_pixel=None if unit.lower().startswith("p") else 0.1)
    np.testing.assert_allclose(table[["y", "x"]], np.array(RIGHT)[:, 2:], rtol=1e-12)


def test_unknown_units_are_refused_by_name(tmp_path):
    path = written(tmp_path / "t.csv", "track,frame,x (furlong),y (furlong)", plain)
    with pytest.raises(ValueError, match=r"positions have the unit 'furlong', which is not known.*--position-unit"):
        read_tracks(path, micrometres_per_pixel=0.1)
    assert positions(read_tracks(path, position_unit="pixel")[0]) == RIGHT


def test_times_in_place_of_frames(tmp_path):
    for head, step in (
        ("track,time (ms),x,y", 500.0),
        ("track,t,x,y", 2.5),
        ("track,t,x,y", 5),
        ("track,t [s],x,y", 1),
    ):
        path = written(tmp_path / "t.csv", head, lambda k, t, x, y, step=step: plain(k, t * step, x, y))
        table, _ = read_tracks(path)
        assert positions(table) == RIGHT
        assert table.attrs["seconds_per_frame"] == (0.5 if step == 500 else step)
    path = written(tmp_path / "t.csv", "track,t,x,y", lambda k, t, x, y: plain(k, [0, 1.0, 2.37][t], x, y))
    with pytest.raises(ValueError, match="are no multiples of a frame interval of 1 s, and no column has frames"):
        read_tracks(path)


def test_several_cells_in_one_file(tmp_path):
    path = tmp_path / "merged_Spots.csv"
    rows = [(c, f, k, t) for c in "ab" for f in ("m1", "m2") for k in (1, 2) for t in range(3)]
    path.write_text(
        "LABEL,ID,TRACK_ID,FRAME,POSITION_X,POSITION_Y,MEAN_INTENSITY_CH1,File_name,Condition\n"
        + "\n".join(f"l,{n},{k},{t},{k},{9 - k},{n},{f},{c}" for n, (c, f, k, t) in enumerate(rows))
    )
    table, report = read_tracks(path)
    assert table["cell"].unique().tolist() == ["a/m1", "a/m2", "b/m1", "b/m2"]
    assert (report.came, report.kept) == (8, 8)
    assert table.loc[table["cell"] == "b/m2", "clathrin_amplitude"].tolist() == [18.0, 19, 20, 21, 22, 23]
    path.write_text("movie,track,frame,x,y\n1,1,0,2,3\n2,1,0,4,5\n")
    assert read_tracks(path)[0][["cell", "x"]].to_numpy().tolist() == [["1", 2.0], ["2", 4.0]]


def test_channels_by_the_names_of_columns(tmp_path):
    head = "track,frame,x,y,gfp_intensity,rfp_intensity,cy5_intensity"
    path = written(tmp_path / "t.csv", head, lambda *v: [*plain(*v), "5", "6", "7"])
    assert read_tracks(path)[0].attrs["channels"] == ["gfp", "rfp", "cy5"]
    chosen, _ = read_tracks(path, channels=["cy5", "gfp"])
    assert chosen.iloc[0][["cy5_amplitude", "gfp_amplitude"]].tolist() == [7.0, 5.0]
    path = written(
        tmp_path / "u.csv", "track,frame,x,y,Mean ch2,Intensity_ch1,bg_ch2", lambda *v: [*plain(*v), "8", "9", "1"]
    )
    numbered, _ = read_tracks(path)
    first = numbered.iloc[0]
    assert first[["clathrin_amplitude", "auxilin_amplitude", "auxilin_background"]].tolist() == [9.0, 8.0, 1.0]


def test_errors_of_positions_are_no_positions():
    found = roles_of(["track", "frame", "x_error", "y_error", "sigma_x", "sigma_y", "x", "y", "target_x", "target_y"])
    assert (found.columns["x"], found.columns["y"], found.others) == ("x", "y", [])


def test_a_title_and_units_in_rows(tmp_path):
    path = tmp_path / "Position.csv"
    rows = [f"{x / 10},{y / 10},0,um,Spot,{t},{k}" for k, t, x, y in ROWS]
    head = "Position X,Position Y,Position Z,Unit,Category,Time,TrackID"
    path.write_text("\n".join([" ", "Position", "====================", head, *rows]))
    table, _ = read_tracks(path, micrometres_per_pixel=0.1)
    np.testing.assert_allclose(table[["track", "frame", "y", "x"]], RIGHT, rtol=1e-12)


def test_names_of_tracks_are_numbered(tmp_path):
    path = written(tmp_path / "t.csv", "track,frame,x,y", lambda k, t, x, y: [f"Track_{k}", str(t), str(x), str(y)])
    table, report = read_tracks(path)
    assert table["track"].tolist() == [1, 1, 2, 2]
    assert any("names tracks, as 'Track_3'" in said for said in report.assumed)
    path = written(tmp_path / "u.csv", "track,frame,x,y", lambda k, t, x, y: [f"{k + t / 4}", *plain(k, t, x, y)[1:]])
    with pytest.raises(ValueError, match="numbers of tracks are no whole ones"):
        read_tracks(path)
