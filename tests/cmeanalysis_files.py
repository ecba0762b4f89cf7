"""Files as cmeAnalysis writes them: the fields of its struct array `tracks`, in MATLAB 5 and in MATLAB 7.3.

The tracks are made up from a seed; the structure follows runTrackProcessing and MATLAB's own files: version 7.3 is HDF5
behind a block of 512 bytes, each field of a struct array is a dataset of references into the group "#refs#", numbers
carry their class in MATLAB_class, texts are 16-bit integers, an empty array is its size and MATLAB_empty.
"""

from itertools import count
from pathlib import Path

import h5py
import numpy as np
import scipy.io

MEASURED = ("x", "y", "A", "c", "x_pstd", "y_pstd", "A_pstd", "c_pstd", "sigma_r", "SE_sigma_r", "pval_Ar")
BUFFERED = ("x", "y", "A", "c", "A_pstd", "c_pstd", "sigma_r", "SE_sigma_r", "pval_Ar")
EMPTY = np.empty((0, 0))
MOVIE = 300


def make_tracks(number, *, channels=2, seconds=1.0, seed=0, gaps=(), compound=(), buffers=5, length=None):
    """A list of dictionaries, MATLAB's fields in cmeAnalysis' order; `gaps` and `compound` name tracks from 0."""
    rng = np.random.default_rng(seed)
    return [
        _track(rng, channels, seconds, k in gaps, k in compound, buffers, length or int(rng.integers(6, 60)))
        for k in range(number)
    ]


def _track(rng, channels, seconds, gap, compound, buffers, length):
    start = int(rng.integers(7, 150))
    frames = np.arange(start, start + length, dtype=float)
    segments = [frames]
    if compound:  # a second segment that splits off inside of the first and outlives it
        segments.append(np.arange(start + length - 3, start + length + 8, dtype=float))
    f = np.concatenate([np.append(part, np.nan) for part in segments])[:-1]
    end = int(np.nanmax(f))
    track = {"t": (f - 1)[None] * seconds, "f": f[None]}
    track |= _measured(rng, channels, f.size)
    for name in MEASURED:
        track[name][:, np.isnan(f)] = np.nan
    gapped = np.zeros((1, f.size), dtype=bool)
    if gap:
        gapped[0, 3:5] = True
    complete = not compound
    track |= {
        "hval_Ar": track["pval_Ar"] < 0.05,
        "hval_AD": np.zeros((channels, f.size), dtype=bool),
        "isPSF": np.ones((channels, f.size)),
        "tracksFeatIndxCG": np.ones((len(segments), end - start + 1)),
        "gapVect": gapped,
        "gapStatus": np.array([[4.0]]) if gap else EMPTY,
        "gapIdx": [np.array([[4.0, 5.0]])] if gap else [],
        "seqOfEvents": np.array([[start, 1, 1, np.nan], [end, 2, 1, np.nan]], dtype=float),
        "nSeg": np.array([[float(len(segments))]]),
        "visibility": np.array([[1.0 if complete else 2.0]]),
        "lifetime_s": np.array([[(end - start + 1) * seconds]]),
        "start": np.array([[float(start)]]),
        "end": np.array([[float(end)]]),
        "startBuffer": EMPTY,
        "endBuffer": EMPTY,
        "MotionAnalysis": {"totalDisplacement": np.array([[rng.uniform()]]), "MSD": rng.uniform(size=(1, 10))},
        "catIdx": np.array([[5.0 if compound else 2.0 if gap else 1.0]]),
        "isCCP": np.array([[True]]),
        "significantMaster": np.ones((channels, 1)),
    }
    if complete and buffers:
        before, after = np.arange(start - buffers, start, dtype=float), end + np.arange(1.0, buffers + 1)
        for name, around in (("startBuffer", before), ("endBuffer", after)):
            fields = {"t": (around[None] - 1) * seconds, "f": around[None]}
            measured = _measured(rng, channels, buffers)
            track[name] = fields | {field: measured[field] for field in BUFFERED}
    return track


def _measured(rng, channels, size):
    values = {name: rng.uniform(0.5, 2.0, (channels, size)) for name in MEASURED}
    values["x"] += rng.uniform(20, 200)
    values["y"] += rng.uniform(20, 200)
    values["A"] = rng.normal(80, 30, (channels, size))
    values["c"] = rng.normal(110, 5, (channels, size))
    values["pval_Ar"] = rng.uniform(size=(channels, size))
    return values


PROCESSING_INFO = {"revision": "2026", "procFlag": np.array([[True, True]])}


def write_matlab5(path, tracks):
    """Write tracks as MATLAB's save does by default."""
    fields = list(tracks[0]) if tracks else []
    array = np.empty((1, len(tracks)) if tracks else (0, 0), dtype=[(name, object) for name in fields] or object)
    for k, track in enumerate(tracks):
        for name in fields:
            value = track[name]
            if isinstance(value, list):
                cell = np.empty((1, len(value)) if value else (0, 0), dtype=object)
                for place, item in enumerate(value):
                    cell[0, place] = item
                value = cell
            array[name][0, k] = value
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = array if tracks else EMPTY
    scipy.io.savemat(path, {"tracks": content, "processingInfo": PROCESSING_INFO}, do_compression=True)
    return Path(path)


def write_matlab73(path, tracks):
    """Write tracks as MATLAB's save with -v7.3 does, which is what cmeAnalysis calls."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", libver="earliest", userblock_size=512) as file:
        heap, numbers = file.create_group("#refs#"), count()
        canonical = heap.create_dataset("a", data=np.zeros(2, dtype=np.uint64))
        canonical.attrs["MATLAB_class"], canonical.attrs["MATLAB_empty"] = np.bytes_("canonical empty"), np.uint8(1)

        def referred(value):
            return _write(heap, f"n{next(numbers)}", value, referred).ref

        if not tracks:
            _mark(file.create_dataset("tracks", data=np.zeros(2, dtype=np.uint64)), "struct", MATLAB_empty=np.uint8(1))
        elif len(tracks) == 1:  # a struct of one element is a group that holds the values themselves
            _write(file, "tracks", tracks[0], referred)
        else:
            group = file.create_group("tracks")
            _mark(group, "struct")
            for name in tracks[0]:
                column = np.empty((len(tracks), 1), dtype=h5py.ref_dtype)
                column[:, 0] = [referred(track[name]) for track in tracks]
                group.create_dataset(name, data=column)
        _write(file, "processingInfo", PROCESSING_INFO, referred)
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Mar 03 12:00:00 2025 HDF5 schema 1.00 ."
    with Path(path).open("r+b") as file:
        file.write(text.ljust(116) + bytes(8) + b"\x00\x02IM")
    return Path(path)


def _write(parent, name, value, referred):
    if isinstance(value, dict):
        node = parent.create_group(name)
        for key, item in value.items():
            _write(node, key, item, referred)
        _mark(node, "struct")
    elif isinstance(value, str):
        node = parent.create_dataset(name, data=np.frombuffer(value.encode("utf-16-le"), np.uint16)[:, None])
        _mark(node, "char", MATLAB_int_decode=np.int32(2))
    elif isinstance(value, list) and value:
        references = np.empty((len(value), 1), dtype=h5py.ref_dtype)
        references[:, 0] = [referred(item) for item in value]
        node = parent.create_dataset(name, data=references)
        _mark(node, "cell")
    elif isinstance(value, list) or value.size == 0:
        node = parent.create_dataset(name, data=np.zeros(2, dtype=np.uint64))
        _mark(node, "cell" if isinstance(value, list) else "double", MATLAB_empty=np.uint8(1))
    elif value.dtype == bool:
        node = parent.create_dataset(name, data=value.T.astype(np.uint8))
        _mark(node, "logical", MATLAB_int_decode=np.int32(1))
    else:
        node = parent.create_dataset(name, data=value.T)
        _mark(node, "double" if value.dtype == np.float64 else str(value.dtype))
    return node


def _mark(node, matlab_class, **attributes):
    node.attrs["MATLAB_class"] = np.bytes_(matlab_class)
    for name, value in attributes.items():
        node.attrs[name] = value
