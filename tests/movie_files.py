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
