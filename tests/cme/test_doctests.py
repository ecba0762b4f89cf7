"""The examples in the docstrings run and print what they say."""

import pytest

import awd_cme
from docstrings import failures_of, modules


@pytest.mark.parametrize("name", modules(awd_cme))
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for examples that write files
    wrong = failures_of(name)
    assert not wrong, wrong
