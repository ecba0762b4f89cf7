"""The report: what it says, that it stands alone, and the figures, tables and animation in it."""

import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from awd_core.app.page import snippet, write_page
from awd_core.app.pipeline import ARTEFACTS
from awd_core.distill.descent import Descent, Step
from awd_core.distill.distill import DistillationPath, SearchSettings, distill_path
from awd_core.distill.minima import agreement, all_minima, local_minima
from awd_core.distill.path_file import load_path, save_path, to_json
from awd_core.evidence.scores import coefficient_scores
from awd_core.features.select import Selection
from awd_core.report import distillation_figures
from awd_core.report.animation import LARGEST, animate, filmstrip, trajectory
from awd_core.report.distillation import distillation_part
from awd_core.report.page import Column, Picture, Table, data_uri, number, render
from awd_core.report.run import methods_part
from awd_core.run.folder import RunFolder
from awd_core.transforms.dwt import Coefficients
from awd_core.wavelets.wavelet import Wavelet

HIDDEN = Wavelet.from_name("db3")
VOID = {"meta", "img", "source", "br", "link", "input"}
PNG = b"\x89PNG\r\n\x1a\n"


def inputs_and_gradients():
    """White noise, and gradients that are sums of a few shifted copies of the hidden filter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 32))
    weights = (rng.random((40, 14)) < 0.2) * rng.standard_normal((40, 14))
    gradients = 0.02 * rng.standard_normal(X.shape)
    for place in range(13):
        gradients[:, 2 * place : 2 * place + 6] += weights[:, place, None] * HIDDEN.rec_hi
    return X, gradients


@pytest.fixture(scope="module")
def path():
    X, gradients = inputs_and_gradients()
    search = SearchSettings(random_starts=2)
    return distill_path(X, gradients, wavelet="coif1", levels=2, shares=(0, 0.5, 1), search=search)


@pytest.fixture(scope="module")
def scores(path):
    X, gradients = inputs_and_gradients()
    return tuple(coefficient_scores(w, X, gradients, levels=2) for w in (path.start, path[1].wavelet))


@pytest.fixture(scope="module")
def page(path, scores, tmp_path_factory):
    """The run folder and the report of it."""
    settings = path.settings | {
        "X": {"shape": [40, 32], "dtype": "float64", "sha256": "12" * 32},
        "gradients": {"shape": [40, 32], "dtype": "float64", "sha256": "34" * 32},
    }
    options = {"X": "<my>&data.npy", "gradients": "G.npy", "y": None, "predictor": "lasso"}
    folder = tmp_path_factory.mktemp("run")
    with RunFolder.open(
        folder, program="awd distill", settings=settings, options=options, artefacts=ARTEFACTS, quiet=True
    ) as run:
        path[1].wavelet.save(run / "wavelet.json")
        write_page(run, path, path[1], scores=scores)
    return folder, (folder / "report.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Every start tag with its attributes, and whether tags are closed in the order in which they were opened."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), [name for name, _ in self.open]))
        if tag not in VOID:
            self.open.append((tag, self.getpos()))

    def handle_endtag(self, tag):
        name, place = self.open.pop()
        assert name == tag, f"</{tag}> closes <{name}> of line {place[0]}"

    def all(self, *names):
        return [attributes for tag, attributes, _ in self.tags if tag in names]


def test_the_report_is_well_formed(page):
    parsed = Page(page[1])
    ids = [attributes["id"] for _, attributes, _ in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = [link["href"][1:] for link in parsed.all("a") if link["href"].startswith("#")]
    assert len(inside) == 11
    assert set(inside) <= set(ids)
    assert {button["data-table"] for button in parsed.all("button") if "data-table" in button} <= set(ids)
    assert {attributes["lang"] for attributes in parsed.all("html")} == {"en"}


def test_every_picture_has_an_alternative_text_and_every_figure_a_caption(page):
    parsed = Page(page[1])
    images = parsed.all("img")
    assert len(images) == 7  # five figures, the animation, and its filmstrip
    assert all(len(image["alt"]) > 20 for image in images)
    assert len(parsed.all("figure")) == len(parsed.all("figcaption")) == 6
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page[1], re.DOTALL)
    assert all(len(caption.strip()) > 40 for caption in captions)


def test_nothing_is_loaded_from_anywhere(page):
    parsed = Page(page[1])
    assert not parsed.all("link", "iframe", "object", "embed", "audio", "video")
    loaded = [a[key] for _, a, _ in parsed.tags for key in ("src", "srcset") if key in a]
    assert loaded
    assert all(address.startswith(("data:image/png;base64,", "data:image/gif;base64,")) for address in loaded)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", page[1])
    (policy,) = [meta["content"] for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert len(page[1].encode()) < 5_000_000


def test_the_report_says_what_it_should(page, path):
    html = page[1]
    for text in (
        "Ha, C. Singh", "NeurIPS", "Transformation importance with applications to", "12" * 32, "34" * 32, "awd-core",
        "wavelet.to_pywt()", "40 × 32", "orthonormality error", "path.json", "python",
    ):  # fmt: skip
        assert text in html, text
    assert f'data-value="{float(path[1].wavelet.dec_lo[0])!r}"' in html, "the CSV file has the taps in full"
    assert f"{path[1].interpretation / path.start_interpretation:.4f}" in html
    assert "coif1 distilled on &lt;my&gt;&amp;data.npy" in html
    assert "<my>" not in html


def test_the_three_lines_of_code_run(page):
    folder, _ = page
    code = snippet(folder, {"ndim": 1, "levels": 2, "mode": "zero"})
    assert len(code.splitlines()) == 3
    names = {"x": torch.zeros(3, 32)}
    exec(code, names)  # noqa: S102 - what the report tells people to run
    assert isinstance(names["coefficients"], Coefficients)
    assert "DWT2d(wavelet" in snippet(folder, {"ndim": 2, "levels": 2, "mode": "zero"})


def test_figures_lie_in_the_folder_too(page):
    folder, html = page
    names = {"wavelet", "path", "functions", "minima", "scores", "filmstrip"}
    assert {item.stem for item in (folder / "figures").iterdir()} == names
    for name in names:
        assert data_uri((folder / "figures" / f"{name}.png").read_bytes()) in html
    assert data_uri((folder / "wavelet.gif").read_bytes()) in html


@pytest.mark.filterwarnings("ignore:levels is 6, more than the 5 that fit:UserWarning")  # the report tells it, too
def test_a_short_wavelet_and_a_single_share_have_a_report_too(tmp_path):
    X, gradients = inputs_and_gradients()
    single = distill_path(X, gradients, wavelet="haar", levels=6, shares=(0.3,))
    with RunFolder.open(tmp_path, program="demo", settings={"seed": 0}, quiet=True) as run:
        part = distillation_part(single, single[0], run)
    assert part.chosen.wavelet.distance("haar") < 1e-15
    assert part.agreement == [(0.3, 1, 1)]  # there is but one filter with two taps
    assert any("6 levels are more than the 5 that fit a length of 32 with 2 taps" in note for note in part.notes)
    assert any("The objective is hardly below that of haar" in note for note in part.notes)
    assert "unchanged" in part.summary
    with Image.open(tmp_path / "wavelet.gif") as gif:
        assert gif.n_frames == 1


def test_a_choice_that_means_nothing_is_called_so(page, path, scores, tmp_path):
    config = json.loads((page[0] / "config.json").read_text())
    for means, useless in (((-0.2, -0.3, -0.1), True), ((0.1, 0.5, -0.1), False)):
        chosen = int(np.argmax(means))
        selection = Selection(chosen, 2, means, (0.05, 0.04, 0.1), np.zeros((3, 5)), (0.0, 0.5, 1.0))
        given = {"settings": config["settings"], "options": config["options"]}
        with RunFolder.open(tmp_path / str(useless), program="awd distill", **given, quiet=True) as run:
            write_page(run, path, path[chosen], selection, scores=scores)
        html = (tmp_path / str(useless) / "report.html").read_text()
        assert ("the choice means nothing" in html) == useless
        assert "lasso regression of the truths" in html
        assert f'data-value="{means[chosen]!r}"' in html


# Figures


def text_of(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


@pytest.mark.parametrize("narrow", [False, True])
def test_the_figures_show_the_numbers(path, scores, narrow):
    chosen = path[1]
    terms, trade, distance = distillation_figures.path_figure(path, chosen, narrow=narrow).axes
    np.testing.assert_allclose(terms.get_lines()[0].get_ydata(), [p.sparsity / path.start_sparsity for p in path])
    np.testing.assert_allclose(
        terms.get_lines()[1].get_ydata(), [p.interpretation / path.start_interpretation for p in path]
    )
    np.testing.assert_allclose(distance.get_lines()[1].get_ydata(), [p.wavelet.distance(path.start) for p in path])
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in (terms, trade, distance))
    functions = distillation_figures.functions_figure(path, chosen, narrow=narrow)
    assert text_of(functions)[:3] == ["α = 0", "α = 0.5 (chosen)", "α = 1"]
    np.testing.assert_array_equal(functions.axes[2].get_lines()[1].get_ydata(), path[2].wavelet.functions(8).psi)
    bars = distillation_figures.scores_figure(*scores, narrow=narrow).axes[1].patches
    assert [bar.get_height() for bar in bars[3:]] == [scale.attribution_l1 for scale in scores[1].scales]
    assert text_of(distillation_figures.wavelet_figure(chosen.wavelet, path.start, narrow=narrow)) == [
        "Scaling function", "Wavelet function", "Analysis filters", "Frequency response",
    ]  # fmt: skip


@pytest.mark.parametrize("narrow", [False, True])
def test_the_minima_are_all_drawn(path, narrow):
    minima = all_minima(path)
    (axes,) = distillation_figures.minima_figure(minima, path[1], narrow=narrow).axes
    assert len(axes.collections) == sum(map(len, minima))


def test_marks_that_would_hide_each_other_are_shifted():
    heights = [0.0, 0.01, 0.02, 1.0, 1.05]
    shifts = distillation_figures._dodged(heights)
    places = list(zip(heights, shifts, strict=True))
    assert len(set(shifts[:3])) == 3
    assert shifts[0] == shifts[3] == 0.0
    assert all(abs(a - b) >= 0.2 or s != t for i, (a, s) in enumerate(places) for b, t in places[:i])


# Local minima


def descent(name, free, objective, begin=None):
    steps = [
        Step(tuple(begin or np.array(free) + 0.1), 1.0, 1.0, objective + 1),
        Step(tuple(free), 1.0, 1.0, objective),
    ]
    return Descent(name, tuple(steps), 2, 0.0)


def test_searches_that_end_in_one_place_are_one_minimum(path):
    point = path[1]
    found = [
        descent("a", [0.1, 0.2], 0.9),
        descent("b", [0.5, -0.4], 0.7),
        descent("c", [0.1004, 0.2003], 0.91),
        descent("refined b", [0.5, -0.4], 0.69),
    ]
    made = type(point)(0.5, 1.0, point.wavelet, 1.0, 1.0, 0.7, tuple(found))
    minima = local_minima(made)
    assert [minimum.starts for minimum in minima] == [("b",), ("a", "c")]
    assert [minimum.excess for minimum in minima] == pytest.approx([0, 0.9 / 0.7 - 1], abs=1e-12)
    assert agreement(minima) == (1, 3)


def test_every_search_is_counted_once(path):
    for point, minima in zip(path, all_minima(path), strict=True):
        searches = {d.steps[0].free_angles for d in point.descents if not d.start.startswith("refined")}
        assert sum(len(minimum.starts) for minimum in minima) == len(searches)
        assert [minimum.objective for minimum in minima] == sorted(minimum.objective for minimum in minima)


# Animation


def test_the_trail_leads_from_a_start_to_the_wavelet(path):
    for point in path:
        way = trajectory(path, point)
        assert way.states[-1].wavelet == point.wavelet
        begun = {d.start for p in (path[0], path[-1]) for d in p.descents}
        assert way.begin in begun
        assert not way.begin.startswith(("path", "minimum", "refined"))
        assert [state.step for state in way.states] == list(range(len(way.states)))
        # Between iterations of one search anything goes; from one search to the next nobody sees a jump.
        for one, other in zip(way.states, way.states[1:], strict=False):
            if one.share != other.share:
                assert np.linalg.norm(one.wavelet.taps - other.wavelet.taps) < 1.0


def test_the_trail_begins_at_the_users_wavelet_if_it_leads_there():
    X, gradients = inputs_and_gradients()
    path = distill_path(X, gradients, wavelet="db3", levels=2, shares=(1,), search=SearchSettings(random_starts=2))
    assert trajectory(path, path[0]).begin == "db3"
    assert trajectory(path, path[0]).states[0].wavelet.distance("db3") < 1e-12


def test_the_animation_is_small_and_ends_with_the_wavelet(path):
    way = trajectory(path, path[2])
    content = animate(way, frames=12)
    assert len(content) < LARGEST
    assert content == animate(way, frames=12), "the same path, the same file"
    gif = Image.open(io.BytesIO(content))
    assert (gif.n_frames, gif.info["loop"]) == (12, 0)
    assert gif.size == (640, 260)
    gif.seek(11)
    assert gif.info["duration"] >= 2000
    strip = filmstrip(way, columns=4)
    np.testing.assert_array_equal(strip.axes[11].get_lines()[-2].get_ydata(), path[2].wavelet.taps)
    assert strip.axes[0].get_title() == f"start: {way.begin}"


# The file of a path


def test_a_path_comes_back_from_its_file(path, tmp_path):
    save_path(path, tmp_path / "path.json")
    back = load_path(tmp_path / "path.json")
    assert isinstance(back, DistillationPath)
    assert to_json(back) == to_json(path)
    for one, other in zip(back, path, strict=True):
        assert one.wavelet == other.wavelet
        assert one.wavelet.metadata == other.wavelet.metadata
        assert (one.share, one.ratio, one.objective) == (other.share, other.ratio, other.objective)
        # As text, since NaN stands where a term had no weight.
        assert repr(one.best.steps) == repr(other.best.steps)
    assert back.start == path.start
    assert math.isinf(back[2].ratio)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"path\.json cannot be read as a distillation path"),
        ("{}", 'it has no "format": "awd-path"'),
        ('{"format": "awd-path", "version": 9}', "its version is 9 and this awd-core reads version 1"),
        ('{"format": "awd-path", "version": 1}', "as a distillation path: it lacks start, start_sparsity"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "path.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_path(tmp_path / "path.json")


# The look


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.12345, "#.4g", "0.1235"),
        (-2.0, ".1f", "−2.0"),
        (1.5e-9, ".1e", "1.5·10⁻⁹"),
        (2e20, "#.4g", "2.000·10²⁰"),
        (0.0, ".1e", "0"),
        (math.inf, "g", "∞"),
        (-math.inf, "g", "−∞"),
        (math.nan, "g", "–"),
        (None, "g", "–"),
    ],
)
def test_numbers_are_written_as_people_do(value, style, text):
    assert number(value, style) == text


def test_a_table_shows_rounded_and_keeps_full_numbers():
    table = Table(
        "t", [Column("x", "meaning", ".2f"), Column("name"), Column("ok")], [[1 / 3, "<b>", True], [None, "", False]]
    )
    assert table.numeric == [True, False, False]
    assert table.cells(table.rows[0]) == [("0.33", "0.3333333333333333"), ("<b>", "<b>"), ("yes", "yes")]
    assert table.cells(table.rows[1]) == [("–", ""), ("", ""), ("no", "no")]


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match="row 1 of the table 't' has 1 values for 2 columns"):
        Table("t", [Column("a"), Column("b")], [[1, 2], [1]])


def test_a_picture_needs_an_alternative_text_and_a_known_format():
    with pytest.raises(ValueError, match="the picture 'p' needs an alternative text"):
        Picture("p", "  ", PNG)
    with pytest.raises(ValueError, match="a picture must be PNG or GIF, this one begins with b'<svg'"):
        data_uri(b"<svg></svg>")


def test_a_methods_paragraph_cites_what_is_known():
    part = methods_part(["One [@ha2021adaptive; @efron1993introduction].", "Two [@ha2021adaptive]."])
    assert part.text == "One (Ha et al. 2021; Efron and Tibshirani 1993). Two (Ha et al. 2021)."
    assert part.bibtex.startswith("@inproceedings{ha2021adaptive,")
    assert part.bibtex.count("@inproceedings{ha2021adaptive,") == 1
    assert part.bibtex.endswith("year      = {1993}\n}")
    with pytest.raises(KeyError, match="nobody"):
        methods_part(["Three [@nobody]."])


def test_what_a_template_lacks_is_said():
    with pytest.raises(
        ValueError, match=r"base\.html\.j2 asks for something that was not given: 'versions' is undefined"
    ):
        render("awd_core.report/base.html.j2", title="T")


def test_a_report_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match=r"the report has 6\.0 MB, more than 5; leave pictures out"):
        render("awd_core.report/base.html.j2", title="T", summary="x" * 6_000_000, facts=[], versions={})


def test_what_is_given_is_escaped():
    html = render(
        "awd_core.report/base.html.j2", title="<script>", summary="a & b", facts=[("<i>", "1", "")], versions={}
    )
    assert "<title>&lt;script&gt;</title>" in html
    assert "a &amp; b" in html
    assert "<dt>&lt;i&gt;</dt>" in html


def test_another_package_extends_the_page(tmp_path, monkeypatch):
    package = tmp_path / "other_science"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "templates" / "run.html.j2").write_text(
        '{% extends "awd_core.report/base.html.j2" %}{% import "awd_core.report/parts.html.j2" as parts %}'
        "{% block content %}{% call parts.table(table) %}A caption.{% endcall %}{% endblock %}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    table = Table("peaks", [Column("height", style=".1f")], [[1.25], [math.inf]], marked=1)
    html = render(
        "other_science/run.html.j2",
        title="T",
        packages=["other_science"],
        summary="",
        facts=[],
        versions={},
        table=table,
    )
    parsed = Page(html)
    assert "A caption." in html
    assert '<td class="number" data-value="1.25">1.2</td>' in html
    assert '<tr class="marked"><td class="number" data-value="inf">∞</td></tr>' in re.sub(r"\s*\n\s*", "", html)
    assert [button["data-table"] for button in parsed.all("button") if "data-table" in button] == ["peaks"]
