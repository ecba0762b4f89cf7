"""The cache of maps: built once, true to the contents of the files, and whole whatever happens to who builds it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import zarr

from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.fits_writer import write_map
from awd_cosmo.maps import cache as module
from awd_cosmo.maps import cache_blocks
from awd_cosmo.maps.cache import cached
from awd_cosmo.maps.layout_writer import pack_models
from awd_cosmo.maps.open import MapSet, open_maps
from awd_cosmo.maps.sources import Files
from suite_files import write_layout

SIDE, N = 8, 40


def stack(seed=0, n=N):
    return np.random.default_rng(seed).normal(0, 0.02, (n, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("written")
    write_layout(root, "model", stack(), {"Omega_m": np.full(N, 0.3)}, pixel_scale=0.5)
    return root


@pytest.fixture
def suite(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "suite"))


def file_of(root, row):
    return root / "model001" / f"WLconv_z1.00_{row + 1:04d}r.fits"


@pytest.fixture
def reads(monkeypatch):
    """Names of the files whose pixels are read."""
    from awd_cosmo.maps import sources

    seen, original = [], sources.read_bytes
    monkeypatch.setattr(sources, "read_bytes", lambda path: seen.append(Path(path).name) or original(path))
    return seen


def caches(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_built_once_and_reused(suite, tmp_path, reads):
    maps = open_maps(suite)
    told = []
    first = maps.cached(tmp_path / "cache", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (40, 40)
    assert len(reads) == 40
    reads.clear()
    again = open_maps(suite).cached(tmp_path / "cache")
    rows = [7, 3, 3, 39, 0, 1, 2]
    np.testing.assert_array_equal(again.read(), stack())
    np.testing.assert_array_equal(again.read(rows), stack()[rows])
    np.testing.assert_array_equal(again.select([4, 2]).read(), stack()[[4, 2]])
    assert again.read([]).shape == (0, SIDE, SIDE)
    assert reads == []
    np.testing.assert_array_equal(first.read(), stack())
    assert again.parameters(["Omega_m"]).shape == (40, 1)
    assert len(caches(tmp_path / "cache")) == 1


def test_it_is_plain_zarr(suite, tmp_path):
    source = cached(open_maps(suite), tmp_path / "cache", block=7)
    array = zarr.open_array(source.folder / "maps", mode="r")
    np.testing.assert_array_equal(array[:], stack())
    assert array.chunks == (7, SIDE, SIDE)
    assert array.attrs["arcmin_per_pixel"] == pytest.approx(0.5)


@pytest.mark.parametrize("block", [1, 7, 40, 100])
def test_blocks_of_any_size(suite, tmp_path, block):
    source = cached(open_maps(suite), tmp_path / "cache", block=block)
    rows = np.random.default_rng(0).integers(0, N, 200)
    np.testing.assert_array_equal(source(rows, 1, None), stack()[rows])


def test_every_processing_has_a_cache_of_its_own(suite, tmp_path):
    maps, folder = open_maps(suite), tmp_path / "cache"
    noisy = {"galaxies_per_arcmin2": 30, "seed": 1}
    kinds = [
        maps, maps.downsampled(2), maps.tiles(4), maps.select(range(30)), maps.smoothed(sigma_arcmin=1),
        maps.smoothed(fwhm_arcmin=1), maps.with_shape_noise("fair", **noisy),
        maps.with_shape_noise("lenstools", **noisy),
        maps.with_shape_noise("fair", **noisy | {"seed": 2}), maps.turned(seed=0), open_maps(suite, invalid="mask"),
    ]  # fmt: skip
    for number, kind in enumerate(kinds, start=1):
        np.testing.assert_array_equal(kind.cached(folder).read(), kind.read())
        assert len(caches(folder)) == number
    for kind in kinds:
        kind.cached(folder)
    assert len(caches(folder)) == len(kinds)


def test_missing_pixels_and_the_mask_are_kept(suite, tmp_path):
    mask = np.ones((SIDE, SIDE), bool)
    mask[2:4, 1] = False
    maps = open_maps(suite, mask=mask).cached(tmp_path / "cache")
    np.testing.assert_array_equal(maps.read(), np.where(mask, stack(), np.nan))
    np.testing.assert_array_equal(maps.mask, mask)
    np.testing.assert_array_equal(maps.downsampled(2).read(), open_maps(suite, mask=mask).downsampled(2).read())


def test_what_changed_is_read_again_and_nothing_else(suite, tmp_path, reads):
    folder = tmp_path / "cache"
    cached(open_maps(suite), folder, block=8)
    write_map(file_of(suite, 19), 2 * stack()[19], pixel_scale=0.5, source_redshift=1.0, overwrite=True)
    reads.clear()
    source = cached(open_maps(suite), folder, block=8)
    expected = stack()
    expected[19] *= 2
    np.testing.assert_array_equal(source(np.arange(N), 1, None), expected)
    assert sorted(reads) == [file_of(suite, row).name for row in range(16, 24)]
    assert caches(folder) == [source.folder.name]


def test_contents_that_change_silently_are_noticed(suite, tmp_path):
    """The same size, and the time of the content set back: the time of the inode tells."""
    folder, place = tmp_path / "cache", file_of(suite, 5)
    maps = open_maps(suite)
    maps.cached(folder)
    before = place.stat()
    content = bytearray(place.read_bytes())
    content[2880:2884] = np.array(0.5, ">f4").tobytes()
    place.write_bytes(content)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (place.stat().st_size, place.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert maps.cached(folder).read([5])[0, 0, 0] == 0.5


def test_contents_that_change_beneath_all_times_are_noticed_on_request(suite, tmp_path, monkeypatch):
    folder, place = tmp_path / "cache", file_of(suite, 5)
    maps = open_maps(suite)
    monkeypatch.setattr(cache_blocks, "file_state", lambda path: (1, 1, 1))  # times that never change
    maps.cached(folder)
    content = bytearray(place.read_bytes())
    content[2880:2884] = np.array(0.5, ">f4").tobytes()
    place.write_bytes(content)
    assert maps.cached(folder).read([5])[0, 0, 0] != 0.5
    assert maps.cached(folder, verify=True).read([5])[0, 0, 0] == 0.5


def test_files_that_were_touched_or_copied_are_digested_once(suite, tmp_path, reads, monkeypatch):
    folder = tmp_path / "cache"
    open_maps(suite).cached(folder)
    moved = tmp_path / "moved"
    shutil.move(suite, tmp_path / "away")
    shutil.copytree(tmp_path / "away", moved)
    reads.clear()
    digested, original = [], cache_blocks.file_digest
    monkeypatch.setattr(cache_blocks, "file_digest", lambda path: digested.append(path) or original(path))
    for expected in (N, 0):
        digested.clear()
        np.testing.assert_array_equal(open_maps(moved).cached(folder).read(), stack())
        assert len(digested) == expected
    assert reads == []


def test_members_of_a_tar(tmp_path, reads):
    parameters = {"M_nu": np.zeros(N), "Omega_m": np.full(N, 0.3), "A_s": np.full(N, 2.1)}
    write_layout(tmp_path / "suite", "massivenus", stack(), parameters, pixel_scale=0.5)
    pack_models(tmp_path / "suite", remove=True)
    open_maps(tmp_path / "suite").cached(tmp_path / "cache")
    reads.clear()
    np.testing.assert_array_equal(open_maps(tmp_path / "suite").cached(tmp_path / "cache").read(), stack())
    assert reads == []


def test_arrays_are_known_by_their_values(tmp_path):
    folder = tmp_path / "cache"
    one = MapSet.from_arrays(stack(), pixel_scale=0.5).downsampled(2)
    other = MapSet.from_arrays(stack(seed=1), pixel_scale=0.5).downsampled(2)
    np.testing.assert_array_equal(one.cached(folder).read(), one.read())
    np.testing.assert_array_equal(other.cached(folder).read(), other.read())
    assert len(caches(folder)) == 2


def test_a_bad_map_is_named_and_what_was_done_before_it_is_kept(suite, tmp_path, reads):
    place = file_of(suite, 33)
    whole = place.read_bytes()
    place.write_bytes(whole[:3000])
    with pytest.raises(BadMap, match=r"WLconv_z1\.00_0034r\.fits: truncated"):
        cached(open_maps(suite), tmp_path / "cache", block=8)
    place.write_bytes(whole)
    reads.clear()
    source = cached(open_maps(suite), tmp_path / "cache", block=8)
    np.testing.assert_array_equal(source(np.arange(N), 1, None), stack())
    assert sorted(reads) == [file_of(suite, row).name for row in range(32, 40)]


@pytest.mark.parametrize("last", [0, 1, 2, 3, 4, 5])
def test_a_full_disk_costs_no_block_that_is_as_it_was(suite, tmp_path, monkeypatch, reads, last):
    """Of two blocks that changed the marks are taken away, the chunks written, and marks set: full at each of these."""
    folder = tmp_path / "cache"
    cached(open_maps(suite), folder, block=8)
    for row in (3, 30):
        write_map(file_of(suite, row), 2 * stack()[row], pixel_scale=0.5, overwrite=True)
    original, writes = zarr.Array.__setitem__, []

    def full(array, key, value):
        writes.append(key)
        if len(writes) > last:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(array, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", full)
        with pytest.raises(OSError, match=r"the disk is full: the cache needs 0 MiB .*What is done is kept") as caught:
            cached(open_maps(suite), folder, block=8)
        assert caught.value.errno == errno.ENOSPC
    reads.clear()
    expected = stack()
    expected[[3, 30]] *= 2
    after = cached(open_maps(suite), folder, block=8)
    np.testing.assert_array_equal(after(np.arange(N), 1, None), expected)
    rows = range(24, 32) if last > 2 else [*range(8), *range(24, 32)]
    assert sorted(reads) == [file_of(suite, row).name for row in rows]
    assert caches(folder) == [after.folder.name]


@pytest.mark.parametrize("done", [True, False])
def test_a_block_whose_file_changed_and_changed_back_is_what_the_file_holds(suite, tmp_path, monkeypatch, done):
    """Between, the chunk was written and perhaps its mark: what was there before must not count for it."""
    folder, place = tmp_path / "cache", file_of(suite, 3)
    first = place.read_bytes()
    cached(open_maps(suite), folder, block=8)
    write_map(place, 2 * stack()[3], pixel_scale=0.5, overwrite=True)
    with monkeypatch.context() as patch:
        if not done:
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt) if not done else nullcontext():
            cached(open_maps(suite), folder, block=8)
    place.write_bytes(first)
    np.testing.assert_array_equal(cached(open_maps(suite), folder, block=8)(np.arange(N), 1, None), stack())


@pytest.mark.parametrize("harm", ["short", "gone", "mark", "no mark"])
def test_a_damaged_cache_is_mended(suite, tmp_path, harm):
    source = cached(open_maps(suite), tmp_path / "cache", block=8)
    chunk, mark = source.folder / "maps" / "c" / "2" / "0" / "0", source.folder / "completed" / "c" / "2" / "0"
    if harm == "short":
        chunk.write_bytes(chunk.read_bytes()[:100])
        with pytest.raises(OSError, match="is damaged: block 2 is too short; delete the folder"):
            source(np.arange(N), 1, None)
    elif harm == "gone":
        chunk.unlink()
    elif harm == "mark":
        mark.write_bytes(mark.read_bytes()[:20])
    else:
        mark.unlink()
    # A mark that is lost is that of a build that was interrupted.
    with nullcontext() if "mark" in harm else pytest.warns(UserWarning, match="damaged: 1 of 5 blocks are read again"):
        again = cached(open_maps(suite), tmp_path / "cache", block=8)
    np.testing.assert_array_equal(again(np.arange(N), 1, None), stack())


@pytest.mark.parametrize("harm", ["pixels", "zarr.json", "maps/zarr.json", "completed/zarr.json"])
def test_damage_within_a_cache_is_said_and_mended(suite, tmp_path, harm, reads):
    source = cached(open_maps(suite), tmp_path / "cache", block=8)
    place = source.folder / ("maps/c/2/0/0" if harm == "pixels" else harm)
    content = bytearray(place.read_bytes())
    content[40:44] = b"\xff\x00\xff\x00"
    place.write_bytes(content)
    reads.clear()
    blocks = r"1 of 5 blocks are read again" if harm == "pixels" else "made anew"
    with pytest.warns(UserWarning, match=rf"the cache .* was damaged.*{blocks}"):
        again = cached(open_maps(suite), tmp_path / "cache", block=8, intact=True)
    np.testing.assert_array_equal(again(np.arange(N), 1, None), stack())
    assert len(reads) == (8 if harm == "pixels" else N)
    cached(open_maps(suite), tmp_path / "cache", block=8, intact=True)  # and all is well


@pytest.mark.parametrize("harm", ["gone", "empty", "short"])
def test_a_block_that_is_lost_is_said_and_made_again(suite, tmp_path, harm):
    source = cached(open_maps(suite), tmp_path / "cache", block=12)
    chunk = source.folder / "maps" / "c" / "3" / "0" / "0"  # the last, which is not full
    chunk.unlink()
    if harm != "gone":
        chunk.write_bytes(b"" if harm == "empty" else b"\0" * 100)
    with pytest.raises(OSError, match="is damaged: block 3 is too short; delete the folder"):
        source(np.arange(N), 1, None)
    with pytest.warns(UserWarning, match=r"was damaged: 1 of 4 blocks are read again from the maps"):
        again = cached(open_maps(suite), tmp_path / "cache", block=12)
    np.testing.assert_array_equal(again(np.arange(N), 1, None), stack())
    np.testing.assert_array_equal(zarr.open_array(again.folder / "maps", mode="r")[:], stack())


def test_maps_of_which_nothing_was_observed_are_cached_too(tmp_path):
    maps = np.ones((5, 4, 4), np.float32)
    maps[2:4] = np.nan
    for block in (1, 2, 3):
        source = cached(MapSet.from_arrays(maps, pixel_scale=0.5), tmp_path / "cache", block=block)
        np.testing.assert_array_equal(source(np.arange(5), 1, None), maps)


def test_a_file_that_changes_while_it_is_read_is_an_error(suite, tmp_path, monkeypatch):
    original = Files.__call__

    def read(self, *arguments):
        found = original(self, *arguments)
        file_of(suite, 2).touch()
        return found

    monkeypatch.setattr(Files, "__call__", read)
    with pytest.raises(RuntimeError, match=r"WLconv_z1\.00_0003r\.fits changed while it was read"):
        open_maps(suite).cached(tmp_path / "cache")


def test_two_builders_at_once(suite, tmp_path):
    maps = open_maps(suite)
    (tmp_path / "cache").mkdir()
    key = module._key(maps, N)
    held = module._locked(tmp_path / "cache" / f".{key}.lock")
    with held, pytest.raises(RuntimeError, match="another process is building the cache"):
        maps.cached(tmp_path / "cache")
    maps.cached(tmp_path / "cache")


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks_has_a_cache_all_the_same(suite, tmp_path, monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def refuse(file, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    np.testing.assert_array_equal(open_maps(suite).cached(tmp_path / "cache").read(), stack())


def test_sets_that_cannot_be_cached(suite, tmp_path):
    with pytest.raises(ValueError, match="the set is empty"):
        open_maps(suite).select([]).cached(tmp_path)
    with pytest.raises(ValueError, match="a block must hold at least one map, got block = -1"):
        cached(open_maps(suite), tmp_path, block=-1)


BUILD = """
import os, signal, sys
from awd_core.files import BlockStore
from awd_cosmo.maps.cache import cached
from awd_cosmo.maps.open import open_maps
original, left = BlockStore.set_mark, int(sys.argv[3])
def last(self, *mark):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, *mark)
BlockStore.set_mark = last
cached(open_maps(sys.argv[1]), sys.argv[2], block=2)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_build_goes_on_where_it_was(suite, tmp_path, reads):
    folder = tmp_path / "cache"
    for blocks in (3, 5):
        command = [sys.executable, "-c", BUILD, str(suite), str(folder), str(blocks)]
        assert subprocess.run(command, timeout=600, check=False).returncode == -signal.SIGKILL
    source = cached(open_maps(suite), folder, block=2)
    assert sorted(reads) == [file_of(suite, row).name for row in range(2 * 8, N)]
    np.testing.assert_array_equal(source(np.arange(N), 1, None), stack())
    assert caches(folder) == [source.folder.name]
