"""The examples in the docstrings run and print what they say."""

import doctest

import pytest

import awd_core
from docstrings import failures, failures_of, modules


@pytest.mark.parametrize("name", modules(awd_core))
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for examples that write files
    wrong = failures_of(name)
    assert not wrong, wrong


def test_an_example_that_prints_something_else_is_a_failure():
    parser = doctest.DocTestParser()
    right, wrong, raising = (
        parser.get_doctest(text, {}, "example", None, None)
        for text in (">>> 1 + 1\n2\n", ">>> 1 + 1\n3\n", ">>> 1 / 0\n")
    )
    assert failures([right]) == ""
    assert "Expected:\n    3\nGot:\n    2" in failures([right, wrong])
    assert "ZeroDivisionError" in failures([raising])
