"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import awd_core

MODULES = ["awd_core", *sorted(module.name for module in pkgutil.walk_packages(awd_core.__path__, "awd_core."))]


def failures(tests):
    """What the examples that went wrong were, should have printed, and did print."""
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    for test in tests:
        runner.run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for examples that write files
    module = importlib.import_module(name)
    wrong = failures(doctest.DocTestFinder(exclude_empty=True).find(module))
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
