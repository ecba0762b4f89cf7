"""The steps that runs of all programs share: gradients, paths from several starts, scores, and checks of trust.

A program's own class says what is distilled and how; from there on the steps are the same, and so are their files.
"""

import os
import warnings
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from torch import nn

from awd_core.attribution.gradients import check_gradients, input_gradients
from awd_core.distill.distill import DistillationPath, distill_path
from awd_core.distill.path_file import load_path, save_path
from awd_core.evidence.assessment import attribution_quality
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.score_records import Scores, write_scores
from awd_core.evidence.scores import score_pair
from awd_core.files.arrays import read_array
from awd_core.run.folder import RunFolder
from awd_core.run.screen import Report
from awd_core.run.steps import Step, never_done
from awd_core.typing import AnyArray
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Workers


class Distilling:
    """What the steps of a run share, as far as all programs agree; a subclass says what is distilled, and how."""

    run: RunFolder
    crew: Workers
    X: Any  # inputs that are distilled from, as the teacher takes them, (m, *shape)
    ready: str | os.PathLike[str] | None  # gradients of the user's own, (n, *shape), for all n inputs of the run
    rows: AnyArray  # which of them X are, (m,)
    count: int  # n
    each: str  # what one of them is, for messages: "of the 96 prepared maps"
    has_teacher: bool
    model: nn.Module
    asked: dict[str, Any]  # how it is asked: target, batch_size, and what else `input_gradients` takes
    how: dict[str, Any]  # the transform: levels, mode, and what else all functions take that use it
    starts: Sequence[str]  # names of the wavelets that paths start from
    searched: dict[str, Any]  # what else `distill_path` takes
    checked: dict[str, Any]  # what else `attribution_quality` takes
    points: str = ""  # files for the wavelets of all points of all paths, as for `save_points`; none, if empty
    quality: bool  # whether the attributions are checked

    @cached_property
    def gradients(self) -> Any:
        """Of the teacher with respect to X, or of the user's own, shape (m, *shape)."""
        if self.ready is not None:
            return self.given(self.X, self.rows)
        return np.asarray(read_array(f"{self.run / 'gradients.zarr'}:gradients")[:])

    @property
    def distilled(self) -> tuple[Any, Any]:
        """Inputs and gradients as wavelets see them."""
        return self.X, self.gradients

    @property
    def scored(self) -> tuple[Any, Any]:
        """Inputs and gradients that sparsity is told of."""
        return self.distilled

    @cached_property
    def paths(self) -> dict[str, DistillationPath]:
        """By start."""
        return {start: load_path(self.run / f"paths/{start}.json") for start in self.starts}

    @property
    def wavelet(self) -> Wavelet:
        """The one that was taken."""
        return Wavelet.load(self.run / "wavelet.json")

    def given(self, X: AnyArray, rows: AnyArray) -> AnyArray:
        """Gradients of the user's own for some inputs, which are read row by row, and checked."""
        array, shape = read_array(self.ready or ""), X.shape[1:]
        sides = [[n for n in axes if n > 1] for axes in (array.shape[1:], shape)]
        if array.shape[0] != self.count or sides[0] != sides[1]:
            raise ValueError(
                f"{self.ready} has the shape {tuple(array.shape)}; give one gradient for each {self.each}: an array of "
                f"the shape {(self.count, *sides[1])}"
            )
        found = np.stack([np.asarray(array[row : row + 1], np.float32).reshape(shape) for row in rows.tolist()])
        check_gradients(X, found)
        return found

    def ask(self, report: Report) -> None:
        """Ask the teacher for those gradients that are not in the folder yet."""
        input_gradients(self.model, self.X, out=self.run / "gradients.zarr", progress=report, **self.asked)

    def have_paths(self) -> bool:
        """Whether all are there."""
        return all((self.run / f"paths/{start}.json").exists() for start in self.starts)

    def follow(self, report: Report) -> None:
        """Follow the path from each start that has none yet, or go on with it."""
        (self.run / "paths").mkdir(exist_ok=True)
        for number, start in enumerate(self.starts):
            if (self.run / f"paths/{start}.json").exists():
                continue
            # Levels may be more than fit, as published: a line of the log is enough.
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", UserWarning)
                X, gradients = self.distilled
                path = distill_path(
                    X, gradients, wavelet=start, checkpoint=self.run / f"paths/{start}.checkpoint.json",
                    workers=self.crew, progress=partial(_of_all, report, start, number, len(self.starts)),
                    **self.how, **self.searched,
                )  # fmt: skip
            for warning in said:
                self.run.log(f"Note on the path from {start}: {warning.message}")
            if self.points:
                self.save_points(path, self.points, start)
            save_path(path, self.run / f"paths/{start}.json")

    def save_points(self, path: DistillationPath, names: str, start: str = "") -> None:
        """Write the wavelet of each point, into files such as "wavelets/{start}-share-{share:.2f}.json"."""
        for point in path:
            place = self.run / names.format(start=start, share=point.share)
            place.parent.mkdir(exist_ok=True)
            point.wavelet.save(place)

    def take(self, path: DistillationPath, wavelet: Wavelet) -> None:
        """Write the wavelet that was chosen, and the path that it lies on or begins."""
        save_path(path, self.run / "path.json")
        wavelet.save(self.run / "wavelet.json")

    def score(self, report: Report) -> Scores:
        """Tell how sparse inputs and attributions are at the start and in the wavelet that was taken."""
        scores = score_pair(load_path(self.run / "path.json").start, self.wavelet, *self.scored, **self.how)
        write_scores(self.run / "scores.json", scores)
        return scores

    def check(self, report: Report) -> CheckedQuality:
        """Look whether attributions in the wavelet that was taken deserve trust."""
        place = self.run / "quality.json"
        return attribution_quality(
            self.model, self.X, self.gradients, self.wavelet, store=place, progress=report, **self.how, **self.checked
        )


GRADIENTS: Step[Distilling] = Step("distill", "Input gradients", lambda work, report: work.ask(report), {
    "gradients.zarr": "the teacher's gradients with respect to its inputs",
}, lambda work: work.ready is None, never_done)  # fmt: skip
PATHS: Step[Distilling] = Step("distill", "Paths", lambda work, report: work.follow(report), {
    "paths": "the paths from all starts",
}, done=lambda work: work.have_paths())  # fmt: skip
TAKEN = {
    "wavelet.json": "the wavelet that was taken; awd_core.Wavelet.load reads it",
    "path.json": "its path with all searches; awd_core.distill.load_path reads it",
}
SCORES: Step[Distilling] = Step("distill", "Scores", lambda work, report: work.score(report), {
    "scores.json": "how sparse coefficients and attributions are, scale by scale, at the start and distilled",
})  # fmt: skip
TRUST: Step[Distilling] = Step("distill", "Checks of the attributions", lambda work, report: work.check(report), {
    "quality.json": "whether the attributions deserve trust: what the checks found, and the verdict",
}, lambda work: work.has_teacher, lambda work: not work.quality or (work.run / "quality.json").exists())  # fmt: skip
PAGE = {
    "report.html": "the report",
    "figures": "the figures of the report, as PNG",
    "wavelet.gif": "the wavelet on its way to the minimum",
}


def _of_all(report: Report, start: str, number: int, paths: int, done: int, total: int, what: str) -> None:
    """Report in hundredths of a path."""
    report(100 * number + 100 * done // max(total, 1), 100 * paths, f"{start}, {what}")
