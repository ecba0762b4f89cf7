"""The report of a cosmological run: what it says, that it says so honestly, and that it stands alone."""

import csv
import io
import json
import math
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.distill.path_file import save_path
from awd_core.evidence.assessment import attribution_quality
from awd_core.evidence.quality_record import QualitySettings
from awd_core.evidence.scores import coefficient_scores
from awd_core.report.page import data_uri
from awd_core.run.folder import RunFolder
from awd_core.wavelets.wavelet import Wavelet
from awd_cosmo.inference.estimators import CountRidge, NearestCosmology
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.results import ModelRow, Protocol
from awd_cosmo.inference.splits import split_maps
from awd_cosmo.inference.training_range import TrainingDistribution
from awd_cosmo.particles import ParticleModel
from awd_cosmo.report import map_figures, result_figures, sentences
from awd_cosmo.report.artefacts import Predictions, read_record
from awd_cosmo.report.bands import band_shares, number_effects, readable_band, scales_of
from awd_cosmo.report.page import snippet, write_report
from awd_cosmo.report.tables import row_names
from awd_cosmo.simulate import HaloModel, Setup
from awd_cosmo.statistics.few_counts import PeaksAbove
from awd_cosmo.statistics.scales import ScaleCounts
from awd_cosmo.statistics.undecimated import undecimated, wavelet_scales

VOID = {"meta", "img", "source", "br", "link", "input"}
COSMOLOGIES, REALISATIONS, SIDE, ARCMIN = 20, 10, 32, 3.28
ROWS = [
    # key, name, kind, statistic, estimator, RMSE held out, RMSE published, parameters, ms per map
    ("awd", "AWD", "awd", "all pixels, 2 levels", "ridge", 0.0219, 0.0161, 161, 0.9),
    ("awd_no_interpretation", "AWD without interpretation", "ablation", "all pixels, 2 levels", "ridge", 0.0224, 0.0166,
     161, 0.9),
    ("db5", "db5", "wavelet", "all pixels, 2 levels", "ridge", 0.0246, 0.0179, 161, 0.9),
    ("haar", "Haar", "wavelet", "all pixels, 2 levels", "ridge", 0.0228, 0.0172, 161, 0.8),
    ("teacher", "ResNet-18, narrow", "network", "", "network", 0.0243, 0.0170, 698_000, 4.1),
    ("raw", "Peak heights", "classical", "peak counts", "nearest chi2", 0.0531, 0.0318, 22, 0.2),
    ("raw", "Peak heights", "classical", "peak counts", "ridge", 0.0442, 0.0288, 23, 0.2),
    ("laplace_v1", "Laplace v1", "classical", "peak counts", "nearest chi2", 0.0512, 0.0305, 22, 0.3),
    ("roberts", "Roberts cross", "classical", "peak counts", "ridge", 0.0281, 0.0220, 23, 0.3),
    ("starlet", "Starlet peaks", "classical", "peak counts, 4 scales", "ridge", 0.0301, 0.0231, 89, 1.1),
    ("power_spectrum", "Power spectrum", "classical", "20 bins of ℓ", "emulator", 0.0317, 0.0235, 20, 0.2),
    ("mean", "Mean of the truth", "trivial", "", "", 0.0574, 0.0571, 1, None),
]  # fmt: skip


def make_maps(rng):
    """Lognormal-like fields whose contrast grows with Ω_m, with the table of their cosmologies."""
    omega = np.linspace(0.2, 0.4, COSMOLOGIES)
    sigma8 = 0.8 + 0.1 * np.sin(7 * np.arange(COSMOLOGIES))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    shape = 1 / (frequency + 0.05) ** 1.2
    truth = np.repeat(omega, REALISATIONS)
    fields = np.fft.ifft2(np.fft.fft2(rng.standard_normal((len(truth), SIDE, SIDE))) * shape).real
    fields *= (truth * np.repeat(sigma8, REALISATIONS) * 3.5 / fields.std())[:, None, None]
    maps = 0.02 * (np.exp(fields) - np.exp(fields).mean(axis=(1, 2), keepdims=True))
    table = [
        {
            "cosmology": c,
            "M_nu": 0.1,
            "Omega_m": float(omega[c]),
            "A_s": 2.1,
            "sigma8": float(sigma8[c]),
            "maps": REALISATIONS,
        }
        for c in range(COSMOLOGIES)
    ]
    return maps.astype(np.float32), truth, np.repeat(np.arange(COSMOLOGIES), REALISATIONS), table


def make_gradients(rng, maps):
    """Gradients that are sums of a few shifted copies of a filter that the start has not."""
    high = Wavelet.from_name("sym3").rec_hi
    weights = (rng.random(maps.shape) < 0.03) * rng.standard_normal(maps.shape)
    spectrum = np.fft.fft2(np.outer(high, high), maps.shape[1:])
    return (np.fft.ifft2(np.fft.fft2(weights) * spectrum).real + 0.02 * rng.standard_normal(maps.shape)).astype(
        np.float32
    )


def row(entry, protocol):
    key, name, kind, statistic, estimator, held_out, published, parameters, _ = entry
    value = held_out if protocol == "held_out" else published
    error = 0.05 * value
    return {
        "key": key, "name": name, "kind": kind, "statistic": statistic, "estimator": estimator, "rmse": value,
        "low": value - error, "high": value + error, "error": error, "r2": 1 - (value / 0.0574) ** 2,
        "bias": 0.1 * error,
        "coverage68": 0.7 if estimator == "ridge" else None, "coverage68_low": 0.62, "coverage68_high": 0.78,
        "validation_rmse": 0.98 * value, "parameters": parameters, "ms_per_map": None,
    }  # fmt: skip


def build_run(folder, *, ratios=((0.901, 0.842, 0.962), (0.779, 0.71, 0.85))):
    """A small run folder as `awd-cosmo run` leaves it: maps, path, model and scores are real, errors are made up."""
    rng = np.random.default_rng(4)
    maps, truth, cosmology, table = make_maps(rng)
    settings = {"data": "simulated", "seed": 0, "wavelet": "db3", "levels": 2, "teacher": {"width": 16}}
    with RunFolder.open(folder, program="awd-cosmo run", settings=settings, options={}, quiet=True) as run:
        run.write_json("maps.json", {
            "account": "MassiveNuS layout: 20 models, parameters read from folder names.", "layout": "massivenus",
            "maps": len(maps), "shape": [SIDE, SIDE], "arcmin_per_pixel": ARCMIN, "z_s": 1.0,
            "cosmologies": COSMOLOGIES,
            "realisations_per_cosmology": [REALISATIONS, REALISATIONS],
            "parameters": {"Omega_m": [0.2, 0.4], "sigma8": [0.7, 0.9], "M_nu": [0.1, 0.1]},
            "processing": ["Gaussian noise of 0.01 a pixel was added.", "Smoothed with a Gaussian of 1 arcmin."],
            "skipped": [["Maps10/WLconv_z1.00_0007r.fits", "cut short: 2048 of 4096 bytes & <nothing> more"]],
            "table": table, "simulation": {"setup": {"halos": None}},
        })  # fmt: skip
        realisation = np.tile(np.arange(REALISATIONS), COSMOLOGIES)
        splits = {
            "held_out": split_maps(cosmology, realisation, by="cosmology", seed=1, shared_phases="independent",
                                   fractions=(0.6, 0.15, 0.25)),
            "published": split_maps(cosmology, realisation, by="published", seed=1, fractions=(0.6, 0.2, 0.2)),
        }  # fmt: skip
        run.write_json("split.json", {name: split.to_dict() for name, split in splits.items()})

        gradients = make_gradients(rng, maps[:40])
        path = distill_path(
            maps[:40],
            gradients,
            wavelet="db3",
            levels=2,
            ndim=2,
            shares=(0, 0.5, 1),
            search=SearchSettings(random_starts=1),
        )
        save_path(path, run / "path.json")
        chosen = path[1]
        chosen.wavelet.save(run / "wavelet.json")
        scores = [coefficient_scores(w, maps[:40], gradients, levels=2, ndim=2) for w in (path.start, chosen.wavelet)]
        run.write_json("scores.json", {"start": scores[0].to_dict(), "distilled": scores[1].to_dict()})
        settings = QualitySettings(inputs=8, steps=3, repeats=2, search=SearchSettings(random_starts=1))
        checked = attribution_quality(
            nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 1)), maps[:40], gradients, chosen.wavelet, levels=2,
            ndim=2, settings=settings,
        )  # fmt: skip
        run.write_json("quality.json", checked.to_dict())
        run.write_json("teacher.json", {
            "architecture": "ResNet-18, width 16", "parameters": 698_000, "targets": ["Omega_m"],
            "best_epoch": 21, "epochs": 30, "training_maps": 4000,
            "validation_rmse": 0.0217,
        })  # fmt: skip
        losses = [
            {"epoch": e, "train_loss": math.exp(-e / 5) + 0.05, "valid_loss": math.exp(-e / 6) + 0.17}
            for e in range(30)
        ]
        run.write_json("teacher/history.json", losses)
        run.write_json("selection.json", [
            {"key": key, "wavelet": f"db3, share {share:g}" if share is not None else "db3", "share": share,
             "levels": 2, "regressor": "ridge", "cv_rmse": 0.0221 + 0.001 * number,
             "validation_rmse": 0.0215 + 0.001 * number,
             "statistic": {"statistic": "ScaleCounts", "wavelet": {"array": [0.5]}, "pixels": pixels, "bins": 10},
             "chosen": chosen_here}
            for number, (key, share, pixels, chosen_here) in enumerate(
                [("statistic", None, "all", True), ("statistic", None, "peaks", False), ("awd", 0.5, "all", True),
                 ("awd", 1.0, "all", False), ("awd_no_interpretation", 0.0, "all", True)])
        ])  # fmt: skip
        write_results(run, ratios)
        write_predictions(run, rng, splits, truth, cosmology, realisation)

        statistic = ScaleCounts(chosen.wavelet, 2, bins=10, pixel_scale=ARCMIN)
        train = splits["held_out"].train
        features = statistic.fit(maps[train]).transform(maps[train])
        regressor = CountRidge().fit(features, truth[train], cosmology=cosmology[train])
        training = TrainingDistribution.from_features(features)
        model = Model(["Omega_m"], ARCMIN, (SIDE, SIDE), [statistic], regressor, training, wavelet=chosen.wavelet)
        model.save(run / "model.json")
        write_attributions(run, maps, gradients, truth, chosen.wavelet)
        run.write_json("observed.json", [
            {"file": f"observed/convergence_{name}.fit", "estimate": estimate, "std": 0.022, "distance": distance,
             "percentile": percentile, "warning": warning}
            for name, estimate, distance, percentile, warning in [
                ("z52", 0.281, 12.3, 61.0, None), ("z118", 0.334, 14.9, 93.5, None),
                ("z150", 0.452, 88.1, 100.0, "the map lies outside of all that was trained on")]
        ])  # fmt: skip
    return folder


def write_results(run, ratios=((0.901, 0.842, 0.962), (0.779, 0.71, 0.85))):
    protocols = {
        name: {"rows": [row(entry, name) for entry in ROWS], "train": 120, "validation": 30, "test": 50,
               "test_cosmologies": count, "spread": 0.0574, "best_classical": "roberts", "units": drawn}
        for name, count, drawn in (("held_out", 5, "cosmologies"), ("published", 20, "maps"))
    }  # fmt: skip
    run.write_json("results.json", {
        "target": "Omega_m", "protocols": protocols,
        "ratios": [
            {"protocol": "held_out", "of": "awd", "to": to, "value": value, "low": low, "high": high}
            for to, (value, low, high) in zip(("teacher", "roberts"), ratios, strict=True)
        ] + [{"protocol": "published", "of": "awd", "to": "teacher", "value": 0.947, "low": 0.9, "high": 1.01}],
    })  # fmt: skip
    run.write_json(
        "timings.json", {"ms_per_map": {entry[0]: entry[8] for entry in ROWS if entry[8]}, "seconds": {"teacher": 91.0}}
    )


def write_predictions(run, rng, splits, truth, cosmology, realisation):
    keys = {"awd": 0.0219, "teacher": 0.0243, "roberts": 0.0281}
    text = io.StringIO()
    writer = csv.writer(text)
    names = [name for key in keys for name in (key, f"{key}_std")]
    writer.writerow(["protocol", "map", "cosmology", "realisation", "truth", *names])
    for protocol, split in splits.items():
        for number in split.test.tolist():
            values = []
            for key, error in keys.items():
                shrunk = 0.3 + 0.85 * (truth[number] - 0.3)
                values += [
                    f"{shrunk + 0.9 * error * rng.standard_normal():.6f}",
                    "" if key == "teacher" else f"{error:.4f}",
                ]
            writer.writerow([protocol, number, cosmology[number], realisation[number], f"{truth[number]:.6f}", *values])
    run.write_bytes("predictions.csv", text.getvalue().encode())


def write_attributions(run, maps, gradients, truth, wavelet):
    rows = np.array([3, 13, 22, 35])
    held = undecimated(gradients[rows], wavelet, 2)
    bands = ["h1", "v1", "d1", "h2", "v2", "d2", "a2"]
    content = io.BytesIO()
    np.savez_compressed(
        content, maps=maps[rows], gradients=gradients[rows], rows=rows, truth=truth[rows], bands=np.array(bands),
        **{f"wavelet_{band}": np.abs(held[band]) for band in bands},
    )  # fmt: skip
    run.write_bytes("attributions.npz", content.getvalue())


def reopened(folder):
    config = json.loads((folder / "config.json").read_text())
    return RunFolder.open(folder, program="awd-cosmo run", settings=config["settings"], options={}, quiet=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The run folder, the report of it, and the progress that was told."""
    folder = build_run(tmp_path_factory.mktemp("cosmo") / "run")
    told = []
    with reopened(folder) as run:
        place = write_report(run, progress=lambda done, total: told.append((done, total)))
    assert place == folder / "report.html"
    return folder, place.read_text(encoding="utf-8"), told


@pytest.fixture
def bare(tmp_path):
    """A run that has come to its results and to nothing else."""
    with RunFolder.open(
        tmp_path / "bare", program="awd-cosmo run", settings={"seed": 0}, options={}, quiet=True
    ) as run:
        run.write_json(
            "maps.json", {"maps": 10, "cosmologies": 2, "shape": [8, 8], "arcmin_per_pixel": 1.0, "z_s": None}
        )
        write_results(run)
        yield run


class Page(HTMLParser):
    """Every start tag with its attributes, and whether tags are closed in the order in which they were opened."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, self.getpos()))

    def handle_endtag(self, tag):
        name, place = self.open.pop()
        assert name == tag, f"</{tag}> closes <{name}> of line {place[0]}"

    def all(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


def words(html):
    """Text of a page, spaces made one."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# The page


def test_the_page_is_well_formed_and_its_contents_lead_somewhere(page):
    parsed = Page(page[1])
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = [link["href"][1:] for link in parsed.all("a") if link["href"].startswith("#")]
    assert len(inside) == 16
    assert set(inside) <= set(ids)
    assert {button["data-table"] for button in parsed.all("button") if "data-table" in button} <= set(ids)


def test_every_picture_has_an_alternative_text_a_caption_and_a_narrow_variant(page):
    parsed = Page(page[1])
    assert all(len(image["alt"]) > 20 for image in parsed.all("img"))
    figures_there = parsed.all("figure")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page[1], re.DOTALL)
    assert len(captions) == len(figures_there) == 18
    assert all(len(words(caption)) > 40 for caption in captions)
    assert len(parsed.all("source")) == len(figures_there) - 1  # all but the animation


def test_the_page_is_small_and_loads_nothing(page):
    parsed = Page(page[1])
    assert not parsed.all("link", "iframe", "object", "embed", "audio", "video")
    loaded = [a[key] for _, a in parsed.tags for key in ("src", "srcset") if key in a]
    assert all(address.startswith(("data:image/png;base64,", "data:image/gif;base64,")) for address in loaded)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", page[1])
    (policy,) = [meta["content"] for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert len(page[1].encode()) < 5_000_000


def test_the_pictures_lie_in_the_folder_too(page):
    folder, html, told = page
    mine = {
        "rmse", "predictions-held-out", "predictions-published", "teacher-history", "observed", "cosmologies", "shapes",
        "kernels", "bands", "attribution-pixels", "attribution-bands",
    }  # fmt: skip
    core = {"wavelet", "path", "functions", "minima", "scores", "filmstrip", "quality"}
    assert {item.stem for item in (folder / "figures").iterdir()} == mine | core
    assert {item.name for item in (folder / "figures").iterdir() if item.suffix != ".png"} == {
        "wavelet.pdf", "wavelet.svg",
    }  # fmt: skip
    for name in mine:
        assert data_uri((folder / "figures" / f"{name}.png").read_bytes()) in html
    assert told == [(k, 17) for k in range(1, 18)]


def test_the_page_says_what_it_should(page):
    folder, html, _ = page
    text = words(html)
    for wanted in (
        "an RMSE of 0.0219 ± 0.0011: 9.9 % smaller than that of the teacher (ratio 0.901, 95 %: 0.842 to 0.962), and "
        "22.1 % smaller than that of the classical statistic that validation chose, Roberts cross",
        "200 maps of 20 cosmologies, 10 each; 32 × 32 pixels of 3.28 arcmin",
        "cut short: 2048 of 4096 bytes &amp; &lt;nothing&gt; more",
        "Smoothed with a Gaussian of 1 arcmin.",
        "50 test maps of 5 cosmologies",
        "every simulated map has random phases of its own",
        "The model was trained on sources at z = 1.",
        "1 of 3 maps are unlike the training maps, or estimated at the end of the training range",
        "AWD&#39;s own 68 % error bars hold 70 % of the test maps (95 %: 62 to 78 %): nothing speaks against them.",
        "Core Cosmology Library",
        "An improved cosmological parameter inference scheme",
        "Starlet peak counts",
        "Wavelet and statistic were chosen by the error on cosmologies left out",
        "The test has but 5 cosmologies",
        f"awd-cosmo predict {folder.as_posix()} MAPS",
    ):
        assert wanted in text, wanted
    assert "MassiveNuS: cosmological massive neutrino simulations" not in text, "the maps are simulated, not MassiveNuS"
    assert "0.0442" in text
    assert "Peak heights, nearest chi2" in text


def test_the_paragraph_for_a_methods_section_says_what_the_run_did(page):
    text = words(page[1])
    methods = text[text.index("What this run did, for a Methods section") :]
    for wanted in (
        "by adaptive wavelet distillation (Ha et al. 2021) with awd-cosmo", "and PyTorch", "(Paszke et al. 2019)",
        "A residual network (He et al. 2016) (ResNet-18, width 16, 698,000 weights) learnt Omega_m from 4,000 maps in "
        "30 epochs (AdamW, one cycle of the learning rate), of which the 21st had", "@inproceedings{he2016deep,",
        "its root mean square error is", "a jackknife over cosmologies with Student",
    ):  # fmt: skip
        assert wanted in methods, wanted
    assert "[@" not in methods


def test_the_marked_rows_are_those_of_awd(page):
    marked = [words(row) for row in re.findall(r'<tr class="marked">(.*?)</tr>', page[1], re.DOTALL)]
    assert sum(row.startswith("AWD 0.0219") for row in marked) == 1
    assert sum(row.startswith("AWD 0.0161") for row in marked) == 1
    assert sum(row.startswith("AWD 161 0.9") for row in marked) == 1
    assert sum(row.startswith("awd ✓ db3, share 0.5") for row in marked) == 1


def test_the_three_lines_of_code_run(page):
    with reopened(page[0]) as run:
        code = snippet(read_record(run))
    assert len(code.splitlines()) == 3
    names = {"maps": np.zeros((2, SIDE, SIDE))}
    exec(code, names)  # noqa: S102 - what the report tells people to run
    assert names["estimate"].shape == names["percentile"].shape == (2,)


# What is missing, and what is damaged


def test_what_is_missing_is_said(bare):
    html = write_report(bare).read_text(encoding="utf-8")
    Page(html)
    for name in (
        "predictions.csv", "path.json", "selection.json", "attributions.npz", "scores.json", "quality.json",
        "teacher.json", "model.json", "split.json",
    ):  # fmt: skip
        assert f"no {name}" in words(html), name
    assert "No observed maps were given" in html
    assert "the redshift of the sources is not known" in html
    assert [item.name for item in (bare / "figures").iterdir()] == ["rmse.png"]


@pytest.mark.parametrize("name", ["maps.json", "results.json"])
def test_a_run_without_results_is_refused(bare, name):
    (bare / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing: the run has not come to .* yet"):
        read_record(bare)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", "{", r"results\.json cannot be read as the comparison of a run: it is not JSON"),
        (
            "results.json",
            '{"target": "Omega_m", "protocols": {"held_out": {}}}',
            r"results\.json cannot be read as the comparison of a run: protocols\.held_out lacks rows",
        ),
        ("results.json", '{"target": "Omega_m", "protocols": {}}', "has no protocol named held_out or published"),
        ("scores.json", '{"start": {}}', r"scores\.json cannot be read as scores of awd-cosmo"),
        ("quality.json", '{"verdict": []}', r"quality\.json cannot be read as attribution quality of awd-cosmo"),
        ("selection.json", "[1,", r"selection\.json cannot be read as the selection of a run: it is not JSON"),
        ("selection.json", '[{"key": "awd"}]', r"the selection of a run: \[0\] lacks wavelet, share, levels"),
        ("attributions.npz", "PK", r"attributions\.npz is not what awd-cosmo writes"),
    ],
)
def test_damaged_files_are_named(bare, name, content, message):
    (bare / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_record(bare)


# Honest words


@pytest.mark.parametrize(
    ("ratios", "wanted", "note"),
    [
        (
            (1.2, 1.1, 1.3),
            "20.0 % larger than that of the teacher",
            "AWD does worse here than the teacher: its RMSE is 1.20",
        ),
        ((0.98, 0.9, 1.05), "not distinguishable from that of the teacher", "do not tell AWD and the teacher apart"),
        ((0.9, 0.85, 0.95), "10.0 % smaller than that of the teacher", None),
        ((0.9, None, None), "(ratio 0.900, without an error bar)", None),
    ],
)
def test_the_words_follow_the_numbers(bare, ratios, wanted, note):
    write_results(bare, (ratios, (0.779, 0.71, 0.85)))
    record = read_record(bare)
    assert wanted in sentences.summary(record)
    notes = [said for said in sentences.caveats(record) if "the teacher" in said]
    assert (any(note in said for said in notes)) if note else notes == []


def changed_results(run, change):
    values = json.loads((run / "results.json").read_text())
    change(values)
    run.write_json("results.json", values)
    return read_record(run)


def row_of(values, key, protocol="held_out"):
    return next(row for row in values["protocols"][protocol]["rows"] if row["key"] == key)


def test_a_plain_wavelet_that_the_student_took_is_named(bare):
    def change(values):
        values["ratios"].append(
            {"protocol": "held_out", "of": "awd", "to": "db5", "value": 1.0, "low": 1.0, "high": 1.0}
        )

    notes = " ".join(sentences.caveats(changed_results(bare, change)))
    assert "The student took a plain wavelet, db5: no other" in notes
    assert "not distinguishable from that of db5" not in notes


def test_a_plain_wavelet_that_does_as_well_is_named(bare):
    def change(values):
        values["ratios"].append(
            {"protocol": "held_out", "of": "awd", "to": "db5", "value": 0.97, "low": 0.9, "high": 1.04}
        )
        row_of(values, "haar")["rmse"] = 0.0201

    notes = " ".join(sentences.caveats(changed_results(bare, change)))
    assert "not distinguishable from that of db5 (0.970, 0.900 to 1.040)" in notes
    assert "Haar has a smaller RMSE on the test maps than AWD (0.0201 against 0.0219)" in notes


def test_models_that_have_learnt_nothing_are_called_so(bare):
    def change(values):
        row_of(values, "teacher")["rmse"] = 0.056
        row_of(values, "awd")["rmse"] = 0.0569

    notes = " ".join(sentences.caveats(changed_results(bare, change)))
    assert "The teacher has learnt little: its RMSE is 0.0560" in notes
    assert "it knows little more than their mean" in notes


def test_the_published_protocol_alone_is_no_forecast(bare):
    record = changed_results(bare, lambda values: values["protocols"].pop("held_out"))
    assert record.main.name == "published"
    assert any("No cosmologies were held out" in note for note in sentences.caveats(record))


def test_the_row_of_a_key_is_the_one_that_validation_takes():
    rows = (
        ModelRow("raw", "Raw", "classical", "peaks", "nearest chi2", 0.02, validation_rmse=0.01),
        ModelRow("raw", "Raw", "classical", "peaks", "ridge", 0.05, validation_rmse=0.03),
        ModelRow("raw", "Raw", "classical", "peaks", "emulator", 0.04, validation_rmse=0.04),
        ModelRow("laplace_v1", "Laplace", "classical", "peaks", "ridge", 0.03, validation_rmse=0.035),
    )
    protocol = Protocol(rows)
    assert protocol.of("raw") is rows[1]
    assert protocol.best("classical") is rows[0]
    assert protocol.of("none") is None
    assert list(row_names([protocol]).values()) == ["Raw, nearest chi2", "Raw, ridge", "Raw, emulator", "Laplace"]


# Scales


def test_the_shares_of_the_bands_are_those_of_the_estimates(page):
    """Against the estimates of training maps themselves; the model knows their covariance, shrunk a little."""
    model = Model.load(page[0] / "model.json")
    maps, _, _, _ = make_maps(np.random.default_rng(4))
    with reopened(page[0]) as run:
        train = read_record(run).splits["held_out"]["train"]
    features = np.sqrt(model.features(maps[train]))
    weights = model.regressor.weights_[:, 0] / model.regressor.scale_
    shares = band_shares(model)
    assert [share.band for share in shares] == ["raw", "a1", "h1", "v1", "d1", "a2", "h2", "v2", "d2"]
    assert sum(share.share for share in shares) == pytest.approx(1.0, abs=1e-9)
    assert sum(share.features for share in shares) == features.shape[1]
    parts = (features - features.mean(axis=0)) * weights
    total = parts.sum(axis=1)
    for number, share in enumerate(shares):
        part = parts[:, 10 * number : 10 * number + 10].sum(axis=1)
        # Shrinkage moves covariances of 120 maps by some percent.
        assert share.share == pytest.approx(float(part @ total / (total @ total)), abs=0.1)
        assert share.spread == pytest.approx(float(part.std()), rel=0.25)


def test_only_sums_have_shares(page):
    held = Model.load(page[0] / "model.json")
    features = np.random.default_rng(0).poisson(20, (60, held.regressor.n_features_in_))
    nearest = NearestCosmology().fit(features, np.repeat([0.2, 0.3, 0.4], 20))
    nearest.calibrate(features, np.repeat([0.2, 0.3, 0.4], 20))
    other = Model(held.parameters, held.pixel_scale, held.shape, held.statistics, nearest, held.training)
    assert band_shares(other) == []


def test_effects_of_a_few_numbers_are_those_of_the_estimates(page):
    held = Model.load(page[0] / "model.json")
    rng = np.random.default_rng(0)
    maps = rng.normal(0, 0.02, (60, 16, 16))
    few = PeaksAbove("haar", [1, 5, 20]).fit(maps)
    features = few.transform(maps)
    truth = 0.3 + 40 * features[:, 1] - 9 * features[:, 2]
    line = CountRidge(transform="none", alphas=(1e-9,)).fit(features, truth)
    line.calibrate(features, truth + rng.normal(0, 0.01, 60))
    training = TrainingDistribution.from_features(features)
    effects = number_effects(Model(held.parameters, 0.4, (16, 16), (few,), line, training))
    assert [name for name, _ in effects] == list(few.get_feature_names_out())
    # One deviation of the root moves a count by twice the root of its mean times that.
    spread = 2 * training.mean * np.sqrt(np.diag(np.linalg.pinv(training.precision, hermitian=True)))
    np.testing.assert_allclose([effect for _, effect in effects], np.array([0, 40, -9]) * spread, atol=1e-5)
    assert number_effects(held) == []


def test_scales_are_ordered_from_fine_to_coarse():
    known = {scale.band: scale for scale in wavelet_scales("db3", 2, 0.4)}
    assert [scale.band for scale in scales_of("db3", 2, 0.4)] == ["d1", "h1", "v1", "raw", "d2", "h2", "v2", "a2"]
    (joined,) = scales_of("db3", 2, 0.4, ["h1+v1", "starlet 3"])
    assert joined.arcmin == pytest.approx(known["h1"].arcmin, rel=1e-12)
    assert joined.ell == pytest.approx(360 * 60 / joined.arcmin, rel=1e-12)
    assert readable_band("starlet 2") == "starlet 2"


# Figures


def test_the_rmse_figure_shows_the_numbers(bare):
    record = read_record(bare)
    protocols = record.ordered
    names = row_names(protocols)
    for narrow in (False, True):
        (axes,) = result_figures.rmse_figure(protocols, names, "Omega_m", narrow=narrow).axes
        labels = [tick.get_text() for tick in axes.get_yticklabels()]
        assert labels[0] == "AWD"
        assert labels[-1] == "Mean of the truth"
        drawn = sorted(float(bar.lines[0].get_xdata()[0]) for bar in axes.containers)
        assert drawn == sorted(row.rmse for protocol in protocols for row in protocol.rows)


def test_the_predictions_figure_shows_cosmologies_as_points():
    predictions = Predictions(
        np.array([0, 0, 1, 1]), np.array([0.2, 0.2, 0.4, 0.4]), {"awd": np.array([0.21, 0.23, 0.35, 0.37])},
        {"awd": np.full(4, np.nan)},
    )  # fmt: skip
    rows = [ModelRow("awd", "AWD", "awd", "", "", 0.03)]
    (axes,) = result_figures.predictions_figure(predictions, rows, {"awd": "AWD"}, "Omega_m").axes
    (points,) = axes.containers
    np.testing.assert_allclose(points.lines[0].get_xydata(), [[0.2, 0.22], [0.4, 0.36]], rtol=1e-12)
    assert axes.get_xlim() == axes.get_ylim()


def test_shapes_are_what_the_transform_correlates_with():
    """An impulse, transformed, is the filter turned round by half a turn."""
    impulse = np.zeros((1, 64, 64))
    impulse[0, 32, 32] = 1.0
    wavelet = Wavelet.from_name("db2")
    bands = undecimated(impulse, wavelet, 2, boundary="periodic")
    for shape, band in zip(map_figures.band_shapes(wavelet, 2), ("a2", "h2", "v2", "d2"), strict=True):
        answer = bands[band][0, ::-1, ::-1]
        y, x = np.argwhere(np.abs(answer) > 1e-14).min(axis=0)
        np.testing.assert_allclose(answer[y : y + len(shape), x : x + len(shape)], shape, atol=1e-14)
        assert np.sum(shape**2) == pytest.approx(np.sum(answer**2), rel=1e-12)


def test_shapes_are_centred_and_hold_their_energy():
    for shape in map_figures.band_shapes(Wavelet.from_name("db5"), 3):
        radius = map_figures._radius(shape)
        shown = map_figures._centred(shape, radius)
        assert shown.shape == (2 * radius + 1, 2 * radius + 1)
        assert np.sum(shown**2) >= 0.995 * np.sum(shape**2)
        centroid = np.arange(len(shown)) @ (shown**2).sum(axis=1) / np.sum(shown**2)
        assert abs(centroid - radius) < 1.0


def test_maps_with_missing_pixels_are_drawn(page):
    with reopened(page[0]) as run:
        held = read_record(run).attributions
    held.maps[0, :5] = np.nan
    figure = map_figures.pixel_attributions_figure(held, ARCMIN, "Ω")
    assert figure.axes[0].get_title(loc="left") == "true Ω = 0.200"
    assert figure.axes[0].images[0].get_extent() == [0.0, SIDE * ARCMIN, 0.0, SIDE * ARCMIN]


@pytest.mark.parametrize(("rmse", "learnt"), [(0.0573, True), (0.0574, False), (0.14, False)])
def test_a_teacher_that_errs_as_much_as_the_truths_scatter_is_no_rival(bare, rmse, learnt):
    record = read_record(bare)
    teacher = replace(record.main.of("teacher"), rmse=rmse)
    rows = tuple(teacher if row.key == "teacher" else row for row in record.main.rows)
    said = sentences.verdict(record, replace(record.main, rows=rows))
    assert ("the teacher has learnt nothing" not in said) == learnt
    assert ("than that of the teacher" in said) == learnt
    assert f"its RMSE is {rmse:.4f}, the spread of the truths 0.0574" in said or learnt


def test_the_report_says_how_maps_were_simulated():
    def said(setup):
        (_, how) = sentences.data_sentences(SimpleNamespace(maps={"maps": 8, "simulation": {"setup": setup}}))
        return how

    assert "a lognormal convergence field, no halos." in said(asdict(Setup()))
    assert "and halos painted on it." in said(asdict(Setup(halos=HaloModel())))
    particles = said(json.loads(json.dumps(asdict(Setup(particles=ParticleModel(box=150.0))))))
    assert "simulated: 128³ particles in boxes of 150 Mpc" in particles
    assert "8 maps of a cosmology look at one box" in particles
