"""What became of a damaged file: refused by name, equal, told, or beyond notice; anything else is a fault."""

import re
import resource
import shutil
import signal
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from benchmarks.damage.mutations import Mutant, mutate
from benchmarks.damage.subjects import Reading, Subject

REFUSED, EQUAL, TOLD, BEYOND, FAULT = "refused", "equal", "told", "beyond notice", "fault"
VERDICTS = (REFUSED, EQUAL, TOLD, BEYOND, FAULT)
"""In the order of the table."""

TIMES = 4
"""Memory that a damaged file may need, in needs of the sound one."""
LEAST = 48 << 20
"""Bytes of memory that any file may need: below, what the libraries keep for later would decide."""
LAST = "cell"
"""Folder of all files that are read: some formats tell the cell by it."""
SECONDS = 10.0
"""Seconds of the processor that a damaged file may take."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the words that go with it."""

    subject: str
    case: int
    what: str
    verdict: str
    words: str = ""

    def as_row(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


class TooSlowError(BaseException):
    """A reading was interrupted; no reader may take it for a fault of the file."""


@dataclass
class Sound:
    """A sound file in its folder, what is read of it, and what that needs."""

    subject: Subject
    folder: Path
    families: dict[str, str]
    contents: dict[str, bytes]
    reading: Reading
    need: int


def prepare(subject: Subject, folder: Path) -> Sound:
    """Write the sound file and read it, twice, so that all is imported."""
    folder.mkdir(parents=True)
    families = subject.make(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    contents = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    work = folder.with_name(f"{folder.name} read") / LAST
    for _ in range(2):
        _lay(work, contents)
        Path("/proc/self/clear_refs").write_text("5")
        before = _kib("VmRSS")
        read = _read(subject, work)
        need = (_kib("VmHWM") - before) << 10
    shutil.rmtree(work.parent)
    return Sound(subject, folder, families, contents, read, need)


def case_of(sound: Sound, seed: int, case: int) -> tuple[str, Any]:
    """Which file is damaged in a case, and how: the same for the same seed, wherever it is asked for."""
    rng = np.random.default_rng([seed, zlib.crc32(sound.subject.name.encode()), case])
    names = sorted(sound.families)
    name = names[rng.integers(len(names))]
    return name, mutate(sound.contents[name], sound.families[name], rng, gone=len(sound.contents) > 1)


def judge(sound: Sound, seed: int, case: int, work: Path) -> Outcome:
    """Damage a file, read it under limits, and say what became of it; the folder is left as it was read."""
    work = work / LAST
    name, mutant = case_of(sound, seed, case)
    what = f"{name}: {mutant.what}"
    changed = {k: v for k, v in sound.contents.items() if k != name}
    if mutant.content is not None:
        changed[name] = mutant.content
    _lay(work, changed)

    def outcome(verdict: str, words: str = "") -> Outcome:
        return Outcome(sound.subject.name, case, what, verdict, words[:600])

    if mutant.content == sound.contents[name]:
        return outcome(EQUAL, "nothing was changed")
    try:
        with limits(max(TIMES * sound.need, LEAST), SECONDS):
            found = _read(sound.subject, work)
    except TooSlowError:
        return outcome(FAULT, f"slow: more than {SECONDS:g} s")
    except Exception as error:
        verdict, words = _refusal(error, [name, *sound.contents], work)
        # Another sound file may be of another problem, which who works with it says.
        return outcome(BEYOND if words.startswith("unnamed") and mutant.valid else verdict, words)
    if found.values == sound.reading.values:
        return outcome(EQUAL)
    if said := [word for word in found.words if word not in sound.reading.words]:
        return outcome(TOLD, said[0])
    if mutant.valid or _one_of_two(sound, name, mutant, work, found):
        return outcome(BEYOND)
    return outcome(FAULT, "silent: other values without a word")


def _one_of_two(sound: Sound, name: str, mutant: Mutant, work: Path, found: Reading) -> bool:
    """Whether of two damages one changed nothing, and the other only what nobody can notice."""
    if mutant.before is None:
        return False
    _lay(work, sound.contents | {name: mutant.before})
    try:
        between = _read(sound.subject, work).values
    except Exception:
        return False
    first, second = between != sound.reading.values, between != found.values
    return (not first and mutant.valid_again) or (not second and mutant.valid_before)


_OURS = re.compile(r"awd_(core|cosmo|cme)\.")


def _refusal(error: Exception, files: list[str], work: Path) -> tuple[str, str]:
    """Whether an error is a refusal: of a kind that is promised, and with the name of what is wrong."""
    text = f"{type(error).__name__}: {error}"
    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        if isinstance(chain, MemoryError):
            return FAULT, f"memory: more than {TIMES} times the sound file's; {text}"
        seen.add(id(chain))
        chain = chain.__cause__ or chain.__context__
    kinds = (ValueError, FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
    ours = isinstance(error, (ValueError, OSError)) and _OURS.match(type(error).__module__)
    of_a_place = type(error) is OSError and str(work) in str(error)
    if type(error) not in kinds and not ours and not of_a_place:
        return FAULT, f"exception {text}"
    names = {str(work), *(part for name in files for part in (Path(name).name, name.partition("/")[0]))}
    if not any(one in str(error) for one in names):
        return FAULT, f"unnamed {text}"
    if len(str(error)) > 4000:
        return FAULT, f"endless message {text}"
    return REFUSED, text


def _read(subject: Subject, work: Path) -> Reading:
    """Read, warnings being words; names of folders are left out of what is said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = subject.read(work)
    said = [*found.words, *(f"{one.category.__name__}: {one.message}" for one in caught)]
    return Reading(found.values, tuple(str(word).replace(str(work), "") for word in said))


def _lay(work: Path, contents: dict[str, bytes]) -> None:
    if work.exists():
        shutil.rmtree(work)
    for name, content in contents.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(content)


@contextmanager
def limits(memory: int, seconds: float) -> Iterator[None]:
    """Limits of what a reading may take beyond what the process has."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlowError

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    before = signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_DATA, ((_kib("VmData") << 10) + memory, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _kib(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {name}")
