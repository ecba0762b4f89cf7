"""Every option of every command: its name, range, default and choices. A change of this table is a change for users."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from awd_cme.run.pipeline import RUN
from awd_cme.simulate.settings import PRESETS as MOVIES
from awd_core.run import parse_shares
from awd_cosmo.inference.splits import Phases
from awd_cosmo.maps.observe import CONVENTIONS
from awd_cosmo.run.job import PRESETS
from awd_cosmo.simulate.simulation import PRESETS as SUITES
from commands import app_of, say

OPTIONS = {
    "awd wavelet": """
        NAME_OR_JSON required | --out | --before |
    """,
    "awd distill": """
        X required | --gradients | --teacher | --weights | --factory-args = {} | --other-weights repeated | --target |
        --batch-size 1.. = 64 | --method = saliency | --baseline | --wavelet = db5 | --levels 1.. = 4 | --mode = zero |
        --ndim 1..2 | --shares = 11 | --share | --channels | --y | --groups | --outputs | --test-X | --test-y |
        --test-outputs | --test-groups | --task = auto | --numbers 1.. = 10 | --features = auto | --axis |
        --per-channel | --predictor = lasso | --seed 0.. = 0 |
        --random-starts 0.. = 64 | --small-batch 1.. = 131072 |
        --large-batch 1.. = 8388608 | --device = cpu | --dtype = float32 | --out required |
        --workers 1.. = 1 | --scheduler | --no-quality | --question | --no-report | --overwrite | --quiet |
    """,
    "awd predict": """
        RUN required | X required | --out | --quiet |
    """,
    "awd-cosmo run": """
        DATA | --simulate | --preset = quick | --suite = quick; tiny tiny | --cosmologies 8.. | --realisations 1.. |
        --map-pixels 16.. | --shift = empty-beam | --smail | --nuisances |
        --layout = auto | --source-redshift | --relabel-redshift | --bins | --pixel-scale | --hdu | --pattern |
        --columns | --ranges = {} | --itype | --headers = check | --invalid = raise | --training-mask |
        --least-observed 0..1 = 0.8 | --fill = 0 | --mask-channel | --on-error = raise | --phases = avoid |
        --observed repeated | --mask | --tile 0.. = 64; tiny 0 | --downsample 1.. = 1 | --smoothing 0.. = 0 | --noise |
        --galaxies = 30 | --also | --architecture = resnet18 | --width 1.. = 8; full 64; tiny 4 |
        --epochs 0.. = 6; full 60; tiny 2 | --batch-size 1.. = 32; full 128; tiny 16 |
        --learning-rate = 0.005; full 0.001 | --teacher-maps 8.. = 4000; full 1000000 | --accelerator = cpu |
        --precision = 32-true | --teacher | --weights | --factory-args = {} | --output 0.. = 0 | --gradients |
        --wavelets = db2,db3,db5; full db2,db3,db4,db5,db6,db8; tiny db2,db3 |
        --shares = 0,0.25,0.5,0.75,1; full 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1; tiny 0,0.5,1 |
        --distill-maps 2.. = 512; full 8192; tiny 32 | --student-maps 16.. = 1600; full 8000; tiny 24 |
        --estimators = ridge,emulator; tiny ridge | --target = Omega_m | --statistics | --posterior = emulator |
        --seed 0.. = 0 | --workers 1.. = 1 | --scheduler | --device | --no-quality | --out required | --overwrite |
        --question | --quiet |
    """,
    "awd-cosmo simulate": """
        OUT required | --preset = quick | --cosmologies 1.. | --realisations 1.. | --pixels 16.. |
        --shift = empty-beam | --redshift | --smail | --nuisances | --seed 0.. = 0 | --workers 1.. = 1 |
        --scheduler | --theory | --quiet |
    """,
    "awd-cosmo teach": """
        RUN required | --workers 1.. = 1 | --scheduler | --quiet |
    """,
    "awd-cosmo distill": """
        RUN required | --workers 1.. = 1 | --scheduler | --no-quality | --quiet |
    """,
    "awd-cosmo evaluate": """
        RUN required | --observed repeated | --mask | --workers 1.. = 1 | --scheduler | --no-quality | --quiet |
    """,
    "awd-cosmo report": """
        RUN required | --workers 1.. = 1 | --scheduler | --no-quality | --question | --quiet |
    """,
    "awd-cosmo predict": """
        MODEL required | MAPS… required repeated | --mask | --pixel-scale | --source-redshift | --hdu | --itype |
        --pattern | --regrid | --on-error = tell | --chains | --combine | --samples 64.. = 2048 | --seed 0.. = 0 |
        --workers 1.. = 1 | --scheduler |
        --out repeated |
    """,
    "awd-cosmo tiles": """
        MAPS… required repeated | --out required | --side = 5 | --pixel-scale | --least-observed = 0.8 | --most 1.. |
        --seed 0.. = 0 | --ordering | --column | --hdu | --source-redshift | --parameters | --overwrite | --quiet |
    """,
    "awd-cme run": """
        DATA required | --tracks | --channels | --seconds-per-frame | --micrometres-per-pixel | --axes | --sigma |
        --format = auto | --on-error = skip | --compound = join | --columns | --position-unit = auto | --master | --z |
        --series 0.. | --gain 0.. | --resample 1e-06.. | --preset = quick | --cells 1.. = 16 | --target | --settings |
        --scale-inputs = auto | --share = 0.7 | --test-cells | --split = cells | --network | --gradients |
        --epochs 1.. = 40 |
        --teacher-folds 0.. = 3 | --features = timed | --starts = db2,db3,db5 | --shares = 0,0.2,0.4,0.6,0.8,1 |
        --levels 1.. = 4 | --random-starts 0.. = 16 | --repeats 1.. = 3 | --seed 0.. = 0 |
        --splits 1.. = 1 | --until = report | --no-quality | --out required | --threads 1.. = 2 | --workers 1.. = 1 |
        --scheduler | --overwrite | --question | --quiet |
    """,
    "awd-cme simulate": """
        OUT required | --preset = quick | --cells 1.. = 16 | --seed 0.. = 0 | --workers 1.. = 1 | --scheduler |
        --quiet |
    """,
    "awd-cme tracks": """
        MOVIES|FILE required | --channels | --seconds-per-frame | --micrometres-per-pixel | --axes | --sigma |
        --format = auto | --on-error = raise | --compound = join | --columns | --position-unit = auto | --master | --z |
        --series 0.. | --gain 0.. | --threads 1.. = 2 | --workers 1.. = 1 | --scheduler | --quiet | --out required |
    """,
    "awd-cme extract": """
        MOVIES required | --tracks required | --channels | --seconds-per-frame | --micrometres-per-pixel | --axes |
        --sigma | --format = auto | --on-error = raise | --compound = join | --columns | --position-unit = auto |
        --master | --z | --series 0.. | --gain 0.. | --threads 1.. = 2 | --workers 1.. = 1 | --scheduler |
        --quiet | --out required |
    """,
    "awd-cme teach": """
        DATA required | --target | --settings | --tracks | --network | --epochs 1.. = 40 | --seed 0.. = 0 |
        --preset = quick | --cells 1.. = 16 | --out required | --workers 1.. = 1 | --scheduler | --overwrite | --quiet |
    """,
    "awd-cme distill": """
        RUN required | --workers 1.. = 1 | --scheduler | --quiet |
    """,
    "awd-cme evaluate": """
        RUN required | --workers 1.. = 1 | --scheduler | --quiet |
    """,
    "awd-cme report": """
        RUN required | --workers 1.. = 1 | --scheduler | --question | --quiet |
    """,
    "awd-cme predict": """
        CARD required | TRACKS required | --channels | --seconds-per-frame | --micrometres-per-pixel |
        --format = auto | --on-error = skip | --compound = join | --columns | --position-unit = auto | --master |
        --resample | --out |
    """,
    "awd-cme transfer": """
        TRACKS required | --channels | --seconds-per-frame | --micrometres-per-pixel | --format = auto |
        --on-error = skip | --compound = join | --columns | --position-unit = auto | --master | --resample 1e-06.. |
        --target | --settings | --scale-inputs = auto | --features = timed | --starts = db2,db3,db5 | --levels 1.. = 4 |
        --seed 0.. = 0 | --out |
    """,
    "awd-cme figures": """
        TRACKS… required repeated | --channels | --seconds-per-frame | --micrometres-per-pixel | --format = auto |
        --on-error = skip | --compound = join | --columns | --position-unit = auto | --master | --condition |
        --area 1e-06.. | --seed 0.. = 0 | --out required | --overwrite | --quiet |
    """,
}
OPTIONS["awd-cosmo prepare"] = OPTIONS["awd-cosmo run"]
"""Arguments and options of each command, with what is said of them: the least and the most; the default as it is typed,
with that of presets where it differs."""

NEEDED = {
    "awd distill": "X.npy --gradients G.npy --out r",
    "awd-cosmo run": "simulated --preset tiny --out r",
    "awd-cosmo prepare": "simulated --preset tiny --out r",
    "awd-cosmo simulate": "r --preset tiny",
    "awd-cosmo predict": "model.json a.fits",
    "awd-cosmo tiles": "sky.fits --out tiles",
    "awd-cme run": "simulated --out r",
    "awd-cme simulate": "r",
    "awd-cme tracks": "movies --out t.csv",
    "awd-cme extract": "movies --tracks t.csv --out u.csv",
    "awd-cme teach": "simulated --out r",
    "awd-cme figures": "t.csv --out r",
}
"""What a command needs besides; for all others the folder of a run."""

CHOICES = {
    "awd distill --method": "saliency input_x_gradient integrated_gradients gradient_shap",
    "awd distill --mode": "zero constant symmetric periodic smooth periodization reflect antisymmetric antireflect",
    "awd distill --predictor": "lasso ridge",
    "awd distill --channels": "first last",
    "awd distill --task": "auto regression classification",
    "awd distill --features": "auto maxima minima scale-means log-energies values relative-values positions",
    "awd distill --dtype": "float32 float64",
    "awd-cosmo run --preset": "quick full tiny",
    "awd-cosmo run --suite": "tiny quick halos massivenus",
    "awd-cosmo run --on-error": "raise skip",
    "awd-cosmo run --phases": "avoid allow independent",
    "awd-cosmo run --noise": "lenstools fair",
    "awd-cosmo run --architecture": "resnet18 resnet34",
    "awd-cosmo run --accelerator": "auto cpu gpu cuda mps",
    "awd-cosmo run --estimators": "ridge emulator",
    "awd-cosmo run --target": "M_nu Omega_m A_s sigma8 S8 h n_s w",
    "awd-cosmo run --also": "M_nu Omega_m A_s sigma8 S8 h n_s w",
    "awd-cosmo run --headers": "check ignore",
    "awd-cosmo run --invalid": "raise mask zero",
    "awd-cosmo predict --on-error": "tell skip raise",
    "awd-cosmo tiles --ordering": "ring nested",
    "awd-cosmo simulate --preset": "tiny quick halos massivenus",
    "awd-cme run --format": "auto cmeanalysis napari trackmate trackpy yeast",
    "awd-cme run --on-error": "raise skip",
    "awd-cme run --compound": "join split drop",
    "awd-cme run --position-unit": "auto pixel micrometre nanometre",
    "awd-cme run --preset": "quick realistic",
    "awd-cme run --target": "success mean_significant max consecutive",
    "awd-cme run --settings": "published published-lstm published-success cmeanalysis yeast",
    "awd-cme run --scale-inputs": "auto training own",
    "awd-cme run --split": "cells tracks",
    "awd-cme run --features": "timed both published",
    "awd-cme run --until": "series teacher distill results report",
    "awd-cme tracks --on-error": "raise skip",
    "awd-cme tracks --compound": "join split drop",
    "awd-cme simulate --preset": "quick realistic",
    "awd-cme teach --preset": "quick realistic",
    "awd-cme teach --target": "success mean_significant max consecutive",
}


def entries(table):
    return [entry for line in table.split("\n") for entry in line.strip().removesuffix(" |").split(" | ") if entry]


def told(name, command):
    """The entries of the table, from the command itself."""
    for option in app_of(name).commands[command].options:
        if option.hidden:
            continue
        words = [option.name, *["required"] * option.required, *["repeated"] * option.is_repeated]
        if option.range is not None:
            words.append(f"{option.range.least}..{option.range.most or ''}")
        if option.default:
            words.append(f"= {option.default}")
        yield " ".join(words)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", np.ones((20, 40), np.float32))
    np.save("G.npy", np.ones((20, 40), np.float32))
    return tmp_path


def same(entry):
    """A count of shares stands for the shares."""
    what, sign, default = entry.partition(" = ")
    return what + sign + (str(parse_shares(default)) if what == "--shares" and ";" not in default else default)


@pytest.mark.parametrize("line", OPTIONS)
def test_a_command_has_these_options(line):
    expected = sorted(map(same, entries(OPTIONS[line])))
    assert sorted(map(same, told(*line.split()))) == expected


RANGES = [
    (line, option, number, bound)
    for line, table in OPTIONS.items()
    for entry in entries(table)
    if (found := re.match(r"(--\S+) (\d+)\.\.(\d*)", entry))
    for option, least, most in [found.groups()]
    for number, bound in [(int(least) - 1, least), *([(int(most) + 1, most)] if most else [])]
]


@pytest.mark.parametrize(("line", "option", "number", "bound"), RANGES)
def test_a_number_out_of_range_is_refused(here, line, option, number, bound):
    before = sorted(here.rglob("*"))
    status, output = say(f"{line} {NEEDED.get(line, 'r')} {option} {number}")
    assert status == 2, output
    assert option in output
    assert bound in output.partition(option)[2]
    assert output.count("\n") == 1
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("line", CHOICES)
def test_what_is_no_choice_is_refused_with_all_that_there_are(here, line):
    name, command, option = line.split()
    before = sorted(here.rglob("*"))
    needed = re.sub(rf"{option} \S+ ?", "", NEEDED[f"{name} {command}"])  # which may be given once
    status, output = say(f"{name} {command} {needed} {option} nonesuch")
    assert status == 2, output
    assert "nonesuch" in output
    assert [choice for choice in CHOICES[line].split() if not re.search(rf"\b{choice}\b", output)] == []
    assert output.count("\n") == 1
    assert sorted(here.rglob("*")) == before


FOREIGN = {
    "--help",
    "--debug",
    "--version",
    "--nthreads",
    "--sanitize",
    "--number",
    "--times",
    "--path",
    "--no-",
    "--s",
}
"""Of other programs, of all commands, or of examples in docstrings."""


@pytest.mark.parametrize("package", ["awd_core", "awd_cosmo", "awd_cme"])
def test_every_option_that_a_text_names_is_one(package):
    """Errors say what to do, and what they name must be there: of the core's in any of the programs."""
    programs = ["awd", "awd-cosmo", "awd-cme"] if package == "awd_core" else [package.replace("_", "-")]
    known = {
        entry.split()[0] for line, table in OPTIONS.items() if line.split()[0] in programs for entry in entries(table)
    }
    unknown = []
    for file in Path(str(find_spec(package).origin)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = re.findall(r"(?<![\w-])--[a-zA-Z][a-zA-Z-]*", node.value)
                unknown += [(file.name, node.lineno, name) for name in named if name not in known | FOREIGN]
    assert unknown == []


def test_names_in_the_settings_are_all_that_there_are():
    """They are written out there, since the tables of what they stand for are not loaded for help."""
    cosmo = {option.place[-1]: option.takes for option in app_of("awd-cosmo").commands["run"].options}
    cme = {option.place[-1]: option.takes for option in app_of("awd-cme").commands["run"].options}
    assert cosmo["preset"] == ", ".join(PRESETS)
    assert cosmo["suite"] == ", ".join(SUITES)
    assert cosmo["noise"] == ", ".join(CONVENTIONS)
    assert cosmo["phases"] == ", ".join(get_args(Phases))
    assert cme["preset"] == ", ".join(MOVIES)
    assert cme["until"] == ", ".join(dict.fromkeys(step.name for step in RUN))
