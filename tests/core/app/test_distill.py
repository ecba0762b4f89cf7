"""`awd distill`: the hidden wavelet comes back, the folder holds what it should, and being killed changes nothing."""

import json
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch
import zarr
from safetensors.torch import save_file

from awd_core.app import page, pipeline
from awd_core.app.main import app
from awd_core.app.pipeline import DistillJob, TeacherFile
from awd_core.distill.path_file import load_path
from awd_core.run.settings import parse_shares
from awd_core.teacher.networks import MLP
from awd_core.transforms.dwt import DWT1d
from awd_core.wavelets.wavelet import Wavelet
from commands import invoke

HIDDEN = Wavelet.from_angles(Wavelet.from_name("db3").angles + np.array([0.3, -0.1, -0.2]), name="hidden")
SMALL = ["--wavelet", "db3", "--levels", "2", "--shares", "0,0.5,1", "--random-starts", "0"]
COMPARED = ["config.json", "path.json", "wavelet.json", "scores.json", "wavelets/share-0.50.json"]


def known_truth(samples, size, levels=2, seed=0):
    """White noise, and gradients that are sums of a few synthesis atoms of the hidden wavelet, and a little noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, size))
    dwt = DWT1d(HIDDEN, levels, "zero")

    def sparse(band):
        return torch.from_numpy((rng.random(band.shape) < 0.05) * rng.standard_normal(band.shape))

    gradients = dwt.inverse(dwt(torch.from_numpy(X)).map(sparse)).numpy() + 0.02 * rng.standard_normal(X.shape)
    return X.astype(np.float32), gradients.astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Sums over several threads are rounded differently in processes with other numbers of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folder with X.npy and G.npy."""
    folder = tmp_path_factory.mktemp("data")
    X, gradients = known_truth(80, 32)
    np.save(folder / "X.npy", X)
    np.save(folder / "G.npy", gradients)
    return folder


def awd(*arguments):
    return invoke(app, ["distill", *map(str, arguments)])


def succeed(*arguments):
    result = awd(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A finished run with its report, and what the command printed."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    result = succeed(data / "X.npy", "--gradients", data / "G.npy", "--out", out, *SMALL)
    return out, result


def contents(out, names=COMPARED):
    return {name: (out / name).read_bytes() for name in names}


def test_the_folder_holds_what_it_should(finished):
    out, result = finished
    assert result.stdout == f"Written to {out}: report.html, wavelet.json, wavelet.gif and more.\n"
    # A line every ten seconds says how far a step is, if it takes so long.
    assert [line for line in result.stderr.splitlines() if " after " not in line] == [
        "Searches …",
        "Scores …",
        "Report …",
    ]
    found = {str(item.relative_to(out)) for item in out.rglob("*") if item.is_file()}
    shares = {f"wavelets/share-{share}.json" for share in ("0.00", "0.50", "1.00")}
    figures = {f"figures/{name}.png" for name in ("wavelet", "path", "functions", "minima", "scores", "filmstrip")}
    figures |= {"figures/wavelet.svg", "figures/wavelet.pdf"}  # for slides and papers
    files = {"config.json", "sessions.json", "log.txt", "path.json", "path.checkpoint.json", "scores.json"}
    assert found == {".lock", "wavelet.json", "wavelet.gif", "report.html"} | files | shares | figures


def test_the_hidden_wavelet_comes_back(finished):
    out, _ = finished
    path = load_path(out / "path.json")
    # Noise of 0.02 on gradients of size 1 moves the minimum by about a hundredth.
    assert path[2].wavelet.distance(HIDDEN) < 0.02
    assert Wavelet.from_name("db3").distance(HIDDEN) > 0.1


def test_the_wavelet_is_the_middle_one_of_the_path(finished):
    out, _ = finished
    path = load_path(out / "path.json")
    taken = Wavelet.load(out / "wavelet.json")
    assert taken == Wavelet.load(out / "wavelets" / "share-0.50.json") == path[1].wavelet
    assert taken.metadata["share"] == 0.5
    assert taken.metadata["start"] == "db3"


def test_the_configuration_says_everything(finished, data):
    config = json.loads((finished[0] / "config.json").read_text())
    settings = config["settings"]
    assert settings["X"]["shape"] == [80, 32]
    assert len(settings["gradients"]["sha256"]) == 64
    assert (settings["wavelet"]["name"], settings["levels"], settings["mode"], settings["ndim"]) == (
        "db3",
        2,
        "zero",
        1,
    )
    assert (settings["seed"], settings["shares"], settings["method"]) == (0, [0.0, 0.5, 1.0], "saliency")
    assert settings["search"]["random_starts"] == 0
    assert config["versions"]["torch"] == version("torch")
    assert config["options"]["X"] == str(data / "X.npy")


def test_no_artefact_depends_on_the_clock(finished, data, tmp_path):
    succeed(data / "X.npy", "--gradients", data / "G.npy", "--out", tmp_path / "again", "--no-report", *SMALL)
    assert contents(tmp_path / "again") == contents(finished[0])
    assert "seconds" not in (finished[0] / "path.json").read_text()


def test_another_share_of_a_finished_run_costs_no_search(data, tmp_path):
    arguments = [data / "X.npy", "--gradients", data / "G.npy", "--out", tmp_path, "--no-report", "--quiet", *SMALL]
    assert succeed(*arguments).stdout == ""
    before = (tmp_path / "path.checkpoint.json").stat().st_mtime_ns
    result = succeed(*arguments, "--share", "1")
    assert (result.stdout, result.stderr) == ("", "")
    assert (tmp_path / "path.checkpoint.json").stat().st_mtime_ns == before
    assert Wavelet.load(tmp_path / "wavelet.json") == Wavelet.load(tmp_path / "wavelets" / "share-1.00.json")


def test_a_finished_run_takes_a_question(finished, data, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished[0], out)
    assert "No question was stated" in (out / "report.html").read_text()
    asked = "Which <scales> does the network look at?"
    succeed(data / "X.npy", "--gradients", data / "G.npy", "--out", out, "--question", asked, *SMALL)
    page = (out / "report.html").read_text()
    assert "Which &lt;scales&gt; does the network look at?" in page
    assert asked not in page
    kept = [name for name in COMPARED if name != "config.json"]
    assert contents(out, kept) == contents(finished[0], kept)


def test_other_arguments_are_refused_and_overwrite_starts_anew(data, tmp_path):
    arguments = [data / "X.npy", "--gradients", data / "G.npy", "--out", tmp_path, "--no-report", *SMALL]
    succeed(*arguments)
    result = awd(*arguments, "--seed", "1", "--mode", "periodization")
    assert result.exit_code == 2
    assert 'other settings: mode (there "zero", now "periodization"); seed (there 0, now 1)' in result.stderr
    assert result.stderr.count("\n") == 1
    before = contents(tmp_path)
    succeed(*arguments, "--seed", "1", "--mode", "periodization", "--overwrite")
    after = contents(tmp_path)
    assert all(after[name] != before[name] for name in COMPARED)


def test_the_same_data_elsewhere_and_otherwise_stored_resume(finished, data, tmp_path):
    arrays = {"X": np.load(data / "X.npy"), "G": np.load(data / "G.npy")}
    np.savez(tmp_path / "both.npz", **arrays)
    out = shutil.copytree(finished[0], tmp_path / "run")
    before, checkpoint = contents(out, COMPARED[1:]), (out / "path.checkpoint.json").stat().st_mtime_ns
    source = tmp_path / "both.npz"
    succeed(f"{source}:X", "--gradients", f"{source}:G", "--out", out, "--no-report", *SMALL)
    assert contents(out, COMPARED[1:]) == before
    assert (out / "path.checkpoint.json").stat().st_mtime_ns == checkpoint


def test_a_teacher_is_asked_for_the_gradients(data, tmp_path):
    torch.manual_seed(0)
    save_file(MLP(32, hidden=(8,), n_out=2).state_dict(), tmp_path / "w.safetensors")
    teacher = ["--teacher", "awd_core.teacher.networks:MLP", "--weights", tmp_path / "w.safetensors", "--target", "1"]
    arguments = ["--factory-args", '{"n_in": 32, "hidden": [8], "n_out": 2}', "--batch-size", "16"]
    run = tmp_path / "run"
    succeed(data / "X.npy", *teacher, *arguments, "--out", run, "--no-report", *SMALL)
    gradients = zarr.open(run / "gradients.zarr", mode="r")["gradients"]
    assert gradients.shape == (80, 32)
    settings = json.loads((run / "config.json").read_text())["settings"]["gradients"]
    assert (settings["factory"], settings["target"], settings["batch_size"]) == ("awd_core.teacher.networks:MLP", 1, 16)
    given = f"{run / 'gradients.zarr'}:gradients"
    succeed(data / "X.npy", "--gradients", given, "--out", tmp_path / "given", "--no-report", *SMALL)
    assert (tmp_path / "given" / "path.json").read_bytes() == (run / "path.json").read_bytes()
    # Another teacher of the same shape is another run.
    save_file(MLP(32, hidden=(8,), n_out=2).state_dict(), tmp_path / "w.safetensors")
    result = awd(data / "X.npy", *teacher, *arguments, "--out", run, "--no-report", *SMALL)
    assert "holds a run with other settings: gradients.sha256 (there" in result.stderr


def test_the_report_says_whether_the_attributions_deserve_trust(data, finished, tmp_path):
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_file(MLP(32, hidden=(8,)).state_dict(), tmp_path / f"w{seed}.safetensors")
    run = tmp_path / "run"
    arguments = [
        data / "X.npy", "--teacher", "awd_core.teacher.networks:MLP", "--weights", tmp_path / "w0.safetensors",
        "--factory-args", '{"n_in": 32, "hidden": [8]}', "--out", run, *SMALL,
    ]  # fmt: skip
    assert "Checks of trust …" in succeed(*arguments, "--no-report").stderr
    alone = json.loads((run / "quality.json").read_text())
    assert alone["asked"]["taps"] == Wavelet.load(run / "wavelet.json").taps.tolist()
    assert alone["agreement"] is None
    # What was looked at before is looked up; another share, or another teacher, is another question.
    before = (run / "quality.json").stat().st_mtime_ns
    succeed(*arguments, "--no-report")
    assert (run / "quality.json").stat().st_mtime_ns == before
    others = ["--other-weights", tmp_path / "w1.safetensors"]
    succeed(*arguments, *others)
    both = json.loads((run / "quality.json").read_text())
    assert both["agreement"]["teachers"] == 2
    assert both["curves"] == alone["curves"]
    html = (run / "report.html").read_text()
    assert "It was not checked whether attributions add up" in html
    assert "teachers share" in html
    assert "quality.json" in html
    assert "--other-weights FILE" not in html, "they were given"
    succeed(*arguments, "--no-quality", "--no-report")
    assert not (run / "quality.json").exists()
    settings = json.loads((run / "config.json").read_text())["settings"]
    assert page._unchecked(settings).startswith("That was not checked, as --no-quality asked.")
    given = (finished[0] / "report.html").read_text()
    assert "That could not be checked: the gradients were given" in given
    result = awd(*arguments, "--other-weights", tmp_path / "w0.safetensors")
    assert "w0.safetensors hold the same weights" in result.stderr


def test_integrated_gradients_with_a_baseline(data, tmp_path):
    torch.manual_seed(0)
    save_file(MLP(32, hidden=(8,)).state_dict(), tmp_path / "w.safetensors")
    np.save(tmp_path / "b.npy", np.full(32, 0.5))
    succeed(
        data / "X.npy", "--teacher", "awd_core.teacher.networks:MLP", "--weights", tmp_path / "w.safetensors",
        "--factory-args", '{"n_in": 32, "hidden": [8]}', "--method", "integrated_gradients",
        "--baseline", tmp_path / "b.npy", "--out", tmp_path / "run", "--no-report",
        "--wavelet", "db2", "--levels", "2", "--shares", "1", "--random-starts", "0",
    )  # fmt: skip
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["settings"]["baseline"]["shape"] == [32]
    assert config["settings"]["method"] == "integrated_gradients"


def test_truths_choose_the_share(data, tmp_path):
    X = np.load(data / "X.npy")
    active = DWT1d(HIDDEN, 2, "zero")(torch.from_numpy(X).double())
    places = [(1, 4), (1, 7), (2, 3), (2, 8), (2, 11), (2, 14)]
    y = sum(active[band][:, place].numpy() for band, place in places) + np.random.default_rng(1).standard_normal(80)
    np.save(tmp_path / "y.npy", y)
    arguments = [data / "X.npy", "--gradients", data / "G.npy", "--out", tmp_path / "run", *SMALL]
    succeed(*arguments, "--y", tmp_path / "y.npy", "--no-report")
    points = json.loads((tmp_path / "run" / "selection.json").read_text())["points"]
    chosen = [point["share"] for point in points if point["best"]]
    # Inputs alone (share 0) know nothing of the hidden wavelet, in which six coefficients say all.
    assert chosen[0] > 0
    assert max(point["mean"] for point in points) > points[0]["mean"] + 0.02
    assert Wavelet.load(tmp_path / "run" / "wavelet.json").metadata["share"] == chosen[0]
    # Another share leaves what truths have told, with their file or without it.
    kept = contents(tmp_path / "run", ["selection.json", "model.json", "worth.json"])
    for more in ([], ["--y", tmp_path / "y.npy"]):
        succeed(*arguments, "--share", "0", *more, "--no-report")
        assert contents(tmp_path / "run", kept) == kept
        assert Wavelet.load(tmp_path / "run" / "wavelet.json").metadata["share"] == 0


def test_groups_are_held_out_whole(data, tmp_path):
    # Inputs come in copies: who sees one knows the truth of the other, which nothing else tells.
    rng = np.random.default_rng(2)
    single, noise = np.load(data / "X.npy")[:20], rng.standard_normal(20)
    np.save(tmp_path / "X.npy", np.repeat(single, 4, axis=0))
    np.save(tmp_path / "G.npy", np.repeat(np.load(data / "G.npy")[:20], 4, axis=0))
    np.save(tmp_path / "y.npy", np.repeat(noise, 4))
    np.save(tmp_path / "cell.npy", np.repeat(np.arange(20) % 7, 4))
    best = []
    for more in ([], ["--groups", tmp_path / "cell.npy"]):
        out = tmp_path / f"run{len(more)}"
        succeed(
            tmp_path / "X.npy", "--gradients", tmp_path / "G.npy", "--out", out, *SMALL, "--y", tmp_path / "y.npy",
            *more, "--predictor", "ridge", "--no-report",
        )  # fmt: skip
        points = json.loads((out / "selection.json").read_text())["points"]
        best.append(max(point["mean"] for point in points))
    assert best[0] > 0.5
    assert best[1] < 0.2
    assert "groups" in json.loads((out / "config.json").read_text())["options"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A job that takes a second or two, its arguments, and what comes of it if nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    X, gradients = known_truth(300, 64, seed=1)
    np.savez(folder / "data.npz", X=X, G=gradients)
    arguments = [f"{folder}/data.npz:X", "--gradients", f"{folder}/data.npz:G", "--no-report", *SMALL]
    succeed(*arguments, "--out", folder / "run")
    return arguments, contents(folder / "run")


KILLED = """
import os
from awd_core.app import pipeline as distill_run
from awd_core.app.main import app

real = distill_run.distill_path

def killed(*given, progress, **options):
    def kill(done, total, what):
        if done == 7:
            os.kill(os.getpid(), 9)
        progress(done, total, what)

    return real(*given, progress=kill, **options)

distill_run.distill_path = killed
app()
"""


def test_killed_amid_its_searches_it_goes_on_to_the_same_bytes(whole, tmp_path):
    arguments, expected = whole
    out = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, "distill", *arguments, "--out", out]
    process = subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    assert process.returncode == -signal.SIGKILL
    checkpoint = out / "path.checkpoint.json"
    done = json.loads(checkpoint.read_bytes())["searches"]
    assert len(done) == 7
    assert not (out / "path.json").exists()

    succeed(*arguments, "--out", out)
    assert contents(out) == expected
    finished = json.loads(checkpoint.read_bytes())["searches"]
    assert {key: finished[key] for key in done} == done, "what was done was not done again"
    assert not [item for item in out.rglob("*") if ".tmp" in item.name]
    sessions = json.loads((out / "sessions.json").read_text())["sessions"]
    assert sessions[-1]["finished"]


def test_ctrl_c_says_how_to_go_on(data, tmp_path, monkeypatch):
    arguments = [data / "X.npy", "--gradients", data / "G.npy", "--out", tmp_path, "--no-report", *SMALL]
    real = pipeline.distill_path

    def interrupted(*given, progress, **options):
        def stop(done, total, what):
            if done == 4:
                raise KeyboardInterrupt
            progress(done, total, what)

        return real(*given, progress=stop, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "distill_path", interrupted)
        result = awd(*arguments)
    assert result.exit_code == 130
    assert f"Interrupted. The same command goes on from here; {tmp_path} holds what is done." in result.stderr
    assert len(json.loads((tmp_path / "path.checkpoint.json").read_text())["searches"]) == 4
    succeed(*arguments)
    assert "resumed" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --gradients of a network, or the network itself as --teacher"),
        (
            ["--gradients", "G", "--teacher", "a:b", "--weights", "w"],
            "--gradients and a --teacher to ask for them are both given",
        ),
        (["--teacher", "a:b"], "--teacher needs --weights, which is not given"),
        (["--gradients", "G", "--target", "0"], "--target needs --teacher, which is not given"),
        (["--gradients", "G", "--batch-size", "8"], "--batch-size needs --teacher, which is not given"),
        (["--gradients", "G", "--other-weights", "w"], "--other-weights needs --teacher, which is not given"),
        (["--teacher", "a:b", "--weights", "w", "--target", "all"], "--target is 'all'; give the index of one"),
        (["--teacher", "a:b", "--weights", "w", "--factory-args", "{"], "--factory-args is no JSON"),
        (["--teacher", "a:b", "--weights", "w", "--factory-args", "[]"], "--factory-args must be a JSON object"),
        (["--gradients", "G", "--shares", "0,2"], "shares is '0,2'; they must lie between 0 and 1 and increase"),
        (["--gradients", "G", "--share", "0.3", "--shares", "3"], "share is 0.3, which is not on the path; choose one"),
        (
            ["--gradients", "G", "--outputs", "O.npy"],
            "--outputs is for the model that predicts --y, which is not given",
        ),
        (["--gradients", "G", "--y", "y.npy", "--test-X", "X.npy"], "--test-X needs --test-y, which is not given"),
        (["--gradients", "G", "--y", "y.npy", "--features", "maxim"], "--features is 'maxim' (did you mean maxima?)"),
        (["--gradients", "G", "--y", "y.npy", "--axis", "nm"], "--axis: the axis is 'nm'; give name:low:high"),
        (["--gradients", "G", "--per-channel"], "--per-channel needs --channels, which says where they are"),
        (["--gradients", "G.npy", "--channels", "last"], "X has shape (80, 32), without an axis of channels"),
        (["--gradients", "G", "--method", "shap"], "method is 'shap'; choose one of saliency, input_x_gradient"),
        (["--gradients", "G", "--mode", "mirror"], "mode is 'mirror'; choose one of zero, constant"),
        (["--gradients", "G", "--dtype", "half"], "dtype is 'half'; choose one of float32, float64"),
        (["--gradients", "G", "--device", "gpu"], "torch knows no device 'gpu'; choose cpu, cuda"),
        (["--gradients", "G", "--predictor", "tree"], "predictor is 'tree'; choose one of lasso, ridge"),
        (["--gradients", "G", "--baseline", "1"], "baseline is for integrated_gradients and gradient_shap; saliency"),
        (["--gradients", "G", "--wavelet", "db55"], "there is no wavelet 'db55'"),
        (["--gradients", "none.npy"], "there is no file none.npy"),
        (["--gradients", "short.npy"], "gradients must have the shape (80, 32) of X, got (79, 32)"),
        (["--gradients", "zero.npy"], "There is nothing to distil: every gradient is zero"),
        (["--gradients", "int.npy"], "int.npy must hold float32 or float64, got int64; convert it first"),
        (["--gradients", "G.npy", "--y", "short.npy"], "y has shape (79, 32); give one finite number"),
        (
            ["--gradients", "G.npy", "--y", "G.npy", "--groups", "short.npy"],
            "groups have shape (79, 32); give one number",
        ),
        (
            ["--gradients", "G.npy", "--groups", "G.npy"],
            "--groups is for the model that predicts --y, which is not given",
        ),
        (["--gradients", "G.npy", "--ndim", "2"], "X has shape (80, 32) and ndim is 2"),
    ],
)
def test_an_error_is_one_line_and_leaves_no_folder(data, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(data)
    gradients = np.load("G.npy")
    for name, array in (("short", gradients[1:]), ("zero", 0 * gradients), ("int", gradients.astype(int))):
        np.save(f"{name}.npy", array)
    result = awd("X.npy", "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_said():
    result = awd("X.npy", "--gradients", "G.npy", "--out", "run", "--device", "cuda")
    assert "the device cuda is not available to torch" in result.stderr


def test_a_job_says_the_same_to_python():
    for arguments, told in (
        ({}, "give gradients of a network, or the network itself as teacher"),
        ({"gradients": "G", "teacher": TeacherFile("a:b", "w")}, "gradients and a teacher to ask for them are both"),
        ({"gradients": "G", "groups": "y.npy"}, "^groups is for the model that predicts y, which is not given"),
        ({"gradients": "G", "method": "shap"}, "^method is 'shap'; choose one of saliency, input_x_gradient"),
        ({"gradients": "G", "levels": 0}, "^levels is 0; it must be 1 or more, a whole number"),
        ({"gradients": "G", "workers": 0}, "^workers is 0; it must be 1 or more, a whole number"),
        ({"gradients": "G", "ndim": 3}, "^ndim is 3; it must be 1 to 2, a whole number"),
        ({"gradients": "G", "dtype": None}, "^dtype is None; choose one of float32, float64"),
        ({"gradients": "G", "share": 0.35}, "^share is 0.35, which is not on the path"),
        ({"gradients": "G", "baseline": 1.0}, "^baseline is for integrated_gradients and gradient_shap; saliency has"),
        ({"gradients": "G", "device": "gpu"}, "torch knows no device 'gpu'"),
    ):
        with pytest.raises(ValueError, match=told):
            DistillJob("X.npy", "run", **arguments)
    with pytest.raises(ValueError, match=r"^batch_size is 0; it must be 1 or more, a whole number"):
        TeacherFile("a:b", "w", batch_size=0)
    assert DistillJob("X.npy", "run", gradients="G.npy", levels=np.int64(2)).levels == 2


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("5", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("11", tuple(i / 10 for i in range(11))),
        ("0, .5,1", (0.0, 0.5, 1.0)),
        ("0.3", (0.3,)),
        ("1", (1.0,)),
        ("0", (0.0,)),
    ],
)
def test_shares_are_a_list_or_a_count(text, shares):
    assert parse_shares(text) == shares


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "shares is 'a'; give numbers such as 0,0.5,1, or how many, such as 11"),
        ("", "shares is ''; give numbers"),
        ("0.5,0.5", "they must lie between 0 and 1 and increase"),
        ("-0.1,1", "they must lie between 0 and 1 and increase"),
        ("nan", "they must lie between 0 and 1 and increase"),
        ("5000", "shares is 5000; a path has at most 1001 points"),
    ],
)
def test_other_shares_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_shares(text)


def test_levels_beyond_the_signals_are_said_and_logged(tmp_path):
    for name, array in zip(("X", "G"), np.random.default_rng(0).standard_normal((2, 20, 32)).astype("f4"), strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    given = [tmp_path / "X.npy", "--gradients", tmp_path / "G.npy", "--out", tmp_path / "run"]
    done = succeed(*given, "--wavelet", "db2", "--levels", 4, "--shares", 0.5, "--random-starts", 0, "--no-report")
    note = "Note: levels is 4, more than the 3 that fit a signal of shape (32,) with filters of [4] taps"
    assert note in (tmp_path / "run" / "log.txt").read_text("utf-8")
    assert note in " ".join(done.stderr.split())
