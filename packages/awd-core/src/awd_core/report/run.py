"""How a run was run, for its report: command, sessions, versions, settings, files (`awd_core.report/run.html.j2`)."""

import json
from dataclasses import dataclass
from typing import Any

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
