"""What is measured rather than tested: speed and memory against peers, accuracy over many runs, behaviour at scale.

`python -m benchmarks` measures speed and memory in one run, and tells them as ratios: absolute times belong to a
machine and a moment, a ratio of two contenders that took turns in one process belongs to them. Beside every figure of
ours stands that of the last run that was kept (`benchmarks/last.json`), with what became of the peers meanwhile.
Nothing here is asserted by a test.

Programs of their own are `benchmarks.scale` (memory, growth and workers on large data), `benchmarks.yeast_table` and
`benchmarks.cosmo_table` (accuracy over files, splits and seeds), `benchmarks.student_yeast` and
`benchmarks.student_spectra` (few numbers), `benchmarks.known_truth`, `benchmarks.student_truth`,
`benchmarks.parity_awave`, `benchmarks.kills` and `benchmarks.tracking_accuracy`.
"""

BENCHMARKS = (
    "transforms",
    "growth",
    "distillation",
    "path",
    "peak_counting",
    "fits_reading",
    "spot_fitting",
    "scoring",
    "jobs",
)
"""Modules of this package that take part in `python -m benchmarks`, in the order in which they run.

Each has a function `run(settings: Settings, log: Callable[[str], None]) -> Section` that measures it and returns the
table: `settings` is what the command line decided (`benchmarks.timing`), `log` takes a line that says what is being
measured now, and the section (`benchmarks.report`) has a row for each comparison. A module that raises an error loses
its own section and no other. A new one is added here by its name and needs no other change.
"""
