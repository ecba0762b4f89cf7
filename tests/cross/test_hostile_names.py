"""Names that are HTML, scripts, templates or formulas stay names: in the reports of all packages, read by a browser."""

import json

import pytest
from chromium import Browser, found
from cme.report.test_report import make_run
from cosmo.report.test_report import build_run, reopened

from awd_cme.report.page import write_report as write_cme
from awd_core.report.page import render
from awd_core.report.table import Table
from awd_core.run.folder import RunFolder
from awd_cosmo.report.page import write_report as write_cosmo

HOSTILE = (
    """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'"</td></pre>{{ 7*7 }} $\\frac{a$ %s"""
)
SHOWN = ("name", "account", "processing", "skipped", "recognised", "assumed", "doubts", "why", "summary", "what")
"""Entries of records that hold words which a report shows."""


def with_hostile_words(value, inside=False):
    """JSON values whose words for people are hostile; no key and no choice is touched."""
    if isinstance(value, dict):
        return {key: with_hostile_words(one, inside or key in SHOWN) for key, one in value.items()}
    if isinstance(value, list):
        return [with_hostile_words(one, inside) for one in value]
    return f"{value} {HOSTILE}" if inside and isinstance(value, str) else value


def spoilt(folder, names):
    for name in names:
        file = folder / name
        file.write_text(json.dumps(with_hostile_words(json.loads(file.read_text()))))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports of runs whose artefacts are full of hostile words."""
    cosmo = build_run(tmp_path_factory.mktemp("cosmo") / "run")
    spoilt(cosmo, ["maps.json"])
    with reopened(cosmo) as run:
        write_cosmo(run)
    with make_run(tmp_path_factory.mktemp("cme") / HOSTILE.replace("/", "")) as run:
        spoilt(run.path, ["data.json"])
        cme = run.path
        write_cme(run)
    plain = tmp_path_factory.mktemp("core") / "page"
    table = Table("t-table", [HOSTILE], [[HOSTILE]])
    with RunFolder.open(plain, program=HOSTILE, settings={HOSTILE: HOSTILE}, quiet=True) as run:
        html = render(
            "awd_core.report/base.html.j2", title=HOSTILE, summary=HOSTILE, facts=[(HOSTILE, HOSTILE, HOSTILE)],
            versions={HOSTILE: HOSTILE}, table=table,
        )  # fmt: skip
        run.write_bytes("report.html", html.encode())
    return {"cosmo": cosmo, "cme": cme, "core": plain}


@pytest.mark.parametrize("name", ["cosmo", "cme", "core"])
def test_the_page_itself_has_them_as_text(pages, name):
    html = (pages[name] / "report.html").read_text(encoding="utf-8")
    assert "&lt;img src=x onerror=" in html
    assert "<img src=x" not in html
    assert "<script>window.hacked" not in html
    assert "{{ 7*7 }}" in html


@pytest.mark.skipif(found() is None, reason="no chromium, chromium-browser, google-chrome or chrome is on the PATH")
@pytest.mark.parametrize("name", ["cosmo", "cme", "core"])
def test_a_browser_runs_none_of_them(pages, name):
    with Browser(found()) as browser:
        page = browser.open(pages[name] / "report.html")
        assert page.evaluate("typeof window.hacked") == "undefined"
        assert page.evaluate("[...document.images].filter((image) => !image.src.startsWith('data:')).length") == 0
        assert "<img src=x onerror=" in page.evaluate("document.body.textContent")
        assert page.errors() == []
        page.close()
