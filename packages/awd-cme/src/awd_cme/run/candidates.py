"""Which wavelet: candidates in order of preference, and the choice among them by training tracks alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from awd_cme.model.results import TriedCandidate
from awd_cme.model.settings_search import SettingsSearch, search_settings
from awd_cme.run.job import RunJob
from awd_cme.run.readable import predictor_of, transformer
from awd_cme.run.series import Problem
from awd_core.distill import DistillationPath
from awd_core.wavelets import Wavelet


@dataclass(frozen=True)
class Candidate:
    """A wavelet that may be chosen."""

    wavelet: Wavelet
    start: str  # where its path began; its own name if it is that start itself
    share: float | None = None  # of the attributions; None for the start itself

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.start if self.share is None else f"from {self.start}, share {self.share:g}"

    @property
    def free(self) -> int:
        """Numbers that were fitted to make it: the free angles of its filter."""
        return 0 if self.share is None else self.wavelet.free_angle_count


@dataclass(frozen=True)
class Choice:
    """The candidates with their scores, and the one that was taken."""

    candidates: tuple[Candidate, ...]  # in order of preference
    search: SettingsSearch
    index: int  # the first that the folds cannot tell from the best

    @property
    def chosen(self) -> Candidate:
        """The one that was taken."""
        return self.candidates[self.index]

    def rows(self, features: str, regression: str) -> list[TriedCandidate]:
        """Content of selection.json."""
        found = zip(self.search.scores, self.search.standard_error(), self.search.pooled, strict=True)
        return [
            TriedCandidate(
                one.name, one.start, one.share, features, regression, float(scores.mean()), float(error), float(pooled),
                best=number == self.search.index, chosen=number == self.index,
            )
            for number, (one, (scores, error, pooled)) in enumerate(zip(self.candidates, found, strict=True))
        ]  # fmt: skip


def candidates_of(paths: Mapping[str, DistillationPath]) -> tuple[Candidate, ...]:
    """All candidates, in order of preference.

    The starts, which nobody had to fit; then path by path, in the order of the starts, the points with the largest
    share of the attributions first: of wavelets that the folds cannot tell apart, the one that leans most on the
    teacher.
    """
    named = [Candidate(path.start, start) for start, path in paths.items()]
    points = [Candidate(point.wavelet, start, point.share) for start, path in paths.items() for point in reversed(path)]
    return (*named, *points)


def choose(
    job: RunJob,
    problem: Problem,
    candidates: Sequence[Candidate],
    *,
    features: str | None = None,
    published: bool = False,
) -> Choice:
    """Cross-validate candidates on training tracks, in order of preference; all but the wavelets is fitted anew.

    By several drawings of folds, the first within one standard error (of the paired difference) of the best is taken;
    by the published rule, with one drawing, that of the highest score.
    """
    known = problem.known
    tried = [transformer(job, known, candidate.wavelet, features or job.features) for candidate in candidates]
    search = search_settings(
        tried, known, predictor_of(known, job.seed, published=published), inputs=problem.z_scores.inputs.rule,
        folds=job.folds, repeats=1 if published else job.repeats, seed=job.seed,
    )  # fmt: skip
    return Choice(tuple(candidates), search, search.index if published else search.first_within(1.0))
