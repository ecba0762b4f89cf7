"""A run as a list of steps: what is there is not done again, what is missing is, and other options leave nothing."""

from dataclasses import dataclass, field, replace

import pytest

from awd_core.run.folder import RunFolder
from awd_core.run.steps import Step, files_exist, files_of, follow, never_done, steps_until


@dataclass
class Work:
    """What the steps of a little run share."""

    run: RunFolder
    ask: bool = True
    done: list[str] = field(default_factory=list)

    def count(self, report):
        report(1, 2, "one")
        self.done.append("count")
        self.run.write_json("count.json", 2)
        self.run.write_json("cache/one.json", 1)

    def ask_again(self, report):
        self.done.append("ask")
        self.run.write_json("answer.json", 42)

    def tell(self, report):
        report(1, 1)
        self.done.append("tell")
        self.run.write_bytes("page.html", b"<p>")


COUNT = Step("data", "Count", Work.count, {"count.json": "how many", "cache": "one by one"})
ASK = Step("answer", "Answer", Work.ask_again, {"answer.json": "to all", "cache": "shared"}, lambda w: w.ask)
TELL = Step("report", "", Work.tell, {"page.html": "the page"}, done=never_done)
STEPS = (COUNT, ASK, TELL)


def followed(folder, steps=STEPS, **options):
    """What was done of a run, and the folder."""
    with RunFolder.open(folder, program="demo", settings={}, artefacts=files_of(steps), quiet=True) as run:
        work = Work(run, **options)
        follow(steps, work)
        run.finish()
    return work


def test_what_is_there_is_not_done_again_and_what_is_missing_is(tmp_path):
    work = followed(tmp_path)
    assert work.done == ["count", "ask", "tell"]
    assert list(work.run.sessions[-1]["seconds"]) == ["Count", "Answer"], "what has no title is not timed"
    assert followed(tmp_path).done == ["tell"]
    (tmp_path / "count.json").unlink()
    assert followed(tmp_path).done == ["count", "tell"]


def test_what_may_be_deleted_is_not_missed(tmp_path):
    steps = (replace(COUNT, done=files_exist("count.json")),)
    followed(tmp_path, steps)
    (tmp_path / "cache" / "one.json").unlink()
    (tmp_path / "cache").rmdir()
    assert followed(tmp_path, steps).done == []


def test_files_of_an_unwanted_step_go_and_folders_stay(tmp_path):
    followed(tmp_path)
    assert followed(tmp_path, ask=False).done == ["tell"]
    assert not (tmp_path / "answer.json").exists()
    assert (tmp_path / "cache" / "one.json").exists()
    assert followed(tmp_path).done == ["ask", "tell"]


def test_a_step_that_failed_is_done_by_the_next_start(tmp_path):
    def fail(work, report):
        report(1, 3)
        raise OSError("no space is left")

    with pytest.raises(OSError, match="no space"):
        followed(tmp_path, (COUNT, replace(ASK, do=fail), TELL))
    assert "Answer: stopped by OSError: no space is left" in (tmp_path / "log.txt").read_text()
    assert followed(tmp_path).done == ["ask", "tell"]


def test_the_list_says_until_where_and_what_there_is(tmp_path):
    again = (COUNT, replace(ASK, name="data"), TELL)
    assert steps_until(again, "data") == again[:2]
    assert steps_until(STEPS, "report") == STEPS
    with pytest.raises(
        ValueError, match=r"until is 'repotr' \(did you mean report\?\); choose one of data, answer, rep"
    ):
        steps_until(STEPS, "repotr")
    assert list(files_of(STEPS)) == ["page.html", "answer.json", "cache", "count.json"]
    assert followed(tmp_path).run.artefacts["page.html"] == "the page"
