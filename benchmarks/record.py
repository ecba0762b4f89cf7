"""The raw figures of runs as JSON: the file of the last run that was kept, and comparison with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from awd_core.files import write_atomically
from benchmarks import BENCHMARKS
from benchmarks.report import Goal, Measure, Row, Section

FORMAT, VERSION = "awd-benchmarks", 2
DIGITS = 5
"""Of a figure: more is noise."""


def read_record(path: Path) -> dict[str, Section]:
    """Sections of a record by name; none if there is no file.

    Raises
    ------
    ValueError
        If the file is something else.
    """
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if (record["format"], record["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is {record['format']} {record['version']}, not {FORMAT} {VERSION}")
        return {name: _section(values) for name, values in record["sections"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no record of benchmarks ({error}); give another file, or delete it") from error


def write_record(path: Path, sections: Mapping[str, Section]) -> None:
    """Write sections, in their usual order; one line for each row."""
    known = {name: sections[name] for name in BENCHMARKS if name in sections}
    blocks = []
    for name, section in known.items():
        values = _rounded(asdict(section))
        rows = ",\n    ".join(_line(row) for row in values.pop("rows"))
        told = ",\n   ".join(f"{_line(key)}: {_line(value)}" for key, value in values.items())
        blocks.append(f'  {_line(name)}: {{\n   {told},\n   "rows": [\n    {rows}\n   ]\n  }}')
    text = f'{{\n "format": "{FORMAT}",\n "version": {VERSION},\n "sections": {{\n' + ",\n".join(blocks) + "\n }\n}\n"
    write_atomically(path, text.encode())


def compared(section: Section, last: Section | None) -> Section:
    """A section that knows the figures of the last one, row by row; rows that it did not have know none."""
    if last is None:
        return section
    values = {(row.labels, row.unit): {name: m.value for name, m in row.measures.items()} for row in last.rows}
    rows = [replace(row, before=values.get((row.labels, row.unit), {})) for row in section.rows]
    return replace(section, rows=rows, before=last.machine)


def _section(values: Mapping[str, Any]) -> Section:
    names = ("headings", "contenders", "peers")
    rows = [_row(row) for row in values["rows"]]
    return Section(**{**values, **{name: tuple(values[name]) for name in names}, "rows": rows})


def _row(values: Mapping[str, Any]) -> Row:
    found = {
        name: Measure(**{**measure, "rounds": tuple(measure["rounds"])}) for name, measure in values["measures"].items()
    }
    goal = None if values["goal"] is None else Goal(**values["goal"])
    return Row(tuple(values["labels"]), found, values["unit"], goal, values["before"])


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(element) for key, element in value.items()}
    return [_rounded(element) for element in value] if isinstance(value, list | tuple) else value


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
