"""Frames for the tests of movies, files that hold them, and whether a movie does."""

import numpy as np
import tifffile

SHAPE = (5, 2, 16, 24)
NAMES = ("clathrin", "auxilin")


def some_frames(shape=SHAPE, dtype=np.uint16, seed=0):
    values = np.random.default_rng(seed).integers(0, 250 if np.dtype(dtype).itemsize == 1 else 60000, shape)
    values = values - 30000 if np.dtype(dtype).kind == "i" and np.dtype(dtype).itemsize > 1 else values
    return (
        (values / 7).astype(dtype)
        if np.dtype(dtype).kind == "f"
        else (values % 120).astype(dtype)
        if dtype == np.int8
        else values.astype(dtype)
    )


def assert_holds(movie, frames, dtype=None):
    """All frames, by each of the ways in which they can be read."""
    assert movie.shape == frames.shape
    assert movie.dtype == (dtype or frames.dtype)
    assert movie.dtype.isnative
    for t in range(frames.shape[0]):
        for c in range(frames.shape[1]):
            frame = movie.frame(t, c)
            assert frame.dtype == movie.dtype
            np.testing.assert_array_equal(frame, frames[t, c])
    np.testing.assert_array_equal(movie.stack(movie.channels[-1], 1, 3), frames[1:3, -1])
    np.testing.assert_array_equal(np.array(list(movie)), frames)


def one_file_a_frame(folder, frames, **options):
    folder.mkdir(parents=True)
    for t, frame in enumerate(frames, 1):
        tifffile.imwrite(folder / f"frame{t}.tif", frame, photometric="minisblack", metadata=None, **options)


def ome_set(folder, frames, names, *, write=None, main=None):
    """An OME-TIFF set of frames (t, y, x), shared out among files; each holds all metadata, or `main` alone does."""
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    (count, height, width), each = frames.shape, len(frames) // len(names)
    data = "".join(
        f'<TiffData IFD="{t % each}" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="{names[t // each]}">urn:uuid:{t // each}</UUID></TiffData>'
        for t in range(count)
    )
    pixels = f'Type="{frames.dtype}" SizeX="{width}" SizeY="{height}" SizeC="1" SizeZ="1" SizeT="{count}"'
    image = (
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" {pixels}>'
        f'<Channel ID="Channel:0:0"/>{data}</Pixels></Image>'
    )
    for k, name in enumerate(names):
        if write is not None and name not in write:
            continue
        held = image if main in (None, name) else f'<BinaryOnly MetadataFile="{main}" UUID="urn:uuid:0"/>'
        xml = f'<OME xmlns="{schema}" UUID="urn:uuid:{k}">{held}</OME>'
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        part = frames[k * each : (k + 1) * each]
        tifffile.imwrite(place, part, metadata=None, photometric="minisblack", description=xml.encode())
