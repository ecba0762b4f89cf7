"""Damaged files: one error that names the file, whatever a library makes of them; bounds of what is unpacked."""

import gzip
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr

from awd_core.files import BlockStore, Kind, Unpacked, load_npy, load_npz, named_damage, parse_json, read_array, reading

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "error",
    [KeyError("a"), IndexError("b"), RecursionError("c"), OverflowError("d"), EOFError(), zipfile.BadZipFile("e"),
     UnicodeDecodeError("utf-8", b"\xff", 0, 1, "f"), AssertionError(), OSError("no number"), RuntimeError("g")],
)  # fmt: skip
def test_whatever_is_raised_names_the_file(error):
    with (
        pytest.raises(ValueError, match=r"some\.bin cannot be read as a thing; it may be damaged .*: .*; copy it"),
        named_damage("some.bin", "a thing"),
    ):
        raise error


def test_what_says_it_by_itself_stays_as_it_is(tmp_path):
    for error in (
        ValueError("some.bin is foreign"), FileNotFoundError(2, "no such file", "x"), OSError(5, "I/O error", "some"),
        ImportError("no h5py"),
    ):  # fmt: skip
        with pytest.raises(type(error), match=re.escape(str(error))), named_damage("some.bin", "a thing"):
            raise error
    with pytest.raises(ValueError, match="it asks for more memory than there is"), named_damage("some.bin", "a thing"):
        raise MemoryError
    with pytest.raises(ValueError, match=r"some.bin .*x{200,}…"), named_damage("some.bin", "a thing"):
        raise KeyError("x" * 5000)


def test_an_npy_file_is_as_long_as_its_header_says(tmp_path):
    file = tmp_path / "X.npy"
    np.save(file, np.arange(12.0).reshape(3, 4))
    sound = file.read_bytes()
    for content in (
        sound + b"\0",
        sound[:-1],
        sound.replace(b"(3, 4)", b"(3, 3)"),
        sound.replace(b"(3, 4)", b"(9, 9)"),
    ):
        file.write_bytes(content)
        for mode in (None, "r", "c"):
            with pytest.raises(
                ValueError, match=r"X\.npy cannot be read .*it holds \d+ bytes, and its header promises"
            ):
                load_npy(file, mmap_mode=mode)
    for content in (sound.replace(b"{'descr'", b"{'descr("), sound.replace(b"(3, 4)", b"(-3,4"), b"\x93NUMPY\x09\x00"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"X\.npy cannot be read as an array of numbers"):
            load_npy(file)
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"X\.npy .*it holds pickled objects"):
        load_npy(file)


def test_an_npz_file(tmp_path):
    file = tmp_path / "data.npz"
    np.savez_compressed(file, X=np.arange(400.0), y=np.arange(3))
    assert list(load_npz(file)) == ["X", "y"]
    with pytest.raises(ValueError, match=r"data\.npz lacks the arrays z; it holds X, y"):
        load_npz(file, "X", "z")
    content = bytearray(file.read_bytes())
    content[60] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.npz"):
        load_npz(file)
    # A member that unpacks to more than its header promises, and one that promises more than there is.
    array = np.arange(4.0)
    np.save(tmp_path / "a.npy", array)
    held = (tmp_path / "a.npy").read_bytes()
    for inside in (held + bytes(1 << 22), held.replace(b"(4,)", b"(9,)")):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.npy", inside)
        with pytest.raises(ValueError, match=r"data\.npz cannot be read .*its header promises"):
            load_npz(file)


def test_what_is_packed_too_well_is_not_unpacked(tmp_path):
    bomb = gzip.compress(bytes(1 << 26), 9)
    with pytest.raises(ValueError, match=r"bomb\.gz holds 0\.\d MiB that unpack to \d+ MiB or more"):
        Unpacked(bomb, "bomb.gz").whole()
    sound = gzip.compress(b"some text " * 1000)
    assert Unpacked(sound, "text.gz").up_to(9) == b"some text"
    assert Unpacked(sound + sound, "text.gz").whole() == b"some text " * 2000
    with pytest.raises(EOFError, match="before its end mark"):
        Unpacked(sound[:-9], "text.gz").whole()
    place = tmp_path / "X.zarr.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", bytes(1 << 26))
    with pytest.raises(ValueError, match=r"X\.zarr\.zip:zarr\.json holds .*if you trust it, unpack it first"):
        read_array(place)


def test_json_is_no_deeper_than_it_can_be_read_and_says_everything_once(tmp_path):
    deep = "[" * 200_000 + "]" * 200_000
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json(deep)
    with pytest.raises(ValueError, match='it has "a" twice'):
        parse_json('{"b": {"a": 1, "a": 2}}')
    (tmp_path / "m.json").write_text('{"a": ' * 100_000)
    with (
        pytest.raises(ValueError, match=r"m\.json cannot be read as a model: it is not JSON"),
        reading(tmp_path / "m.json", "a model"),
    ):
        pass


def test_zarr_says_what_is_missing_or_damaged(tmp_path):
    place = tmp_path / "X.zarr"
    zarr.create_array(place, data=np.arange(24.0).reshape(6, 4), chunks=(2, 4))
    assert read_array(place)[:].sum() == 276
    chunk = place / "c" / "1" / "0"
    content = chunk.read_bytes()
    chunk.write_bytes(content[:9])
    with pytest.raises(ValueError, match=r"X\.zarr cannot be read as a Zarr array; it may be damaged"):
        read_array(place)[2:4]
    chunk.unlink()
    with pytest.warns(UserWarning, match=r"1 of the 3 chunks of .*X\.zarr are not there, and read as 0"):
        assert not read_array(place)[2:4].any()
    told = json.loads((place / "zarr.json").read_text())
    told["shape"] = [10**9, 4]
    (place / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"X\.zarr is damaged: its metadata promise 500000000 chunks"):
        read_array(place)


def test_a_store_notices_a_chunk_that_is_not_what_was_written(tmp_path):
    values, kind = np.random.default_rng(0).normal(size=(4, 500)), Kind("gradients", "job", "input_gradients")
    arguments = (tmp_path / "g.zarr", kind, {"seed": 0}, values.shape, values.dtype, 2)
    store = BlockStore(*arguments)
    store.write(0, values[:2])
    store.write(1, values[2:])
    chunk = tmp_path / "g.zarr" / "gradients" / "c" / "1" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    again = BlockStore(*arguments)
    assert [again.is_done(block) for block in range(2)] == [True, False]
    meta = tmp_path / "g.zarr" / "gradients" / "zarr.json"
    meta.write_text(meta.read_text().replace("500", "999"))
    with pytest.raises(ValueError, match=r"g\.zarr is damaged .*delete it, and the gradients are made again"):
        BlockStore(*arguments)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux'")
def test_two_thousand_damaged_files(tmp_path):
    """A sample of `benchmarks.damage`: of each format some fifty files, in one process."""
    command = [sys.executable, "-m", "benchmarks.damage", "--out", str(tmp_path), "--count", "46", "--seed", "7"]
    found = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr[-4000:]
    total = re.search(r"│ all\s+│\s+(\d+) ", found.stdout)
    assert total is not None, found.stdout
    assert int(total[1]) >= 2000
