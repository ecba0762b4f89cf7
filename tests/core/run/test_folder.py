"""A run is a folder: it is resumed by the same settings, refused to others, and never half written."""

import errno
import json
import os
import re

import pytest
from matplotlib.figure import Figure

from awd_core.files.lock import lock_file
from awd_core.run.folder import RunFolder, flat, stored_run

SETTINGS = {"X": {"sha256": "ab" * 32, "shape": [3, 4]}, "shares": (0.0, 1.0), "seed": 0}


def opened(path, settings=SETTINGS, program="awd demo", **more):
    return RunFolder.open(path, program=program, settings=settings, artefacts=["result.json", "figures"], **more)


def finished(path, **more):
    """A run with a result."""
    with opened(path, quiet=True, **more) as run:
        run.write_json("result.json", {"answer": 42})
        run.finish()


def test_a_new_run_says_what_it_is(tmp_path):
    with opened(tmp_path / "a" / "run", options={"share": 0.5}, packages=["pytest", "no-such"], quiet=True) as run:
        assert not run.resumed
    config = json.loads((tmp_path / "a" / "run" / "config.json").read_text())
    assert config["format"] == "awd-run"
    assert config["program"] == "awd demo"
    assert config["settings"] == json.loads(json.dumps(SETTINGS))
    assert config["options"] == {"share": 0.5}
    assert {"python", "torch", "numpy", "awd-core"} <= config["versions"].keys()
    assert config["versions"]["pytest"] == pytest.__version__
    assert config["versions"]["no-such"] == "not installed"


def test_the_same_settings_resume_it(tmp_path):
    finished(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with opened(tmp_path, quiet=True) as run:
        assert run.resumed
        assert [session["finished"] for session in run.sessions] == [True, False]
    assert (tmp_path / "config.json").read_bytes() == before
    assert (tmp_path / "result.json").exists()


def test_other_settings_are_named(tmp_path):
    finished(tmp_path)
    other = {"X": {"sha256": "cd" * 32, "shape": [3, 4]}, "shares": [0.0, 1.0], "seed": 1, "mode": "zero"}
    with pytest.raises(ValueError, match="holds a run with other settings") as raised, opened(tmp_path, other):
        pass
    message = str(raised.value)
    assert "X.sha256 (there abababab…, now cdcdcdcd…)" in message
    assert "seed (there 0, now 1)" in message
    assert 'mode (there null, now "zero")' in message
    assert "shape" not in message
    assert "--overwrite" in message


def test_a_run_from_before_a_setting_goes_on_with_its_default(tmp_path):
    def later(mode, defaults):
        return opened(tmp_path, SETTINGS | {"mode": mode}, defaults=defaults)

    finished(tmp_path)
    with later("zero", {"mode": "zero", "seed": 5, "gone": 1}) as run:
        assert run.resumed
    for mode, defaults in (("smooth", {"mode": "zero"}), ("zero", {})):
        with pytest.raises(ValueError, match="holds a run with other settings: mode"), later(mode, defaults):
            pass


def test_options_may_change(tmp_path):
    finished(tmp_path, options={"share": 0.5})
    with opened(tmp_path, options={"share": 0.7}, quiet=True) as run:
        assert run.resumed
    assert json.loads((tmp_path / "config.json").read_text())["options"] == {"share": 0.7}


def test_a_run_that_made_nothing_gives_way(tmp_path):
    with opened(tmp_path, quiet=True):
        pass
    with opened(tmp_path, {"seed": 5}, quiet=True) as run:
        assert not run.resumed
    assert json.loads((tmp_path / "config.json").read_text())["settings"] == {"seed": 5}


def test_overwrite_removes_what_the_program_made_and_nothing_else(tmp_path):
    finished(tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").write_bytes(b"")
    (tmp_path / "notes.md").write_text("mine")
    with opened(tmp_path, {"seed": 1}, overwrite=True, quiet=True) as run:
        assert not run.resumed
        assert len(run.sessions) == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == [".lock", "config.json", "log.txt", "notes.md"]
    assert json.loads((tmp_path / "config.json").read_text())["settings"] == {"seed": 1}


def test_another_programs_run_is_left_alone(tmp_path):
    finished(tmp_path)
    for overwrite in (False, True):
        with (
            pytest.raises(ValueError, match="holds a run of awd demo, not of awd other; give another folder"),
            opened(tmp_path, program="awd other", overwrite=overwrite),
        ):
            pass
    assert (tmp_path / "result.json").exists()


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="holds files, but no run; give a folder that is new or empty"):
        opened(tmp_path)
    with pytest.raises(ValueError, match=r"thesis\.tex is a file; the run needs a folder"):
        opened(tmp_path / "thesis.tex")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"config\.json is damaged"),
        ('{"name": "app"}', r"config\.json belongs to something else than a run"),
        ("[]", r"config\.json belongs to something else than a run"),
        ('{"format": "awd-run", "version": 2}', r"config\.json has version 2, this awd-core reads 1: update it"),
    ],
)
def test_a_foreign_or_damaged_configuration_is_refused(tmp_path, content, message):
    (tmp_path / "config.json").write_text(content)
    for _ in range(2):  # and leaves no lock behind
        with pytest.raises(ValueError, match=message):
            opened(tmp_path, overwrite=True)
    assert (tmp_path / "config.json").read_text() == content


def test_two_processes_do_not_share_a_folder(tmp_path):
    pytest.importorskip("fcntl")
    with opened(tmp_path, quiet=True), pytest.raises(ValueError, match="another process is at work in"):
        opened(tmp_path)
    with opened(tmp_path, quiet=True) as run:
        assert run.resumed


def test_where_the_file_system_has_no_locks_the_run_goes_on(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    finished(tmp_path)
    with opened(tmp_path, quiet=True) as run:
        assert run.resumed


def test_a_lock_is_held_until_it_is_let_go(tmp_path):
    pytest.importorskip("fcntl")
    with lock_file(tmp_path / ".lock"), pytest.raises(BlockingIOError):
        lock_file(tmp_path / ".lock")
    with lock_file(tmp_path / ".lock"):
        pass
    with pytest.raises(FileNotFoundError):
        lock_file(tmp_path / "none" / ".lock")


def test_what_a_killed_process_left_is_swept(tmp_path):
    finished(tmp_path)
    (tmp_path / "figures").mkdir()
    left = [".result.0a1b2c3d.tmp.json", "figures/.path.0a1b2c3d.tmp.png", f".g.zarr.{'0' * 32}.partial"]
    for name in left[:2]:
        (tmp_path / name).write_text("half")
    (tmp_path / left[2]).mkdir()
    (tmp_path / ".mine.tmp.txt").write_text("not ours")
    with opened(tmp_path, quiet=True):
        pass
    assert not any((tmp_path / name).exists() for name in left)
    assert (tmp_path / ".mine.tmp.txt").exists()


def test_steps_are_timed_and_logged(tmp_path):
    with opened(tmp_path, quiet=True) as run:
        with run.step("Count") as report:
            report(1, 2, "two")
            report(2, 2)
        run.finish(searches=3)
    (session,) = json.loads((tmp_path / "sessions.json").read_text())["sessions"]
    assert session["finished"]
    assert session["seconds"].keys() == {"Count"}
    assert session["searches"] == 3
    log = (tmp_path / "log.txt").read_text()
    assert "  Count: begun\n" in log
    assert re.search(r"  Count: done in \d+\.\d s\n", log)
    assert log.endswith("  finished\n")


def test_seconds_add_up_over_sessions(tmp_path):
    with opened(tmp_path, quiet=True) as run:
        run.sessions[-1]["seconds"] = {"Count": 1.25, "Draw": 0.5}
        run.finish()
    with opened(tmp_path, quiet=True) as run:
        run.sessions[-1]["seconds"] = {"Count": 2.0001}
        assert run.seconds() == {"Count": 3.25, "Draw": 0.5}


def test_what_is_stored_of_a_run_that_is_to_go_on(tmp_path):
    finished(tmp_path / "run", options={"share": 0.5})
    config = stored_run(tmp_path / "run", "awd demo", "awd demo X")
    assert config["settings"] == SETTINGS | {"shares": [0.0, 1.0]}
    assert config["options"] == {"share": 0.5}
    with pytest.raises(ValueError, match="run holds a run of awd demo, not of awd other; give another folder"):
        stored_run(tmp_path / "run", "awd other", "awd other X")
    for none in (tmp_path, tmp_path / "none", tmp_path / "run" / "result.json"):
        with pytest.raises(FileNotFoundError, match=f"{none.name} holds no run; begin one with awd demo X"):
            stored_run(none, "awd demo", "awd demo X")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config.json is damaged .*; give another folder"):
        stored_run(tmp_path / "run", "awd demo", "awd demo X")


def test_what_stops_a_step_is_logged(tmp_path):
    with opened(tmp_path, quiet=True) as run, pytest.raises(KeyboardInterrupt), run.step("Count"):
        raise KeyboardInterrupt
    assert "Count: stopped by KeyboardInterrupt" in (tmp_path / "log.txt").read_text()
    assert not run.sessions[-1]["finished"]


def test_progress_is_a_line_for_each_step_and_silence_if_quiet(tmp_path, capsys):
    for quiet, shown in ((False, "Count …\n"), (True, "")):
        with opened(tmp_path, quiet=quiet) as run, run.step("Count") as report:
            report(1, 1)
        assert capsys.readouterr().err == shown


def test_other_versions_are_noted(tmp_path, capsys):
    finished(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["versions"]["torch"] = "1.0"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with opened(tmp_path) as run:
        assert run.resumed
    assert "Note: the run was begun with torch 1.0, this is " in capsys.readouterr().err.replace("\n", " ")


def test_artefacts_are_whole_or_not_there(tmp_path):
    with opened(tmp_path, quiet=True) as run:
        with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
            run.write_json("result.json", {"loss": float("nan")})
        assert not (run / "result.json").exists()
        drawn = run.write_figure("figures/empty.png", Figure(figsize=(1, 1)))
        assert (run / "figures" / "empty.png").read_bytes() == drawn
        assert drawn.startswith(b"\x89PNG")
        assert not any(".tmp" in item.name for item in tmp_path.rglob("*"))


def test_settings_must_be_json(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        opened(tmp_path / "run", {"wavelet": object()})
    assert not (tmp_path / "run").exists()


def test_nested_settings_are_flattened_and_empty_ones_kept():
    assert flat({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}


def test_names_that_are_no_utf8_can_be_logged_and_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.npy")
    with RunFolder.open(tmp_path / "run", program="test", settings={"file": name}, quiet=True) as run:
        run.say(f"read {name}")
        run.write_json("files.json", [name])
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert r"read caf\udce9.npy" in log
    with RunFolder.open(tmp_path / "run", program="test", settings={"file": name}, quiet=True) as run:
        assert run.resumed
    with pytest.raises(ValueError, match=r"file \(there \"caf.*now \"other\"\)"):
        RunFolder.open(
            tmp_path / "run", program="test", settings={"file": "other"}, artefacts=["files.json"], quiet=True
        )
