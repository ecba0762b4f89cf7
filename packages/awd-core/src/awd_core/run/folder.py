"""A run is a folder: its configuration, versions, seeds and every artefact; started again, it goes on.

    config.json    what the run is: program, settings, versions of what made it
    sessions.json  when it was worked on, by which versions, how long each step took
    log.txt        the same for people, line by line
    …              the artefacts

`settings` are what determines the results: they must be the same whenever the folder is opened, else the program stops
and says what differs. `options` are what a finished run may be looked at with; they may change. Nothing that depends on
the clock is in an artefact, so two runs with the same settings can be compared file by file. Every file is written
beside its place and renamed, and what a killed process left unfinished is cleared away by the next.
"""

import errno
import json
import os
import platform
import re
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from awd_core.files.atomic import write_atomically, write_json
from awd_core.files.damage import parse_json
from awd_core.files.lock import lock_file
from awd_core.kernel.library import kernel_in_words
from awd_core.run.screen import Report, Screen
from awd_core.workers.threads import Threads, use_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT, VERSION = "awd-run", 1
PACKAGES = ("awd-core", "torch", "numpy", "scipy", "PyWavelets", "zarr", "matplotlib")
CONFIG, SESSIONS, LOG, LOCK = "config.json", "sessions.json", "log.txt", ".lock"
SECONDS_BETWEEN_LOG_LINES = 30.0
OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.EACCES, errno.EPERM, errno.ENOLCK)
"""Numbers of errors of a disk, which do not name a place where they come of writing to an open file."""


class RunFolder:
    """An open run. Made by `RunFolder.open`; use it in a `with` statement.

    Attributes
    ----------
    path : Path
        The folder.
    config : dict
        What config.json holds.
    sessions : list of dict
        What sessions.json holds; the last one is this process.
    artefacts : dict of str to str
        What the program makes, from the names to a few words on each.
    resumed : bool
        Whether the folder was a run of these settings already.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "run"
    >>> with RunFolder.open(out, program="demo", settings={"seed": 0}, quiet=True) as run:
    ...     with run.step("count") as report:
    ...         report(1, 1)
    ...     run.write_json("count.json", {"count": 1})
    >>> with RunFolder.open(
    ...     out, program="demo", settings={"seed": 1}, artefacts=["count.json"], quiet=True
    ... ) as run:
    ...     pass
    Traceback (most recent call last):
    ...
    ValueError: ... holds a run with other settings: seed (there 0, now 1). Give another folder, or --overwrite ...
    """

    path: Path
    config: dict[str, Any]
    sessions: list[dict[str, Any]]
    artefacts: dict[str, str]
    resumed: bool

    def __init__(self, path: Path, lock: AbstractContextManager[object], screen: Screen) -> None:
        self.path, self._screen, self._lock = path, screen, lock
        self._threads: Threads | None = None
        self.config, self.sessions, self.artefacts, self.resumed = {}, [], {}, False

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        program: str,
        settings: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
        artefacts: Iterable[str] = (),
        packages: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        quiet: bool = False,
    ) -> Self:
        """Start a run in a new folder, or go on with the run that is there.

        Parameters
        ----------
        path : path
            The folder; made if it is not there.
        program : str
            What makes the run, such as "awd distill".
        settings : mapping
            JSON values that determine the results, digests of the data and seeds included.
        options : mapping, optional
            JSON values that may differ from one start to the next.
        artefacts : mapping of str to str, or iterable of str, optional
            Names, relative to the folder, of all that the program makes, with a few words on each for its report: what
            `overwrite` removes. Nothing else in the folder is ever touched.
        packages : sequence of str, optional
            Distributions whose versions are recorded beside `PACKAGES`.
        defaults : mapping, optional
            Values of settings, as JSON: a run that was begun before a setting existed did what its default does.
        overwrite : bool, optional
            Remove the artefacts of an earlier run and start anew.
        quiet : bool, optional
            Show no progress; the log is written all the same.

        Raises
        ------
        ValueError
            If the folder holds something else, a run of another program or with other settings (without `overwrite`),
            or another process is at work in it.
        """
        folder = Path(path)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; the run needs a folder")
        told = {"settings": dict(settings), "options": dict(options or {}), "defaults": dict(defaults or {})}
        wanted = json.loads(json.dumps(told, allow_nan=False))
        if not (folder / CONFIG).exists() and folder.exists() and any(item.name != LOCK for item in folder.iterdir()):
            raise ValueError(f"{folder} holds files, but no run; give a folder that is new or empty")
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder, _locked(folder), Screen(quiet=quiet))
        try:
            run.artefacts = dict(artefacts) if isinstance(artefacts, Mapping) else dict.fromkeys(artefacts, "")
            run._begin(program, wanted, packages, overwrite)
        except BaseException as error:
            run._name_place(error)
            run._release()
            raise
        return run

    def _begin(
        self,
        program: str,
        wanted: dict[str, Any],
        packages: Sequence[str],
        overwrite: bool,
    ) -> None:
        earlier, defaults = _read(self.path / CONFIG), wanted.pop("defaults")
        if earlier is not None:
            _check_program(self.path, earlier, program)
        _sweep(self.path)
        versions = versions_of([*PACKAGES, *packages])
        # A run that failed before it made anything, for a wrong setting perhaps, is no loss.
        empty = not any((self.path / name).exists() for name in self.artefacts)
        if earlier is not None and (overwrite or (empty and earlier["settings"] != wanted["settings"])):
            _discard(self.path, [*self.artefacts, SESSIONS, LOG])
            earlier = None
        if earlier is None:
            threads = use_threads()
            head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "program": program}
            self.config = head | wanted | {"versions": versions, "threads": threads.count}
            self.write_json(CONFIG, self.config)
        else:
            _check_same(self.path, earlier["settings"], wanted["settings"], defaults)
            self.config = earlier | {"options": wanted["options"]}
            if earlier.get("options") != wanted["options"]:
                self.write_json(CONFIG, self.config)
            self.resumed = True
            threads = use_threads(earlier.get("threads"))
        self._threads = threads
        stored = _sessions(self.path / SESSIONS)
        self.sessions = [] if stored is None else stored
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        session: dict[str, Any] = {"began": _now(), "command": command, "versions": versions}
        session |= {"threads": threads.count, "seconds": {}, "finished": False}
        self.sessions.append(session)
        self.log(f"{'resumed' if self.resumed else 'started'}: {command}")
        self.log(f"threads: {threads.count}; {threads.why}")
        if stored is None:
            self.say(f"Note: {SESSIONS} was damaged: what earlier starts took is not known any more.")
        for name, there in self.config["versions"].items():
            if versions.get(name) != there:
                self.say(f"Note: the run was begun with {name} {there}, this is {versions.get(name)}.")

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write an artefact, whole or not at all; the folder that it lies in is made."""
        write_atomically(self._place(name), content)

    def write_json(self, name: str, value: Any) -> None:
        """Write JSON values; NaN and infinity are refused, since JSON has none."""
        write_json(self._place(name), value)

    def _place(self, name: str) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def write_figure(self, name: str, figure: "Figure", *, dpi: float = 150) -> bytes:
        """Draw a figure to a file, whose ending names its kind, and return what was written."""
        from awd_core.plotting.export import drawn

        content = drawn(figure, name.rpartition(".")[2], dpi=dpi)
        self.write_bytes(name, content)
        return content

    def log(self, message: str) -> None:
        """Add a line to the log."""
        with (self.path / LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{_now()}  {' '.join(message.split())}\n")

    def say(self, message: str) -> None:
        """Add a line to the log, and show it unless the run is quiet."""
        self.log(message)
        self._screen.say(message)

    @contextmanager
    def step(self, name: str) -> Iterator[Report]:
        """Time a step, log its begin and end, and show its progress.

        Parameters
        ----------
        name : str
            What is done, such as "Input gradients".

        Yields
        ------
        callable
            To be called with (done, in all, what is next); the last may be left out.
        """
        began = logged = time.perf_counter()
        self.log(f"{name}: begun")
        with self._screen.task(name) as show:

            def report(done: int, total: int, what: str = "") -> None:
                nonlocal logged
                show(done, total, what)
                if time.perf_counter() - logged > SECONDS_BETWEEN_LOG_LINES:
                    logged = time.perf_counter()
                    self.log(f"{name}: {done} of {total}{', ' if what else ''}{what}")

            try:
                yield report
            except BaseException as error:
                self.log(f"{name}: stopped by {type(error).__name__}: {error}")
                raise
        seconds = time.perf_counter() - began
        self.sessions[-1]["seconds"][name] = round(seconds, 3)
        self._write_sessions()
        self.log(f"{name}: done in {seconds:.1f} s")

    def finish(self, **facts: Any) -> None:
        """Record that all is done, and what else is to be known about this session, such as timings."""
        self.sessions[-1] |= {"finished": True, "ended": _now()} | facts
        self._write_sessions()
        self.log("finished")

    def seconds(self) -> dict[str, float]:
        """Seconds that each step has taken, all sessions together."""
        total: dict[str, float] = {}
        for session in self.sessions:
            for step, seconds in session["seconds"].items():
                total[step] = round(total.get(step, 0.0) + seconds, 3)
        return total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._name_place(error)
        self._release()

    def _name_place(self, error: BaseException | None) -> None:
        """Give an error of the system that names no place, as those of writing do, the name of this folder."""
        if isinstance(error, OSError) and error.errno in OF_DISKS and error.filename is None:
            error.filename = str(self.path)

    def _write_sessions(self) -> None:
        self.write_json(SESSIONS, {"sessions": self.sessions})

    def _release(self) -> None:
        if self._threads is not None:
            self._threads.restore()
            self._threads = None
        self._lock.__exit__(None, None, None)


def check_run(run: object, command: str) -> None:
    """Refuse what is no open run, such as the path of its folder.

    Parameters
    ----------
    run : object
        What was given.
    command : str
        Which command makes a report of a folder, for the message.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(run, RunFolder):
        raise TypeError(
            f"run is a {type(run).__name__}, {run!r}; give the RunFolder of an open run. Of a finished one, the "
            f"command {command}"
        )


def stored_run(folder: str | os.PathLike[str], program: str, begin: str) -> dict[str, Any]:
    """What config.json holds of a run that is to go on: its settings and options.

    Parameters
    ----------
    folder : path
        Where the run should be.
    program : str
        Whose run it must be, as `RunFolder.open` was told.
    begin : str
        The command that begins one, for the message.

    Raises
    ------
    FileNotFoundError
        If there is no run.
    ValueError
        If it is another program's, or its configuration is damaged.
    """
    place = Path(folder)
    config = _read(place / CONFIG) if (place / CONFIG).is_file() else None
    if config is None:
        raise FileNotFoundError(f"{place} holds no run; begin one with {begin}")
    _check_program(place, config, program)
    return config


def _check_program(folder: Path, config: Mapping[str, Any], program: str) -> None:
    if config["program"] != program:
        raise ValueError(f"{folder} holds a run of {config['program']}, not of {program}; give another folder")


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        values = parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); give another folder") from error
    if path.name == CONFIG and (not isinstance(values, dict) or values.get("format") != FORMAT):
        raise ValueError(f"{path} belongs to something else than a run; give another folder")
    if path.name == CONFIG and values.get("version") != VERSION:
        raise ValueError(f"{path} has version {values.get('version')!r}, this awd-core reads {VERSION}: update it")
    if path.name == CONFIG and not all(isinstance(values.get(name), dict) for name in ("settings", "versions")):
        raise ValueError(f"{path} is damaged (it lacks the run's settings or versions); give another folder")
    return dict(values)


def _sessions(path: Path) -> list[dict[str, Any]] | None:
    """Earlier sessions; None if their file is damaged, of which no result depends."""
    try:
        found = parse_json(path.read_bytes())["sessions"]
        for one in found:
            if not all(isinstance(seconds, (int, float)) for seconds in one["seconds"].values()):
                return None
        return list(found)
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _check_same(
    folder: Path, earlier: Mapping[str, Any], settings: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    there, now = flat(earlier), flat(settings)
    there = {name: value for name, value in flat(defaults).items() if name in now} | there
    differing = [key for key in dict.fromkeys([*now, *there]) if there.get(key) != now.get(key)]
    if differing:
        items = "; ".join(f"{key} (there {_short(there.get(key))}, now {_short(now.get(key))})" for key in differing)
        raise ValueError(
            f"{folder} holds a run with other settings: {items}. Give another folder, or --overwrite to delete that "
            "run and start anew"
        )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dots between the keys.

    Examples
    --------
    >>> flat({"search": {"starts": 3}, "seed": 0})
    {'search.starts': 3, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def _short(value: Any, most: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if re.fullmatch('"[0-9a-f]{64}"', text):  # a digest: its beginning tells it from another
        return f"{text[1:9]}…"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of distributions, and which kernel computes the transforms."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = installed_version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions | {"kernel": kernel_in_words()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _locked(folder: Path) -> AbstractContextManager[object]:
    try:
        return lock_file(folder / LOCK)
    except BlockingIOError as error:
        raise ValueError(f"another process is at work in {folder}; wait for it, or give another folder") from error


def _sweep(folder: Path) -> None:
    """Clear away what killed processes left unfinished, hidden beside its place."""
    token = "[0-9a-f]" * 8
    for place in (folder, *(item for item in folder.iterdir() if item.is_dir() and not item.suffix)):
        for pattern in (f".*.{token}.tmp*", f".*.{token}.discarded", f".*.{token * 4}.partial"):
            for item in place.glob(pattern):
                _remove(item)


def _discard(folder: Path, names: Sequence[str]) -> None:
    """Remove artefacts: renamed first, so that a store that is half removed is never taken for a whole one."""
    for name in names:
        if (item := folder / name).exists():
            aside = item.with_name(f".{item.name}.{secrets.token_hex(4)}.discarded")
            item.replace(aside)
            _remove(aside)


def _remove(item: Path) -> None:
    if item.is_dir() and not item.is_symlink():
        shutil.rmtree(item, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            item.unlink()
