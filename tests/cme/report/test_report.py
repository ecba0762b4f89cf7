import html
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from awd_cme.model.card import ModelCard
from awd_cme.model.coefficients import analysis_matrices, centre_times, scales
from awd_cme.model.features import MaxCoefficients
from awd_cme.model.intervals import coefficient_intervals
from awd_cme.model.regression import SeriesRidge
from awd_cme.model.results import Difference, ModelRow, Results
from awd_cme.model.scores import score_difference, score_interval
from awd_cme.model.student import SeriesStudent
from awd_cme.model.student_card import StudentCard
from awd_cme.report.artefacts import read_artefacts
from awd_cme.report.methods import PROGRAMS, RESAMPLINGS
from awd_cme.report.page import CITATIONS, write_report
from awd_cme.report.result_figures import economy_figure
from awd_cme.report.sentences import bands, compared, effects, sentence, sparser
from awd_cme.report.student import headline, numbers, read_curve
from awd_cme.report.summary import notes, scaling_sentence, size_sentence
from awd_cme.report.track_figures import examples_figure
from awd_cme.series.resample import RESAMPLING
from awd_cme.series.scaling import fit_z_scores
from awd_cme.series.series_file import save_series
from awd_cme.series.series_set import SeriesSettings, example_set
from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.distill.path_file import save_path
from awd_core.evidence.quality import (
    AttributionQuality,
    Completeness,
    PerturbationCurves,
    RandomisedTeacher,
    SeedAgreement,
)
from awd_core.evidence.scores import coefficient_scores
from awd_core.report.table import number as told_number
from awd_core.run.folder import RunFolder
from awd_core.wavelets.wavelet import Wavelet

NAMES = {
    "awd": ("AWD", "awd", 45),
    "awd_no_interpretation": ("AWD without attributions (α = 0)", "ablation", 45),
    "db5": ("DB5", "wavelet", 45),
    "haar": ("Haar", "wavelet", 45),
    "sym5": ("Sym5", "wavelet", 45),
    "coif2": ("Coif2", "wavelet", 45),
    "raw_ridge": ("Ridge on the raw series", "series", 41),
    "boosting": ("Gradient boosting", "series", 6200),
    "teacher": ("Teacher (LSTM)", "network", 1861),
    "student": ("AWD, 3 numbers", "awd", 6),
    "mean": ("Mean of the training tracks", "trivial", 1),
}


def make_run(folder, *, worse=False, drop=(), rule="cells", success=False):
    """A small run in the layout of `awd-cme run`: real path, card, intervals; other methods' predictions are the
    truth with noise of a stated size, or worse than that of the card."""
    series = replace(
        example_set(n=480, cells=16, seed=3),
        seconds_per_sample=np.full(480, 2.0),
        lifetime=np.full(480, 80.0),
        settings=SeriesSettings(),
    )
    series.losses.came = 611
    series.losses.add("tracks", 97, "lifetime of 15 s or less")
    series.losses.add("tracks", 34, "category 3: cut by the first or last frame of the movie")
    series.losses.assume("The frame interval of all cells is that of Cell1, since the others do not say.")
    series.losses.recognised.append("movies.tif: tracks of cmeAnalysis, 2 channels")
    rng = np.random.default_rng([3, 1])
    series.y[:] += rng.normal(0, 180, len(series)) * (1 + (series.y > np.median(series.y)))
    cells = sorted(set(series.cell), key=lambda name: int(name[4:]))
    held = np.isin(series.cell, cells[-6:]) if rule == "cells" else rng.random(len(series)) < 0.3
    train, test = np.flatnonzero(~held), np.flatnonzero(held)
    z = fit_z_scores(series.take(train))
    learnt = z.apply(series.take(train))

    weights = rng.standard_normal(40)
    slopes = weights * np.tanh(learnt.X @ weights / 6)[:, None] + 0.1 * rng.standard_normal(learnt.X.shape)
    search = SearchSettings(random_starts=1, iterations=12, finalists=1)
    path = distill_path(learnt.X, slopes, wavelet="db3", levels=3, shares=(0.0, 0.5, 1.0), search=search)
    chosen = path[1]
    features = MaxCoefficients(
        chosen.wavelet, levels=3, which="both", most=2, positions=True, energies=True, seconds_per_sample=2.0
    ).fit(learnt.X)
    model = SeriesRidge(folds=3).fit(features.transform(learnt.X), learnt.y, groups=learnt.cell)
    intervals = coefficient_intervals(model, features.transform(learnt.X), learnt.y, learnt.cell)
    card = ModelCard.of(features, model, learnt, z, intervals=intervals)

    truth, clusters = series.y[test], series.cell[test]
    predictions = {"awd": card.predict(series.X[test], cell=series.cell[test])}
    spread = float(truth.std())
    noise = {key: 0.45 + 0.07 * number for number, key in enumerate(NAMES)}
    for key in list(NAMES)[1:-1]:
        size = 0.1 if worse and key in ("teacher", "db5") else noise[key]
        shrunk = truth.mean() + (truth - truth.mean()) * (1 - 0.3 * size)
        predictions[key] = shrunk + rng.normal(0, size * spread, len(truth))
    predictions["mean"] = np.full(len(truth), float(series.y[train].mean()))
    metric = "auc" if success else "r2"
    if success:
        truth = truth > np.median(truth)
        predictions = {key: 1 / (1 + np.exp(-(v - v.mean()) / spread)) for key, v in predictions.items()}
    rows = []
    for key, (name, kind, parameters) in NAMES.items():
        if key == "mean" and success:
            continue
        found = score_interval(truth, predictions[key], clusters, metric=metric)
        rows.append(
            {
                "key": key, "name": name, "kind": kind, "features": "timed" if kind != "network" else None,
                "estimator": {"network": "LSTM", "trivial": "mean"}.get(kind, "ridge"), "score": found.value,
                "low": found.low, "high": found.high, "error": found.standard_error, "cv_score": found.value - 0.01,
                "parameters": parameters,
            }
        )  # fmt: skip
    differences = []
    for key in ("teacher", "db5", "awd_no_interpretation"):
        d = score_difference(truth, predictions["awd"], predictions[key], clusters, metric=metric)
        differences.append({"of": "awd", "to": key, "value": d.value, "low": d.low, "high": d.high})

    run = RunFolder.open(
        folder, program="awd-cme run", settings={"seed": 0, "settings": "published"}, options={"data": "movies"},
        packages=["awd-cme"], quiet=True,
    )  # fmt: skip
    used = dict(zip(*np.unique(series.cell, return_counts=True), strict=True))
    run.write_json(
        "data.json",
        {
            "account": "Tracks of 16 cells from cmeAnalysis.",
            "channels": ["clathrin", "auxilin"],
            "seconds_per_frame": 2.0,
            "micrometres_per_pixel": 0.1,
            "origin": {"seconds_per_frame": "the tracks' file", "channels": "given as an option"},
            "cells": [
                {"cell": name, "tracks": int(used[name]) + 8, "used": int(used[name]), "source": "ProcessedTracks.mat"}
                for name in cells
            ],
            "losses": series.losses.to_dict(),
            "target": {
                "name": "consecutive" if success else "mean_significant", "unit": "" if success else "counts",
                "task": "success" if success else "regression",
            },
            "series": len(series), "length": 40, "settings": series.settings.to_dict(), "simulation": None,
        },
    )  # fmt: skip
    save_series(series, run / "series.npz")
    run.write_json("split.json", {"rule": rule, "seed": 0, "train": train.tolist(), "test": test.tolist()})
    save_path(path, run / "path.json")
    chosen.wavelet.save(run / "wavelet.json")
    both = [coefficient_scores(w, learnt.X, slopes, levels=3) for w in (path.start, chosen.wavelet)]
    run.write_json("scores.json", {"start": both[0].to_dict(), "distilled": both[1].to_dict()})
    run.write_json("quality.json", example_quality().to_dict() | {"asked": {"inputs": 128, "of": len(train)}})
    candidates = [
        {
            "wavelet": f"db3 {point.share:g}", "start": "db3", "share": point.share, "features": kind,
            "regression": "ridge",
            "mean": 0.45 + 0.05 * point.share * (1 - point.share) + bonus, "standard_error": 0.012,
            "best": kind == "timed" and point is chosen, "chosen": kind == "timed" and point is chosen,
        }
        for point in path
        for kind, bonus in (("timed", 0.0), ("published", -0.04))
    ]  # fmt: skip
    fixed = {"wavelet": "db3", "start": "db3", "share": None, "features": "timed", "regression": "ridge", "mean": 0.44,
             "standard_error": 0.011, "chosen": False}  # fmt: skip
    run.write_json("selection.json", [*candidates, fixed])
    shown = [
        {"cell": name, "n": int((clusters == name).sum())}
        | {key: float(1 - np.mean((truth[clusters == name] * 1.0 - predictions[key][clusters == name]) ** 2)
                      / np.var(truth[clusters == name])) for key in ("awd", "teacher")}
        for name in np.unique(clusters)
    ]  # fmt: skip
    run.write_json(
        "results.json",
        {
            "metric": "AUC" if success else "R2", "rows": rows, "per_cell": shown, "differences": differences,
            "train": len(train), "test": len(test), "cells_train": 10, "cells_test": len(set(clusters)),
            "intervals": {"method": "jackknife", "over": "cells", "units": len(set(clusters)), "level": 0.95},
        },
    )  # fmt: skip
    run.write_json(
        "timings.json",
        {"microseconds_per_track": {"awd": [3.1, 0.4], "teacher": [913.0, 121.0]}, "seconds": {"training": 12.0}},
    )
    table = pd.DataFrame({"cell": clusters, "track": series.track[test], "lifetime": 80.0, "truth": truth * 1})
    pd.DataFrame(table.assign(**predictions)).to_csv(run / "predictions.csv", index=False)
    np.savez(run / "examples.npz", **example_tracks(series, test, card, predictions["awd"], truth))
    card.save(run / "card.json")
    divided = fit_z_scores(series.take(train), centre=False)
    few = divided.apply(series.take(train))
    small = SeriesStudent(chosen.wavelet, levels=3, most=3, learn=False).fit(few)
    small.card(few, divided).save(run / "student_card.json")
    points = [
        [method, count, 0.3 + 0.02 * place + 0.01 * (count or 0), -0.02 * place, 0.01, "db3"]
        for place, method in enumerate(("student", "db5", "best fixed", "chosen by labels"))
        for count in (2, 4)
    ]
    run.write_json("curve.json", {"points": [*points, ["teacher", None, 0.5, 0.1, 0.02, "teacher"]]})
    for name in drop:
        (run / name).unlink()
    return run


def example_tracks(series, test, card, predicted, truth):
    """Six test tracks, and the eight coefficients of each that moved the prediction most."""
    rng = np.random.default_rng([3, 2])
    rows, time = test[:6], np.tile(2.0 * np.arange(40), (6, 1))
    y = np.array([t / 6 * np.exp(-0.5 * ((time[0] - 55) / 6) ** 2) for t in series.y[rows]]) + rng.normal(0, 8, (6, 40))
    X, y = series.X[rows].copy(), y
    y[2, 30:] = X[2, 30:] = time[2, 30:] = np.nan
    found = {name: [] for name in ("example", "scale", "width", "position", "value", "weight")}
    matrices = analysis_matrices(card.taps, 40, 3)
    times = [2.0 * clock for clock in centre_times(card.taps, 40, 3)]
    per_band = len(card.selection.names("", 100))
    mean, sd = card.inputs.mean, card.inputs.sd
    for number, x in enumerate((series.X[rows] - mean) / sd):
        for band, ((name, width), matrix, clock) in enumerate(zip(scales(3, 2.0), matrices, times, strict=True)):
            values = matrix @ x
            for place in np.argsort(-values)[:2]:
                entry = (number, name, width, clock[place], values[place], card.coefficients[band * per_band, 0])
                for key, value in zip(found, entry, strict=True):
                    found[key].append(value)
    return {
        "cell": series.cell[rows], "track": series.track[rows], "truth": truth[:6] * 1.0, "prediction": predicted[:6],
        "time": time, "x": X, "y": y, **{key: np.array(values) for key, values in found.items()},
    }  # fmt: skip


def example_quality():
    shares = (0.0, 0.25, 0.5, 1.0)
    mine = PerturbationCurves("attribution", shares, (0.0, 0.8, 0.95, 1.0), (1.0, 0.3, 0.1, 0.0), (np.nan,) * 4,
                              (np.nan,) * 4, 0.8, 0.3, np.nan, np.nan)  # fmt: skip
    chance = PerturbationCurves("random", shares, (0.0, 0.3, 0.5, 1.0), (1.0, 0.7, 0.5, 0.0), (0.02,) * 4,
                                (0.02,) * 4, 0.5, 0.5, 0.02, 0.02)  # fmt: skip
    return AttributionQuality(
        mine, chance, Completeness(0.008, 0.04), SeedAgreement(0.7, 0.42, 0.4, 0.1, 3),
        RandomisedTeacher(0.1, 0.02, 0.7, 0.7, 0.6, 0.2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    with make_run(tmp_path_factory.mktemp("report") / "run") as run:
        calls = []
        page = write_report(run, progress=lambda done, total: calls.append((done, total)))
        yield run, page.read_text(), calls


def copy_of(run, folder, drop):
    """The same run elsewhere, with files missing."""
    shutil.copytree(run.path, folder, ignore=shutil.ignore_patterns(".lock", *drop))
    return RunFolder.open(
        folder, program="awd-cme run", settings=run.config["settings"], options=run.config["options"],
        packages=["awd-cme"], quiet=True,
    )  # fmt: skip


def text_of(page):
    body = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def test_the_report_stands_alone_and_is_small(full):
    run, page, calls = full
    assert len(page.encode()) < 5_000_000
    assert "default-src 'none'" in page
    assert not re.search(r'(src|srcset|href)="(?!data:|#|https://(doi|arxiv)\.org)', page)
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    assert calls[-1][0] == calls[-1][1]
    figures = {item.stem for item in (run / "figures").glob("*.png")}
    own = {"curve", "results", "examples", "wavelet_scales", "effects", "predictions", "cells", "candidates", "economy"}
    assert own | {"wavelet", "path", "quality"} <= figures


def test_every_figure_has_a_text_and_a_narrow_variant_and_ids_are_unique(full):
    _, page, _ = full
    images = re.findall(r"<img [^>]*>", page)
    assert images
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
    assert page.count('max-width: 600px)" srcset') >= 12
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = re.findall(r'href="#([^"]+)"', page)
    assert links
    assert set(links) <= set(ids)


def test_the_summary_has_the_numbers_of_the_results(full):
    run, page, _ = full
    results = json.loads((run / "results.json").read_bytes())
    awd = results["rows"][0]
    summary = html.unescape(re.search(r'class="summary">([^<]+)<', page)[1])
    assert f"R² = {awd['score']:.3f} (95 %: {awd['low']:.3f} to {awd['high']:.3f})" in summary
    assert f"on {results['test']} test tracks of 6 cells that no fit has seen" in summary
    assert "its teacher" in summary
    assert "DB5 with the same features" in summary


def test_tracks_losses_card_and_citations_are_there(full):
    _, page, _ = full
    text = text_of(page)
    for expected in (
        "611 tracks came, 480 were kept",
        "category 3: cut by the first or last frame",
        "The frame interval of all cells is that of Cell1",
        "ProcessedTracks.mat",
        "Each standard deviation more of the",
        "ModelCard.load",
        "times as long",
        "of the coefficients, db3",
        "What the attributions name depends on the teacher's seed",
        "cmeAnalysis)",
        "Adaptive wavelet distillation from neural networks",
    ):
        assert expected in text
    assert "LapTrack" not in text


def test_the_paragraph_for_a_methods_section_says_what_the_run_did(full):
    run, page, _ = full
    text = text_of(page)
    methods = text[text.index("What this run did, for a Methods section") :]
    for wanted in (
        "by adaptive wavelet distillation (Ha et al. 2021) with awd-cme",
        "The tracks are of cmeAnalysis (Aguet et al. 2013).",
        "480 tracks", "6 cells were looked at once, for the test.", "@article{aguet2013advances,",
        "a jackknife over cells with Student's t (Efron and Tibshirani 1993)",
    ):  # fmt: skip
        assert wanted in methods, wanted
    assert "[@" not in methods
    assert RESAMPLINGS.keys() == RESAMPLING.keys()
    assert PROGRAMS.keys() == set(CITATIONS.values())
    assert {item.name for item in (run / "figures").iterdir() if item.suffix != ".png"} >= {"curve.pdf", "curve.svg"}


def test_free_angles_are_told_once_and_only_where_they_were_fitted(full):
    run, page, _ = full
    found = read_artefacts(run)
    numbers = found.results.row("awd").parameters
    assert f"AWD's model has {numbers} fitted numbers, 2 of them the wavelet's free angles." in text_of(page)
    of_start = [replace(row, chosen=row.share is None) for row in found.selection]
    for selection in (of_start, None):
        assert f"AWD's model has {numbers} fitted numbers." in size_sentence(replace(found, selection=selection))
    short = replace(found, wavelet=Wavelet.from_name("db2"))
    assert f"{numbers} fitted numbers, 1 of them the wavelet's free angle." in size_sentence(short)


def test_a_worse_awd_is_called_worse(tmp_path):
    drop = (
        "path.json",
        "series.npz",
        "examples.npz",
        "scores.json",
        "quality.json",
        "selection.json",
        "card.json",
        "predictions.csv",
    )
    with make_run(tmp_path / "run", worse=True, drop=drop) as run:
        data = json.loads((run / "data.json").read_text())
        data["losses"]["doubts"] = ["the tracks of cell1 do not lie on spots"]
        run.write_json("data.json", data)
        text = text_of(write_report(run).read_text())
    assert "Warning: the tracks of cell1 do not lie on spots." in text
    assert "AWD is worse than its teacher" in text
    assert "AWD is worse than DB5 with the same features" in text
    above = re.search(r"Above AWD in R², whether by more than chance or not: ([^.]*)\.", text)[1]
    assert {"DB5", "Teacher (LSTM)"} <= set(above.split(", "))


def test_success_is_reported_as_auc_and_tracks_of_the_same_cells_are_named(tmp_path):
    with make_run(
        tmp_path / "run", rule="tracks", success=True, drop=("path.json", "examples.npz", "selection.json")
    ) as run:
        text = text_of(write_report(run).read_text())
    assert "AWD predicts whether auxilin comes with AUC = 0." in text
    assert "of the same cells as the training tracks" in text
    assert "the scores say nothing of how well this works on others" in text


OPTIONAL = (
    "split.json", "series.npz", "path.json", "wavelet.json", "scores.json", "quality.json", "selection.json",
    "timings.json", "predictions.csv", "examples.npz", "card.json",
)  # fmt: skip


def test_what_is_missing_leads_to_a_sentence(full, tmp_path):
    with copy_of(full[0], tmp_path / "run", OPTIONAL) as run:
        text = text_of(write_report(run).read_text())
    for name in ("examples.npz", "card.json", "predictions.csv", "selection.json", "path.json", "scores.json",
                 "timings.json", "quality.json"):  # fmt: skip
        assert name in text


def test_without_the_two_files_that_must_be_there_it_says_which(full, tmp_path):
    with (
        copy_of(full[0], tmp_path / "run", ("results.json",)) as run,
        pytest.raises(FileNotFoundError, match=r"results\.json is not there, which the report is made from"),
    ):
        write_report(run)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data.json", "{", r"data\.json cannot be read as JSON"),
        ("data.json", "{}", r"data\.json lacks channels, cells, losses, target"),
        ("predictions.csv", "a,b\n1,2\n", r"predictions\.csv lacks the columns cell, truth"),
        ("scores.json", '{"start": {}}', r"scores\.json cannot be read as scores of awd-cme: it lacks distilled"),
        ("card.json", "{}", r"card\.json cannot be read as a model card"),
        (
            "results.json",
            '{"metric": "R2", "rows": [{"key": "awd"}]}',
            r"results\.json .*: rows\[0\] lacks name, kind",
        ),
        ("selection.json", '[{"mean": "x"}]', r"selection\.json cannot be read as the selection of a run: \[0\] lacks"),
    ],
)
def test_a_file_that_is_something_else_is_named(full, tmp_path, name, content, message):
    with copy_of(full[0], tmp_path / "run", ()) as run:
        (run / name).write_text(content)
        with pytest.raises(ValueError, match=message):
            read_artefacts(run)


def test_examples_of_another_layout_are_refused(full, tmp_path):
    run, _, _ = full
    from awd_cme.report.examples import Examples

    with np.load(run / "examples.npz") as arrays:
        held = dict(arrays)
    np.savez(tmp_path / "short.npz", **{**held, "width": held["width"][:-1]})
    with pytest.raises(ValueError, match="width has 47 entries, not 48"):
        Examples.load(tmp_path / "short.npz")
    del held["weight"]
    np.savez(tmp_path / "less.npz", **held)
    with pytest.raises(ValueError, match="lacks the arrays weight"):
        Examples.load(tmp_path / "less.npz")


def test_the_report_begins_with_few_numbers(full):
    run, page, _ = full
    found, text = read_artefacts(run), text_of(page)
    scores = {row.key: row.score for row in found.results.rows}
    said = headline(found.results, found.student)
    assert said in text
    told = {key: told_number(score, ".3f") for key, score in scores.items()}
    assert f"3 numbers of one wavelet reach R² = {told['student']}" in said
    assert said.endswith(f"the rich form, 45 parameters, {told['awd']} and the network {told['teacher']}.")
    assert page.index('id="numbers-table') < page.index('id="results-table')
    rows = numbers(found.student, "counts").rows
    for row, one in zip(rows, found.student.numbers, strict=True):
        assert row[0] in text
        assert row[-1] == pytest.approx(one.value * one.sd * found.student.targets.sd)
    assert headline(found.results, None) == ""


def test_odds_of_the_few_numbers_and_a_curve_that_is_none(full, tmp_path):
    card = StudentCard.load(full[0] / "student_card.json")
    rated = numbers(replace(card, task="classification"), "")
    for row, one in zip(rated.rows, card.numbers, strict=True):
        assert row[-1] == pytest.approx(np.exp(one.value * one.sd))
    (tmp_path / "curve.json").write_text('{"points": [[1, 2]]}')
    with pytest.raises(ValueError, match=r"curve\.json cannot be read as a curve"):
        read_curve(tmp_path / "curve.json")


def test_an_effect_is_what_the_card_predicts_for_one_standard_deviation_more(full):
    run, _, _ = full
    found = read_artefacts(run)
    card, listed = found.card, effects(found.card, found.spread)
    assert len(listed) == len(card.names)
    # The effects are linear in the feature: weight × sd of the feature × sd of the target, by an own computation.
    with np.load(run / "series.npz") as arrays:
        rows = np.array(found.split["train"])
        X, cell = arrays["X"][rows], arrays["cell"][rows]
    mean, sd = card.inputs.of(cell)
    features = MaxCoefficients("db3", levels=3, which="both", most=2, positions=True, energies=True,
                               seconds_per_sample=2.0).set_params(wavelet=found.wavelet)  # fmt: skip
    F = features.fit_transform((X - mean[:, None]) / sd[:, None])
    expected = card.coefficients[:, 0] * F.std(axis=0) * card.targets.sd
    # Rounding of sums over 300 tracks.
    np.testing.assert_allclose([e.value for e in listed], expected, rtol=1e-9)
    assert [e.description for e in listed[:3]] == [
        "the largest positive coefficient at scales slower than 32 s",
        "the second largest positive coefficient at scales slower than 32 s",
        "the most negative coefficient at scales slower than 32 s",
    ]
    assert bands(card)[1:] == ["16–32 s", "8–16 s", "4–8 s"]
    up = max(listed, key=lambda e: e.value)
    words = sentence(up, card, "counts")
    assert words.startswith(f"Each standard deviation more of {up.description} raises the predicted auxilin by ")


def test_the_scaling_the_seeds_and_the_cells_are_told(full):
    found = read_artefacts(full[0])
    assert scaling_sentence(found) == ""
    for choice, said in (
        (
            {"asked": "auto", "rule": "own", "scores": {"training": -0.2, "own": 0.5}},
            "R² −0.200 by “training” and 0.500",
        ),
        ({"asked": "auto", "rule": "training"}, "one training cell leaves nothing to choose by."),
        ({"asked": "own", "rule": "own"}, "(a new cell needs them all at once): as was asked for."),
    ):
        assert said in scaling_sentence(replace(found, scaling={"choice": choice}))
    told = " ".join(notes(replace(found, seeds={"0": 0.51, "1": 0.48})))
    assert "with the seeds 0 and 1, has R² 0.510 and 0.480 on the test tracks" in told
    one = replace(found, results=replace(found.results, cells_test=1, intervals={"over": "tracks"}))
    assert "one cell: the intervals come from leaving out its tracks" in " ".join(notes(one))
    few = replace(found, results=replace(found.results, cells_test=3))
    assert "The test has 3 cells: however many tracks" in " ".join(notes(few))


def of_two(awd, db5, *differences):
    rows = [ModelRow(key, key, "awd", "timed", "ridge", score) for key, score in (("awd", awd), ("db5", db5))]
    return Results("R2", rows, train=7, test=3, differences=differences)


def test_what_has_no_interval_is_said_to_have_none():
    unknown = of_two(1.0, 0.9, Difference("db5", "awd", -0.1))
    said = "AWD is above DB5 (R² 0.900) by 0.100; there is no interval for that."
    assert compared(unknown, "awd", "db5", "DB5") == compared(of_two(1.0, 0.9), "awd", "db5", "DB5") == said
    assert unknown.text().endswith("awd   1.000\n  db5   0.900")


def test_differences_are_turned_round_and_named_honestly():
    told = of_two(0.4, 0.3, Difference("db5", "awd", -0.1, -0.15, -0.05, 0.01))
    assert compared(told, "awd", "db5", "DB5") == (
        "AWD is better than DB5 (R² 0.300) by 0.100 (95 %: 0.050 to 0.150), for this trained network and this split."
    )
    assert told.difference("awd", "db5") == Difference("awd", "db5", 0.1, 0.05, 0.15, 0.01)
    worse = of_two(0.3, 0.4, Difference("awd", "db5", -0.1, -0.15, -0.05))
    assert compared(worse, "awd", "db5", "DB5").startswith(
        "AWD is worse than DB5 (R² 0.400), by 0.100 (95 %: 0.050 to 0.150)"
    )
    same = of_two(0.4, 0.4, Difference("awd", "db5", 0.0, 0.0, 0.0))
    assert compared(same, "awd", "db5", "DB5").startswith("AWD is the same model as DB5")
    assert compared(told, "awd", "teacher", "its teacher") == ""
    assert sparser(0.5, 0.6, "db5").endswith("the distilled wavelet does not compress better.")
    assert sparser(None, 0.6, "db5") == ""


def test_example_scales_are_named_from_coarse_to_fine(full):
    examples = read_artefacts(full[0]).examples
    assert examples is not None
    for order in (slice(None), slice(None, None, -1)):  # whichever of two scales as wide appears first
        each = ("example", "scale", "width", "position", "value", "weight", "term")
        turned = {name: getattr(examples, name)[order] for name in each}
        figure = examples_figure(replace(examples, **turned), ("clathrin", "auxilin"), "counts")
        names = [label.get_text() for label in figure.subfigs[0].axes[1].get_yticklabels()]
        present = dict.fromkeys(examples.scale.tolist())
        assert len(names) == len(present)
        assert names[-1].startswith(">")
        lower = [float(name.partition("–")[0]) for name in names if not name.startswith(">")]
        assert lower == sorted(lower)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("gap", [0.0, 0.001, 0.005, 0.02])
def test_names_in_the_figure_of_sizes_meet_nothing(gap, narrow):
    keys = (("awd", "awd", 47), ("db5", "wavelet", 46), ("haar", "wavelet", 46), ("raw_ridge", "series", 41))
    rows = [
        ModelRow(key, f"the method {key}", kind, "timed", "ridge", 0.5 - number * gap, parameters=size)
        for number, (key, kind, size) in enumerate(keys)
    ]
    rows.append(ModelRow("teacher", "teacher", "network", "samples", "network", 0.4, parameters=3761))
    figure = economy_figure(Results("R2", rows), narrow=narrow)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    names = [text for text in axes.texts if text.get_text()]
    assert len(names) == 4
    boxes = [text.get_window_extent() for text in names]
    marks = axes.transData.transform([(row.parameters, row.score) for row in rows])
    for number, box in enumerate(boxes):
        assert box.count_overlaps(boxes[:number]) == 0
        assert not any(box.contains(*mark) for mark in marks)
        assert axes.bbox.x0 <= box.x0
        assert box.x1 <= axes.bbox.x1
