"""The three reports in a real browser: on a telephone, on a screen and on paper, with the mouse and with the keyboard.

They are made from the small runs of the tests of each package, and opened in Chromium without a window or a network.
"""

import base64
import csv
import io
import json
from itertools import pairwise

import numpy as np
import pytest
from chromium import Browser, found
from cme.report.test_report import make_run
from core.report.test_report import page as core_page
from core.report.test_report import path as core_path
from core.report.test_report import scores as core_scores
from cosmo.report.test_report import build_run, reopened
from PIL import Image

from awd_cme.report.page import write_report as write_cme
from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.report.page import write_report as write_cosmo

path, scores, page = core_path, core_scores, core_page  # fixtures: a path, its scores, the report of awd distill

pytestmark = pytest.mark.skipif(
    found() is None, reason="no chromium, chromium-browser, google-chrome or chrome is on the PATH; install one"
)
NAMES = ("distill", "cosmo", "cme")
PHONE, SCREEN, PAPER = 390, 1440, 680
CELLS = """[...document.querySelectorAll('#' + %s + ' tbody tr')].map((row) => [...row.cells].map((cell) =>
    cell.dataset.value ?? cell.textContent.trim()))"""


@pytest.fixture(scope="module")
def runs(page, tmp_path_factory):
    """The folders of three runs with their reports."""
    cosmo = build_run(tmp_path_factory.mktemp("cosmo") / "run")
    with reopened(cosmo) as run:
        write_cosmo(run)
    with make_run(tmp_path_factory.mktemp("cme") / "run") as run:
        write_cme(run)
        cme = run.path
    return dict(zip(NAMES, (page[0], cosmo, cme), strict=True))


@pytest.fixture(scope="module")
def browser():
    with Browser(found()) as browser:
        yield browser


@pytest.fixture
def opened(browser, runs):
    """Opens the report of a run; closes it afterwards."""
    pages = []

    def open_report(name, width=SCREEN, **options):
        pages.append(browser.open(runs[name] / "report.html", width=width, **options))
        return pages[-1]

    yield open_report
    for one in pages:
        one.close()


def overflow(page):
    """How many pixels the page is too wide, and what sticks out of it, but for what scrolls in a box of its own."""
    return page.evaluate(
        """(() => {
          const root = document.scrollingElement, inside = (element) => element.closest('.scroll, pre, details');
          const out = [...document.body.querySelectorAll('*')].filter((element) =>
            !inside(element) && element.getBoundingClientRect().right > root.clientWidth + 0.5);
          return [root.scrollWidth - root.clientWidth, out.map((element) => element.outerHTML.slice(0, 80))];
        })()"""
    )


def shown(page, selector):
    """Whether elements are to be seen, one after the other."""
    return page.evaluate(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.getClientRects().length > 0)"
    )


def rows_of(page, key):
    return page.evaluate(CELLS % json.dumps(key))


# As it is read


@pytest.mark.parametrize("width", [PHONE, SCREEN])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_fails_and_nothing_sticks_out(opened, name, width):
    page = opened(name, width)
    assert overflow(page) == [0, []]
    # Tables are as wide as they must be, in boxes that scroll and that the keyboard reaches.
    boxes = page.evaluate("[...document.querySelectorAll('.scroll')].map((b) => [b.tabIndex, b.offsetWidth])")
    assert boxes
    assert all(index == 0 and inside <= width for index, inside in boxes)
    assert page.errors() == []


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_drawn_have_texts_and_fit_the_width(opened, name):
    page = opened(name, PHONE)
    images = page.evaluate(
        """Promise.all([...document.images].map(async (image) => {
          const moves = image.closest('.animation') !== null;  // asked now: a canvas may take its place
          await image.decode();
          return [image.alt, image.naturalWidth, image.currentSrc !== image.src, moves];
        }))"""
    )
    assert len(images) >= 6
    assert all(len(alt) > 20 and wide > 100 for alt, wide, _, _ in images)
    assert all(narrow for _, _, narrow, moves in images if not moves), "a telephone is shown the narrow picture"
    captions = page.evaluate("[...document.querySelectorAll('figure')].map((f) => f.querySelector('figcaption')"
                             "?.innerText.length ?? 0)")  # fmt: skip
    assert min(captions) > 40
    page = opened(name, SCREEN)
    assert not any(page.evaluate("[...document.images].map((i) => i.currentSrc !== i.src)"))


@pytest.mark.parametrize("name", NAMES)
def test_captions_name_the_panels_where_they_are(opened, name):
    caption = "document.querySelector('#path figcaption').innerText"
    assert "Left: both norms" in opened(name, SCREEN).evaluate(caption)
    phone = opened(name, PHONE).evaluate(caption)
    assert "Top: both norms" in phone
    assert "Left" not in phone


def test_a_report_is_small(runs):
    assert max((folder / "report.html").stat().st_size for folder in runs.values()) < 5_000_000


# Tables


def in_order(values, sign):
    """Whether missing values come last, numbers are in order, and texts that are the same stand together."""
    known = [value for value in values if value != ""]
    if values != known + [""] * (len(values) - len(known)):
        return False
    try:
        numbers = [sign * float(value) for value in known]
    except ValueError:
        return sum(a != b for a, b in pairwise(known)) == max(len(set(known)) - 1, 0)
    return numbers == sorted(numbers)


@pytest.mark.parametrize("name", NAMES)
def test_every_column_of_every_table_can_be_sorted(opened, name):
    page = opened(name)
    found = page.evaluate(
        """[...document.querySelectorAll('.table')].map((table) => {
          const heads = [...table.querySelectorAll('th')];
          const column = (place) => [...table.querySelector('tbody').rows].map((row) =>
            row.cells[place].dataset.value ?? row.cells[place].textContent.trim());
          return [table.id, heads.map((head, place) => ['ascending', 'descending', null].map((_) => {
            head.querySelector('button').click();
            return [heads.map((other) => other.getAttribute('aria-sort')), column(place)];
          }))];
        })"""
    )
    untouched = opened(name)
    before = {key: rows_of(untouched, key) for key, _ in found}
    assert len(found) >= 10
    for key, columns in found:
        for place, clicks in enumerate(columns):
            for (marks, values), wanted in zip(clicks, ("ascending", "descending", None), strict=True):
                assert [mark for mark in marks if mark] == ([wanted] if wanted else []), key
                assert marks[place] == wanted
                if wanted:
                    assert in_order(values, 1 if wanted == "ascending" else -1), (key, place, values)
            assert clicks[2][1] == [row[place] for row in before[key]], "the third click puts all back"
    assert page.errors() == []


def test_ten_comes_after_nine_and_infinity_after_all(opened):
    page = opened("distill")
    head = "document.querySelectorAll('#path-table th button')[1]"
    page.evaluate(f"{head}.click()")
    ratios = [row[1] for row in rows_of(page, "path-table")]
    assert ratios[-1] == "inf"
    assert [float(ratio) for ratio in ratios] == sorted(float(ratio) for ratio in ratios)
    page.evaluate("document.querySelector('#taps-table th button').click()")
    page.evaluate("document.querySelector('#taps-table th button').click()")
    assert [int(row[0]) for row in rows_of(page, "taps-table")] == list(range(5, -1, -1))


def test_a_heading_is_sorted_by_the_keyboard(opened):
    page = opened("cme")
    page.evaluate("document.querySelectorAll('#results-table th button')[1].focus()")
    for key, order in (("Enter", "ascending"), (" ", "descending")):
        page.press(key)
        assert page.evaluate("document.activeElement.parentElement.getAttribute('aria-sort')") == order
    page.press("Tab")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#results-table th button')[2]")
    scores = [float(row[1]) for row in rows_of(page, "results-table") if row[1]]
    assert scores == sorted(scores, reverse=True)


def downloaded(page, key, folder):
    """What the CSV button of a table gives."""
    page.download(f"document.querySelector('button[data-table={key}]').click()", folder)
    with (folder / f"{key}.csv").open(newline="", encoding="utf-8") as text:
        return list(csv.reader(text))


def test_csv_has_all_digits(opened, runs, tmp_path):
    heads, *rows = downloaded(opened("distill"), "taps-table", tmp_path)
    assert heads == ["n", "h(n)", "g(n)", "h(n) of coif1", "g(n) of coif1"]
    wavelet = Wavelet.load(runs["distill"] / "wavelet.json")
    np.testing.assert_array_equal([float(row[1]) for row in rows], wavelet.dec_lo)
    np.testing.assert_array_equal([float(row[2]) for row in rows], wavelet.dec_hi)


@pytest.mark.parametrize(
    ("name", "key", "score"), [("cosmo", "rmse-held-out", "rmse"), ("cme", "results-table", "score")]
)
def test_csv_has_the_results_in_the_order_that_is_shown(opened, runs, tmp_path, name, key, score):
    page = opened(name)
    page.evaluate(f"document.querySelectorAll('#{key} th button')[1].click()")
    _, *rows = downloaded(page, key, tmp_path)
    results = json.loads((runs[name] / "results.json").read_bytes())
    expected = results["protocols"]["held_out"]["rows"] if name == "cosmo" else results["rows"]
    assert [float(row[1]) for row in rows] == sorted(row[score] for row in expected)
    assert page.errors() == []


def test_csv_quotes_what_must_be(opened, tmp_path):
    _, *rows = downloaded(opened("cosmo"), "skipped-table", tmp_path)
    assert rows == [["Maps10/WLconv_z1.00_0007r.fits", "cut short: 2048 of 4096 bytes & <nothing> more"]]
    _, *rows = downloaded(opened("cme"), "losses-table", tmp_path)
    assert ["tracks", "34", "category 3: cut by the first or last frame of the movie"] in rows


# The wavelet adapting


def pixels(page):
    """What the canvas of the animation shows."""
    uri = page.evaluate("document.querySelector('#animation canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"), dtype=int)


def move_to(page, moment):
    page.evaluate(
        "(() => { const slider = document.querySelector('#animation input');"
        f"slider.value = {moment}; slider.dispatchEvent(new Event('input')); }})()"
    )


READY = """new Promise((done) => { const wait = () => document.querySelector('#animation canvas') ? done(true)
    : setTimeout(wait, 20); wait(); })"""


@pytest.mark.parametrize("name", NAMES)
def test_the_animation_can_be_paused_and_gone_through(opened, runs, name):
    page = opened(name)
    assert page.evaluate(READY)
    assert shown(page, "#animation picture.moving, #animation picture.still") == [True, False]
    assert page.evaluate("document.querySelector('#animation canvas').getAttribute('aria-label').length") > 20
    button = "document.querySelector('#animation button')"
    assert page.evaluate(f"{button}.textContent") == "Pause"
    page.evaluate(f"{button}.click()")
    assert page.evaluate(f"{button}.textContent") == "Play"
    still = pixels(page)
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    np.testing.assert_array_equal(pixels(page), still)
    # Each moment is what the file has there, also when one goes back.
    with Image.open(runs[name] / "wavelet.gif") as gif:
        for moment in (0, gif.n_frames // 2, gif.n_frames - 1, 3):
            move_to(page, moment)
            gif.seek(moment)
            # 2 of 255: colours on their way through two decoders.
            assert np.abs(pixels(page) - np.asarray(gif.convert("RGB"), dtype=int)).max() <= 2
            assert (
                page.evaluate("document.querySelector('#animation output').value") == f"{moment + 1} of {gif.n_frames}"
            )
    page.evaluate(f"{button}.click()")
    page.evaluate("new Promise((done) => setTimeout(done, 500))")
    assert int(page.evaluate("document.querySelector('#animation input').value")) != 3
    assert page.errors() == []


@pytest.mark.parametrize("name", NAMES)
def test_who_asked_for_less_motion_sees_a_filmstrip_until_play_is_pressed(opened, name):
    page = opened(name, PHONE, reduced_motion=True)
    assert page.evaluate(READY)
    both = "#animation picture.moving, #animation picture.still"
    assert shown(page, both) == [False, True]
    assert page.evaluate("document.querySelector('#animation button').textContent") == "Play"
    page.evaluate("document.querySelector('#animation button').click()")
    assert shown(page, both) == [True, False]
    assert overflow(page) == [0, []]


# On paper, and without JavaScript


@pytest.mark.parametrize("name", NAMES)
def test_paper_has_what_paper_can_show(opened, name):
    page = opened(name, PAPER)
    assert page.evaluate(READY)
    page.send("Emulation.setEmulatedMedia", media="print")
    assert overflow(page) == [0, []]
    assert shown(page, "#animation picture.moving, #animation picture.still") == [False, True]
    assert not any(shown(page, "nav, .csv, .controls, .stacked"))
    assert all(shown(page, ".meanings dl"))
    wide = page.evaluate("[...document.querySelectorAll('.scroll')].map((b) => b.scrollWidth - b.clientWidth)")
    assert max(wide) <= 0, "nothing is cut off at the right edge of a table"
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    assert 5 < printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") < 40


def test_paper_says_how_many_rows_it_leaves_out(opened, runs):
    html = (runs["cme"] / "report.html").read_text(encoding="utf-8")
    place = html.index('id="terms-table"')
    assert html.count("<tr", place, html.find("</table>", place)) == 1 + 48
    page = opened("cme", PAPER)
    page.send("Emulation.setEmulatedMedia", media="print")
    assert sum(shown(page, "#terms-table tbody tr")) == 40
    assert (
        page.evaluate("document.querySelector('#terms-table .unprinted').innerText")
        == "8 more rows in the file itself."
    )


@pytest.mark.parametrize("name", NAMES)
def test_without_javascript_everything_is_there_but_the_buttons(opened, name):
    page = opened(name, PHONE, script=False)
    assert overflow(page) == [0, []]
    assert not any(shown(page, ".csv, .controls"))
    assert all(shown(page, "table, figure img:not(.still *)"))
    assert page.errors() == []


def test_rows_out_of_order_are_seen():
    assert not in_order(["1", "10", "9"], 1)
    assert not in_order(["", "1"], 1)
    assert not in_order(["a", "b", "a"], 1)
    assert in_order(["3", "2", ""], -1)


def test_errors_requests_and_wide_pages_are_seen(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><img src='https://example.org/a.png' alt=''><div style='width:2000px'>wide</div>"
        "<script>console.error('oh'); nothing.there;</script>"
    )
    page = browser.open(bad, width=PHONE)
    errors = " ".join(page.errors())
    assert "https://example.org/a.png" in errors
    assert "oh" in errors
    assert "nothing is not defined" in errors
    assert overflow(page)[0] > 1000
    page.close()
