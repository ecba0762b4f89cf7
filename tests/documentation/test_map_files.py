"""The table of cases of docs/map_files.md names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_case_has_its_test():
    cases = (ROOT / "docs" / "map_files.md").read_text("utf-8").partition("**Left out.**")[0]
    rows = [line for line in cases.splitlines() if line.startswith("| ")]
    assert len(rows) > 30
    missing = []
    for row in rows[2:]:
        cell = row.rstrip(" |").split(" | ")[-1]
        named = re.findall(r"`([\w/]+)`(?:: ([\w, ]+))?", cell)
        assert named, row
        for file, names in named:
            code = (ROOT / "tests" / f"{file}.py").read_text("utf-8")
            missing += [name for name in names.split(", ") if not re.search(rf"def test_{name}", code)]
    assert missing == []
