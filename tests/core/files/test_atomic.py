"""Files and folders that are there whole or not at all."""

import errno
import json
import os
import sys

import numpy as np
import pytest

from awd_core.files.atomic import make_atomically, read_json, write_atomically, write_json


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_an_earlier_one(tmp_path):
    for content in (b"first and longer", b"second", b""):
        write_atomically(str(tmp_path / "file.txt"), content)
        assert (tmp_path / "file.txt").read_bytes() == content
    assert names_in(tmp_path) == ["file.txt"]


def test_a_file_has_the_rights_that_any_new_file_has(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("content", ["text", None, 3])
def test_the_content_must_be_bytes(tmp_path, content):
    with pytest.raises(TypeError, match=f"must be bytes, got {type(content).__name__}; encode text first"):
        write_atomically(tmp_path / "file", content)
    assert names_in(tmp_path) == []


def test_json_is_readable_and_comes_back(tmp_path):
    value = {"Ω_m": [0.1 + 0.2, None, True], "empty": {}}
    write_json(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert "Ω_m" in text
    assert text.endswith("}\n")
    assert text.count("\n") > 3


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"when": object()}])
def test_what_json_has_no_word_for_leaves_the_old_file(tmp_path, value):
    write_json(tmp_path / "value.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "value.json", value)
    assert (tmp_path / "value.json").read_text() == "1\n"
    assert names_in(tmp_path) == ["value.json"]


def test_a_writer_that_adds_the_ending_adds_none(tmp_path):
    make_atomically(tmp_path / "array.npz", lambda beside: np.savez(beside, x=np.arange(3)))
    with np.load(tmp_path / "array.npz") as stored:
        np.testing.assert_array_equal(stored["x"], [0, 1, 2])
    assert names_in(tmp_path) == ["array.npz"]


def test_the_file_is_made_in_the_same_folder_and_nobody_sees_it_before_it_is_whole(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    seen = []

    def make(beside):
        beside.write_text("ne")
        seen.append((beside.parent, beside.suffix, path.read_text()))
        with beside.open("a") as file:
            file.write("w")

    make_atomically(path, make)
    assert seen == [(tmp_path, ".csv", "old")]
    assert path.read_text() == "new"


def half_a_file(beside):
    beside.write_text("half")
    raise RuntimeError("stopped")


def half_a_folder(beside):
    (beside / "inner").mkdir(parents=True)
    (beside / "inner" / "part").write_text("half")
    raise RuntimeError("stopped")


@pytest.mark.parametrize("make", [half_a_file, half_a_folder])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, make):
    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError, match="stopped"):
        make_atomically(tmp_path / "file", make)
    assert (tmp_path / "file").read_text() == "old"
    assert names_in(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert names_in(tmp_path) == ["file"]


def test_what_was_not_made_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*file\.csv: nothing was made at the path .*\.csv that"):
        make_atomically(tmp_path / "file.csv", lambda _: None)


def test_a_missing_folder_is_named_before_anything_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*file: the folder .*none does not exist"):
        make_atomically(tmp_path / "none" / "file", lambda _: pytest.fail("it was called"))


def test_a_missing_file_of_the_writer_is_its_own(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"):
        make_atomically(tmp_path / "file", lambda _: (tmp_path / "other").read_bytes())


def make_a_folder(beside):
    beside.mkdir()
    (beside / "part").write_text("whole")


def test_a_folder_is_moved_to_its_place(tmp_path):
    make_atomically(tmp_path / "store.zarr", make_a_folder)
    assert names_in(tmp_path) == ["store.zarr"]
    assert (tmp_path / "store.zarr" / "part").read_text() == "whole"


def test_a_folder_does_not_take_the_place_of_another(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "old").write_text("old")
    with pytest.raises(OSError, match="store"):
        make_atomically(tmp_path / "store", make_a_folder)
    assert names_in(tmp_path) == ["store"]
    assert names_in(tmp_path / "store") == ["old"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    make_atomically(tmp_path / "link", lambda beside: beside.write_bytes(b"content"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"content"


@pytest.mark.skipif(sys.platform == "win32", reason="no permissions of this kind")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    place, link = tmp_path / "secret.json", tmp_path / "link.json"
    place.write_text("{}", encoding="utf-8")
    place.chmod(mode)
    link.symlink_to(place)
    write_json(place, {"token": 1})
    write_atomically(link, b"{}")
    make_atomically(place, lambda beside: beside.write_bytes(b"[1]"))
    assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"[1]", mode)
    write_json(tmp_path / "new.json", 1)  # as anybody would make it
    (tmp_path / "other").touch()
    assert (tmp_path / "new.json").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"no JSON"])
def test_json_that_is_damaged_names_its_file(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json is damaged: a\.json cannot be read as JSON \(.*\); do this"):
        read_json(tmp_path / "a.json", "do this")


def test_names_that_are_no_utf8_come_back_from_json(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "a.json", {"file": name, "greek": "Σ"})
    (tmp_path / "a.json").read_bytes().decode("utf-8")
    assert read_json(tmp_path / "a.json") == {"file": name, "greek": "Σ"}


def test_a_write_that_fails_says_where(tmp_path):
    def full(beside):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"No space left on device: .*taps\.npy") as caught:
        make_atomically(tmp_path / "taps.npy", full)
    assert caught.value.filename == str(tmp_path / "taps.npy")
