"""Runs the examples in the docstrings of a package."""

import doctest
import importlib
import pkgutil


def modules(package):
    """Names of a package's modules, its own first."""
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [package.__name__, *sorted(module.name for module in found)]


def failures(tests):
    """What the examples that went wrong were, should have printed, and did print."""
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    for test in tests:
        runner.run(test, out=said.append)
    return "".join(said)


def failures_of(name):
    """The failures of a module's examples."""
    return failures(doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)))
