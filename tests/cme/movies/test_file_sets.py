"""Movies in several files: one movie each, known by all of its files, and never by files that lie elsewhere."""

import os
import shutil

import numpy as np
import pytest
import tifffile

from awd_cme.movies.file_sets import movies_in
from awd_cme.movies.movie import Movie
from awd_cme.movies.open import open_movie, write_movie
from awd_cme.readers.source import recognise_source
from awd_cme.tracking.movie_spots import Detection, movie_spots
from movie_files import assert_holds, ome_set, some_frames

FRAMES = some_frames((6, 16, 24))


def test_a_folder_of_sets_has_a_cell_for_each(tmp_path):
    a, b = (some_frames((6, 16, 24), seed=seed) for seed in (1, 2))
    ome_set(tmp_path, a, ["a0.ome.tif", "a1.ome.tif", "a2.ome.tif"])
    ome_set(tmp_path, b, ["b0.ome.tif", "b1.ome.tif"])
    write_movie(tmp_path / "c.ome.tif", FRAMES[:, None])
    found = recognise_source(tmp_path)
    assert found.cells == {"a0": tmp_path / "a0.ome.tif", "b0": tmp_path / "b0.ome.tif", "c": tmp_path / "c.ome.tif"}
    for cell, frames in {"a0": a, "b0": b, "c": FRAMES}.items():
        assert_holds(open_movie(found.cells[cell]), frames[:, None])


@pytest.mark.parametrize("names", [["m0.ome.tif", "m1.ome.tif"], [f"f{t}.ome.tif" for t in range(6)]])
def test_a_set_alone_in_a_folder_is_the_folders_movie(tmp_path, names):
    ome_set(tmp_path, FRAMES, names)
    for given in (tmp_path, tmp_path / names[-1], [tmp_path / name for name in names], [tmp_path / names[1]]):
        assert_holds(open_movie(given), FRAMES[:, None])
    assert recognise_source(tmp_path).cells == {names[0][:2]: tmp_path / names[0]}


def test_a_set_of_which_one_file_alone_holds_the_metadata(tmp_path):
    ome_set(tmp_path, FRAMES, ["z_main.ome.tif", "a_part.ome.tif"], main="z_main.ome.tif")
    assert recognise_source(tmp_path).cells == {"z_main": tmp_path / "z_main.ome.tif"}
    assert_holds(open_movie(tmp_path), FRAMES[:, None])
    ome_set(tmp_path / "bare", FRAMES, ["a.ome.tif", "b.ome.tif"])
    tifffile.tiffcomment(tmp_path / "bare" / "b.ome.tif", b"")  # a part that says nothing
    assert movies_in(sorted((tmp_path / "bare").iterdir())) == [tmp_path / "bare" / "a.ome.tif"]


def test_copies_of_a_file_are_movies_of_their_own(tmp_path):
    write_movie(tmp_path / "a.ome.tif", FRAMES[:, None])
    shutil.copy(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif")
    assert list(recognise_source(tmp_path).cells) == ["a", "b"]
    # the name within is that of before; the identifier says that the images are the file's own
    text = tifffile.tiffcomment(tmp_path / "a.ome.tif").replace("<TiffData", '<TiffData IFD="0"', 1)
    assert "FileName" not in text
    ome_set(tmp_path / "renamed", FRAMES, ["old.ome.tif"])
    shutil.copy(tmp_path / "renamed" / "old.ome.tif", tmp_path / "renamed" / "new.ome.tif")
    assert list(recognise_source(tmp_path / "renamed").cells) == ["new", "old"]


def test_sets_that_contradict_each_other(tmp_path):
    ome_set(tmp_path, FRAMES, ["a.ome.tif", "b.ome.tif"])
    ome_set(tmp_path / "other", FRAMES, ["b.ome.tif", "c.ome.tif"])
    for name in ("b", "c"):
        shutil.copy(tmp_path / "other" / f"{name}.ome.tif", tmp_path)
    with pytest.raises(ValueError, match="name each other's files as parts of a movie, but neither names all"):
        movies_in(sorted(tmp_path.glob("*.tif")))


def test_two_movies_of_one_cell_are_said(tmp_path):
    for name in ("Cell1_1s.tif", "Cell1_2s.tif"):
        write_movie(tmp_path / name, FRAMES[:, None])
    with pytest.raises(
        ValueError, match=r"Cell1_1s\.tif and Cell1_2s\.tif in .* are both named cell 'Cell1'; rename one"
    ):
        recognise_source(tmp_path)


def changed(file):
    """Other pixels at the end of the file, of the same size and as old."""
    status = file.stat()
    data = bytearray(file.read_bytes())
    data[-3] ^= 255
    file.write_bytes(bytes(data))
    return status


def test_identity_is_of_every_file_of_a_set(tmp_path):
    names = ["a0.ome.tif", "a1.ome.tif", "a2.ome.tif"]
    ome_set(tmp_path, FRAMES, names)
    source = recognise_source(tmp_path)
    alone = recognise_source(tmp_path / names[1])
    seen = [(source.identity(), alone.identity())]
    for name in names:
        changed(tmp_path / name)
        seen.append((source.identity(), alone.identity()))
    assert len({str(one) for one, _ in seen}) == len({str(one) for _, one in seen}) == 4
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in names:
        shutil.copy(tmp_path / name, moved)
    assert recognise_source(moved).identity() == source.identity()


def test_identity_is_of_folders_behind_links_too(tmp_path):
    for channel in ("Ch1", "Ch2"):
        (tmp_path / "disk" / channel).mkdir(parents=True)
        for t in range(3):
            write_movie(tmp_path / "disk" / channel / f"f{t}.tif", FRAMES[t : t + 1, None])
    (tmp_path / "cell").mkdir()
    for channel in ("Ch1", "Ch2"):
        (tmp_path / "cell" / channel).symlink_to(tmp_path / "disk" / channel)
    source = recognise_source(tmp_path / "cell")
    before = source.identity()
    changed(tmp_path / "disk" / "Ch2" / "f1.tif")
    assert source.identity() != before


def test_identity_of_links_between_spots_is_of_the_spots_too(tmp_path):
    edges, spots = tmp_path / "c_edges.csv", tmp_path / "c_spots.csv"
    edges.write_text("spot_source_id,spot_target_id,track_id\n0,1,0\n")
    alone = recognise_source(edges).identity()
    spots.write_text("id,frame,position_x,position_y\n0,0,1,1\n1,1,1,1\n")
    seen = [alone, recognise_source(edges).identity(), recognise_source(spots).identity()]
    spots.write_text("id,frame,position_x,position_y\n0,0,1,1\n1,1,1,2\n")
    seen += [recognise_source(edges).identity(), recognise_source(spots).identity()]
    assert (seen[1], seen[3]) == (seen[2], seen[4])
    assert len({one["sha256"] for one in seen}) == 3


def opened(tmp_path, kind):
    """A movie of several files, and the file whose change would be missed if it were known by its path alone."""
    if kind == "set":
        ome_set(tmp_path, FRAMES, ["a.ome.tif", "b.ome.tif"])
        return open_movie(tmp_path / "a.ome.tif"), tmp_path / "b.ome.tif"
    folder = tmp_path / ("Ch1" if kind == "channels" else "")
    folder.mkdir(exist_ok=True)
    for t in range(3):
        write_movie(folder / f"f{t}.tif", FRAMES[t : t + 1, None])
    if kind == "list":
        return open_movie([folder, folder]), folder / "f1.tif"
    return open_movie(tmp_path), folder / "f1.tif"


@pytest.mark.parametrize("kind", ["set", "folder", "channels", "list"])
def test_a_movie_knows_when_any_of_its_files_has_changed(tmp_path, kind):
    movie, file = opened(tmp_path, kind)
    before, first = movie.file.identity(), movie.file.open()
    assert movie.file.open() is first
    os.utime(file, ns=(0, 10**9))
    assert movie.file.identity() != before
    assert movie.file.open() is not first


def test_spots_are_not_those_of_a_file_that_was_replaced(tmp_path):
    y, x = np.mgrid[:32, :32]
    rng = np.random.default_rng(0)
    images = {
        place: np.round(100 + rng.normal(0, 3, (4, 32, 32)) + 500 * np.exp(-((y - place) ** 2 + (x - 12) ** 2) / 4))
        for place in (8, 22)
    }
    names = ["a.ome.tif", "b.ome.tif"]
    found = {}
    for place, frames in images.items():
        ome_set(tmp_path, np.concatenate([images[8][:2], frames[2:]]).astype(np.uint16), names)
        movie = open_movie(tmp_path / "a.ome.tif")
        found[place] = movie_spots(movie, Detection(0, 1.4), workers=2, folder=tmp_path / "parts")
        here = movie_spots(movie, Detection(0, 1.4))
        np.testing.assert_array_equal(found[place].to_numpy(), here.to_numpy())
        os.utime(tmp_path / "a.ome.tif", ns=(0, 0))  # as old as before: it is the other file that differs
    last = {place: spots[spots["frame"] == 3] for place, spots in found.items()}
    assert all(abs(spots["y"] - place).min() < 1 for place, spots in last.items())


@pytest.mark.parametrize("how", ["up", "absolute", "windows", "link", "linked folder", "entity"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, how):
    private, folder = tmp_path / "private", tmp_path / "movie"
    ome_set(private, FRAMES[3:], ["x.ome.tif"])
    folder.mkdir()
    name = {
        "up": "../private/x.ome.tif", "absolute": str(private / "x.ome.tif"), "windows": r"..\private\x.ome.tif",
        "link": "x.ome.tif", "linked folder": "sub/x.ome.tif", "entity": "&#46;./private/x.ome.tif",
    }[how]  # fmt: skip
    if how == "link":
        (folder / "x.ome.tif").symlink_to(private / "x.ome.tif")
    if how == "linked folder":
        (folder / "sub").symlink_to(private)
    ome_set(folder, FRAMES, ["a.ome.tif", name], write=["a.ome.tif"])
    for call in (
        lambda: open_movie(folder / "a.ome.tif"),
        lambda: recognise_source(folder),
        lambda: recognise_source(folder / "a.ome.tif").identity(),
        lambda: open_movie([folder / "a.ome.tif"]),
    ):
        with pytest.raises(
            ValueError, match=r"a\.ome\.tif says that its images lie in .*x\.ome\.tif', outside its own"
        ):
            call()


def test_metadata_that_lie_elsewhere_are_not_followed(tmp_path):
    ome_set(tmp_path / "private", FRAMES, ["m.ome.tif"])
    ome_set(
        tmp_path / "movie",
        FRAMES,
        ["../private/m.ome.tif", "a.ome.tif"],
        write=["a.ome.tif"],
        main="../private/m.ome.tif",
    )
    for call in (open_movie, recognise_source):
        with pytest.raises(ValueError, match=r"says that its images lie in '\.\./private/m\.ome\.tif', outside"):
            call(tmp_path / "movie")


def test_names_in_folders_beside_are_followed(tmp_path):
    names = ["a.ome.tif", "parts/b.ome.tif"]
    ome_set(tmp_path, FRAMES, names)
    movie = open_movie(tmp_path / "a.ome.tif")
    assert_holds(movie, FRAMES[:, None])
    before = movie.file.identity()
    os.utime(tmp_path / names[1], ns=(0, 10**9))
    assert movie.file.identity() != before
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path)  # the user's own way there may have links
    assert_holds(open_movie(linked / "a.ome.tif"), FRAMES[:, None])
    assert isinstance(movie, Movie)


@pytest.mark.parametrize("content", [b"", b"II*\0abc", b"II*\0" + bytes(40), b"MM\0*\xff\xff\xff\xff", b"no image"])
def test_a_damaged_file_among_others_is_a_movie_of_its_own(tmp_path, content):
    """What is wrong with it is said when it is opened, and the others are not lost with it."""
    ome_set(tmp_path, FRAMES, ["a.ome.tif", "b.ome.tif"])
    (tmp_path / "c.tif").write_bytes(content)
    assert movies_in(sorted(tmp_path.iterdir())) == [tmp_path / "a.ome.tif", tmp_path / "c.tif"]
    assert list(recognise_source(tmp_path).cells) == ["a", "c"]
    with pytest.raises(ValueError, match=r"c\.tif is (truncated or damaged|not a TIFF file)"):
        open_movie(tmp_path / "c.tif")
