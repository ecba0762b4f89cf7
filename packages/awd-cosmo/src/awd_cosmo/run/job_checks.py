"""Names and places of a run that are refused before its folder is made, and long before the step that needs them."""

from collections.abc import Iterable
from pathlib import Path

from awd_core.checks import check_files
from awd_cosmo.run.job import Job


def check_job(job: Job, files: Iterable[Path | None] = ()) -> None:
    """Refuse what no step would take, which the job does not look for itself.

    Parameters
    ----------
    job : Job
        As the command line gave it.
    files : iterable of Path or None
        Files and folders that a later step reads.

    Raises
    ------
    ValueError
        If there is no such wavelet, or no such network.
    FileNotFoundError
        If a file is not there.

    Examples
    --------
    >>> check_job(Job(wavelets=("db99",)))
    Traceback (most recent call last):
    ...
    ValueError: there is no wavelet 'db99' (did you mean db9?); allowed are ...
    """
    from awd_core.teacher import resolve_factory
    from awd_core.wavelets import Wavelet

    for name in job.wavelets:
        Wavelet.from_name(name)
    if job.teacher is not None:
        resolve_factory(job.teacher)
    check_files(files)
