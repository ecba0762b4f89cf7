"""Run folders against a simple model of them: started, killed, changed, gone on with, in whatever order."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from awd_core.run import RunFolder

STEPS = ("a", "b", "c")
ARTEFACTS = {f"{name}.json": "" for name in STEPS}


class KilledError(BaseException):
    """In place of a kill: nothing is caught, nothing is written any more."""


def work(folder, seed, *, kill_in=None, overwrite=False, program="demo"):
    """A run of three steps, each of which leaves a file that its seed decides; what is there is not made again."""
    done = []
    with RunFolder.open(
        folder, program=program, settings={"seed": seed}, artefacts=ARTEFACTS, overwrite=overwrite, quiet=True
    ) as run:
        for name in STEPS:
            with run.step(name):
                if name == kill_in:
                    raise KilledError
                if not (run / f"{name}.json").exists():
                    run.write_json(f"{name}.json", {"step": name, "seed": seed})
                    done.append(name)
        run.finish()
    return done


class RunFolders(RuleBasedStateMachine):
    """The model: whose run lies in the folder, with which seed, and which of its files are there."""

    @initialize()
    def start(self):
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "run"
        self.seed, self.files, self.damaged, self.foreign = None, set(), False, False

    def teardown(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def refusal(self, seed, overwrite):
        """What a start must be refused for, None if it must not."""
        if self.foreign:
            return "holds files, but no run"
        if self.damaged:
            return r"config\.json is damaged"
        if self.seed is not None and seed != self.seed and self.files and not overwrite:
            return rf"other settings: seed \(there {self.seed}, now {seed}\)"
        return None

    @rule(seed=st.integers(0, 1), overwrite=st.booleans(), kill_in=st.sampled_from([None, *STEPS]))
    def run(self, seed, overwrite, kill_in):
        if refused := self.refusal(seed, overwrite):
            with pytest.raises(ValueError, match=refused):
                work(self.folder, seed, overwrite=overwrite)
            return
        if overwrite or seed != self.seed:
            self.files = set()
        before, todo = set(self.files), STEPS if kill_in is None else STEPS[: STEPS.index(kill_in)]
        if kill_in is None:
            assert work(self.folder, seed, overwrite=overwrite) == [name for name in STEPS if name not in before]
        else:
            with pytest.raises(KilledError):
                work(self.folder, seed, overwrite=overwrite, kill_in=kill_in)
        self.seed, self.files = seed, before | set(todo)
        assert not [item.name for item in self.folder.iterdir() if item.name.startswith(".") and item.name != ".lock"]

    @rule(name=st.sampled_from(STEPS))
    def lose(self, name):
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        self.files.discard(name)

    @precondition(lambda self: self.folder.exists())
    @rule(name=st.sampled_from([".a.0123abcd.tmp.json", ".b.json.89abcdef.discarded"]))
    def leave_what_a_kill_leaves(self, name):
        (self.folder / name).write_text("half")

    @precondition(lambda self: self.seed is not None and not self.damaged)
    @rule(content=st.sampled_from([b"", b"{", b"[]x", b"\xff", b'{"format": "awd-run", "format": 1}']))
    def damage_the_configuration(self, content):
        (self.folder / "config.json").write_bytes(content)
        self.damaged = True

    @precondition(lambda self: self.seed is not None)
    @rule(content=st.sampled_from([b"", b"{", b'{"sessions": 3}', None]))
    def damage_the_sessions(self, content):
        if content is None:
            (self.folder / "sessions.json").unlink(missing_ok=True)
        else:
            (self.folder / "sessions.json").write_bytes(content)

    @precondition(lambda self: self.seed is not None and not self.damaged)
    @rule()
    def another_program(self):
        with pytest.raises(ValueError, match="holds a run of demo, not of other"):
            work(self.folder, self.seed, program="other")

    @precondition(lambda self: self.seed is not None and not self.damaged)
    @rule()
    def another_version(self):
        file = self.folder / "config.json"
        sound = file.read_text()
        file.write_text(json.dumps(json.loads(sound) | {"version": 99}))
        with pytest.raises(ValueError, match=r"has version 99, this awd-core reads 1: update it"):
            work(self.folder, self.seed)
        file.write_text(sound)

    @precondition(lambda self: self.seed is not None)
    @rule()
    def at_work_elsewhere(self):
        if self.damaged:
            return
        with (
            RunFolder.open(self.folder, program="demo", settings={"seed": self.seed}, artefacts=ARTEFACTS, quiet=True),
            pytest.raises(ValueError, match="another process is at work"),
        ):
            work(self.folder, self.seed)

    @rule()
    def remove_all(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.seed, self.files, self.damaged, self.foreign = None, set(), False, False

    @precondition(lambda self: self.seed is None and not self.folder.exists())
    @rule()
    def put_something_else_there(self):
        self.folder.mkdir()
        (self.folder / "thesis.tex").write_text("all of it")
        self.foreign = True

    @invariant()
    def the_folder_holds_what_the_model_says(self):
        there = {name for name in STEPS if (self.folder / f"{name}.json").exists()}
        assert there == self.files
        for name in there:
            assert json.loads((self.folder / f"{name}.json").read_text()) == {"step": name, "seed": self.seed}
        if self.foreign:
            assert (self.folder / "thesis.tex").read_text() == "all of it"


RunFolders.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestRunFolders = RunFolders.TestCase
