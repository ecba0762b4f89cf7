"""The command `awd-cme compare`. Nothing heavy is imported here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from awd_cme.run.job import RunJob
from awd_core.run import ARGUMENTS, RUN, Fields, Overwrite, Typed, echo, resumable


def compare(
    conditions: Annotated[
        Sequence[str], ARGUMENTS, Typed("NAME=TRACKS…"), "Conditions with their tracks, the reference first."
    ],
    given: Annotated[
        Mapping[str, Any],
        Fields(
            "channels seconds_per_frame micrometres_per_pixel format columns position_unit master on_error compound "
            "seed quiet",
            of=RunJob,
        ),
    ],
    out: Annotated[Path, RUN, Typed("FOLDER"), "Folder for figures, tables and report."],
    area: Annotated[float | None, "Square micrometres of a cell that were seen; its tracks' hull if not given."] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare conditions with cells as units: lifetimes, cohorts, the partner's share and onset, initiations.

    TRACKS are a file or a folder with intensities, of any format: control=control/ siRNA=knockdown/
    """
    named = {}
    for one in conditions:
        name, sign, place = one.partition("=")
        if not (name and sign and place):
            raise ValueError(f"{one!r} is no condition; give NAME=TRACKS, such as control=control/")
        if name in named:
            raise ValueError(f"the condition {name!r} is given twice; give each another name")
        named[name] = place
    from awd_cme.report.conditions import sentence
    from awd_cme.run.conditions import compare_files

    job = RunJob(next(iter(named.values()), ""), str(out), **given)
    with resumable(out):
        effects = compare_files(named, out, job, area=area, overwrite=overwrite)
    if not job.quiet:
        for effect in effects:
            echo(sentence(effect))
        echo(f"Written to {out}: report.html, effects.csv and more.")
