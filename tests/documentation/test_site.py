"""What docs/make_site.py refuses, and what it makes of pages."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("latex2mathml", reason="nox -s docs installs what builds the site")
FILE = Path(__file__).parents[2] / "docs" / "make_site.py"


@pytest.fixture
def make_site(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("make_site", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SITE", tmp_path)
    (tmp_path / "a.css").write_text("p { color: red }")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "other.html").write_text('<h2 id="there">There</h2><a href="../index.html">up</a>')
    return module


def test_links_that_lead_somewhere_pass(make_site, tmp_path):
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="a.css?v=1"><a href="part/other.html#there">x</a><a href="#self" id="self">y</a>'
        '<a href="https://example.org/nowhere">z</a><a href="mailto:a@example.org">w</a>'
    )
    assert make_site.problems() == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('<a href="nowhere.html">x</a>', "links to nowhere.html, which is not there"),
        ('<img src="figures/no%20picture.png">', "links to figures/no%20picture.png, which is not there"),
        ('<a href="part/other.html#elsewhere">x</a>', "links to part/other.html#elsewhere, which has no such heading"),
        ('<a href="#elsewhere">x</a>', "links to #elsewhere, which has no such heading"),
        ('<script src="https://example.org/x.js"></script>', "needs the network: <script"),
        ("<style>@import url(https://example.org/x.css);</style>", "needs the network: url("),
    ],
)
def test_what_leads_nowhere_or_asks_the_network_is_named(make_site, tmp_path, content, problem):
    (tmp_path / "index.html").write_text(content)
    assert any(said.startswith("index.html") and problem in said for said in make_site.problems())


def test_formulas_become_mathml(make_site, tmp_path):
    (tmp_path / "index.html").write_text('<p><span class="arithmatex">\\(a &lt; b\\)</span></p>')
    make_site.draw_formulas()
    drawn = (tmp_path / "index.html").read_text()
    assert "<math" in drawn
    assert "arithmatex" not in drawn


def test_a_section_is_taken_from_the_readme_with_its_links(make_site):
    shown = make_site.with_sections("# x\n\n<!-- from README.md: introduction -->\n", "page.md")
    assert "(api/awd_core.md)" in shown
    with pytest.raises(SystemExit, match=r"page.md: README.md has no section 'Nothing'; it has \['', 'introduction'"):
        make_site.with_sections("<!-- from README.md: Nothing -->", "page.md")


def test_the_gallery_shows_every_tutorial_and_example():
    page = (FILE.parent / "gallery.md").read_text(encoding="utf-8")
    for tutorial in sorted((FILE.parent / "tutorials").glob("*.md")):
        assert f"](tutorials/{tutorial.name})" in page, tutorial.name
    for example in sorted((FILE.parents[1] / "examples").glob("*.py")):
        assert f"`{example.name}`" in page, example.name


def test_a_page_outside_the_navigation_is_named(make_site, monkeypatch, tmp_path):
    monkeypatch.setattr(make_site, "PREPARED", tmp_path)
    (tmp_path / "index.md").touch()
    (tmp_path / "part" / "forgotten.md").touch()
    assert make_site.unlisted() == ["part/forgotten.md is not in the navigation of zensical.toml"]
