"""Code in README.md and in all pages below docs/ runs as it stands there.

In each file, the `python` blocks and the `awd` commands of the `console` blocks are run in their order, in an empty
folder, the Python blocks in one session. A block after the line `<!-- not run: reason -->` is left out. A line
`<!-- file: NAME is PLACE of the real data -->` says that the folder has that file; without it the page is skipped.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"), key=lambda path: (path.parent.name != "tutorials", path))
"""Tutorials first: they take longest."""
FILES = [path for path in [*PAGES, ROOT / "README.md"] if path.is_file()]

# Runs in a process of its own, since the code may set seeds, default types or threads. The first argument names the
# file, the second is a list of (kind, line, text).
DRIVER = """
import json, subprocess, sys
path, steps = sys.argv[1], json.loads(sys.argv[2])
session = {"__name__": "__main__"}
for kind, line, text in steps:
    print(f"{path}:{line + 1} ({kind})", file=sys.stderr, flush=True)
    if kind == "python":
        # Empty lines before it, so that a traceback names the line in the file.
        exec(compile("\\n" * line + text, path, "exec"), session)
    else:
        subprocess.run(text, shell=True, check=True)
"""


class Step(NamedTuple):
    """Code of one block, or one command of it, and how many lines stand before it in its file."""

    kind: str
    line: int
    text: str


def steps_in(markdown):
    """What a file of documentation has to run, in its order."""
    steps = []
    lines = markdown.splitlines()
    at, left_out = 0, False
    while at < len(lines):
        fence = re.fullmatch(r"( *)(`{3,}|~{3,}) *(\w*).*", lines[at])
        if not fence:
            if lines[at].strip():
                left_out = re.fullmatch(r"\s*<!-- not run: \S.* -->\s*", lines[at]) is not None
            at += 1
            continue
        indent, marks, kind = fence.groups()
        start = at + 1
        at = start
        while at < len(lines) and lines[at].strip() != marks:
            at += 1
        block = [line.removeprefix(indent) for line in lines[start:at]]
        at += 1
        if not left_out:
            steps += steps_of(kind, start, block)
        left_out = False
    return steps


def steps_of(kind, line, block):
    if kind == "python":
        return [Step("python", line, "\n".join(block) + "\n")]
    return commands_in(line, block) if kind == "console" else []


def commands_in(line, block):
    """Commands among the lines that a terminal shows: those after `$`, or all where no line has it."""
    prompted = any(text.startswith("$ ") for text in block)
    commands = []
    at = 0
    while at < len(block):
        first, text = at, block[at]
        while text.endswith("\\") and at + 1 < len(block):
            at += 1
            text = text[:-1] + block[at].removeprefix(">" if prompted else "").strip()
        at += 1
        if (text.startswith("$ ") or not prompted) and re.match(r"(\$ )?(\w+=\S* )*awd(-\w+)?( |$)", text):
            commands.append(Step("console", line + first, text.removeprefix("$ ")))
    return commands


def run(path, steps, folder):
    """What went wrong, as text."""
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": scripts + os.pathsep + os.environ.get("PATH", "")}
    command = [sys.executable, "-c", DRIVER, str(path), json.dumps(steps)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_runs(path, tmp_path, request):
    text = path.read_text(encoding="utf-8")
    steps = steps_in(text)
    if not steps:
        pytest.skip(f"there is no code to run in {path.name}")
    for name, place in re.findall(r"^<!-- file: (\S+) is (\S+) of the real data -->$", text, re.MULTILINE):
        (tmp_path / name).symlink_to(request.getfixturevalue("real_data") / place)
    wrong = run(path, steps, tmp_path)
    assert not wrong, wrong


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    # Links between pages of docs/ are checked where the documentation is built.
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


SAMPLE = """\
# Title
```python
x = 1
```
Text.

<!-- not run: needs a night -->

```python
raise SystemExit(1)
```

1. In a list:
   ```python
   if x:
       y = 2
   ```

```text
awd nothing
```

```console
$ awd wavelet db2 \\
>     --out first
awd: this line is an answer
$ ls first
$ A=1 B= awd-cme --help
```

```console
awd wavelet haar
awd: an answer
other
```

<!-- not run: -->
```python
z = x + y
```
"""


def test_blocks_are_found_where_they_are():
    assert steps_in(SAMPLE) == [
        Step("python", 2, "x = 1\n"),
        Step("python", 14, "if x:\n    y = 2\n"),
        Step("console", 23, "awd wavelet db2 --out first"),
        Step("console", 27, "A=1 B= awd-cme --help"),
        Step("console", 31, "awd wavelet haar"),
        # A block is left out for a reason only.
        Step("python", 38, "z = x + y\n"),
    ]


def test_blocks_share_a_session_and_a_folder_with_the_commands(tmp_path):
    steps = [
        Step("python", 2, "from awd_core import Wavelet\nWavelet.from_name('db2').save('w.json')\n"),
        Step("console", 6, "awd wavelet w.json --out shown"),
        Step("python", 8, "from pathlib import Path\nassert Wavelet.load(Path('shown/wavelet.json')).name == 'db2'\n"),
    ]
    assert run("sample.md", steps, tmp_path) == ""


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Step("python", 7, "\n1 / 0\n"), r'File "sample.md", line 9.*ZeroDivisionError'),
        (Step("python", 7, "x = (\n"), r'File "sample.md", line 8.*SyntaxError'),
        (Step("console", 7, "awd wavelet db55"), r"no wavelet 'db55'.*non-zero exit status 2"),
    ],
)
def test_code_that_fails_is_a_failure(tmp_path, step, message):
    assert re.search(message, run("sample.md", [step], tmp_path), re.DOTALL)
