"""The discrete wavelet transform against its peers: forward, inverse, into the filter, and peak memory."""

from collections.abc import Callable
from dataclasses import replace

from benchmarks.agreement import BACKWARD, FORWARD, INVERSE, WITHIN, Field, assemble, ours_by
from benchmarks.contenders import ANGLES, COPY, OURS, PEERS, TAPS, Prepare, Problem, ours
from benchmarks.memory import is_measurable, peak_memory
from benchmarks.report import Goal, Row, Section, measures
from benchmarks.timing import Rounds, Settings, take_turns

TASKS = {
    "zero": (FORWARD, INVERSE, BACKWARD),
    "symmetric": (FORWARD, INVERSE, BACKWARD),
    "periodization": (FORWARD, INVERSE, BACKWARD),
    # The nearest that ptwt has to periodization, and not the same: it returns more coefficients.
    "periodic": (FORWARD,),
}
ALONE = {"symmetric": (FORWARD, INVERSE)}

SHAPES = {
    (64, 256, 256): TASKS, (4096, 40): TASKS, (64, 4096): ALONE,
    (1, 64, 64): ALONE, (1, 256, 256): ALONE, (1, 1024, 1024): ALONE,
}  # fmt: skip
QUICK_SHAPES = {(16, 256, 256): TASKS, (4096, 40): TASKS}

MEMORY = "forward, memory"

_BACKWARDS = {TAPS: f"{BACKWARD}, taps", ANGLES: f"{BACKWARD}, angles"}

MEMORY_MODES = ("zero", "symmetric", "periodization")
QUICK_MEMORY_MODES = ("zero",)
MEMORY_SAMPLES = 1 << 22
"""The memory of a smaller input is measured with a larger batch: see `benchmarks.memory.peak_memory`."""

FASTER_FORWARD = 1.2
FASTER_INVERSE = 3.0
FASTER_BACKWARD = 8.0
LEAST_MEMORY = 4.0


def run(settings: Settings, log: Callable[[str], None]) -> Section:
    """Measure the table of transforms: rows by problem and task, one for each mode."""
    contenders = (OURS, *PEERS, COPY)
    title = "Wavelet transforms (db5, 4 levels, float32)"
    section = Section("transforms", title, ("problem", "task", "mode"), contenders, tuple(PEERS))
    fields: list[Field] = []
    memory_modes = (QUICK_MEMORY_MODES if settings.quick else MEMORY_MODES) if is_measurable() else ()
    for shape, tasks_of in (QUICK_SHAPES if settings.quick else SHAPES).items():
        rows: dict[str, list[Row]] = {task: [] for task in (FORWARD, INVERSE, *_BACKWARDS.values(), MEMORY)}
        for mode, tasks in tasks_of.items():
            problem = Problem(shape, mode)
            log(str(problem))
            field = assemble(problem, PEERS, tasks, settings)
            fields.append(field)
            for task in tasks:
                for row in _timed(field, task, settings):
                    rows[row.labels[1]].append(row)
            if mode in memory_modes and BACKWARD in tasks:
                rows[MEMORY].append(_memory(field, settings))
            field.release()
        section.rows += [row for of_task in rows.values() for row in of_task]
    section.notes = [
        "Figures are medians; in brackets, how many times ours they are (median of the ratios within the rounds); "
        "“spread” is the largest interquartile range of ours and the peers over the median. "
        "Ours is awd-core; PyWavelets runs on one thread.",
        *agreement_notes(fields),
        "Into the filter: the gradient of Σ|coefficients|; ours into free taps, or into the lattice angles of an "
        "orthonormal filter, the peers into their low-pass taps. PyWavelets has no gradients.",
        "Memory: peak beyond the input, with what is returned, over the input's size. It is measured in processes of "
        f"its own, with batches of {MEMORY_SAMPLES} samples or more; the copy, which must read 1.00, checks the gauge.",
    ]
    section.sound = all(field.sound for field in fields)
    return section


def agreement_notes(fields: list[Field]) -> list[str]:
    """What the comparison of the results showed, in sentences."""
    texts = {
        FORWARD: "Coefficients, compared with PyWavelets in float64",
        INVERSE: "Signals that come back, compared with the input",
        BACKWARD: "Gradients into the filter, ours compared with differences of PyWavelets' coefficients and the "
        "others with ours, relative to the largest element",
    }
    notes = []
    for task, text in texts.items():
        worst: dict[str, float] = {}
        outliers: list[str] = []
        for field in fields:
            for name, gap in field.differences.get(task, {}).items():
                if name in field.differing(task):
                    outliers.append(f"{name} ({field.problem}: {gap:.1e})")
                else:
                    worst[name] = max(gap, worst.get(name, 0.0))
        if worst:
            agreeing = ", ".join(f"{name} {gap:.0e}" for name, gap in worst.items())
            note = f"{text}: agree within {WITHIN[task]:.0e} (largest difference: {agreeing})"
            differing = (
                f"; DIFFERENT, marked ≠ and not counted as peers there: {'; '.join(outliers)}" if outliers else ""
            )
            notes.append(f"{note}{differing}.")
    reasons: dict[tuple[str, str], list[str]] = {}
    for field in fields:
        for name, reason in field.absent.items():
            modes = reasons.setdefault((name, reason), [])
            modes += [field.problem.mode] if field.problem.mode not in modes else []
    notes += [f"Not in the race: {name}, {', '.join(modes)} ({why})." for (name, why), modes in reasons.items()]
    return notes


def prepare_forward(name: str, problem: Problem, settings: Settings) -> tuple[int, Callable[[], object]]:
    """Input and forward transform of one contender, for `benchmarks.memory`."""
    x = problem.signal()
    size = x.numel() * x.element_size()
    if name == COPY:
        return size, x.clone
    prepare: Prepare = ours if name == OURS else PEERS[name]
    return size, prepare(problem, x, settings).forward


def _timed(field: Field, task: str, settings: Settings) -> list[Row]:
    """One row; of the backward pass two, one for each of our filters, from the same rounds."""
    calls = {**field.calls[task], COPY: field.signal.clone}
    figures = take_turns(calls, settings.seconds, settings.rounds)
    rows = []
    for parameter, label in (_BACKWARDS if task == BACKWARD else {TAPS: task}).items():
        mine = ours_by(parameter)
        chosen = {OURS: figures[mine], **{name: figures[name] for name in figures if not name.startswith(OURS)}}
        differing = {OURS if name == mine else name for name in field.differing(task)}
        row = Row(
            (field.problem.size, label, field.problem.mode),
            measures(chosen, OURS, frozenset(differing)),
        )
        rows.append(replace(row, goal=_goal(row, task)))
    return rows


def _goal(row: Row, task: str) -> Goal:
    if task == FORWARD:
        fastest = row.best(tuple(PEERS))
        return Goal("≥", FASTER_FORWARD, "fastest peer", row.measures[fastest].ratio if fastest else None)
    name, faster = ("awave", FASTER_BACKWARD) if task == BACKWARD else ("PyWavelets", FASTER_INVERSE)
    peer = row.measures.get(name)
    return Goal("≥", faster, name, peer.ratio if peer and not peer.differs else None)


def _memory(field: Field, settings: Settings) -> Row:
    problem = _for_memory(field.problem)
    smaller = replace(problem, shape=(max(1, problem.shape[0] // 16), *problem.shape[1:]))
    figures = {
        name: Rounds(
            peak_memory(
                prepare_forward, (name, problem, settings), (name, smaller, settings), 1 if settings.quick else 3
            )
        )
        for name in (*field.calls[FORWARD], COPY)
    }
    found = measures(figures, OURS, field.differing(FORWARD))
    goal = Goal("≤", LEAST_MEMORY, "input", found[OURS].value)
    return Row((field.problem.size, MEMORY, problem.mode), found, "× input", goal)


def _for_memory(problem: Problem) -> Problem:
    batch, *sizes = problem.shape
    samples = batch
    for size in sizes:
        samples *= size
    return replace(problem, shape=(batch * -(-MEMORY_SAMPLES // samples), *sizes))
