"""Commands called in this process: what they say, and how they end."""

import io
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from typing import NamedTuple

MODULES = {"awd": "awd_core.app.main", "awd-cosmo": "awd_cosmo.app.main", "awd-cme": "awd_cme.app.main"}


class Said(NamedTuple):
    """What a command said on each stream, and on both as it came; what it raised, if that was not caught."""

    exit_code: int
    stdout: str
    stderr: str
    output: str
    exception: BaseException | None


class _Both(io.StringIO):
    """A stream whose text is another's too."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def write(self, text):
        self.other.write(text)
        return super().write(text)


def invoke(app, words):
    """Give words to a program."""
    output = io.StringIO()
    out, err = _Both(output), _Both(output)
    code, exception = 0, None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            app([str(word) for word in words])
        except SystemExit as end:
            code = end.code or 0
        except BaseException as error:
            code, exception = 1, error
    return Said(code, out.getvalue(), err.getvalue(), output.getvalue(), exception)


def app_of(name):
    """A program by its name."""
    return import_module(MODULES[name]).app


def say(line):
    """Exit code and all that a command says, given as one line of words."""
    name, *words = line.split()
    said = invoke(app_of(name), words)
    return said.exit_code, said.output
