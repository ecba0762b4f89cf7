"""Names and places of a run that are refused before its folder is made, and long before the step that needs them."""

from pathlib import Path

from awd_cme.run.job import RunJob
from awd_core.checks import check_files


def check_job(job: RunJob) -> None:
    """Refuse what no step would take, which the job does not look for itself.

    Parameters
    ----------
    job : RunJob
        As the command line gave it.

    Raises
    ------
    ValueError
        If there is no such wavelet, or no such network.
    FileNotFoundError
        If a file is not there.

    Examples
    --------
    >>> check_job(RunJob("simulated", "run", starts=("db99",)))
    Traceback (most recent call last):
    ...
    ValueError: there is no wavelet 'db99' (did you mean db9?); allowed are ...
    """
    from awd_core.wavelets import Wavelet

    for name in job.starts:
        Wavelet.from_name(name)
    if job.network is not None:
        from awd_core.teacher import resolve_factory

        resolve_factory(job.network)
    check_files(None if file is None else Path(file) for file in (job.tracks, job.gradients))
