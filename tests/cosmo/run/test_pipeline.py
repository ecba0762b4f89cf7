"""A whole run at a tiny size: what it writes, what splits keep apart, and that being killed changes nothing."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from awd_core.distill.path_file import load_path
from awd_core.files.arrays import read_array
from awd_core.student.result import StudentDistillation
from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.predict import predict_map, table_text
from awd_cosmo.inference.results import ModelEstimates, ModelRow, Results, predictions_csv
from awd_cosmo.maps.open import open_maps
from awd_cosmo.run.job import PRESETS, SIMULATED, Job
from awd_cosmo.run.pipeline import run_pipeline, saved_job
from awd_cosmo.run.prepare import NO_PUBLISHED
from awd_cosmo.run.student import student_rows
from awd_cosmo.simulate.simulation import PRESETS as SUITES
from awd_cosmo.simulate.simulation import simulate_suite
from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal
from awd_cosmo.teacher.resnet import ResNet18

TINY = PRESETS["tiny"].changed(epochs=1, field_statistics=("pdf", "joint"))
"""24 cosmologies of 4 maps of 32², one epoch of a teacher of width 4."""
ARTEFACTS = [
    "results.json", "model.json", "wavelet.json", "path.json", "scores.json", "selection.json", "choice.json",
    "predictions.csv", "attributions.npz", "maps.json", "maps.ecsv", "split.json", "teacher.json", "gradients.json",
    "quality.json", "teacher/teacher.safetensors", "teacher/history.json",
    "observed.json", "student.json", "peaks.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Maps in the layout of MassiveNuS; the preset's design, smaller."""
    folder = tmp_path_factory.mktemp("suite") / "maps"
    preset = SUITES["tiny"]
    simulate_suite(folder, seed=0, preset="tiny", design=replace(preset, cosmologies=24).table(0), realisations=4)
    return folder


@pytest.fixture(scope="module")
def finished(suite, tmp_path_factory):
    """A run up to the comparison, with two of its own maps as observed ones."""
    out = tmp_path_factory.mktemp("run") / "run"
    observed = sorted(suite.glob("*/Maps10/*0001r.fits"))[:2]
    return run_pipeline(suite, out, TINY, until="evaluate", observed=observed, quiet=True)


def read(run, name):
    return json.loads((run / name).read_text())


def predictions(run):
    """Rows of predictions.csv of the held-out protocol."""
    rows = csv.DictReader((run / "predictions.csv").read_text().splitlines())
    return [row for row in rows if row["protocol"] == "held_out"]


def test_a_run_writes_every_artefact(finished):
    assert [name for name in ARTEFACTS if not (finished / name).exists()] == []
    assert read(finished, "maps.json")["maps"] == 96
    assert read(finished, "maps.json")["varying"] == ["Omega_m", "M_nu", "A_s"]
    assert set(read(finished, "timings.json")["ms_per_map"]) >= {"awd", "teacher", "raw", "power_spectrum"}


def test_protocols_share_no_test_map_with_what_was_chosen_from(finished):
    split = read(finished, "split.json")
    table = open_maps(saved_job(finished)[1]["data"]).table
    cosmology = np.asarray(table["cosmology"])
    for protocol in split.values():
        parts = [set(protocol[part]) for part in ("train", "validation", "test")]
        assert all(parts)
        assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts))
    held_out, published = split["held_out"], split["published"]
    assert not set(cosmology[held_out["test"]]) & set(cosmology[held_out["train"] + held_out["validation"]])
    # One teacher, trained on cosmologies that are not held out, answers in both: it knows those of the other.
    assert set(cosmology[published["test"]]) <= set(cosmology[held_out["train"]])
    assert published["counts"]["test"]["maps"] == len(published["test"])
    assert published["counts"]["test_cosmology_seen"] == len(published["test"])
    # The wavelet and all choices come from maps that are test maps of neither protocol.
    used = set(held_out["train"]) | set(held_out["validation"]) | set(read(finished, "gradients.json")["rows"])
    assert not used & (set(published["test"]) | set(held_out["test"]))
    assert held_out["counts"]["train"]["maps"] == len(held_out["train"])


def test_the_rows_that_are_promised_are_there(finished):
    results = Results.read(finished)
    wanted = {"awd", *(f"numbers_{name}" for name in TINY.baselines), "awd_peaks", "awd_counts",
              "awd_no_interpretation", "db5", "haar", "db2", "db3", "sym5", "raw", "laplace_v1", "laplace_v2",
              "roberts", "starlet", "power_spectrum", "pdf", "joint", "teacher", "mean"}  # fmt: skip
    for protocol, values in results.protocols.items():
        assert {row.key for row in values.rows} == wanted
        assert all(row.low < row.rmse < row.high for row in values.rows)
        names = {(one.of, one.to) for one in results.ratios if one.protocol == protocol}
        assert {("awd", "teacher"), ("awd", values.best_classical), ("awd", "numbers_haar")} <= names
        assert {("awd_counts", "teacher"), ("awd_counts", "awd_no_interpretation")} <= names
    nearest = [row.key for row in results.protocols["published"].rows if row.estimator == "nearest chi2"]
    assert nearest == ["awd_counts", "db5", "raw", "laplace_v1", "laplace_v2", "roberts"]
    assert not [row for row in results.protocols["held_out"].rows if row.estimator == "nearest chi2"]
    # Few numbers know Ω_m of such maps; a constant does not.
    assert results.row("held_out", "awd").rmse < 0.7 * results.row("held_out", "mean").rmse
    assert "AWD" in results.text()


def test_rows_are_the_errors_of_the_predictions(finished):
    mine = predictions(finished)
    error = np.sqrt(np.mean([(float(row["awd"]) - float(row["truth"])) ** 2 for row in mine]))
    # Written with all digits.
    assert error == pytest.approx(Results.read(finished).row("held_out", "awd").rmse, rel=1e-12)
    assert [int(row["map"]) for row in mine] == read(finished, "split.json")["held_out"]["test"]


def test_the_chosen_wavelet_is_the_best_that_was_tried(finished):
    tried = read(finished, "selection.json")
    for key, positive in (("awd_counts", True), ("awd_no_interpretation", False)):
        mine = [row for row in tried if row["key"] == key]
        assert len(mine) == len(TINY.wavelets) * (len(TINY.shares) - 1 if positive else 1)
        assert all((row["share"] > 0) == positive for row in mine)
        assert [row["chosen"] for row in mine].index(True) == int(np.argmin([row["cv_rmse"] for row in mine]))


def test_every_wavelet_has_its_own_best_statistic_from_the_same_candidates(finished):
    tried, chosen = read(finished, "selection.json"), read(finished, "choice.json")
    assert set(chosen["statistics"]) == {"awd_counts", "awd_no_interpretation", *TINY.baselines}
    for key, options in chosen["statistics"].items():
        mine = [row for row in tried if row["key"] == f"statistic of {key}"]
        assert len(mine) == len(TINY.statistics)
        best = int(np.argmin([row["cv_rmse"] for row in mine]))
        assert [row["chosen"] for row in mine].index(True) == best
        assert options == dict(TINY.statistics[best])
        row = Results.read(finished).row("held_out", key)
        assert f"{options['levels']} levels" in row.statistic


def test_the_free_angles_of_a_distilled_wavelet_count_as_parameters(finished):
    regressor = Model.load(finished / "model.json").regressor
    student = StudentDistillation.load(finished / "student.json")
    fitted = regressor.weights_.size + regressor.intercept_.size
    parameters = Results.read(finished).row("held_out", "awd").parameters
    assert parameters == fitted + student.wavelet.length // 2 - 1
    start, index = read(finished, "choice.json")["awd_counts"]
    path = load_path(finished / "path.json")
    assert path.start.name == start
    assert Wavelet.load(finished / "wavelet.json") == path[index].wavelet


def test_the_student_reads_few_numbers_of_the_wavelet_that_the_teacher_chose(finished, suite):
    model, student = Model.load(finished / "model.json"), StudentDistillation.load(finished / "student.json")
    (statistic,) = model.statistics
    assert isinstance(statistic, ShiftedLognormal)
    np.testing.assert_array_equal(statistic.taps_, student.wavelet.taps)
    row = Results.read(finished).row("held_out", "awd")
    assert row.statistic == "7 numbers of a shifted lognormal field"
    assert len(statistic.get_feature_names_out()) == model.regressor.n_features_in_ == 7
    curve = Results.read(finished).protocols["held_out"].curve
    assert [point["numbers"] for point in curve if point["method"] == "student"] == [1, 2, 3, 4, 5, 6, 7]
    assert {point["method"] for point in curve} == {"student", "teacher", *TINY.baselines}
    truth = np.array([float(one["truth"]) for one in predictions(finished)])
    last = next(point for point in curve if (point["method"], point["numbers"]) == ("student", 7))
    assert last["r2"] == pytest.approx(1 - row.rmse**2 / truth.var(), rel=1e-6)
    assert last["difference"] == 0


def test_the_student_asks_maps_that_the_teacher_was_not_trained_on(finished):
    prepared = SimpleNamespace(splits=split_maps(160, 40), cosmology=None)
    job = TINY.changed(teacher_maps=100, student_maps=90)
    rows = student_rows(job, prepared)
    trained = np.random.default_rng([job.seed, 0x7EAC]).permutation(np.arange(160))[:100]
    assert len(rows) == 90
    assert not set(rows.tolist()) & set(trained.tolist())
    # Where it was trained on all of them, only validation maps are left.
    assert set(student_rows(job.changed(teacher_maps=160), prepared).tolist()) == set(range(160, 200))
    # Too few of them are filled up.
    few = SimpleNamespace(splits=split_maps(160, 5), cosmology=None)
    rows = student_rows(job.changed(teacher_maps=160), few).tolist()
    assert len(set(rows)) == 16
    assert set(range(160, 165)) < set(rows)


def split_maps(train, validation):
    parts = SimpleNamespace(train=np.arange(train), validation=np.arange(train, train + validation))
    return {"held_out": parts}


def test_the_saved_model_gives_the_same_numbers(finished, suite):
    model = Model.load(finished / "model.json")
    maps = open_maps(suite)
    rows = read(finished, "split.json")["held_out"]["test"]
    answer = model.predict(maps.read(rows), pixel_scale=maps.arcmin_per_pixel)
    written = predictions(finished)
    # The same arithmetic in the same order.
    np.testing.assert_allclose(answer.estimate, [float(row["awd"]) for row in written], rtol=1e-12)
    observed = read(finished, "observed.json")
    assert [one["parameter"] for one in observed] == ["Omega_m"] * 2
    assert all(0.05 < one["estimate"] < 0.6 and one["std"] > 0 and one["percentile"] < 100 for one in observed)


def test_the_attributions_are_checked_unless_told_otherwise(finished, tmp_path):
    found = read(finished, "quality.json")
    assert found["asked"]["inputs"] == 8
    assert found["asked"]["taps"] == Wavelet.load(finished / "wavelet.json").taps.tolist()
    outcomes = [finding["outcome"] for finding in found["verdict"]]
    # One teacher a protocol, and gradients that promise no sum.
    assert outcomes[1:3] == ["open", "open"]
    assert set(outcomes[::3]) <= {"pass", "warn"}
    again = shutil.copytree(finished, tmp_path / "again")
    (again / "quality.json").unlink()
    run_pipeline(None, again, until="evaluate", quiet=True, quality=False)
    assert not (again / "quality.json").exists()


def test_epochs_are_told(suite, tmp_path, monkeypatch):
    from awd_core.run.screen import Screen

    told, original = [], Screen.task

    @contextmanager
    def task(self, name):
        with original(self, name) as show:
            yield lambda *what: (told.append((name, *what)), show(*what))

    monkeypatch.setattr(Screen, "task", task)
    run_pipeline(suite, tmp_path / "run", TINY.changed(epochs=2), until="teach", quiet=True)
    mine = [what for name, *what in told if name == "Teacher"]
    assert [what[:2] for what in mine] == [[0, 2], [1, 2], [2, 2]]
    assert "valid" in mine[-1][2]


def test_a_protocol_that_is_left_out_is_told(tmp_path):
    preset = SUITES["tiny"]
    simulate_suite(
        tmp_path / "maps", seed=0, preset="tiny", design=replace(preset, cosmologies=16).table(0), realisations=2
    )
    run = run_pipeline(tmp_path / "maps", tmp_path / "run", TINY, until="prepare", quiet=True)
    split = read(run, "split.json")
    assert list(split) == ["held_out"]
    said = f"{NO_PUBLISHED}: it needs 3 realisations of each cosmology, one has 2"
    assert split["held_out"]["warnings"][-1] == said
    assert read(run, "maps.json")["warnings"]["held_out"] == split["held_out"]["warnings"]
    assert said in (run / "log.txt").read_text()


def test_a_run_of_a_version_that_split_otherwise_is_refused_and_a_damaged_split_mended(suite, tmp_path):
    run = run_pipeline(suite, tmp_path / "run", TINY, until="prepare", quiet=True)
    sound = (run / "split.json").read_bytes()
    (run / "split.json").write_bytes(sound[: len(sound) // 2])
    run_pipeline(None, run, until="prepare", quiet=True)
    assert (run / "split.json").read_bytes() == sound
    lacking = json.loads(sound)
    del lacking["published"]["test"]
    (run / "split.json").write_text(json.dumps(lacking))
    run_pipeline(None, run, until="prepare", quiet=True)
    assert (run / "split.json").read_bytes() == sound
    # A run that was begun before there were redshift bins had none.
    config = json.loads((run / "config.json").read_text())
    del config["settings"]["job"]["bins"]
    (run / "config.json").write_text(json.dumps(config))
    run_pipeline(suite, run, TINY, until="prepare", quiet=True)
    run_pipeline(None, run, until="prepare", quiet=True)
    other = json.loads(sound)
    other["published"]["test"].append(other["published"]["train"].pop())
    (run / "split.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match=r"otherwise than this version does .* --overwrite to delete the run"):
        run_pipeline(None, run, until="prepare", quiet=True)


def test_finished_steps_are_not_done_again(finished):
    before = {name: (finished / name).stat().st_mtime_ns for name in ARTEFACTS if name.count("/") or "results" in name}
    run_pipeline(None, finished, until="evaluate", quiet=True)
    assert {name: (finished / name).stat().st_mtime_ns for name in before} == before


def test_a_killed_run_ends_with_the_same_bits(finished, suite, tmp_path):
    out = tmp_path / "killed"
    code = (
        "from awd_cosmo.run.pipeline import run_pipeline\nfrom awd_cosmo.run.job import Job\nimport json, sys\n"
        "run_pipeline(sys.argv[1], sys.argv[2], Job.from_dict(json.loads(sys.argv[3])), until='evaluate', quiet=True)"
    )
    command = [sys.executable, "-c", code, str(suite), str(out), json.dumps(TINY.to_dict())]
    environment = os.environ | {"OMP_NUM_THREADS": str(_threads())}
    for name in ("teacher/teacher.safetensors", "selection.json"):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (out / name).exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    # Inside this process: imports are paid already.
    run_pipeline(suite, out, TINY, until="evaluate", quiet=True)
    for name in ARTEFACTS:
        if name not in ("observed.json", "teacher.json"):
            assert (out / name).read_bytes() == (finished / name).read_bytes(), name
    assert read(out, "teacher.json") == read(finished, "teacher.json")


def _threads():
    return torch.get_num_threads()


def test_other_maps_under_the_same_names_are_noticed(finished, suite, tmp_path):
    copy, out = tmp_path / "maps", tmp_path / "run"
    shutil.copytree(suite, copy)
    run_pipeline(copy, out, TINY, until="prepare", quiet=True)
    first, second = sorted(copy.glob("*/Maps10/*0001r.fits"))[:2]
    content = bytearray(first.read_bytes())
    content[-2880:-2876] = second.read_bytes()[-2880:-2876][::-1]
    values = np.frombuffer(bytes(content[-2880:-2876]), ">f4")
    assert np.isfinite(values).all()
    first.write_bytes(content)
    for _ in range(2):  # and the first time leaves nothing that would let them pass the next
        with pytest.raises(ValueError, match="are not those that this run was begun with"):
            run_pipeline(None, out, until="prepare", quiet=True)


def test_another_job_in_the_same_folder_is_refused(finished, suite):
    with pytest.raises(ValueError, match=r"other settings: job.seed \(there 0, now 1\)"):
        run_pipeline(suite, finished, TINY.changed(seed=1), quiet=True)


def test_cosmologies_that_may_share_phases_are_kept_apart_by_both(suite, tmp_path):
    copy = tmp_path / "maps"
    shutil.copytree(suite, copy)
    (copy / "suite.json").unlink()
    run = run_pipeline(copy, tmp_path / "run", TINY, until="prepare", quiet=True)
    split = read(run, "split.json")["held_out"]
    table = open_maps(copy).table
    number = np.asarray(table["realisation"])
    assert split["protocol"] == "both"
    assert not set(number[split["test"]]) & set(number[split["train"]])
    # Their author says that every map has noise of its own.
    own = run_pipeline(copy, tmp_path / "own", TINY.changed(phases="independent"), until="prepare", quiet=True)
    assert read(own, "split.json")["held_out"]["protocol"] == "cosmology"


def test_maps_are_prepared_as_was_said(suite, tmp_path):
    job = TINY.changed(noise="lenstools", galaxies=30.0, downsample=2, smoothing=8.0)
    run = run_pipeline(suite, tmp_path / "run", job, until="prepare", quiet=True)
    told = read(run, "maps.json")
    assert told["shape"] == [16, 16]
    assert [sentence.split()[0] for sentence in told["processing"]] == ["shape", "means", "smoothed"]
    tiled = run_pipeline(suite, tmp_path / "tiled", TINY.changed(tile=16), until="prepare", quiet=True)
    assert read(tiled, "maps.json")["maps"] == 4 * 96
    # Tiles of a map stay together.
    split = read(tiled, "split.json")["published"]
    parts = np.full(4 * 96, -1)
    for k, part in enumerate(("train", "validation", "test")):
        parts[split[part]] = k
    assert (parts.reshape(96, 4) == parts.reshape(96, 4)[:, :1]).all()
    whole = run_pipeline(suite, tmp_path / "whole", TINY.changed(tile=64), until="prepare", quiet=True)
    assert read(whole, "maps.json")["shape"] == [32, 32]
    assert "32 × 32 pixels are smaller than tiles of 64 × 64; they stay whole" in (whole / "log.txt").read_text()


def test_own_teacher_and_ready_gradients(suite, tmp_path):
    network = ResNet18(width=2)
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    small = TINY.changed(
        wavelets=("db2",), shares=(0.0, 1.0), statistics=({"levels": 1, "bins": 6},), baselines=("haar",)
    )
    own = small.changed(teacher="awd_cosmo.teacher.resnet:ResNet18", teacher_arguments={"width": 2})
    run = run_pipeline(suite, tmp_path / "own", own, until="distill", weights=tmp_path / "own.safetensors", quiet=True)
    rows = np.array(read(run, "gradients.json")["rows"])
    slopes = np.asarray(read_array(f"{run / 'gradients.zarr'}:gradients")[:])
    ready = np.zeros((96, 32, 32), np.float32)
    ready[rows] = slopes[:, 0]
    np.save(tmp_path / "G.npy", ready)
    given = replace(small, epochs=0, gradients_digest="given")
    again = run_pipeline(suite, tmp_path / "given", given, until="evaluate", gradients=tmp_path / "G.npy", quiet=True)
    assert (again / "path.json").read_bytes() == (run / "path.json").read_bytes()
    assert "teacher" not in {row.key for row in Results.read(again).protocols["held_out"].rows}
    np.save(tmp_path / "wrong.npy", ready[:5])
    with pytest.raises(ValueError, match="give one gradient for each of the 96 prepared maps"):
        run_pipeline(suite, tmp_path / "bad", given, gradients=tmp_path / "wrong.npy", quiet=True)


def test_whole_maps_and_parts_of_them_are_tiled_for_prediction(finished, suite):
    model = Model.load(finished / "model.json")
    maps = open_maps(suite)
    kappa = maps.read([0])[0].astype(np.float64)
    alone = predict_map(model, kappa, pixel_scale=maps.arcmin_per_pixel)
    four = predict_map(model, np.tile(kappa, (2, 2)), pixel_scale=maps.arcmin_per_pixel)
    assert (alone.tiles, four.tiles) == (1, 4)
    # The same tile four times; sums of four equal numbers.
    assert four.estimate == pytest.approx(alone.estimate, rel=1e-12)
    # Twice as fine pixels, by repetition: block means give the map back.
    fine = np.repeat(np.repeat(kappa, 2, axis=0), 2, axis=1)
    assert predict_map(model, fine, pixel_scale=maps.arcmin_per_pixel / 2).estimate == pytest.approx(alone.estimate)
    holed = kappa.copy()
    holed[:4] = -1.6375e30
    seen = predict_map(model, holed, pixel_scale=maps.arcmin_per_pixel)
    assert seen.observed == pytest.approx(28 / 32)
    assert "12% of the pixels were not observed" in seen.warning
    with pytest.raises(ValueError, match="was observed to 80%"):
        predict_map(model, kappa, pixel_scale=maps.arcmin_per_pixel, mask=np.zeros((32, 32), bool))
    with pytest.raises(ValueError, match="which are 32 × 32 such pixels"):
        predict_map(model, kappa[:20], pixel_scale=maps.arcmin_per_pixel)
    # The numbers are logarithms: far is what is far in these, whatever wavelet so few maps have chosen.
    far = predict_map(model, 30 * kappa, pixel_scale=maps.arcmin_per_pixel)
    assert far.percentile == 100
    assert "extrapolation" in far.warning
    assert far.times > 1.25
    assert far.distance / far.times == pytest.approx(model.training.limit)
    assert far.extrapolated
    named = [one.rpartition(" (")[0] for one in far.farthest.split(", ")]
    assert len(named) == 3
    assert set(named) < set(model.statistics[0].get_feature_names_out())
    assert (alone.farthest, alone.times < 1.1) == ("", True)
    assert model.provenance["z_s"] == pytest.approx(1.0)
    near = predict_map(model, kappa, pixel_scale=maps.arcmin_per_pixel, source_redshift=0.5)
    assert near.warning.endswith("its sources are at z = 0.5, those of the training maps at z = 1")
    text = table_text([alone, far])
    assert "1 of 2 lie beyond 99 % of such maps" in text
    assert "1 of" not in table_text([alone])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shares": (0.5, 1.0)}, "must begin with 0"),
        ({"shares": (0.0,)}, "at least one above 0"),
        ({"estimators": ("forest",)}, "estimators is 'forest'; choose one of ridge, emulator"),
        ({"tile": 4}, "16 pixels a side or more"),
        ({"architecture": "vgg"}, "choose one of resnet18, resnet34"),
        ({"epochs": 0}, "there is nothing to distil"),
    ],
)
def test_wrong_jobs_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Job(**values)


def test_a_job_comes_back_from_json():
    assert Job.from_dict(json.loads(json.dumps(TINY.to_dict()))) == TINY
    with pytest.raises(ValueError, match="it has speed, which this awd-cosmo does not know: update"):
        Job.from_dict({"speed": 1})


def test_maps_without_the_target_are_refused(suite, tmp_path):
    with pytest.raises(ValueError, match="have no parameter 'w'"):
        run_pipeline(suite, tmp_path / "run", TINY.changed(target="w"), quiet=True)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        run_pipeline(None, tmp_path / "none", quiet=True)


def test_scores_of_a_row_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.uniform(0.2, 0.4, 20), 5)
    error = rng.normal(0.01, 0.02, 100)
    answer = ModelEstimates("awd", "AWD", "awd", "counts", "ridge", truth + error, np.full(100, 0.02), None, 3)
    row = ModelRow.of(answer, truth, {"cosmology": np.repeat(np.arange(20), 5)})
    # Sums in another order.
    assert row.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert row.bias == pytest.approx(error.mean(), rel=1e-12)
    assert row.coverage68 == pytest.approx(np.mean(np.abs(error) < 0.9945 * 0.02), abs=0.011)
    text = predictions_csv(
        {"held_out": {"map": np.array([3]), "awd": np.array([0.1])}, "published": {"map": np.array([4])}}
    )
    assert text.decode().splitlines() == ["protocol,map,awd", "held_out,3,0.1", "published,4,"]


def test_simulated_maps_that_were_deleted_are_made_again(tmp_path):
    out = tmp_path / "run"
    job = TINY.changed(suite_cosmologies=8, suite_realisations=3)
    run_pipeline(SIMULATED, out, job, until="prepare", quiet=True)
    before = {path.relative_to(out): path.read_bytes() for path in (out / "maps").rglob("*.fits")}
    assert before
    shutil.rmtree(out / "maps")
    run_pipeline(None, out, until="prepare", quiet=True)
    assert {path.relative_to(out): path.read_bytes() for path in (out / "maps").rglob("*.fits")} == before
