"""Speed and memory against peers, measured in one run and told as ratios: `python -m benchmarks`.

Absolute times belong to a machine and a moment; a ratio of two contenders that took turns in one process belongs to
them. So nothing here is compared with a number from an earlier run, and nothing here is asserted by a test.
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
)
"""Modules of this package that measure something, in the order in which they run.

Each has a function `run(settings: Settings, log: Callable[[str], None]) -> Section` (see `benchmarks.timing` and
`benchmarks.report`). A new one is added here by its name and needs no other change.
"""
