"""The tutorials' notebooks hold the same text and code as their pages."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
PAGES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def cells_of(page):
    """Cells of a page: prose, and code, of which commands are marked for Jupyter; as (kind, text)."""
    text = re.sub(r"<!--.*?-->\n?", "", page, flags=re.DOTALL)
    found = []
    for place, part in enumerate(re.split(r"^```(\w*)\n(.*?)^```\n", text, flags=re.DOTALL | re.MULTILINE)):
        kind = place % 3
        if kind == 0 and part.strip():
            found.append(("markdown", part.strip()))
        elif kind == 1:
            language = part
        elif kind == 2 and language in ("python", "console"):
            code = part.strip()
            found.append(("code", code if language == "python" else re.sub(r"(?m)^(?=awd)", "!", code)))
        elif kind == 2:
            found.append(("markdown", f"```\n{part}```"))
    return found


def notebook_of(page):
    """The notebook as it is written: `python tests/documentation/test_notebooks.py` writes all anew."""
    cells = [
        {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for number, (kind, text) in enumerate(cells_of(page))
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_is_its_page(name):
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")) == notebook_of(page)


if __name__ == "__main__":
    for one in PAGES:
        made = notebook_of((FOLDER / f"{one}.md").read_text(encoding="utf-8"))
        (FOLDER / f"{one}.ipynb").write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
