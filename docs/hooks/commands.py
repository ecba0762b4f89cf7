"""The reference of the commands, made from the commands themselves: one page for each program."""

import html
import re
from importlib import import_module
from typing import Any

from mkdocs.structure.files import File, Files
from typer.main import get_command

KINDS = {"str": "text", "int": "whole number", "int range": "whole number", "float": "number"}
PROGRAMS = {"awd": "awd_core.app.main", "awd-cosmo": "awd_cosmo.app.main", "awd-cme": "awd_cme.app.main"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for program, module in PROGRAMS.items():
        app = get_command(import_module(module).app)
        files.append(File.generated(config, f"commands/{program}.md", content=page(program, app)))
    return files


def page(program: str, app: Any) -> str:
    """Markdown of a program: what it is for, and each of its commands with arguments and options."""
    context = app.make_context(program, [], resilient_parsing=True)
    parts = [f"# {program}", _prose(app.help), *_tables(app.params, context, rest="Options of the program")]
    for name, command in app.commands.items():
        usage = " ".join([program, name, *command.collect_usage_pieces(context)])
        parts += [f"## {program} {name}", f"```text\n{usage}\n```", _prose(command.help)]
        parts += _tables(command.params, context, rest="Options")
    return "\n\n".join(parts) + "\n"


def _tables(params: list[Any], context: Any, rest: str) -> list[str]:
    """A table for each panel of `--help`: arguments first, then options in the order in which panels come."""
    panels: dict[str, list[str]] = {}
    for param in params:
        record = None if getattr(param, "hidden", False) else param.get_help_record(context)
        if record is None:
            continue
        argument = param.param_type_name == "argument"
        panel = getattr(param, "rich_help_panel", None) or ("Arguments" if argument else rest)
        panels.setdefault(panel, []).append(_row(*record))
    return [f"| {panel} | |\n|---|---|\n" + "\n".join(rows) for panel, rows in panels.items()]


def _row(name: str, text: str) -> str:
    """One parameter: what is typed; what it means, its default, its range or that it is required."""
    name, _, kind = name.partition(" ")
    said, extra = re.fullmatch(r"(.*?)(?:  \[(.*)\])?", text, re.DOTALL).groups()  # type: ignore[union-attr]
    kind = re.sub(r"<([^>]*)>", lambda found: KINDS.get(found[1], found[1]), kind)
    typed = f"`{name}`" + (f"<br>{html.escape(kind)}" if kind else "")
    meaning = html.escape(said, quote=False) + (f" <span class='extra'>{html.escape(extra)}</span>" if extra else "")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in (typed, meaning)) + " |"


def _prose(text: str | None) -> str:
    return html.escape(text or "", quote=False)
