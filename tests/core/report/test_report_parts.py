"""What reports are made of: tables, files that are read, pictures, the comparison of methods, and a limit of size."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from awd_core.evidence.scores import coefficient_scores
from awd_core.plotting import palette
from awd_core.plotting.layout import NARROW, panels
from awd_core.report import page
from awd_core.report.comparison import Method, Score, comparison_figure
from awd_core.report.page import Picture, save_report
from awd_core.report.pictures import PlannedFigure, draw_pictures, offset_progress
from awd_core.report.read import read_json, read_quality, read_scores
from awd_core.report.table import ON_PAPER, Column, Table, number
from awd_core.run.folder import RunFolder


@pytest.fixture
def run(tmp_path):
    with RunFolder.open(tmp_path / "run", program="awd distill", settings={"seed": 0}, quiet=True) as run:
        yield run


# Tables


def test_scalars_of_numpy_are_numbers_and_nan_is_missing():
    table = Table(
        "t", [Column("x", style=".2f"), Column("n"), Column("ok")], [[np.float64(1 / 3), np.int64(7), np.True_]]
    )
    assert table.cells(table.rows[0]) == [("0.33", "0.3333333333333333"), ("7", "7"), ("yes", "yes")]
    assert table.numeric == [True, True, False]
    missing = Table("t", [Column("x")], [[math.nan], [1.5]])
    assert missing.cells(missing.rows[0]) == [("–", "")]


def test_large_counts_are_grouped_on_the_page_and_plain_in_the_file():
    table = Table("t", [Column("parameters")], [[175673], [-12345], [1472]])
    assert [table.cells(row)[0] for row in table.rows] == [
        ("175,673", "175673"), ("−12,345", "-12345"), ("1472", "1472"),
    ]  # fmt: skip


def test_numbers_do_not_end_in_a_point():
    assert number(1081.2, "#.4g") == "1081"
    assert number(3.0e12, "#.1g") == "3·10¹²"


def test_columns_are_set_by_what_they_hold():
    columns = [Column("n"), Column("name"), Column("why"), Column("account")]
    table = Table("t", columns, [[1, "db5", "w" * 25, "w" * 91], [None, "sym5", "", ""]])
    assert table.classes == ["number", "", "words", "words long"]


def test_unknown_columns_go_and_the_mark_stays():
    columns = [Column("model"), Column("bias", "mean"), Column("what")]
    table = Table("t", columns, [["AWD", None, "–"], ["db5", None, "–"]], marked=1).known()
    assert ([column.head for column in table.columns], table.rows, table.marked) == (["model"], [["AWD"], ["db5"]], 1)
    assert table.meanings == []


def test_what_paper_leaves_out_is_counted():
    rows = [[number] for number in range(ON_PAPER + 3)]
    assert Table("t", [Column("n")], rows).unprinted == 3
    assert Table("t", [Column("n")], rows[:ON_PAPER]).unprinted == 0


# Files


def test_scores_come_back_as_they_were(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 32))
    start, distilled = (coefficient_scores(wavelet, X, X, levels=2) for wavelet in ("haar", "db2"))
    both = [replace(start, gini_attributions=math.nan, kept=((0.1, math.nan),)), distilled]
    (tmp_path / "scores.json").write_text(json.dumps({"start": both[0].to_dict(), "distilled": both[1].to_dict()}))
    back = read_scores(tmp_path / "scores.json", "awd")
    # As text, since NaN stands where nothing is attributed.
    assert "nan" in repr(both[0])
    assert repr(list(back)) == repr(both)


def test_what_is_not_there_is_none(tmp_path):
    assert read_json(tmp_path / "a.json") is None
    assert read_scores(tmp_path / "a.json", "awd") is None
    assert read_quality(tmp_path / "a.json", "awd") is None


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_scores, "{", r"a\.json cannot be read as scores of awd: it is not JSON.*; delete it and start"),
        (read_scores, '{"start": {}}', "it lacks distilled; start: it has no .*; delete it and start the run again"),
        (read_scores, '{"start": {"format": "awd-scores", "version": 1}}', "start lacks wavelet, taps, scales"),
        (read_quality, "{}", r"a\.json cannot be read as attribution quality of awd: it has no"),
    ],
)
def test_damaged_files_are_named(tmp_path, read, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a.json", "awd")


# Pictures


def test_pictures_are_drawn_twice_and_told(run):
    def draw(narrow):
        asked.append(narrow)
        return Figure(figsize=(1, 1))

    asked, told = [], []
    planned = [PlannedFigure(key, "what is drawn", draw) for key in ("a", "b")]
    made = draw_pictures(run, planned, lambda *done: told.append(done), others=3)
    offset_progress(2, lambda *done: told.append(done))(3, 3)
    assert asked == [False, True] * 2
    assert told == [(1, 5), (2, 5), (5, 5)]
    assert made["a"].image == (run / "figures" / "a.png").read_bytes()
    assert made["a"].narrow is not None


@pytest.mark.parametrize("narrow", [False, True])
def test_panels_lie_beside_or_below_each_other(narrow):
    figure, made = panels(3, narrow, height=2.0, width=3.0, shared=True)
    figure.canvas.draw()
    first, second = (axes.get_position() for axes in made[:2])
    assert (second.y1 < first.y0) if narrow else (first.x1 < second.x0)
    assert tuple(figure.get_size_inches()) == ((NARROW, 6.0) if narrow else (9.0, 2.0))


METHODS = [
    Method("AWD", "awd", [Score(0.6, 0.55, 0.66), Score(0.7)], own=True),
    Method("network", "network", [Score(0.62, 0.5, 0.7), None]),
    Method("series", "series", [Score(0.5), Score(0.52)]),
    Method("worst", "trivial", [Score(-40.0), None]),
]


@pytest.mark.parametrize("narrow", [False, True])
def test_the_comparison_shows_scores_and_intervals(narrow):
    figure = comparison_figure(METHODS, "R² on test tracks", series=("new", "known"), narrow=narrow)
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["AWD", "network", "series", "worst"]
    assert [float(bar.lines[0].get_xdata()[0]) for bar in axes.containers] == [0.6, 0.7, 0.62, 0.5, 0.52, -40.0]
    ends = axes.containers[0].lines[1]
    assert [float(end.get_xdata()[0]) for end in ends] == pytest.approx([0.55, 0.66])
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["AWD", "networks", "raw series", "no input", "new", "known"]
    figure.canvas.draw()
    said = axes.xaxis.label.get_window_extent()
    assert said.x0 >= 0
    assert said.x1 <= figure.bbox.width, "what is measured is written in full"


def test_one_bad_score_does_not_squeeze_the_others_and_is_written_down():
    (axes,) = comparison_figure(METHODS, "R²", zero=0.0).axes
    assert -1.0 < axes.get_xlim()[0] < 0.0
    assert [text.get_text() for text in axes.texts] == ["◂ −40"]


@pytest.mark.parametrize("worst", [Score(-393.0, -18_000.0, -8.0), Score(-1e6), Score(0.4, -2500.0, 0.9)])
def test_neither_a_bad_score_nor_its_interval_moves_the_other_end_of_the_axis(worst):
    (axes,) = comparison_figure([*METHODS[:3], Method("wild", "trivial", [worst])], "R²", zero=0.0).axes
    low, high = axes.get_xlim()
    assert -1.5 < low < 0.0
    assert 0.7 < high < 1.2


def test_colours_are_those_of_okabe_and_ito():
    """Each kind differs from every other in its colour or in its marker, and all but greys are of the palette."""
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert {palette.LOW, palette.HIGH} <= okabe_ito
    assert {style.colour for style in palette.KINDS.values()} <= okabe_ito | {palette.DARK}
    together = [style[1:] for kind, style in palette.KINDS.items() if kind != "series"]
    assert len(set(together)) == len(together)


# The limit of size


def save(run, **context):
    shown = Picture("p", "what is drawn on it", b"\x89PNG" + 900 * b"x", narrow=b"\x89PNG" + 60_000 * b"y")
    return save_report(
        run, "awd_core.report/quality.html.j2", made_with=("awd-core", "no such package"), title="T", summary="S",
        facts=[], quality={
            "headline": "h", "findings": [{"outcome": "pass", "sentence": "s"}], "hints": [], "inputs": 1, "of": 1,
            "picture": shown, "table": Table("t", [], []),
        },
        **context,
    )  # fmt: skip


def test_a_report_that_is_too_large_is_written_without_narrow_pictures_and_says_so(run, monkeypatch):
    assert save(run).stat().st_size > 80_000
    assert "Warning" not in (run / "log.txt").read_text()
    monkeypatch.setattr(page, "LARGEST", 50_000)
    place = save(run)
    assert place.stat().st_size < 50_000
    assert "<source" not in place.read_text()
    log = (run / "log.txt").read_text()
    assert log.count("Warning") == 1
    assert "written without the pictures for telephones" in log
    monkeypatch.setattr(page, "LARGEST", 500)
    assert save(run).exists(), "no run fails at its report"
    assert "Warning: it still has 0.0 MB" in (run / "log.txt").read_text()


def test_whoever_only_reads_a_run_needs_no_torch():
    read = "import sys; import awd_core.report.read, awd_core.evidence.score_records; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True).stdout == "False\n"
