"""The machinery of the benchmarks: records, tables, pages and what a failure leaves; no speed is asserted."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from awd_cosmo.maps.open import open_maps
from docstrings import failures_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def load(name):
    return importlib.import_module(f"benchmarks.{name}")


def section_of(ours, peer, name="transforms", labels=("64 × 256²", "forward", "zero")):
    report, timing = load("report"), load("timing")
    figures = {"ours": timing.Rounds(tuple(ours)), "ptwt": timing.Rounds(tuple(peer))}
    found = report.measures(figures, "ours", frozenset())
    goal = report.Goal("≥", 2.5, "fastest peer", found["ptwt"].ratio)
    section = report.Section(
        name, "Transforms", ("problem", "task", "mode"), ("ours", "ptwt", "awave"), ("ptwt", "awave")
    )
    section.rows = [report.Row(labels, found, goal=goal)]
    section.machine = {
        "date": "2026-01-02T03:04:05+00:00", "processor": "P", "instructions": "I", "cores": 2, "threads": 2,
        "python": "3.11", "versions": {"torch": "2"}, "awave": None, "commit": None,
    }  # fmt: skip
    return section


@pytest.mark.parametrize("name", ["page", "cosmo_page", "suite_plan", "kills", "student_spectra"])
def test_examples_run(name):
    wrong = failures_of(f"benchmarks.{name}")
    assert not wrong, wrong


def test_a_record_gives_back_what_was_written(tmp_path):
    record = load("record")
    section = record.compared(section_of([0.01, 0.01], [0.04, 0.04]), section_of([0.008, 0.008], [0.04, 0.04]))
    record.write_record(tmp_path / "r.json", {"transforms": section})
    again = record.read_record(tmp_path / "r.json")["transforms"]
    assert again == section
    assert again.rows[0].before == {"ours": 0.008, "ptwt": 0.04}
    assert record.read_record(tmp_path / "none.json") == {}


def test_another_file_is_no_record(tmp_path):
    (tmp_path / "r.json").write_text('{"format": "awd-benchmarks", "version": 1, "sections": {}}')
    with pytest.raises(ValueError, match=r"is no record of benchmarks .*not awd-benchmarks 2"):
        load("record").read_record(tmp_path / "r.json")


def test_rows_that_were_not_there_last_time_know_none():
    compared = load("record").compared
    before = section_of([1.0], [2.0], labels=("4096 × 40", "forward", "zero"))
    assert compared(section_of([1.0], [2.0]), before).rows[0].before == {}
    assert compared(section_of([1.0], [2.0]), None).rows[0].before == {}


def test_changes_are_told_beyond_what_the_peers_changed():
    tables, compared = load("tables"), load("record").compared
    last = section_of([0.01] * 4, [0.04] * 4)
    slower_machine = compared(section_of([0.02] * 4, [0.08] * 4), last)
    assert tables.since_last_time(slower_machine)[0].startswith(
        "Since last time (2026-01-02): ours 2.00×, the peers 2.00×"
    )
    assert tables.since_last_time(slower_machine)[1].endswith("beyond their noise: none.")
    slower_code = compared(section_of([0.02] * 4, [0.04] * 4), last)
    assert tables.since_last_time(slower_code)[1].endswith("64 × 256², forward, zero 2.00×.")
    assert tables.since_last_time(section_of([1.0], [2.0])) == []


def test_the_table_of_everything_names_peer_last_time_and_goal():
    tables, compared = load("tables"), load("record").compared
    text = tables.markdown_overview([compared(section_of([0.01] * 3, [0.04] * 3), section_of([0.02] * 3, [0.04] * 3))])
    line = (
        "| 64 × 256², forward, zero | 10.0 ms | ptwt 40.0 ms (4.00×) | 20.0 ms (now 0.50×) | ≥ 2.5× fastest peer: met |"
    )
    assert line in text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (4.2e-6, "4.20 µs"),
        (0.0182, "18.2 ms"),
        (0.4, "400 ms"),
        (5.4, "5.40 s"),
        (188.0, "188 s"),
        (237600.0, "66.0 h"),
    ],
)
def test_durations(seconds, told):
    assert load("tables").duration(seconds) == told


def test_the_chart_has_a_point_for_each_row_and_a_bar_for_each_goal():
    section = section_of([0.01] * 3, [0.04] * 3)
    other = replace(section.rows[0], labels=("64 × 256²", "forward", "symmetric"))
    section.rows.append(other)
    figure = load("chart").draw_chart([section])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["64 × 256², forward"]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    bars = [line for line in axes.lines if list(line.get_xdata()) == [2.5, 2.5]]
    assert [float(line.get_xdata()[0]) for line in points] == pytest.approx([4.0, 4.0])
    assert len(bars) == 1


def test_prose_around_generated_parts_stays(tmp_path):
    page = load("page")
    place = tmp_path / "p.md"
    begin, end = page.markers("a")
    place.write_text(f"Before.\n{begin}\nold\n{end}\nAfter.\n")
    page.update_page(place, {"a": "one"})
    page.update_page(place, {"a": "two"})
    assert place.read_text() == f"Before.\n{begin}\n\ntwo\n\n{end}\nAfter.\n"
    with pytest.raises(ValueError, match=r"p\.md: the page must have the lines <!-- begin generated: b -->"):
        page.update_page(place, {"a": "three", "b": "x"})
    assert "three" not in place.read_text()


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A repository with a page, and two benchmarks, of which the first fails at will."""
    main, page = load("__main__"), load("page")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "docs" / "figures").mkdir(parents=True)
    parts = "\n".join("\n".join(page.markers(name)) for name in ("overview", "details"))
    (tmp_path / "docs" / "benchmarks.md").write_text(f"# Speed\n{parts}\nProse.\n")
    for name in ("main", "record"):
        monkeypatch.setattr(load("__main__" if name == "main" else name), "BENCHMARKS", ("one", "two"))
    state = {"fails": False, "seconds": 0.01}
    for name in ("one", "two"):
        module = ModuleType(f"benchmarks.{name}")

        def run(settings, log, name=name):
            if name == "one" and state["fails"]:
                raise RuntimeError("it fell over")
            return section_of([state["seconds"]] * 3, [0.04] * 3, name=name)

        module.run = run
        monkeypatch.setitem(sys.modules, f"benchmarks.{name}", module)
    monkeypatch.setattr(main, "use_all_cores", lambda: None)

    def measured(*options):
        return main.main(["--root", str(tmp_path), "--out", str(tmp_path / "runs"), *options])

    return tmp_path, state, measured


def test_kept_figures_are_what_the_next_run_is_compared_with(house, capsys):
    folder, state, measured = house
    assert measured("--keep") == 0
    state["seconds"] = 0.03
    assert measured() == 0
    assert "10.0 ms (now 3.00×)" in capsys.readouterr().out
    kept = json.loads((folder / "benchmarks" / "last.json").read_text())["sections"]
    assert kept["one"]["rows"][0]["measures"]["ours"]["value"] == 0.01
    page = (folder / "docs" / "benchmarks.md").read_text()
    assert page.startswith("# Speed")
    assert page.endswith("Prose.\n")
    assert "10.0 ms" in page
    assert "30.0 ms" in (folder / "runs" / "tables.md").read_text()
    assert (folder / "docs" / "figures" / "benchmarks.png").stat().st_size > 1000


def test_a_failure_loses_no_other_part(house, capsys):
    folder, state, measured = house
    assert measured("--keep") == 0
    state.update(fails=True, seconds=0.02)
    assert measured("--keep") == 1
    said = capsys.readouterr()
    assert "Failed: one. Once mended, `--only one` adds it." in said.out
    assert "it fell over" in said.err
    kept = json.loads((folder / "benchmarks" / "last.json").read_text())["sections"]
    assert [kept[name]["rows"][0]["measures"]["ours"]["value"] for name in ("one", "two")] == [0.01, 0.02]
    state["fails"] = False
    measured("--keep", "--only", "one")
    kept = json.loads((folder / "benchmarks" / "last.json").read_text())["sections"]
    assert kept["one"]["rows"][0]["before"]["ours"] == 0.01


def test_a_quick_run_is_not_kept(house, capsys):
    _, _, measured = house
    with pytest.raises(SystemExit):
        measured("--quick", "--keep")
    assert "too rough to be kept" in capsys.readouterr().err


def run_of(seed, awd, teacher, filters):
    table, results = load("cosmo_table"), importlib.import_module("awd_cosmo.inference.results")

    def row(key, rmse, validation, name=None, estimator="ridge"):
        return results.ModelRow(key, name or key, "awd", "s", estimator, rmse, validation_rmse=validation)

    rows = [row("awd", awd, awd), row("teacher", teacher, teacher), row("power_spectrum", 0.03, 0.03)]
    rows += [
        row(key, awd, awd) for key in ("awd_counts", "awd_no_interpretation", "db2", "numbers_haar", "numbers_db2")
    ]
    rows += [
        row(key, *values) for key, values in zip(("raw", "laplace_v1", "laplace_v2", "roberts"), filters, strict=True)
    ]
    told = results.Protocol(rows, 5, 2, 3, 2, 0.07)
    published = replace(told, rows=[*rows, row("awd_counts", 0.09, 0.01, "AWD kernels, as published", "nearest chi2")])
    chosen = {
        key: {"wavelet": name}
        for key, name in (
            ("awd", "student"),
            ("awd_counts", "db5, share 0.5"),
            ("awd_no_interpretation", "db5, share 0"),
        )
    }
    teacher_told = {"architecture": "ResNet-18", "best_epoch": 3, "epochs": 4}
    found = results.Results("Omega_m", {"held_out": told, "published": published}, [])
    return table.Run(seed, found, chosen, teacher_told)


FILTERS = [(0.05, 0.03), (0.04, 0.05), (0.06, 0.06), (0.07, 0.07)]


def test_the_best_filter_is_the_one_that_validation_would_take():
    page = load("cosmo_page")
    run = run_of(1, 0.02, 0.025, FILTERS)
    assert page.best_filter(run, "held_out").key == "raw"  # laplace_v1 is better on test maps alone
    assert page.ratio_of([run], "held_out", page.BEST_FILTER).values == (0.02 / 0.05,)


def test_ratios_over_seeds_have_students_interval():
    page = load("cosmo_page")
    ratio = page.geometric([0.8, 0.9, 1.0])
    logs = np.log([0.8, 0.9, 1.0])
    half = 4.302653 * logs.std(ddof=1) / np.sqrt(3)  # Student's t, two degrees of freedom, 97.5 %
    assert ratio.mean == pytest.approx(np.exp(logs.mean()))
    assert (ratio.low, ratio.high) == pytest.approx((np.exp(logs.mean() - half), np.exp(logs.mean() + half)), rel=1e-6)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.80, 0.81, 0.80], "≤ 0.87: met, with its interval"),
        ([0.70, 1.00, 0.90], "≤ 0.87: met, but its interval reaches across"),
        ([0.99, 1.00, 1.01], "≤ 0.87: missed, with its interval"),
        ([0.80, 1.10, 0.95], "≤ 0.87: missed, but its interval reaches across"),
        ([0.80], "≤ 0.87: met, one seed"),
    ],
)
def test_verdicts(values, told):
    page = load("cosmo_page")
    assert page.verdict("teacher", page.geometric(values)) == told
    assert page.verdict("numbers_haar", page.geometric(values)) == ""


def test_the_lensing_page_tells_every_seed_and_both_forms_of_awd():
    page = load("cosmo_page")
    runs = [run_of(1, 0.020, 0.025, FILTERS), run_of(2, 0.022, 0.025, FILTERS)]
    text = page.generated({"default": "plain maps"}, {"default": runs})
    assert "| teacher | 0.800 | 0.880 | 0.839 (" in text
    assert "| awd | 0.02100 ± 0.00100 | 0.02100 ± 0.00100 |" in text
    assert "| AWD kernels, as published |  | 0.09000 ± 0.00000 |" in text
    assert "| 2 | student | ridge | db5, share 0.5 | db5, share 0 | raw, ridge | 3 of 4 |" in text
    assert "(≤ 0.87: met, " in text


def test_a_run_in_the_wrong_folder_is_named(tmp_path):
    table, job = load("cosmo_table"), importlib.import_module("awd_cosmo.run.job")
    place = tmp_path / "noise" / "seed1"
    place.mkdir(parents=True)
    (place / "report.html").write_text("")
    (place / "config.json").write_text(json.dumps({"settings": {"job": job.PRESETS["quick"].to_dict()}}))
    with pytest.raises(ValueError, match="is no run of the variant noise: its noise is None and not"):
        table.read_runs(tmp_path / "noise", "noise")
    assert table.read_runs(tmp_path / "default", "default") == []


def test_time_that_grows_linearly_lies_on_a_straight_line():
    growth, page = load("scale_growth"), load("scale_page")
    sizes = [
        growth.Size(task, workers, n, {"open": 0.5, "read and cache": 1e-3 * n}, 200.0, 0.0, 200.0 + n / 1e3, "same")
        for task in ("maps", "movie")
        for workers in (1, 2)
        for n in (1000, 5000, 20_000)
    ]
    assert growth.line(sizes[:3]) == pytest.approx((0.5, 1e-3, 0.0), abs=1e-9)
    bent = replace(sizes[2], seconds={"open": 0.5, "read and cache": 30.0})
    assert growth.line([*sizes[:2], bent]).off > 0.05
    text = page.growth_part(sizes)
    assert (
        "Time: 0.5 s and 1 ms for each item, a straight line that all sizes keep within 0%. Largest peak over "
        "smallest: own process 1.00, all together 1.09 (goal: at most" in text
    )
    assert "the same bits" in text
    assert len(page.draw(sizes).axes) == 4
    differing = page.growth_part([*sizes[:-1], replace(sizes[-1], digest="other", together=400.0)])
    assert "NOT the same" in differing
    assert "missed" in differing


def test_a_suite_is_bound_by_the_slower_of_cores_and_storage():
    plan = load("suite_plan")
    suite = plan.Suite(cache_rate=100.0, count_rate=100.0, maps=1_000_000, megabytes=1.0, storage_rate=1000.0)
    assert [row[-1] for row in plan.plan(suite, [1, 8, 64])] == ["cores", "storage / cores", "storage"]
    assert suite.hours(2)[1] == pytest.approx(suite.hours(1)[1] / 2)
    with pytest.raises(ValueError, match="workers is 0; at least one is needed"):
        suite.hours(0)
    with pytest.raises(ValueError, match="storage_rate is 0; it must be above 0"):
        replace(suite, storage_rate=0)


def test_a_user_plugs_in_numbers(tmp_path, capsys):
    scale = load("scale")
    options = ["--root", str(tmp_path), "--suite", "--maps", "3600", "--megabytes", "1", "--workers", "1"]
    rates = ["--cache-rate", "1", "--count-rate", "2", "--storage-rate", "1e9", "--statistics", "1"]
    assert scale.main([*options, *rates]) == 0
    assert "| 1 | 1.0 | 0.5 | 1.5 | 2 | cores |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        scale.main(options)
    assert "no rates are kept" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched in /proc")
def test_memory_of_a_program_and_its_children_is_seen(tmp_path, monkeypatch):
    module, told = load("watch"), tmp_path / "seen"
    watch, resident = module.watch, module._resident

    def look(pid):
        found = resident(pid)
        if found is not None and found[0] > 100:
            told.touch()
        return found

    monkeypatch.setattr(module, "_resident", look)
    # It waits until it was looked at: how soon that is depends on what else the machine does.
    child = f"import os, time; x = b'1' * (100 << 20)\nwhile not os.path.exists({str(told)!r}): time.sleep(0.01)"
    run = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    code = f"x = b'1' * (60 << 20); {run}; print('done')"
    seen = watch([sys.executable, "-c", code])
    assert seen.output == "done\n"
    assert 60 <= seen.first < 100 <= seen.largest < 140  # an interpreter has some 10 MiB
    assert seen.together >= 160
    assert seen.processes == 2
    with pytest.raises(RuntimeError, match=r"exit code 3: .*so it ends"):
        watch([sys.executable, "-c", "import sys; print('so it ends', file=sys.stderr); sys.exit(3)"])


def test_a_task_of_scale_counts_all_maps(tmp_path, capsys):
    tasks = load("scale_tasks")
    (tmp_path / "maps").mkdir()
    load("fits_reading").write_files(tmp_path / "maps", 70, 32)
    assert tasks.main(["maps", str(tmp_path / "maps")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["items"] == 70
    assert list(told["seconds"]) == ["open", "read and cache", "count"]


def test_a_training_set_in_the_layout_of_the_challenge_is_read(tmp_path, capsys):
    """It is written by NumPy and CCL alone, as the challenge hands its own out."""
    mask = np.zeros((48, 32), bool)
    mask[4:40, 3:30] = True
    np.save(tmp_path / "mask.npy", mask)
    told = [str(tmp_path / "set"), "--mask", str(tmp_path / "mask.npy"), "--cosmologies", "3", "--realisations", "2"]
    assert load("fair_layout").main(told) == 0
    assert f"3 × 2 × {mask.sum()} float16" in capsys.readouterr().out
    maps = open_maps(tmp_path / "set")
    raw = np.load(tmp_path / "set" / "WIDE12H_bin2_2arcmin_kappa.npy")
    assert (raw.dtype, maps.shape, maps.arcmin_per_pixel) == (np.float16, (48, 32), 2.0)
    np.testing.assert_array_equal(maps.read([3])[0][mask], raw[1, 1].astype(np.float32))
    labels = np.load(tmp_path / "set" / "label.npy").reshape(-1, 5)
    np.testing.assert_array_equal(maps.parameters(["Omega_m", "S8"]), labels[:, :2])
    # Shape noise of 30 galaxies per arcmin², and a signal beside it.
    assert 0.0258 < raw.astype(float).std() < 0.04


def test_simulated_maps_are_counted_as_real_ones_are():
    from awd_cosmo.simulate.map_model import map_model

    simulated_maps = load("simulated_maps")
    kappa = np.zeros((128, 128))
    kappa[40, 50], kappa[80, 90] = 1.0, -0.5
    kappa += np.random.default_rng(0).standard_normal(kappa.shape) * 1e-3
    sd, skewness, kurtosis, above, far_above, below = simulated_maps.numbers(kappa, 2 * kappa.std())
    assert sd == pytest.approx(0.5)
    assert skewness > 10
    assert kurtosis > 1000
    area = (126 * 3.5 / 128) ** 2
    assert (above, far_above, below) == pytest.approx((1 / area, 1 / area, 1 / area))
    blocks = simulated_maps.averaged(np.arange(16.0).reshape(4, 4), 2)
    np.testing.assert_allclose(blocks, [[-5, -3], [3, 5]])
    assert simulated_maps.redshift_of(Path("convergence_z103.fit")) == 1.03
    # Halofit's deviation of a pixel of 1.64 arcmin, beam and all: below that without the beam.
    plain = map_model(simulated_maps.COSMOLOGY).variance ** 0.5
    assert 0.7 * plain < simulated_maps.expected_deviation(1.0) < 0.95 * plain
