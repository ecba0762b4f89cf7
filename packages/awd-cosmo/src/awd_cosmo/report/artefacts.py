"""What a report is made of: the artefacts of a run, read from its folder and checked.

Only maps and results must be there. Whatever else is missing is None, and the report says so in a sentence.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.distill import DistillationPath, PathPoint, load_path
from awd_core.evidence import CheckedQuality, Scores, read_selection
from awd_core.files import load_npz
from awd_core.report import load_if_exists, read_json, read_quality, read_scores
from awd_core.run import RunFolder
from awd_core.typing import Array, Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.inference.model import Model
from awd_cosmo.inference.results import ModelRow, Protocol, Results, TriedCandidate
from awd_cosmo.posterior.chains import read_chains
from awd_cosmo.posterior.results import Posteriors
from awd_cosmo.posterior.samples import PosteriorSamples

PROGRAM = "awd-cosmo"
PROTOCOLS = ("held_out", "published")
PROTOCOL_NAMES = {"held_out": "cosmologies held out", "published": "published protocol"}
SYMBOLS = {"Omega_m": "Ωₘ", "M_nu": "M_ν", "A_s": "10⁹ Aₛ", "sigma8": "σ₈", "n_s": "nₛ", "S8": "S₈"}
SAME = 1e-10
"""Largest difference of taps that are the same but for rounding."""


def is_outlier(observed: Mapping[str, Any]) -> bool:
    """Whether a row of observed.json is of a map unlike those of training; rows of before tell a percentile alone."""
    times = observed.get("times")
    far = float(times) > 1 if times is not None else float(observed.get("percentile") or 0.0) >= 99
    return far or bool(observed.get("at_edge"))


@dataclass(frozen=True)
class Predictions:
    """Estimates of test maps, all arrays of shape (n,).

    Attributes
    ----------
    cosmology : ndarray of int
        Number of each map's cosmology.
    truth : ndarray
        True values.
    estimates, errors : dict
        By the key of the model; error bars are NaN where a model has none.
    """

    cosmology: Rows
    truth: Array
    estimates: dict[str, Array]
    errors: dict[str, Array]


@dataclass(frozen=True)
class Attributions:
    """Attributions of some test maps, all stacks of shape (n, ny, nx).

    Attributes
    ----------
    maps, gradients : ndarray
        Maps, and what the teacher's estimate would gain for a unit of convergence more in a pixel.
    truth : ndarray, shape (n,)
        True values.
    bands : dict
        Magnitudes of the wavelet coefficients' attributions, by band.
    bin : ndarray of int, shape (n,), optional
        Redshift bin of each map, where there are several.
    """

    maps: Array
    gradients: Array
    truth: Array
    bands: dict[str, Array]
    bin: Rows | None = None

    def first_bands(self, most: int) -> "Attributions":
        """The same with that many bands at most."""
        return replace(self, bands=dict(list(self.bands.items())[:most]))


@dataclass(frozen=True)
class RunRecord:
    """All artefacts of a run that its report shows."""

    folder: Path
    maps: Mapping[str, Any]
    results: Results
    splits: Mapping[str, Mapping[str, Any]]
    teacher: Mapping[str, Any] | None
    history: Sequence[Mapping[str, Any]]
    path: DistillationPath | None
    wavelet: Wavelet | None
    scores: Scores | None
    quality: CheckedQuality | None
    selection: Sequence[TriedCandidate] | None
    timings: Mapping[str, Any]
    predictions: Mapping[str, Predictions]
    attributions: Attributions | None
    model: Model | None
    observed: Sequence[Mapping[str, Any]] | None
    posteriors: Posteriors | None = None
    chains: Mapping[tuple[str, int], PosteriorSamples] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        """How the parameter that is estimated is written."""
        return SYMBOLS.get(self.results.target, self.results.target)

    @property
    def main(self) -> Protocol:
        """The protocol that counts: held-out cosmologies, if it was run."""
        return self.ordered[0]

    @property
    def ordered(self) -> list[Protocol]:
        """All protocols, the one that counts first."""
        known = self.results.protocols
        return [known[name] for name in dict.fromkeys([*(n for n in PROTOCOLS if n in known), *known])]

    @property
    def pixel_arcmin(self) -> float | None:
        """Arcmin per pixel of the maps that the statistics see."""
        if self.model is not None:
            return float(self.model.pixel_scale * self.model.preprocessing.downsample)
        scale = self.maps.get("arcmin_per_pixel")
        return None if scale is None else float(scale)

    @property
    def chosen(self) -> PathPoint | None:
        """The point of the path whose wavelet was taken; None if there is no path, or it is none of the path's."""
        if self.path is None or self.wavelet is None:
            return None
        for point in self.path:
            taps = point.wavelet.taps
            if taps.shape == self.wavelet.taps.shape and np.abs(taps - self.wavelet.taps).max() < SAME:
                return point
        return None

    @property
    def shown(self) -> PathPoint | None:
        """The point to show: the chosen one, else the best of the path by validation, else the middle one."""
        if self.path is None or (point := self.chosen) is not None:
            return None if self.path is None else point
        for row in sorted(self.selection or (), key=lambda row: row.cv_rmse):
            for point in self.path:
                if row.share is not None and abs(point.share - row.share) < 1e-9:
                    return point
        return self.path[len(self.path) // 2]

    @property
    def taken(self) -> TriedCandidate | None:
        """The candidate whose wavelet is counted, None if selection.json does not tell."""
        chosen = {row.key: row for row in reversed(self.selection or ()) if row.chosen}
        return chosen.get("awd_counts") or chosen.get("awd")

    def classical(self, protocol: Protocol) -> ModelRow | None:
        """The best classical statistic of a protocol, by validation."""
        if protocol.best_classical is not None:
            return protocol.of(protocol.best_classical)
        return protocol.best("classical")


def read_record(run: RunFolder | Path) -> RunRecord:
    """Read the artefacts of a run, open or by its folder.

    Raises
    ------
    FileNotFoundError
        If maps.json or results.json is missing.
    ValueError
        If a file is damaged; the message names it.
    """
    for name, made in (("maps.json", "the maps"), ("results.json", "the comparison of the models")):
        if not (run / name).exists():
            raise FileNotFoundError(
                f"{run / name} is missing: the run has not come to {made} yet. Start `awd-cosmo run` again with the "
                "same settings; it goes on where it stopped"
            )
    results = Results.load(run / "results.json")
    if not any(name in results.protocols for name in PROTOCOLS):
        raise ValueError(f"{run / 'results.json'} has no protocol named {' or '.join(PROTOCOLS)}; run the comparison")
    posteriors = load_if_exists(run / "posteriors.json", Posteriors.load)
    folder = run if isinstance(run, Path) else run.path
    return RunRecord(
        folder=folder,
        maps=read_json(run / "maps.json"),
        results=results,
        splits=read_json(run / "split.json") or {},
        teacher=read_json(run / "teacher.json"),
        history=read_json(run / "teacher" / "history.json") or (),
        path=load_if_exists(run / "path.json", load_path),
        wavelet=load_if_exists(run / "wavelet.json", Wavelet.load),
        scores=read_scores(run / "scores.json", PROGRAM),
        quality=read_quality(run / "quality.json", PROGRAM),
        selection=load_if_exists(run / "selection.json", partial(read_selection, kind=TriedCandidate)),
        timings=read_json(run / "timings.json") or {},
        predictions=load_if_exists(run / "predictions.csv", _predictions) or {},
        attributions=load_if_exists(run / "attributions.npz", _attributions),
        model=load_if_exists(run / "model.json", Model.load),
        observed=read_json(run / "observed.json"),
        posteriors=posteriors,
        chains={}
        if posteriors is None
        else chains_of((run if isinstance(run, Path) else run.path) / "chains", posteriors),
    )


def chains_of(folder: Path, found: Posteriors) -> dict[tuple[str, int], PosteriorSamples]:
    """The chains that are there, by statistic and map."""
    roots = {(row.key, one.row): folder / f"{row.key}-map{one.row}" for row in found.rows for one in found.maps}
    return {which: read_chains(root) for which, root in roots.items() if Path(f"{root}.txt").exists()}


def _predictions(file: Path) -> dict[str, Predictions]:
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    found = {}
    for name in dict.fromkeys(row["protocol"] for row in rows):
        mine = [row for row in rows if row["protocol"] == name]
        columns = {
            key: np.array([float(row[key]) if row[key] else math.nan for row in mine])
            for key in mine[0]
            if key != "protocol"
        }
        keys = [key for key in columns if key not in ("map", "cosmology", "realisation", "truth")]
        estimates = {k: columns[k] for k in keys if not k.endswith("_std") and np.isfinite(columns[k]).any()}
        none = np.full(len(mine), math.nan)
        errors = {key: columns.get(f"{key}_std", none) for key in estimates}
        found[name] = Predictions(columns["cosmology"].astype(np.int64), columns["truth"], estimates, errors)
    return found


def _attributions(file: Path) -> Attributions:
    try:
        held = load_npz(file)
        names = [str(name) for name in held["bands"]] if "bands" in held else []
        # A name in `bands` may stand with or without what the arrays have before it.
        bands = {name.removeprefix("wavelet_"): held[f"wavelet_{name.removeprefix('wavelet_')}"] for name in names}
        return Attributions(held["maps"], held["gradients"], held["truth"], bands, held.get("bin"))
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"{file} is not what {PROGRAM} writes ({error}); delete it and start the run again") from error
