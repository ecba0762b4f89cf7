"""`awd distill --y` ends with a model, and `awd predict` uses it: numbers, classes, channels, tables."""

import csv
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from awd_core import ReadableModel
from awd_core.app.main import app
from commands import invoke

SMALL = ["--wavelet", "db2", "--levels", "2", "--shares", "0.5", "--random-starts", "0", "--numbers", "3"]
SMALL += ["--features", "maxima,log-energies"]
NETWORK = '''
from torch import nn


class Last(nn.Module):
    """Classes of series with their channels last."""

    def __init__(self, classes=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(2, 6, 5, padding=2), nn.ReLU())
        self.head = nn.Linear(6, classes)

    def forward(self, x):
        return self.head(self.layers(x.movedim(-1, 1)).amax(-1))


def make(n_in=32, n_out=1):
    return nn.Sequential(nn.Linear(n_in, 8), nn.Tanh(), nn.Linear(8, n_out))
'''


def awd(*words):
    return invoke(app, [str(word) for word in words])


def read(name):
    """Rows of a table."""
    return list(csv.DictReader(Path(name).read_text().splitlines()))


def succeed(*words):
    done = awd(*words)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with series, truths, and a module with networks; no path names the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)
    rng = np.random.default_rng(0)
    X = 0.1 * rng.standard_normal((120, 32))
    size = rng.exponential(size=120)
    for row, place in enumerate(rng.integers(2, 26, 120)):
        X[row, place : place + 4] += size[row] * np.array([1, 1, -1, -1])
    np.save("X.npy", X.astype("f4"))
    np.save("G.npy", (X**2).astype("f4"))
    np.save("y.npy", size)
    (tmp_path / "own_networks.py").write_text(NETWORK)
    return X, size


def weights(name, **arguments):
    torch.manual_seed(0)
    spec = importlib.util.spec_from_file_location("networks_of_this_test", "own_networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = getattr(module, name)(**arguments)
    save_file(network.state_dict(), "w.safetensors")
    return network


def test_a_network_of_this_folder_ends_as_a_model(here, tmp_path):
    _, size = here
    weights("make")
    told = ["--teacher", "own_networks:make", "--weights", "w.safetensors", "--out", "run", *SMALL, "--no-quality"]
    done = succeed("distill", "X.npy", *told, "--y", "y.npy", "--axis", "s:0:0.31")
    assert re.search(r"Reading \d numbers? of an input, the model reaches R²", " ".join(done.stderr.split()))
    assert "the network" in json.dumps(json.loads((tmp_path / "run" / "worth.json").read_text())["rows"])
    html = (tmp_path / "run" / "report.html").read_text()
    card = (tmp_path / "run" / "card.html").read_text()
    for page in (html, card):
        assert "Was it worth it?" in page
        assert "awd predict run NEW.npy" in page
    assert html.index("Was it worth it?") < html.index("Local minima</h2>")
    model = ReadableModel.load("run")
    assert len(model.card.numbers) <= 3
    assert model.axis.name == "s"

    # A second start makes nothing anew, and other truths make another model.
    before = (tmp_path / "run" / "model.json").stat().st_mtime_ns
    succeed("distill", "X.npy", *told, "--y", "y.npy", "--axis", "s:0:0.31", "--no-report")
    assert (tmp_path / "run" / "model.json").stat().st_mtime_ns == before
    np.save("z.npy", size**2)
    succeed("distill", "X.npy", *told, "--y", "z.npy", "--no-report")
    assert (tmp_path / "run" / "model.json").stat().st_mtime_ns != before


def test_predictions_are_a_table_or_an_array(here):
    X, _ = here
    succeed("distill", "X.npy", "--gradients", "G.npy", "--y", "y.npy", "--out", "run", *SMALL, "--no-report")
    strange = np.vstack([X[:3], 100 * X[:1], np.full((1, 32), np.nan)])
    np.save("new.npy", strange)
    done = succeed("predict", "run", "new.npy", "--out", "p.csv")
    assert "5 predictions, of which 2 are of inputs unlike the training data (marked)" in done.stdout
    rows = read("p.csv")
    assert [row["unlike"] for row in rows] == ["no", "no", "no", "yes", "yes"]
    assert rows[4]["prediction"] == ""
    expected = ReadableModel.load("run/model.json").predict(X[:3])
    assert [float(row["prediction"]) for row in rows[:3]] == expected.tolist()
    succeed("predict", "run/model.json", "new.npy", "--out", "p.npy", "--quiet")
    assert np.load("p.npy")[:3] == pytest.approx(expected)
    assert awd("predict", "run", "new.npy").stdout.startswith("row,prediction,distance,unlike,why\n0,")
    np.savetxt("new.csv", X[:3], delimiter=",", header=",".join(f"t{k}" for k in range(32)), comments="")
    succeed("predict", "run", "new.csv", "--out", "q.csv")
    assert Path("q.csv").read_text().startswith("row,prediction,distance,unlike,why\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "run", "X.npy", "--out", "p.txt"], "give a file that ends in .csv or .npy"),
        (["predict", ".", "X.npy"], "holds no model.json; awd distill with --y makes it"),
        (["predict", "run", "y.npy"], "X has shape (120,)"),
        (["predict", "G.npy", "X.npy"], "cannot be read as a readable model"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(here, words, message):
    if "run" in words and "--out" not in words:
        succeed("distill", "X.npy", "--gradients", "G.npy", "--y", "y.npy", "--out", "run", *SMALL, "--no-report")
    done = awd(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_classes_in_a_table_and_channels_last(here):
    X, size = here
    both = np.stack([X, np.random.default_rng(1).standard_normal(X.shape)], axis=-1)
    np.save("both.npy", both.astype("f4"))
    lines = [f"{'big' if one > 0.7 else 'small'},{row % 12}\n" for row, one in enumerate(size)]
    Path("labels.csv").write_text("kind,animal\n" + "".join(lines))
    weights("Last")
    done = succeed(
        "distill", "both.npy", "--channels", "last", "--teacher", "own_networks:Last", "--weights", "w.safetensors",
        "--target", 1, "--y", "labels.csv:kind", "--groups", "labels.csv:animal", "--per-channel", "--out", "run",
        *SMALL, "--no-quality",
    )  # fmt: skip
    said = " ".join(done.stderr.split())
    assert "Inputs have 2 channels, each with a wavelet of its own" in said
    assert "the model reaches accuracy" in said
    page = Path("run/report.html").read_text()
    assert "The inputs have 2 channels, which share this wavelet." in page
    assert "log loss" in page
    model = ReadableModel.load("run")
    assert model.shape == (32, 2)
    assert model.card.classes.tolist() == ["big", "small"]
    succeed("predict", "run", "both.npy", "--out", "p.csv")
    rows = read("p.csv")
    assert {row["prediction"] for row in rows} <= {"big", "small"}
    assert sum(float(row["probability of big"]) + float(row["probability of small"]) for row in rows) == pytest.approx(
        120
    )


def test_whole_numbers_are_classes_unless_it_is_said(here):
    X, size = here
    np.save("classes.npy", (size > 0.7).astype(int))
    np.save("whole.npy", np.round(100 * X).astype(int))
    done = succeed(
        "distill", "whole.npy", "--gradients", "G.npy", "--y", "classes.npy", "--out", "run", *SMALL, "--no-report"
    )
    said = " ".join(done.stderr.split())
    assert "Y has 2 kinds of whole numbers, taken for classes; --task regression predicts them as numbers." in said
    assert ReadableModel.load("run").task == "classification"
    again = ["--y", "classes.npy", "--task", "regression", "--out", "run", *SMALL, "--no-report"]
    succeed("distill", "whole.npy", "--gradients", "G.npy", *again)
    assert ReadableModel.load("run").task == "regression"


def test_inputs_of_ones_own_are_tested_on(here):
    X, size = here
    np.savez("data.npz", X=X[:90].astype("f4"), G=(X[:90] ** 2).astype("f4"), y=size[:90], o=size[:90])
    np.savez("test.npz", X=X[90:].astype("f4"), y=size[90:], o=size[90:])
    given = ["--gradients", "data.npz:G", "--y", "data.npz:y", "--outputs", "data.npz:o"]
    given += ["--test-X", "test.npz:X", "--test-y", "test.npz:y", "--test-outputs", "test.npz:o"]
    succeed("distill", "data.npz:X", *given, "--out", "run", *SMALL, "--no-report")
    worth = json.loads(Path("run/worth.json").read_text())
    assert (worth["train"], worth["test"]) == (90, 30)
    scores = {row["kind"]: row["score"] for row in worth["rows"]}
    assert scores["network"] == pytest.approx(1)
    assert scores["model"] > scores["baseline"]
