"""How the kernel is compiled, found, chosen and named; and that all works where there is none."""

import pytest

from awd_core.kernel import build as building
from awd_core.kernel import find_kernel, kernel_in_words, library
from awd_core.kernel.build import checksum, compiler


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    library._found.cache_clear()
    yield
    library._found.cache_clear()


def test_it_is_switched_off(monkeypatch):
    monkeypatch.setenv("AWD_KERNEL", "off")
    assert find_kernel() is None
    assert kernel_in_words() == "none, torch alone: AWD_KERNEL=off says so"


def test_a_library_that_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("AWD_KERNEL", str(tmp_path / "nothing.so"))
    assert find_kernel() is None
    assert "nothing.so" in kernel_in_words()


def installed_in(folder, monkeypatch):
    class Distribution:
        def locate_file(self, name):
            return folder / name

    monkeypatch.delenv("AWD_KERNEL", raising=False)
    monkeypatch.setattr(library, "distribution", lambda name: Distribution())


def test_an_installation_without_it_says_why(monkeypatch, tmp_path):
    installed_in(tmp_path, monkeypatch)
    assert "awd-core was installed without it; install awd-core again where" in kernel_in_words()
    (tmp_path / building.FOLDER).mkdir()
    (tmp_path / building.FOLDER / building.NOTE).write_text("there is no C++ compiler\n")
    library._found.cache_clear()
    assert find_kernel() is None
    assert kernel_in_words().startswith("none, torch alone: there is no C++ compiler; install awd-core again")


def test_no_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match=r"there is no C\+\+ compiler \(c\+\+, g\+\+, clang\+\+\); install one, or name"):
        compiler()


def test_a_compiler_that_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "sh -c 'echo error: cannot >&2; exit 1'")
    with pytest.raises(OSError, match=r"the C\+\+ compiler failed .*: error: cannot"):
        building.build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_source_has_another_checksum(monkeypatch, tmp_path):
    """A library that was compiled from an older text is not used: its interface may be another."""
    for path in building.SOURCE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = checksum()
    monkeypatch.setattr(building, "SOURCE", tmp_path)
    assert checksum() == before
    (tmp_path / "kernel.cpp").write_bytes((tmp_path / "kernel.cpp").read_bytes() + b"\n")
    assert checksum() != before
