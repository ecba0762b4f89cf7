"""What a report says about a distillation: pictures, tables and sentences, for `awd_core.report/distillation.html.j2`.

The packages for a field of science put the same part into their own reports.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pywt

from awd_core.distill.distill import DistillationPath, PathPoint
from awd_core.distill.minima import Minimum, agreement, all_minima
from awd_core.evidence.score_records import CoefficientScores, Scores
from awd_core.report import distillation_figures
from awd_core.report.animation import Trajectory, animate, filmstrip, trajectory
from awd_core.report.page import Picture
from awd_core.report.pictures import PlannedFigure, draw_pictures
from awd_core.report.table import Column, Table, number
from awd_core.run.folder import RunFolder
from awd_core.wavelets.wavelet import Wavelet

HARDLY = 0.995
"""Objective, relative to the start's, above which nothing is gained."""
UNCHANGED = 1.0005
"""Ratio of norms up to which one is called no larger."""


@dataclass(frozen=True)
class DistillationPart:
    """The part of a report that is about a path.

    Attributes
    ----------
    path, chosen : DistillationPath, PathPoint
        The path, and the point that was taken.
    way : Trajectory
        How its wavelet was found.
    agreement : list of (share, searches in the best minimum, searches in all)
        At the ends of the path, which are searched from all starts.
    facts : list of (name, value, remark)
        The numbers to remember.
    notes : list of str
        What the reader should beware of; may be empty.
    scored : str
        What the scores are of.
    pictures, tables : dict
        By their keys.
    """

    path: DistillationPath
    chosen: PathPoint
    way: Trajectory
    agreement: list[tuple[float, int, int]]
    facts: list[tuple[str, str, str]]
    notes: list[str]
    scored: str
    pictures: dict[str, Picture]
    tables: dict[str, Table]

    @property
    def summary(self) -> str:
        """What came of it, in a sentence or two."""
        inputs, attributions = _relative(self.path, self.chosen)
        start, share = self.path.start, self.chosen.share
        compared = (
            f"Compared with {start.name}, the L1 norm of the network's attributions is {_change(attributions)} in the "
            f"distilled wavelet, and that of its inputs {_change(inputs)}."
        )
        among = f"all orthonormal wavelets with {start.length} taps"
        weighed = f"where attributions weigh α\u00a0=\u00a0{share:g} and inputs {1 - share:g}"
        if self.chosen.objective > HARDLY:
            return (
                f"{compared} {weighed[0].upper()}{weighed[1:]}, {start.name} is as good as the best of {among} "
                "that was found."
            )
        if attributions > UNCHANGED:
            return (
                f"{compared} So the attributions are no sparser: this wavelet, the best of {among} that was found "
                f"{weighed}, is sparser for the inputs alone. A larger share favours the attributions."
            )
        return f"{compared} It is the best that was found among {among}, {weighed}."


def picture_count(scores: object | None) -> int:
    """How many pictures `distillation_part` draws, with scores or without."""
    return 5 if scores is None else 6


def distillation_part(
    path: DistillationPath,
    chosen: PathPoint,
    run: RunFolder,
    *,
    scores: Scores | None = None,
    scored: str = "the inputs that it was distilled from",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> DistillationPart:
    """Draw the figures and the animation into a run's folder, and fill the tables.

    Parameters
    ----------
    path : DistillationPath
        The path.
    chosen : PathPoint
        The point of it that was taken.
    run : RunFolder
        Where figures/*.png and wavelet.gif are written.
    scores : tuple of CoefficientScores, optional
        Of the start and of the chosen wavelet, on the same data.
    scored : str
        What data: "256 test maps".
    progress : callable, optional
        Called with (pictures done, pictures in all).
    """
    minima, way = all_minima(path), trajectory(path, chosen)
    start, wavelet = path.start, chosen.wavelet
    planned = [
        PlannedFigure(
            "wavelet",
            f"The distilled wavelet over {start.name}: scaling function, wavelet function, filters, frequency "
            "responses.",
            lambda narrow: distillation_figures.wavelet_figure(wavelet, start, narrow=narrow),
            vector=True,
        ),
        PlannedFigure(
            "path",
            f"L1 norms, the trade between them, and the distance to {start.name}, along the path; the table has "
            "numbers.",
            lambda narrow: distillation_figures.path_figure(path, chosen, narrow=narrow),
        ),
        PlannedFigure(
            "functions",
            "Small panels with the wavelet function at several shares of the path.",
            lambda narrow: distillation_figures.functions_figure(path, chosen, narrow=narrow),
        ),
        PlannedFigure(
            "minima",
            "For each share, the local minima that were found, by how far the objective there is above the best.",
            lambda narrow: distillation_figures.minima_figure(minima, chosen, narrow=narrow),
        ),
    ]
    if scores is not None:
        before, after = scores
        planned.append(
            PlannedFigure(
                "scores",
                "How much of the attribution the largest coefficients hold, and attribution by scale, for "
                f"{start.name} and the distilled wavelet; the tables have numbers.",
                lambda narrow: distillation_figures.scores_figure(before, after, narrow=narrow),
            )
        )
    pictures = draw_pictures(run, planned, progress, others=1)
    strip = run.write_figure("figures/filmstrip.png", filmstrip(way))
    run.write_bytes("wavelet.gif", animated := animate(way))
    pictures["animation"] = Picture(
        "animation",
        f"Scaling function, wavelet function and taps on their way from {way.begin} to the distilled wavelet.",
        animated,
        still=strip,
    )
    progress(len(planned) + 1, len(planned) + 1)
    return DistillationPart(
        path=path,
        chosen=chosen,
        way=way,
        agreement=list(dict.fromkeys((group[0].share, *agreement(group)) for group in (minima[0], minima[-1]))),
        facts=_facts(path, chosen),
        notes=_notes(path, chosen),
        scored=scored,
        pictures=pictures,
        tables={
            "path": _points(path, chosen),
            "minima": _minima(minima),
            "taps": _taps(wavelet, start),
            "angles": _angles(wavelet, start),
            "certificate": _certificate(wavelet),
            **({} if scores is None else {"scales": _scales(*scores), "sparsity": _sparsity(*scores)}),
        },
    )


def _relative(path: DistillationPath, point: PathPoint) -> tuple[float, float]:
    return point.sparsity / path.start_sparsity, point.interpretation / path.start_interpretation


def _change(ratio: float) -> str:
    percent = abs(100 * (ratio - 1))
    return "unchanged" if percent < 0.05 else f"{percent:.1f} % {'smaller' if ratio < 1 else 'larger'}"


def _facts(path: DistillationPath, chosen: PathPoint) -> list[tuple[str, str, str]]:
    inputs, attributions = _relative(path, chosen)
    searches = sum(len({d.steps[0].free_angles for d in point.descents}) for point in path)
    return [
        ("Share α", f"{chosen.share:g}", f"one of {len(path)} on the path"),
        ("Attributions, A/A₀", number(attributions, ".3f"), f"{path.start.name} = 1"),
        ("Inputs, S/S₀", number(inputs, ".3f"), f"{path.start.name} = 1"),
        (
            f"Distance to {path.start.name}",
            number(chosen.wavelet.distance(path.start, of="function"), ".2f"),
            "L2, wavelet functions; at most √2",
        ),
        ("Free angles", str(path.start.free_angle_count), f"{path.start.length} taps"),
        ("Searches", str(searches), "from different places"),
    ]


def _notes(path: DistillationPath, chosen: PathPoint) -> list[str]:
    notes = []
    settings = path.settings
    size = min(settings["shape"][-settings["ndim"] :])
    fitting = pywt.dwt_max_level(size, path.start.length)
    if settings["levels"] > fitting:
        notes.append(
            f"{settings['levels']} levels are more than the {fitting} that fit a length of {size} with "
            f"{path.start.length} taps: all coefficients of the levels beyond feel the boundary ({settings['mode']})."
        )
    if chosen.objective > HARDLY:
        notes.append(
            f"The objective is hardly below that of {path.start.name}: either that is as good as it gets, or there is "
            "no structure that a wavelet of this length could make sparse."
        )
    return notes


def _points(path: DistillationPath, chosen: PathPoint) -> Table:
    columns = [
        Column("share α", "share of the interpretation term", "g"),
        Column("γ/λ", "ratio of the weights in the published scaling"),
        Column("S", "mean L1 norm of the inputs' coefficients, divided by levels + 1"),
        Column("S/S₀", "relative to the start", ".4f"),
        Column("A", "mean L1 norm of the attributions, divided by levels + 1"),
        Column("A/A₀", "relative to the start", ".4f"),
        Column("objective", "(1 − α) S/S₀ + α A/A₀", ".5f"),
        Column("distance h", "L2 distance of the taps to the start's, whatever shift and direction", ".3f"),
        Column("distance ψ", "L2 distance of the wavelet functions, likewise", ".3f"),
        Column("vanishing moments"),
    ]
    rows = [
        [
            p.share, p.ratio, p.sparsity, p.sparsity / path.start_sparsity, p.interpretation,
            p.interpretation / path.start_interpretation, p.objective, p.wavelet.distance(path.start),
            p.wavelet.distance(path.start, of="function"), p.wavelet.vanishing_moments,
        ]
        for p in path
    ]  # fmt: skip
    return Table("path-table", columns, rows, marked=list(path).index(chosen))


def _minima(minima: Sequence[Sequence[Minimum]]) -> Table:
    columns = [
        Column("share α", "", "g"),
        Column("objective", "on the small batch, on which the searches are run", ".6f"),
        Column("above the best, %", "", ".3f"),
        Column("searches", "how many ended here"),
        Column("they started from"),
    ]
    rows = [
        [m.share, m.objective, 100 * m.excess, len(m.starts), ", ".join(m.starts)] for group in minima for m in group
    ]
    return Table("minima-table", columns, rows)


def _scales(start: CoefficientScores, distilled: CoefficientScores) -> Table:
    columns = [
        Column("scale"),
        Column("coefficients", "of one input"),
        Column(f"Σ|attr.|, {start.wavelet}", "Σ|attribution| over the scale, mean over inputs"),
        Column("Σ|attr.|, distilled", "Σ|attribution| over the scale, mean over inputs"),
        Column("ratio", "distilled over start", ".3f"),
        Column("of all, %", "the scale's part of all attribution, distilled", ".1f"),
        Column(
            f"present, {start.wavelet}, %", "share with |coefficient| and |attribution| above the thresholds", ".1f"
        ),
        Column("present, distilled, %", "share with |coefficient| and |attribution| above the thresholds", ".1f"),
    ]
    rows = [
        [
            distillation_figures.short_name(after.name), after.coefficients, before.attribution_l1,
            after.attribution_l1, after.attribution_l1 / before.attribution_l1 if before.attribution_l1 else None,
            100 * after.attribution_share, 100 * before.compression, 100 * after.compression,
        ]
        for before, after in zip((*start.scales, start.total), (*distilled.scales, distilled.total), strict=True)
    ]  # fmt: skip
    return Table("scales-table", columns, rows, marked=len(rows) - 1)


def _sparsity(start: CoefficientScores, distilled: CoefficientScores) -> Table:
    both = (start, distilled)
    rows = [
        ["Gini's index of the coefficients", "larger is sparser", *(scores.gini_coefficients for scores in both)],
        ["Gini's index of the attributions", "larger is sparser", *(scores.gini_attributions for scores in both)],
        *(
            [f"attribution held by the largest {100 * share:g} %", "larger is sparser", before, after]
            for (share, before), (_, after) in zip(start.kept, distilled.kept, strict=True)
        ),
        ["share of coefficients present", "smaller is sparser", *(scores.compression for scores in both)],
    ]
    heads = (Column(start.wavelet, style=".3f"), Column("distilled", style=".3f"))
    columns = [Column("measure"), Column("how to read it"), *heads]
    return Table("sparsity-table", columns, rows)


def _taps(wavelet: Wavelet, start: Wavelet) -> Table:
    columns = [
        Column("n"),
        Column("h(n)", "low-pass analysis filter, dec_lo", ".10f"),
        Column("g(n)", "high-pass analysis filter, dec_hi", ".10f"),
        Column(f"h(n) of {start.name}", "", ".10f"),
        Column(f"g(n) of {start.name}", "", ".10f"),
    ]
    filters = (wavelet.dec_lo, wavelet.dec_hi, start.dec_lo, start.dec_hi)
    rows = enumerate(zip(*(taps.tolist() for taps in filters), strict=True))
    return Table("taps-table", columns, [[n, *values] for n, values in rows])


def _angles(wavelet: Wavelet, start: Wavelet) -> Table:
    columns = [
        Column("k"),
        Column("θₖ, rad", "lattice angle", ".10f"),
        Column(f"θₖ of {start.name}, rad", "", ".10f"),
    ]
    angles = zip(wavelet.angles.tolist(), start.angles.tolist(), strict=True)
    return Table("angles-table", columns, [[k, *both] for k, both in enumerate(angles, start=1)])


def _certificate(wavelet: Wavelet) -> Table:
    columns = [Column("quantity"), Column("definition"), Column("value", style=".1e")]
    rows = [
        [quantity, definition, float(value) if "e-" in value or "e+" in value else value]
        for quantity, definition, value in wavelet.certificate().rows()
    ]
    return Table("certificate-table", columns, rows)
