"""The report of a run, put together, and its part on the run itself: command, sessions, versions, settings, files.

And the paragraph for a Methods section, with what the run did and what that cites.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from awd_core.distill.distill import DistillationPath, PathPoint
from awd_core.evidence.jackknife import Interval
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import Scores
from awd_core.report.distillation import distillation_part, picture_count
from awd_core.report.page import save_report
from awd_core.report.pdr import pdr_part
from awd_core.report.pictures import PlannedFigure, Progress, draw_pictures, offset_progress
from awd_core.report.quality import quality_part
from awd_core.report.table import Column, Table
from awd_core.run.folder import CONFIG, LOG, SESSIONS, RunFolder, flat

FILES = {
    CONFIG: "what the run is: settings, digests, versions",
    SESSIONS: "when it was worked on, and how long each step took",
    LOG: "the log",
}


@dataclass(frozen=True)
class RunPart:
    """The part of a report that is about the run itself.

    Attributes
    ----------
    command : str
        The command line of this session.
    settings, sessions, versions, files : Table
        Tables.
    """

    command: str
    settings: Table
    sessions: Table
    versions: Table
    files: Table


def run_part(run: RunFolder) -> RunPart:
    """Fill the tables.

    Parameters
    ----------
    run : RunFolder
        The run; of what it makes, `artefacts`, what is there is listed.
    """
    settings = [[name, _text(value)] for name, value in flat(run.config["settings"]).items()]
    sessions = [
        [
            session["began"],
            "; ".join(f"{step} {seconds:.1f} s" for step, seconds in session["seconds"].items()) or "–",
            session["versions"]["awd-core"],
            "yes" if session["finished"] or session is run.sessions[-1] else "no",
        ]
        for session in run.sessions
    ]
    known = {**run.artefacts, **FILES}
    files = [[name, what] for name, what in known.items() if name == "report.html" or (run / name).exists()]
    return RunPart(
        run.sessions[-1]["command"],
        Table("settings-table", [Column("setting"), Column("value")], settings),
        Table("sessions-table", [Column("began"), Column("steps"), Column("awd-core"), Column("finished")], sessions),
        Table("versions-table", [Column("package"), Column("version")], list(run.config["versions"].items())),
        Table("files-table", [Column("name"), Column("what it is")], files),
    )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class MethodsPart:
    """A paragraph for a Methods section.

    Attributes
    ----------
    text : str
        With citations by author and year.
    bibtex : str
        What it cites, in the order in which it does.
    """

    text: str
    bibtex: str


def methods_part(sentences: Sequence[str], *packages: str) -> MethodsPart:
    """Put a paragraph together.

    Parameters
    ----------
    sentences : sequence of str
        Plain text; ``[@key]``, or ``[@key; @key]``, cites entries of references.bib in the packages' templates.
    *packages : str
        Import names of packages whose references are known beside the core's, such as "awd_cosmo.report".

    Raises
    ------
    KeyError
        An entry that is not there.

    Examples
    --------
    >>> methods_part(["A wavelet was distilled [@ha2021adaptive]."]).text
    'A wavelet was distilled (Ha et al. 2021).'
    """
    known: dict[str, str] = {}
    for package in ("awd_core.report", *packages):
        text = resources(package).joinpath("templates", "references.bib").read_text(encoding="utf-8")
        known |= {entry[1]: entry[0] for entry in re.finditer(r"@\w+\{([^,]+),.*?\n\}", text, re.DOTALL)}
    cited: dict[str, str] = {}

    def by_author_and_year(match: re.Match[str]) -> str:
        keys = [key.strip().removeprefix("@") for key in match[1].split(";")]
        cited.update({key: known[key] for key in keys})
        return f"({'; '.join(_label(known[key]) for key in keys)})"

    text = re.sub(r"\[(@[^\]]+)\]", by_author_and_year, " ".join(sentences))
    return MethodsPart(text, "\n\n".join(cited.values()))


def _label(entry: str) -> str:
    """Author and year of an entry of BibTeX."""
    fields = dict(re.findall(r"(\w+)\s*=\s*\{(.*)\},?\n", entry))
    names = [name.partition(",")[0] for name in fields["author"].split(" and ")]
    who = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
    return f"{who} {fields['year']}"


UNCHECKED = "That was not checked in this run: there is no quality.json in its folder."


def save_run_report(
    run: RunFolder, template: str, planned: Sequence[PlannedFigure], progress: Progress, *,
    path: DistillationPath | None, point: PathPoint | None, scores: Scores | None, quality: CheckedQuality | None,
    scored: str, facts: Sequence[tuple[str, str, str]], predictive: Mapping[str, float | Interval], answer: str,
    methods: Sequence[str], path_notes: Sequence[str] = (), **context: Any,
) -> Path:  # fmt: skip
    """Draw the pictures, put the parts together, and write report.html into a run's folder.

    Parameters
    ----------
    run : RunFolder
        The run.
    template : str
        Its name with its package before, as for `awd_core.report.save_report`.
    planned : sequence of PlannedFigure
        The package's own pictures; the template gets them by their keys.
    progress : callable
        Called with (pictures done, pictures in all).
    path, point, scores : optional
        The distillation, as for `distillation_part`; without path and point there is no such part.
    scored : str
        What the scores are of, such as "test maps".
    quality : CheckedQuality, optional
        What the checks of the attributions found.
    facts : sequence of (name, value, remark)
        The numbers to remember, before those on trust.
    predictive : mapping of str to float or Interval
        Scores of the models on test data.
    answer : str
        What the interpretation comes to, in a sentence or two: it stands below the user's question.
    methods : sequence of str
        Sentences of the paragraph for a Methods section, as for `methods_part`.
    path_notes : sequence of str
        What the reader of the distillation should beware of.
    **context
        What else the template, and `save_report`, ask for.
    """
    there = path is not None and point is not None
    pictures = draw_pictures(run, planned, progress, others=picture_count(scores) if there else 0)
    part = None
    if path is not None and point is not None:
        after = offset_progress(len(planned), progress)
        part = distillation_part(path, point, run, scores=scores, scored=scored, progress=after)
        part.notes.extend(path_notes)
    trust = quality_part(quality or UNCHECKED, run)
    held: Mapping[str, Any] = {
        "pictures": pictures,
        "distillation": part,
        "quality": trust,
        "pdr": pdr_part(run, predictive=predictive, quality=quality, answer=answer),
        "run": run_part(run),
    }
    package = template.partition("/")[0]
    return save_report(
        run, template, packages=[package], facts=[*facts, *trust.facts], methods=methods_part(methods, package),
        **held, **context,
    )  # fmt: skip
