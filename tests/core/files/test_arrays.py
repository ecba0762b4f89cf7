"""Arrays that a user names: every format gives the same values, and nothing is ever unpickled."""

import json
import pathlib
import pickle
import warnings

import numcodecs
import numpy as np
import pytest
import torch
import zarr

from awd_core.files.arrays import cached_array, identity, read_array
from awd_core.files.urls import local_path

VALUES = np.random.default_rng(0).standard_normal((6, 4, 5)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """The same values in every format."""
    np.save(tmp_path / "plain.npy", VALUES)
    np.save(tmp_path / "columns.npy", np.asfortranarray(VALUES))
    np.save(tmp_path / "fits.npy", VALUES.astype(">f4"))
    np.savez(tmp_path / "one.npz", X=VALUES)
    np.savez_compressed(tmp_path / "two.npz", X=VALUES, y=np.zeros(6))
    zarr.create_array(tmp_path / "array.zarr", data=VALUES)
    group = zarr.open_group(tmp_path / "group.zarr", mode="w")
    group.create_array("maps/train", data=VALUES, chunks=(2, 4, 5))
    group.create_array("y", data=np.zeros(6))
    zarr.open_group(tmp_path / "single.zarr", mode="w").create_array("X", data=VALUES)
    with zarr.storage.ZipStore(tmp_path / "packed.zarr.zip", mode="w") as store:
        zarr.create_array(store, data=VALUES)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "plain.npy", "columns.npy", "fits.npy", "one.npz", "one.npz:X", "two.npz:X", "array.zarr",
        "group.zarr:maps/train", "group.zarr:/maps/train", "single.zarr", "packed.zarr.zip",
    ],
)  # fmt: skip
def test_every_format_gives_the_values_and_one_identity(folder, name):
    array = read_array(f"{folder}/{name}")
    np.testing.assert_array_equal(np.asarray(array[:]), VALUES)
    assert identity(array) == identity(VALUES)
    assert identity(array)["shape"] == [6, 4, 5]
    assert identity(array)["dtype"] == "float32"


def test_another_value_type_or_shape_is_another_identity():
    changed = VALUES.copy()
    changed[3, 1, 2] += 1e-6
    others = [changed, VALUES.astype(np.float64), VALUES.reshape(6, 5, 4)]
    assert all(identity(other) != identity(VALUES) for other in others)


def test_a_memory_map_is_writable_for_torch_and_the_file_stays(folder):
    before = (folder / "plain.npy").read_bytes()
    array = read_array(folder / "plain.npy")
    assert isinstance(array, np.memmap)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of arrays that can't be written to
        torch.from_numpy(array[:]).zero_()
    assert not array.any()
    del array
    assert (folder / "plain.npy").read_bytes() == before


def test_zarr_is_opened_not_read(folder):
    assert isinstance(read_array(folder / "group.zarr:y"), zarr.Array)


def test_a_colon_may_belong_to_the_path(tmp_path):
    (tmp_path / "a.npz:b").mkdir()
    np.save(tmp_path / "a.npz:b" / "X.npy", VALUES)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz:b" / "X.npy")[:], VALUES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two.npz", r"does not say which array is meant: it holds X, y; name one as .*two\.npz:NAME"),
        ("two.npz:Z", r"there is no array 'Z' in .*two\.npz: it holds X, y"),
        ("group.zarr", r"does not say which array is meant: it holds maps/train, y"),
        ("group.zarr:maps", r"there is no array 'maps' in .*group\.zarr: it holds maps/train, y"),
        ("array.zarr:X", r"array\.zarr is one array, it has no 'X' in it; leave the name out"),
        ("empty.zarr", r"it holds no arrays"),
        ("none.zarr", r"none\.zarr is not a Zarr array or group"),
        ("table.tex", r"has the ending '\.tex'; an array is named FILE\.npy"),
        ("bare", r"has the ending 'of nothing'"),
        ("text.npy", r"text\.npy holds <U1 values; it must hold real numbers"),
        ("complex.npy", r"holds complex128 values; it must hold real numbers"),
        ("cut.npy", r"cut\.npy cannot be read as an array of numbers"),
        ("cut.npz", r"cut\.npz cannot be read as an array; it may be damaged or cut short"),
        ("renamed.npz", r"renamed\.npz cannot be read as an array; it may be damaged or cut short"),
        ("torn.npz:X", r"torn\.npz cannot be read as an array; it may be damaged or cut short"),
    ],
)
def test_what_cannot_be_read_is_said(folder, name, message):
    zarr.open_group(folder / "empty.zarr", mode="w")
    (folder / "none.zarr").mkdir()
    (folder / "table.tex").write_text("1,2")
    (folder / "bare").write_text("")
    np.save(folder / "text.npy", np.array(["a"]))
    np.save(folder / "complex.npy", np.array([1j]))
    (folder / "cut.npy").write_bytes((folder / "plain.npy").read_bytes()[:-9])
    (folder / "cut.npz").write_bytes((folder / "one.npz").read_bytes()[:-40])
    (folder / "renamed.npz").write_bytes((folder / "plain.npy").read_bytes())
    # Still a zip archive, but the values in it are not those that were packed.
    torn = bytearray((folder / "two.npz").read_bytes())
    torn[80:140] = bytes(60)
    (folder / "torn.npz").write_bytes(bytes(torn))
    with pytest.raises(ValueError, match=message):
        read_array(f"{folder}/{name}")


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*X\.npy; an array is named FILE\.npy"):
        read_array(tmp_path / "X.npy")


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return pathlib.Path.touch, (self.mark,)


def test_pickles_are_refused_unread(tmp_path):
    mark = tmp_path / "unpickled"
    objects = np.array([Trap(mark)], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", X=objects, allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Trap(mark)))
    for name in ("objects.npy", "objects.npz:X"):
        with pytest.raises(ValueError, match="Pickled objects are never loaded"):
            read_array(f"{tmp_path}/{name}")
    with pytest.raises(ValueError, match=r"bare\.npy is no \.npy file, whatever its name says"):
        read_array(tmp_path / "bare.npy")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))  # noqa: S301 - the trap works
    assert mark.exists()


def test_a_store_of_pickled_chunks_is_refused_unread(tmp_path):
    mark = tmp_path / "unpickled"
    store = tmp_path / "trap.zarr"
    zarr.create_array(store, shape=(1,), dtype="f4", chunks=(1,), zarr_format=2, compressors=None)
    described = json.loads((store / ".zarray").read_text())
    described["compressor"] = {"id": numcodecs.Pickle.codec_id, "protocol": 4}
    (store / ".zarray").write_text(json.dumps(described))
    (store / "0").write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(ValueError, match=r"trap\.zarr is stored with pickled chunks. Pickled objects are never loaded"):
        read_array(store)
    assert not mark.exists()


@pytest.mark.parametrize("url", ["memory://read/{name}", "file://{folder}/{name}"])
def test_a_store_may_lie_at_a_url(url, tmp_path):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    place = url.format(folder=tmp_path, name="data.zarr")
    group = zarr.create_group(local_path(place) or place)
    group.create_array("maps/train", data=VALUES, chunks=(2, 4, 5))
    np.testing.assert_array_equal(read_array(f"{place}:maps/train")[:], VALUES)
    np.testing.assert_array_equal(read_array(place)[1:3], VALUES[1:3])
    with pytest.raises(ValueError, match="there is no array 'y' in"):
        read_array(f"{place}:y")
    with pytest.raises(FileNotFoundError, match="there is no"):
        read_array(url.format(folder=tmp_path, name="gone.zarr"))


def test_what_lies_at_a_url_is_a_zarr_store():
    with pytest.raises(ValueError, match=r"s3://bucket/X\.npy is a URL of no Zarr store; an array is named"):
        read_array("s3://bucket/X.npy")


@pytest.mark.parametrize("left", [None, 0, 40, -8])
def test_what_an_earlier_run_left_counts_if_it_is_whole(tmp_path, left):
    np.save(tmp_path / "a.npy", np.arange(12.0))
    whole = (tmp_path / "a.npy").read_bytes()
    np.testing.assert_array_equal(cached_array(tmp_path / "a.npy"), np.arange(12.0))
    assert cached_array(tmp_path / "none" / "a.npy") is None
    (tmp_path / "a.npy").write_bytes(b"no array at all" if left is None else whole[:left])
    assert cached_array(tmp_path / "a.npy") is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///C:/data/a.zarr", "C:/data/a.zarr"),
        ("file:///c:/My%20Data/a.zarr", "c:/My Data/a.zarr"),
        ("file://C:/data/a.zarr", "C:/data/a.zarr"),
        ("local:///D:/", "D:/"),
        ("file:///data/C:/a.zarr", "/data/C:/a.zarr"),
        ("file:///data/a%20b.zarr", "/data/a b.zarr"),
        ("file://localhost/data/a.zarr", "/data/a.zarr"),
        ("file://server/share/a.zarr", "//server/share/a.zarr"),
        ("s3://C:/a.zarr", None),
    ],
)
def test_urls_of_files_are_paths_on_every_system(url, path):
    found = local_path(url)
    assert found == (None if path is None else pathlib.Path(path))
