"""Channels in files of their own: by names, and by MetaMorph's lists."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from awd_cme.movies.channel_files import channels_of_cells
from awd_cme.movies.open import open_movie, write_movie
from awd_cme.readers.source import recognise_source
from movie_files import assert_holds, some_frames

FRAMES = some_frames((4, 2, 12, 14))


def write(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, frames, photometric="minisblack", metadata={"axes": "TYX"}, ome=True)


@pytest.mark.parametrize(
    ("name", "cells", "channels"),
    [
        ("C{c}-cell{k}_2s.tif", ["cell1", "cell2"], None),
        ("cell{k}_w{c}{w}.tif", ["cell1", "cell2"], ("TagRFP", "EGFP")),
        ("cell{k}_ch{c}.ome.tif", ["cell1", "cell2"], None),
        ("cell{k}_{w}_1s.tif", ["cell1", "cell2"], ("EGFP", "TagRFP")),
        ("{n}nm cell{k}.tif", ["cell1", "cell2"], ("488nm", "561nm")),
    ],
)
def test_files_that_differ_in_the_channel_are_one_cell(tmp_path, name, cells, channels):
    for k in (1, 2):
        for c in (1, 2):
            told = name.format(k=k, c=c, w=("TagRFP", "EGFP")[c - 1], n=(488, 561)[c - 1])
            write(tmp_path / told, FRAMES[:, c - 1] + k)
    source = recognise_source(tmp_path)
    assert list(source.cells) == cells
    assert len(source.identity()["cells"]["cell1"]) == 64
    movie = open_movie(source.cells["cell2"])
    turned = FRAMES[:, ::-1] if channels == ("EGFP", "TagRFP") else FRAMES
    assert_holds(movie, turned + 2)
    assert movie.channels == (channels or ("clathrin", "auxilin"))


def test_a_cell_without_its_second_channel_is_refused():
    files = [Path(name) for name in ("C1-a.tif", "C2-a.tif", "C1-b.tif")]
    with pytest.raises(ValueError, match="of 2 cells, 1, 2, by their names, and the cell 'b' has 1 only"):
        channels_of_cells(files)
    assert channels_of_cells([Path("cell1.tif"), Path("cell2.tif")]) == []
    assert channels_of_cells([Path("GFP_a.tif"), Path("GFP_b.tif")]) == []


def metamorph(folder, *, waves=("TagRFP", "EGFP"), stages=1, times=4, stk=True):
    lines = ['"NDInfoFile", Version 1.0', f'"DoTimelapse", {str(times > 0).upper()}', f'"NTimePoints", {times}']
    lines += [f'"DoStage", {str(stages > 1).upper()}', f'"NStagePositions", {stages}', '"DoWave", TRUE']
    lines += [f'"NWavelengths", {len(waves)}', *(f'"WaveName{k}", "{name}"' for k, name in enumerate(waves, 1))]
    (folder / "cell 1.nd").write_text("\n".join([*lines, '"EndFile"']), encoding="cp1252")
    for c, name in enumerate(waves):
        for s in range(stages):
            stage = f"_s{s + 1}" if stages > 1 else ""
            if stk:
                write_movie(folder / f"cell 1_w{c + 1}{name}{stage}.tif", FRAMES[:, c] + s, axes="TYX", kind="ome")
            else:
                for t in range(4):
                    tifffile.imwrite(folder / f"cell 1_w{c + 1}{name}{stage}_t{t + 1}.TIF", FRAMES[t, c] + s)
    return folder / "cell 1.nd"


@pytest.mark.parametrize("stk", [True, False])
def test_lists_of_metamorph(tmp_path, stk):
    path = metamorph(tmp_path, stk=stk)
    movie = open_movie(path)
    assert_holds(movie, FRAMES)
    assert movie.channels == ("TagRFP", "EGFP")
    assert movie.file is not None
    np.testing.assert_array_equal(movie.file.open().frame(3, 1), FRAMES[3, 1])
    assert recognise_source(tmp_path).cells == {"cell 1": path}


def test_lists_with_positions_and_without_images(tmp_path):
    path = metamorph(tmp_path, stages=2, stk=False)
    with pytest.raises(ValueError, match=r"lists 2 positions of the stage; .*--series 0"):
        open_movie(path)
    assert_holds(open_movie(path, series=1), FRAMES + 1)
    (tmp_path / "cell 1_w2EGFP_s1_t2.TIF").unlink()
    with pytest.raises(ValueError, match="1 to 4, 1 lack their image of 'EGFP'"):
        open_movie(path, series=0)
    for file in tmp_path.glob("*w2*"):
        file.unlink()
    with pytest.raises(ValueError, match="lists the channel 'EGFP', of which no image lies beside it"):
        open_movie(path, series=0)
    path.write_text("something else")
    with pytest.raises(ValueError, match=r"is no \.nd file of MetaMorph"):
        open_movie(path)


@pytest.mark.parametrize("names", [("Pos0", "Pos1"), ("Cell1_1s", "Cell2_1s"), ("fov 1", "fov 2")])
def test_folders_called_positions_are_cells(tmp_path, names):
    for c, name in enumerate(names):
        for t in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"img_{t:09d}_GFP_000.tif", FRAMES[t, c])
    assert len(recognise_source(tmp_path).cells) == 2
    (tmp_path / names[0]).rename(tmp_path / "TagRFP")
    assert len(recognise_source(tmp_path).cells) == 1
