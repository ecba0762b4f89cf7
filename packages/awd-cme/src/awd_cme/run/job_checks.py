"""Names and places of a run that are refused before its folder is made, and long before the step that needs them."""

from pathlib import Path

from awd_cme.run.job import RunJob
from awd_core.checks import check_choice, check_files, whole_number


def check_job(job: RunJob) -> None:
    """Refuse what no step would take.

    Parameters
    ----------
    job : RunJob
        As the command line gave it.

    Raises
    ------
    ValueError
        If a name is unknown: of a preset, a format, a target, settings, features, wavelets, a network; if the
        seed is negative.
    FileNotFoundError
        If a file is not there.

    Examples
    --------
    >>> check_job(RunJob("simulated", "run", features="time"))
    Traceback (most recent call last):
    ...
    ValueError: --features is 'time' (did you mean timed?); choose one of published, both, timed
    """
    from awd_cme.model.features import FEATURES
    from awd_cme.readers.read import FORMATS
    from awd_cme.series.series_set import SETTINGS
    from awd_cme.series.targets import TARGETS
    from awd_cme.simulate.settings import PRESETS
    from awd_core.wavelets import Wavelet

    whole_number("--seed", job.seed, 0)
    check_choice("--preset", job.preset, PRESETS)
    check_choice("--format", job.format, ("auto", *sorted(FORMATS)))
    check_choice("--target", job.target, ("success", *TARGETS))
    check_choice("--settings", job.settings, SETTINGS)
    check_choice("--features", job.features, FEATURES)
    for name in job.starts:
        Wavelet.from_name(name)
    if job.network is not None:
        from awd_core.teacher import resolve_factory

        resolve_factory(job.network)
    check_files(None if file is None else Path(file) for file in (job.tracks, job.gradients))
