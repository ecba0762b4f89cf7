"""The page of `awd-cme compare`: what biologists publish of tracks, condition by condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from awd_cme.conditions.cohorts import Cohort
from awd_cme.conditions.effects import QUANTITIES, ConditionEffect
from awd_core.plotting import GREEN, HIGH, LOW, NARROW, ORANGE, PURPLE, SKY, label
from awd_core.report import Column, PlannedFigure, Table, draw_pictures, interval, number, save_report
from awd_core.run import RunFolder

COLOURS = (LOW, HIGH, GREEN, PURPLE, ORANGE, SKY)
MARKS = "osD^vP"
SURE = 0.05


@dataclass(frozen=True)
class Compared:
    """What the page tells.

    Attributes
    ----------
    channels : sequence of str
        The seen one and its partner.
    cells : mapping of str to DataFrame
        What `cell_values` says of each condition, the reference first.
    lifetimes : mapping of str to DataFrame
        What `lifetime_histogram` says of each.
    cohorts : mapping of str to (list of Cohort, list of Cohort)
        Aligned at the begin and at the end.
    effects : sequence of ConditionEffect
        Conditions against the reference.
    account : sequence of str
        What was read and lost, condition by condition.
    """

    channels: Sequence[str]
    cells: Mapping[str, pd.DataFrame]
    lifetimes: Mapping[str, pd.DataFrame]
    cohorts: Mapping[str, tuple[list[Cohort], list[Cohort]]]
    effects: Sequence[ConditionEffect]
    account: Sequence[str]


def write_conditions_page(run: RunFolder, found: Compared) -> None:
    """Draw figures/*.png and *.svg, and write report.html into a run's folder."""
    planned = list(_drawings(found))
    pictures = draw_pictures(run, planned, lambda done, total: None)
    for one in planned:
        run.write_bytes(f"figures/{one.key}.svg", svg(one.draw(False)))
    save_report(
        run, "awd_cme.report/conditions.html.j2", packages=["awd_cme.report"], made_with=("awd-cme", "awd-core"),
        title=f"{' against '.join(reversed(list(found.cells)))}: tracks of {' and '.join(found.channels)}",
        summary=" ".join(headline(found)),
        facts=[(name, str(len(cells)), f"cells, {int(cells['tracks'].sum()):,} tracks")
               for name, cells in found.cells.items()],
        pictures=pictures, effects=_effects_table(found.effects), per_cell=_cells_table(found.cells),
        notes=_notes(found), account=found.account,
    )  # fmt: skip


def headline(found: Compared) -> list[str]:
    """What differs, surely or as far as the intervals tell, in sentences."""
    sure = [effect for effect in found.effects if effect.p_holm < SURE]
    apart = [effect for effect in found.effects if effect.low > 0 or effect.high < 0]
    if sure:
        return [sentence(effect) for effect in sure]
    if apart:
        return [*map(sentence, apart), "The permutation test, all comparisons considered, does not call that sure."]
    return ["No difference between the conditions is sure, all comparisons considered."]


def sentence(effect: ConditionEffect) -> str:
    """An effect in words."""
    ends = interval(effect.low, effect.high, ".3g")
    what, p = QUANTITIES[effect.quantity].partition(",")[0], number(effect.p_holm, ".2g")
    return (
        f"The {what} is {number(effect.value, '.3g')} in {effect.condition} and "
        f"{number(effect.reference_value, '.3g')} in {effect.reference}, a difference of "
        f"{number(effect.difference, '+.3g')}{f' ({ends})' if ends else ''}, p = {p} corrected."
    )


def svg(figure: Figure) -> bytes:
    """A figure as it goes on a slide."""
    import io

    held = io.BytesIO()
    figure.savefig(held, format="svg", metadata={"Date": None})
    return held.getvalue()


def _notes(found: Compared) -> list[str]:
    notes = []
    compared = len(found.effects)
    if few := [effect for effect in found.effects if compared * effect.least_p >= SURE]:
        notes.append(
            f"With {few[0].cells} and {few[0].reference_cells} cells and {compared} comparisons no corrected p can be "
            f"below {number(min(1.0, compared * few[0].least_p), '.2g')}: the permutation test cannot call any "
            "difference sure. Image more cells; until then the intervals have to do."
        )
    unknown = [name for name in QUANTITIES if all(effect.quantity != name for effect in found.effects)]
    if unknown:
        told = "; ".join(QUANTITIES[name] for name in unknown)
        notes.append(f"Not compared, for it is not known in one of the conditions: {told}.")
    return notes


def _effects_table(effects: Sequence[ConditionEffect]) -> Table:
    return Table.of("effects-table", effects, [
        (Column("quantity"), lambda one: QUANTITIES[one.quantity]),
        (Column("condition"), "condition"),
        (Column("mean", "over cells", ".4g"), "value"),
        (Column("reference", "mean over the reference's cells", ".4g"), "reference_value"),
        (Column("difference", "", "+.3g"), "difference"),
        (Column("from", "95 %, Welch's t over cells", "+.3g"), "low"),
        (Column("to", "95 %, Welch's t over cells", "+.3g"), "high"),
        (Column("p", "of no difference, by permutation of cells", ".2g"), "p"),
        (Column("p, corrected", "for all comparisons of this table (Holm)", ".2g"), "p_holm"),
        (Column("cells", "of the condition and of the reference"), lambda one: f"{one.cells} / {one.reference_cells}"),
    ])  # fmt: skip


def _cells_table(cells: Mapping[str, pd.DataFrame]) -> Table:
    names = ["tracks", *QUANTITIES]
    columns = [
        Column("condition"),
        Column("cell"),
        Column("tracks"),
        *(Column(told, "", ".4g") for told in QUANTITIES.values()),
    ]
    rows = [
        [condition, row["cell"], *(row[name] for name in names)]
        for condition, table in cells.items()
        for row in table.to_dict("records")
    ]
    return Table("cells-table", columns, rows)


def _drawings(found: Compared) -> list[PlannedFigure]:
    drawn = [
        PlannedFigure(
            "lifetimes", "Lifetime distribution of complete tracks in each condition, mean and standard error.",
            lambda narrow: _lifetimes(found, narrow),
        ),
        PlannedFigure(
            "cells", "Each compared quantity cell by cell, with the mean of each condition; the table has the numbers.",
            lambda narrow: _cells(found, narrow),
        ),
    ]  # fmt: skip
    for place, name in enumerate(("begin", "end")):
        if any(both[place] for both in found.cohorts.values()):
            drawn.append(
                PlannedFigure(
                    f"cohorts_{name}",
                    f"Mean courses of {' and '.join(found.channels)} by cohorts of lifetime, aligned at the {name}.",
                    lambda narrow, place=place: _cohorts(found, place, narrow),  # type: ignore[misc]
                )
            )
    return drawn


def _lifetimes(found: Compared, narrow: bool) -> Figure:
    figure = Figure(figsize=(NARROW, 3.2) if narrow else (6.4, 3.4), layout="constrained")
    axes: Axes = figure.subplots()
    for (name, bins), colour in zip(found.lifetimes.items(), COLOURS * 9, strict=False):
        middle = (bins["low"] + bins["high"]) / 2
        axes.plot(middle, bins["density"], color=colour, label=f"{name}, {bins['cells'].iloc[0]} cells")
        low, high = bins["density"] - bins["error"], bins["density"] + bins["error"]
        axes.fill_between(middle, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    label(axes, "", "lifetime, s", "density per second")
    return figure


def _cells(found: Compared, narrow: bool) -> Figure:
    shown = [name for name in QUANTITIES if any(cells[name].notna().any() for cells in found.cells.values())]
    across = 1 if narrow else len(shown)
    size = (NARROW, 2.0 * len(shown)) if narrow else (2.2 * len(shown), 3.2)
    figure = Figure(figsize=size, layout="constrained")
    for axes, name in zip(figure.subplots(-(-len(shown) // across), across, squeeze=False).flat, shown, strict=True):
        for place, (cells, colour, mark) in enumerate(zip(found.cells.values(), COLOURS * 9, MARKS * 9, strict=False)):
            values = cells[name].dropna().to_numpy()
            spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(len(values))
            axes.plot(place + spread, values, mark, color=colour, markersize=5, alpha=0.8)
            if len(values):
                axes.hlines(values.mean(), place - 0.25, place + 0.25, color="black", linewidth=1.5)
        axes.set_xticks(range(len(found.cells)), list(found.cells))
        axes.set_xlim(-0.6, len(found.cells) - 0.4)
        label(axes, "", "", QUANTITIES[name].replace(" with ", "\nwith ").replace(" of the ", "\nof the "))
    return figure


def _cohorts(found: Compared, place: int, narrow: bool) -> Figure:
    names = list(found.channels)
    rows = len(found.cohorts)
    figure = Figure(figsize=(NARROW, 2.4 * rows * 2) if narrow else (8.0, 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows * (2 if narrow else 1), 1 if narrow else 2, squeeze=False, sharex=True).reshape(
        rows, 2
    )
    for line, (condition, both) in zip(panels, found.cohorts.items(), strict=True):
        for axes, channel in zip(line, names, strict=True):
            for cohort, colour in zip(both[place], COLOURS * 9, strict=False):
                told = f"{cohort.low:g}–{cohort.high:g} s, {cohort.tracks} tracks"
                mean, error = cohort.mean[channel], cohort.error[channel]
                axes.plot(cohort.seconds, mean, color=colour, label=told)
                axes.fill_between(cohort.seconds, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            label(axes, condition, f"s {'after the begin' if place == 0 else 'before the end'}", f"{channel} amplitude")
        line[1].legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
