"""The steps that runs share: gradients of one's own, paths that go on, and what is taken of them."""

import json
from functools import cached_property

import numpy as np
import pytest

from awd_core.distill.settings import SearchSettings
from awd_core.run.distilling import PATHS, SCORES, Distilling
from awd_core.run.folder import RunFolder
from awd_core.run.steps import follow
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Serial

GIVEN = np.random.default_rng(1).standard_normal((30, 1, 32)).astype(np.float32)


class Work(Distilling):
    """Noise and gradients from a file."""

    each, points, quality, has_teacher = "of the 30 inputs", "wavelets/{start}-{share:.1f}.json", False, False
    count, starts, rows = 30, ("haar", "db2"), np.arange(0, 30, 2)

    def __init__(self, run, ready, levels=2):
        self.run, self.ready, self.crew, self.how = run, ready, Serial(), {"levels": levels, "mode": "zero"}
        self.searched = {"shares": (0.0, 1.0), "search": SearchSettings(random_starts=0)}

    @cached_property
    def X(self):  # noqa: N802
        return np.random.default_rng(0).standard_normal((15, 32)).astype(np.float32)


@pytest.fixture
def ready(tmp_path):
    np.save(tmp_path / "G.npy", GIVEN)
    return tmp_path / "G.npy"


def opened(folder):
    return RunFolder.open(folder, program="demo", settings={}, quiet=True)


def test_gradients_of_the_users_own_are_rows_of_a_file(ready, tmp_path):
    with opened(tmp_path / "run") as run:
        np.testing.assert_array_equal(Work(run, ready).gradients, GIVEN[::2, 0])
        for wrong, shape in ((GIVEN[:29], "(29, 1, 32)"), (GIVEN[..., :31], "(30, 1, 31)"), (GIVEN[:, 0, 0], "(30,)")):
            np.save(tmp_path / "wrong.npy", wrong)
            with pytest.raises(
                ValueError, match="one gradient for each of the 30 inputs: an array of the shape"
            ) as told:
                Work(run, tmp_path / "wrong.npy").gradients  # noqa: B018 - read when asked for
            assert shape in str(told.value)
        np.save(tmp_path / "wrong.npy", GIVEN * np.nan)
        with pytest.raises(ValueError, match="gradients must be finite"):
            Work(run, tmp_path / "wrong.npy").gradients  # noqa: B018


def test_paths_go_on_where_one_is_missing_and_end_with_the_same_bytes(ready, tmp_path):
    with opened(tmp_path / "run") as run:
        work = Work(run, ready)
        follow([PATHS], work)
        work.take(work.paths["db2"], work.paths["db2"][1].wavelet)
        follow([SCORES], work)
    names = [f"wavelets/{start}-{share}.json" for start in ("haar", "db2") for share in ("0.0", "1.0")]
    files = [*names, "paths/haar.json", "paths/db2.json", "path.json", "wavelet.json", "scores.json"]
    before = {name: (tmp_path / "run" / name).read_bytes() for name in files}
    assert Wavelet.load(tmp_path / "run" / "wavelet.json") == Wavelet.load(tmp_path / "run" / "wavelets/db2-1.0.json")
    assert json.loads(before["scores.json"])["start"]["wavelet"] == "db2"
    for name in ("paths/db2.json", "wavelets/db2-0.0.json", "scores.json"):
        (tmp_path / "run" / name).unlink()
    times = (tmp_path / "run" / "paths/haar.json").stat().st_mtime_ns
    with opened(tmp_path / "run") as run:
        follow([PATHS, SCORES], Work(run, ready))
    assert {name: (tmp_path / "run" / name).read_bytes() for name in files} == before
    assert (tmp_path / "run" / "paths/haar.json").stat().st_mtime_ns == times
    (tmp_path / "run" / "paths/db2.json").write_bytes(before["paths/db2.json"][:99])
    with opened(tmp_path / "run") as run, pytest.raises(ValueError, match=r"db2.json cannot be read as a distill"):
        Work(run, ready).paths  # noqa: B018


def test_more_levels_than_fit_are_a_line_of_the_log(ready, tmp_path):
    with opened(tmp_path / "run") as run:
        work = Work(run, ready, levels=5)
        work.starts = ("db2",)
        follow([PATHS], work)
    assert "Note on the path from db2: levels is 5, more than the 3 that fit" in (tmp_path / "run/log.txt").read_text()
