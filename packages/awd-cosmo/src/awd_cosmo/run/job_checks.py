"""Names and places of a run that are refused before its folder is made, and long before the step that needs them."""

from collections.abc import Iterable
from pathlib import Path

from awd_core.checks import check_choice, check_files
from awd_cosmo.run.job import Job

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


def check_job(job: Job, files: Iterable[Path | None] = ()) -> None:
    """Refuse what no step would take.

    Parameters
    ----------
    job : Job
        As the command line gave it.
    files : iterable of Path or None
        Files and folders that a later step reads.

    Raises
    ------
    ValueError
        If a name is unknown: of a suite, a convention of noise, parameters, wavelets, a network.
    FileNotFoundError
        If a file is not there.

    Examples
    --------
    >>> check_job(Job(target="Omega_b_h"))
    Traceback (most recent call last):
    ...
    ValueError: --target is 'Omega_b_h' (did you mean Omega_m?); choose one of ...
    """
    from typing import get_args

    from awd_core.teacher import resolve_factory
    from awd_core.wavelets import Wavelet
    from awd_cosmo.formats.parameters import RANGES
    from awd_cosmo.inference.splits import Phases
    from awd_cosmo.maps.observe import CONVENTIONS
    from awd_cosmo.simulate.simulation import PRESETS

    check_choice("--suite", job.suite, PRESETS)
    check_choice("--noise", job.noise, CONVENTIONS)
    check_choice("--phases", job.phases, get_args(Phases))
    check_choice("--on-error", job.on_error, ("raise", "skip"))
    check_choice("--accelerator", job.accelerator, ACCELERATORS)
    for option, names in (("--target", (job.target,)), ("--also", job.more_targets)):
        for name in names:
            check_choice(option, name, RANGES)
    for name in job.wavelets:
        Wavelet.from_name(name)
    if job.teacher is not None:
        resolve_factory(job.teacher)
    check_files(files)
