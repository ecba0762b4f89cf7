"""The second part of a run: the learning problem, its split by whole cells, and z-scores from training tracks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from awd_cme.model.folds import ScaledFold, scaled_folds
from awd_cme.model.scores import auc, r2
from awd_cme.run.data import Tracked
from awd_cme.run.job import RunJob
from awd_cme.run.readable import choose_scaling
from awd_cme.series.problem import make_series, split_groups, split_tracks
from awd_cme.series.scaling import ZScores, fit_z_scores
from awd_cme.series.series_file import load_series, save_series
from awd_cme.series.series_set import SETTINGS, SeriesSet, SeriesSettings
from awd_cme.series.targets import NEED_P
from awd_cme.tracks.losses import LossReport
from awd_core.files import read_json
from awd_core.run import RunFolder, echo
from awd_core.typing import AnyArray, Array, Indices

SUCCESS = "consecutive"
WITHIN = (
    "training and test tracks are of the same cells: the units of this split are tracks, not cells, and its scores say "
    "nothing of how well this works on other cells"
)


@dataclass(frozen=True)
class Problem:
    """What is learnt from what, and tested on what."""

    raw: SeriesSet  # all series, in the channels' units
    train: Indices
    test: Indices
    rule: str  # what is kept together by the split: "cells" or "tracks"
    z_scores: ZScores  # fitted on the training tracks

    @cached_property
    def known(self) -> SeriesSet:
        """Training tracks in the channels' units."""
        return self.raw.take(self.train)

    @cached_property
    def training(self) -> SeriesSet:
        """Standardised training tracks."""
        return self.z_scores.apply(self.known)

    @cached_property
    def held_out(self) -> SeriesSet:
        """Standardised test tracks; their targets are in units of the training tracks."""
        return self.z_scores.apply(self.raw.take(self.test))

    @property
    def classification(self) -> bool:
        """Whether success is rated, not a number predicted."""
        return self.raw.classification

    @property
    def groups(self) -> AnyArray:
        """What penalties are chosen by, one entry a training track: cells, or tracks where there is one cell."""
        return self.known.groups()

    def truth(self) -> AnyArray:
        """Targets of the test tracks, in the partner's unit."""
        return self.raw.y[self.test]

    def held_out_of_folds(self, folds: int, seed: int, ask: Callable[[ScaledFold], Array]) -> Array:
        """What a model says of training tracks that it has not seen, (n,) in the partner's unit.

        `ask` fits to the training part of a fold, and predicts its held-out part, (n,), or several ways at once,
        (k, n); z-scores are fitted anew in each fold.
        """
        found: list[Array] = []
        rest: list[Indices] = []
        for fold in scaled_folds(self.known, folds, seed, inputs=self.z_scores.inputs.rule):
            found.append(fold.restored(ask(fold)))
            rest.append(fold.rest)
        return np.concatenate(found, axis=-1)[..., np.argsort(np.concatenate(rest))]

    def score_of_training(self, prediction: Array) -> float:
        """R², or AUC, of predictions for the training tracks."""
        return auc(self.known.y, prediction) if self.classification else r2(self.known.y, prediction)

    def restored(self, prediction: Array) -> Array:
        """Predictions for the test tracks, from standardised to the partner's unit."""
        if self.classification:
            return prediction
        return self.z_scores.restore_targets(prediction, self.held_out.cell)


def make_problem(run: RunFolder, job: RunJob, tracked: Tracked) -> None:
    """Make the learning problem: series.npz with series.json, split.json and data.json."""
    save_series(series_of(job, tracked), run / "series.npz")
    raw = load_series(run / "series.npz")
    train, test, rule = split_of(job, raw)
    _check_classes(raw, train, test)
    if rule == "tracks":
        raw.losses.doubt(WITHIN)
    run.write_json(
        "split.json",
        {
            "rule": rule, "seed": job.seed, "train": train.tolist(), "test": test.tolist(),
            "train_cells": _cells(raw, train), "test_cells": _cells(raw, test),
        },
    )  # fmt: skip
    run.write_json("data.json", account(job, tracked, raw))
    for doubt in raw.losses.doubts:
        echo(f"Warning: {doubt}.", aside=True)


def choose_z_scores(run: RunFolder, job: RunJob) -> None:
    """Choose how series are standardised, and write scaling.json."""
    raw = load_series(run / "series.npz")
    known = raw.take(split_of(job, raw)[0])
    chosen = choose_scaling(job, known)
    z_scores = fit_z_scores(known, inputs=chosen["rule"])
    scaling = {"inputs": z_scores.inputs.to_dict(), "targets": z_scores.targets.to_dict(), "choice": chosen}
    run.write_json("scaling.json", scaling)


def read_problem(run: RunFolder, job: RunJob) -> Problem:
    """What both have left."""
    raw = load_series(run / "series.npz")
    train, test, rule = split_of(job, raw)
    inputs = read_json(run / "scaling.json")["choice"]["rule"]
    return Problem(raw, train, test, rule, fit_z_scores(raw.take(train), inputs=inputs))


def series_settings(job: RunJob, tracked: Tracked) -> tuple[SeriesSettings, str | None]:
    """The steps of the learning problem, and what was assumed to choose them."""
    name = job.settings or ("yeast" if tracked.yeast else "published")
    if name not in SETTINGS:
        raise ValueError(f"settings are one of {', '.join(SETTINGS)}; got {name!r}")
    chosen = SETTINGS[name]
    channels = tracked.table.attrs["channels"]
    if len(channels) > 1:
        chosen = replace(chosen, x=channels[0], y=channels[1])
    if job.target is not None:
        return replace(chosen, target=SUCCESS if job.target == "success" else job.target), None
    unknown = len(channels) > 1 and not np.isfinite(tracked.table[f"{channels[1]}_p"].to_numpy()).any()
    if chosen.target in NEED_P and unknown:
        said = f"{channels[1]} has no p-values, so the target is its largest amplitude, not {chosen.target!r}."
        return replace(chosen, target="max"), said
    return chosen, None


def series_of(job: RunJob, tracked: Tracked) -> SeriesSet:
    """Series and targets of all tracks, with the losses of this step and those before."""
    settings, assumed = series_settings(job, tracked)
    series = make_series(tracked.table, settings)
    losses = LossReport(kept=len(series))
    losses.merge(replace(tracked.losses, kept=0))
    losses.merge(replace(series.losses, came=0, kept=0))
    if assumed:
        losses.assume(assumed)
    return replace(series, losses=losses)


def split_of(job: RunJob, raw: SeriesSet) -> tuple[Indices, Indices, str]:
    """Training and test tracks: whole cells, or tracks where there is one cell or the job asks for it."""
    if len(np.unique(raw.cell)) > 1 and job.split == "cells":
        train, test = split_groups(raw.cell, test=job.test_cells or None, share=job.share, seed=job.seed)
        return train, test, "cells"
    if job.test_cells:
        raise ValueError(f"there is one cell, {raw.cell[0]!r}, so no cells can be held out to test on; leave them out")
    train, test = split_tracks(len(raw), job.seed, job.share)
    return train, test, "tracks"


def account(job: RunJob, tracked: Tracked, raw: SeriesSet) -> dict[str, Any]:
    """Content of data.json."""
    from awd_cme.tracks.table import starts

    first = tracked.table.iloc[starts(tracked.table)]
    rows = first.groupby("cell", observed=True)["source"].agg(["size", "first"])
    used = {str(name): int(count) for name, count in zip(*np.unique(raw.cell, return_counts=True), strict=True)}
    cells = [
        {"cell": str(cell), "tracks": int(row["size"]), "used": used.get(str(cell), 0), "source": _short(row["first"])}
        for cell, row in rows.iterrows()
    ]
    attrs, classify = tracked.table.attrs, raw.classification
    simulation = None
    if job.data == "simulated":
        simulation = {"preset": job.preset, "cells": job.cells, "seed": job.seed, "changes": dict(job.simulation)}
    report = raw.report()
    return {
        "account": tracked.account,
        "channels": list(raw.channels),
        "seconds_per_frame": attrs.get("seconds_per_frame"),
        "micrometres_per_pixel": attrs.get("micrometres_per_pixel"),
        "origin": dict(tracked.origin),
        "cells": cells,
        "losses": raw.losses.to_dict(),
        "target": {
            "name": raw.settings.target,
            "unit": "" if classify else "counts",
            "task": "success" if classify else "regression",
        },
        "series": len(raw),
        "length": raw.X.shape[1],
        "settings": raw.settings.to_dict(),
        "simulation": simulation,
        "summary": {name: report[name] for name in report if name not in ("losses", "settings", "cells")},
    }


def _check_classes(raw: SeriesSet, train: Indices, test: Indices) -> None:
    if raw.classification:
        for name, rows in (("training", train), ("test", test)):
            if len(np.unique(raw.y[rows])) < 2:
                raise ValueError(
                    f"all {len(rows)} {name} tracks are of one class; more cells, or another target, are needed"
                )


def _cells(raw: SeriesSet, rows: Indices) -> list[str]:
    return [str(name) for name in np.unique(raw.cell[rows])]


def _short(source: Any) -> str:
    return str(source).replace("\\", "/").rpartition("/")[2] or str(source)
