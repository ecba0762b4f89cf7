"""The reference of the commands, made from the commands themselves: one page for each program."""

import html
from importlib import import_module
from typing import Any

from mkdocs.structure.files import File, Files

from awd_core.run.command import Option
from awd_core.run.program import Program

KINDS = {"str": "text", "int": "whole number", "float": "number", "Path": "path"}
PROGRAMS = {"awd": "awd_core.app.main", "awd-cosmo": "awd_cosmo.app.main", "awd-cme": "awd_cme.app.main"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for program, module in PROGRAMS.items():
        files.append(File.generated(config, f"commands/{program}.md", content=page(import_module(module).app)))
    return files


def page(program: Program) -> str:
    """Markdown of a program: what it is for, and each of its commands with arguments and options."""
    parts = [
        f"# {program.name}",
        _prose(program.summary),
        "`--debug` shows the traceback of an error.",
    ]
    for name, command in program.commands.items():
        shown = [option for option in command.options if not option.hidden]
        arguments = [one.name if one.required else f"[{one.name}]" for one in shown if one.panel.name == "Arguments"]
        usage = " ".join([program.name, name, "[OPTIONS]", *arguments])
        parts += [f"## {program.name} {name}", f"```text\n{usage}\n```", _prose(command.prose), *_tables(shown)]
    return "\n\n".join(parts) + "\n"


def _tables(options: list[Option]) -> list[str]:
    """A table for each panel of `--help`."""
    panels: dict[str, list[str]] = {}
    for option in options:
        panels.setdefault(option.panel.name, []).append(_row(option))
    return [f"| {panel} | |\n|---|---|\n" + "\n".join(rows) for panel, rows in panels.items()]


def _row(option: Option) -> str:
    """One option: what is typed; what it means, its default, its range or that it is required."""
    plain = getattr(option.kind, "__args__", [option.kind])[0].__name__
    kind = "" if plain == "bool" or option.panel.name == "Arguments" else option.value or KINDS[plain]
    typed = f"`{option.name}`" + (f"<br>{html.escape(kind)}" if kind else "")
    extra = [option.takes, option.default and f"default: {option.default}", "required" if option.required else ""]
    said = "; ".join(filter(None, extra))
    meaning = _prose(option.help) + (f" <span class='extra'>{html.escape(said)}</span>" if said else "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (typed, meaning)) + " |"


def _prose(text: str) -> str:
    return html.escape(text, quote=False)
