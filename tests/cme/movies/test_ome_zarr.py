"""OME-Zarr of several versions, written with zarr as the specification says."""

import numpy as np
import pytest
import zarr

from awd_cme.movies.open import open_movie
from awd_cme.readers.source import recognise_source
from movie_files import assert_holds, some_frames

FRAMES = some_frames((5, 2, 12, 14))


def image(version, axes="tcyx", units=("second", None, "micrometer", "micrometer"), scale=(2.0, 1, 0.1, 0.1)):
    named = [
        {"name": axis} | ({"unit": unit} if unit else {}) for axis, unit in zip(axes, units, strict=True)
    ]  # fmt: skip
    return {
        "multiscales": [
            {
                "version": version,
                "axes": named if version != "0.3" else list(axes),
                "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}],
            }
        ],
        "omero": {"channels": [{"label": "TagRFP"}, {"label": "EGFP"}]},
    }


def store(path, version="0.4", frames=FRAMES, **options):
    new = version == "0.5"
    group = zarr.create_group(path, zarr_format=3 if new else 2)
    held = image(version, **options)
    group.attrs.update({"ome": held} if new else held)
    array = group.create_array("0", shape=frames.shape, chunks=(1, 1, 12, 14), dtype=frames.dtype)
    array[:] = frames
    return path


@pytest.mark.parametrize("version", ["0.3", "0.4", "0.5"])
def test_images_of_each_version(tmp_path, version):
    movie = open_movie(store(tmp_path / "cell1.ome.zarr", version))
    assert_holds(movie, FRAMES)
    assert movie.channels == ("TagRFP", "EGFP")
    known = (None, None) if version == "0.3" else (2.0, 0.1)
    found = (movie.seconds_per_frame, movie.micrometres_per_pixel)
    assert found == (known if version != "0.3" else (2.0, 0.1))
    assert recognise_source(tmp_path).cells == {"cell1": tmp_path / "cell1.ome.zarr"}
    np.testing.assert_array_equal(movie.file.open().frame(4, 1), FRAMES[4, 1])


def test_units_and_series(tmp_path):
    path = store(tmp_path / "a.zarr", units=("millisecond", None, "nanometer", "nanometer"), scale=(500, 1, 108, 108))
    movie = open_movie(path)
    assert (movie.seconds_per_frame, movie.micrometres_per_pixel) == pytest.approx((0.5, 0.108))
    movie = open_movie(store(tmp_path / "b.zarr", units=("parsec", None, "furlong", "furlong")))
    assert (movie.seconds_per_frame, movie.micrometres_per_pixel) == (None, None)
    assert "'furlong', which is no known unit" in movie.origin["micrometres_per_pixel"]
    both = zarr.create_group(tmp_path / "c.zarr", zarr_format=2, attributes={"bioformats2raw.layout": 3})
    del both
    for k in range(2):
        store(tmp_path / f"c.zarr/{k}", frames=FRAMES + k)
    with pytest.raises(ValueError, match=r"holds 2 series of images; .*--series 0"):
        open_movie(tmp_path / "c.zarr")
    assert_holds(open_movie(tmp_path / "c.zarr", series=1), FRAMES + 1)
    zarr.create_group(tmp_path / "d.zarr")
    with pytest.raises(ValueError, match="without an image of OME-Zarr"):
        open_movie(tmp_path / "d.zarr")
