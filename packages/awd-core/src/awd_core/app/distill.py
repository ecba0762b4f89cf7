"""The command `awd distill`, whose options are the settings of a job. Nothing heavy is imported here."""

from awd_core.app.job import DistillJob
from awd_core.run.interruption import resumable
from awd_core.run.messages import echo


def distill(job: DistillJob) -> None:
    """Distil a network's attributions into a wavelet: arrays in, a wavelet and a report out.

    X with --gradients from any framework, or X with --teacher and --weights of a torch network.

    A run is a folder. The same command goes on with a run that was interrupted, and may ask for another --share of a
    run that is finished.
    """
    from awd_core.app.pipeline import distill_files

    with resumable(job.out):
        distill_files(job)
    if not job.quiet:
        what = "report.html, wavelet.json, wavelet.gif" if job.report else "wavelet.json"
        echo(f"Written to {job.out}: {what} and more.")
