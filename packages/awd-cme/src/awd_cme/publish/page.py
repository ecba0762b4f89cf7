"""From tracks of conditions to a folder of figures (PNG and SVG), tables (CSV) and a page that holds them all."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.publish import figures
from awd_cme.publish.cohorts import EDGES, cohort_means, lifetime_distribution
from awd_cme.publish.conditions import Comparison, compare_conditions
from awd_cme.publish.disassembly import disassembly_scores
from awd_cme.publish.measures import measure_cells, measure_tracks
from awd_cme.tracks.losses import LossReport, counted
from awd_cme.tracks.rules import channels
from awd_core.report import Column, Draw, PlannedFigure, Table, draw_pictures, run_part, save_report
from awd_core.run import RunFolder

PROGRAM = "awd-cme figures"
PACKAGES = ("awd-cme", "pandas")
ARTEFACTS = {
    "report.html": "the page",
    "comparisons.csv": "conditions compared with cells as units",
    "cells.csv": "one row a cell",
    "tracks.csv": "one row a track: lifetime, partner, onset, disassembly score and class",
    "lifetimes.csv": "densities of lifetimes, by condition and cell",
    "cohorts.csv": "mean courses of both channels in cohorts",
    "figures": "all figures, .png, .svg and .pdf",
}


def write_figures(
    out: str | os.PathLike[str],
    conditions: Mapping[str, pd.DataFrame],
    *,
    losses: Mapping[str, LossReport] | None = None,
    identities: Mapping[str, Any] | None = None,
    areas: Mapping[str, float] | float | None = None,
    edges: Sequence[float] = EDGES,
    seed: int = 0,
    overwrite: bool = False,
    quiet: bool = False,
) -> list[Comparison]:
    """Measure conditions, compare each with the first, and write figures, tables and the page.

    Parameters
    ----------
    out : path
        The folder; called again with the same it goes on.
    conditions : mapping of str to DataFrame
        Canonical tables, the control first. Cells of different conditions may have the same names.
    losses : mapping of str to LossReport, optional
        What was lost when the tables were read, by conditions.
    identities : mapping, optional
        What tells the data apart from others, such as digests of files: JSON values.
    areas : float or mapping, optional
        Area of the cells in square micrometres, as for `measure_cells`.
    edges : sequence of float
        Bounds of the cohorts.
    seed : int
        Of permutations that are drawn, and of the search for medoids.
    overwrite, quiet : bool
        Delete earlier figures in that folder; show no progress.

    Returns
    -------
    list of Comparison
        Empty where there is one condition, or fewer than two cells in one.

    Raises
    ------
    ValueError
        If there is no condition or no track, channels differ, or the folder holds something else.
    """
    names = list(conditions)
    if not names or not all(len(table) for table in conditions.values()):
        empty = ", ".join(name for name in names if not len(conditions[name])) or "nothing"
        raise ValueError(f"there are no tracks in {empty}; give at least one condition, and a track in each")
    first = channels(conditions[names[0]])
    for name in names[1:]:
        if channels(conditions[name])[:2] != first[:2]:
            raise ValueError(
                f"{names[0]} has the channels {', '.join(first)}, and {name} {', '.join(channels(conditions[name]))}; "
                f"call them alike: --channels {','.join(first)}"
            )
    settings = {"conditions": names, "data": dict(identities or {}), "edges": list(edges), "seed": seed}
    settings["areas"] = dict(areas) if isinstance(areas, Mapping) else areas
    with RunFolder.open(
        out, program=PROGRAM, settings=settings, artefacts=ARTEFACTS, packages=PACKAGES, overwrite=overwrite,
        quiet=quiet,
    ) as run:  # fmt: skip
        told = {name: (losses or {}).get(name, LossReport()) for name in names}
        with run.step("Lifetimes, partners, onsets"):
            tracks, cells, das = _measured(conditions, told, areas, seed)
        unit = str(tracks["unit"].iloc[0])
        if tracks["unit"].nunique() > 1:
            raise ValueError(
                "the frame interval is known of some conditions only, so lifetimes cannot be compared; tell it by "
                "--seconds-per-frame S (seconds_per_frame)"
            )
        split = {name: tracks[tracks["condition"] == name].reset_index(drop=True) for name in names}
        longest = float(np.quantile(tracks.loc[tracks["complete"].astype(bool), "lifetime"], 0.99)) if (
            tracks["complete"].any()) else None  # fmt: skip
        lifetimes = {name: lifetime_distribution(split[name], longest=longest) for name in names}
        cohorts = {
            align: {n: cohort_means(conditions[n], split[n], edges=edges, align=align) for n in names}
            for align in ("start", "end")
        }
        comparisons = compare_conditions(cells, seed=seed)
        tables = {
            "comparisons": pd.DataFrame([asdict(one) for one in comparisons]),
            "cells": cells,
            "tracks": tracks,
            "lifetimes": pd.concat([_long(found, name) for name, found in lifetimes.items()]),
            "cohorts": pd.concat([f.assign(condition=n, align=a) for a, by in cohorts.items() for n, f in by.items()]),
        }
        for key, table in tables.items():
            run.write_bytes(f"{key}.csv", table.to_csv(index=False, lineterminator="\n").encode())
        planned = _planned(tracks, cells, comparisons, lifetimes, cohorts, first, unit)
        with run.step("Figures") as progress:
            pictures = draw_pictures(run, [replace(one, vector=True) for one in planned], progress)
        few = min(cells.groupby("condition").size())
        sizes = {"cells": len(cells), "tracks": len(tracks), "conditions": len(names)}
        summary = ", ".join(counted(count, what) for what, count in sizes.items()) + "."
        if few < 4:
            summary += f" A condition has {counted(int(few), 'cells')}: no test of so few can be very sure."
        units = figures.units_of(cells, unit)
        shown = {"comparisons": _comparisons(comparisons, units), "cells": _cells(cells, units)}
        save_report(
            run, "awd_cme.publish/figures.html.j2", made_with=("awd-cme", "awd-core", "python"),
            packages=["awd_cme.publish"], title=" and ".join(names) if len(names) < 3 else f"{len(names)} conditions",
            summary=summary, facts=[], pictures=pictures, tables=shown, comparisons=comparisons,
            partner=first[1] if len(first) > 1 else "the partner", das=das, losses=told, run=run_part(run),
        )  # fmt: skip
        run.finish()
    return comparisons


def _measured(
    conditions: Mapping[str, pd.DataFrame], losses: Mapping[str, LossReport], areas: Any, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """One row a track and one row a cell of all conditions, and a sentence on the classes."""
    control, cells = next(iter(conditions)), []
    tracks = {name: measure_tracks(table, losses[name]) for name, table in conditions.items()}
    ranks = [f"{k:04d}" for k in range(len(tracks))]
    scores = None
    try:
        # One table of all conditions, in their order: risk and medoids are those of the first.
        numbered = [
            table.assign(source=pd.Categorical.from_codes(np.full(len(table), k), ranks))
            for k, table in enumerate(conditions.values())
        ]
        every = pd.concat([table.assign(cell=table["cell"].astype(str)) for table in numbered], ignore_index=True)
        every["cell"] = every["cell"].astype("category")
        every["part"] = every["part"].astype(str)
        whole = pd.concat([found["complete"].astype(bool) for found in tracks.values()], ignore_index=True)
        by = pd.Series(np.repeat([name == control for name in tracks], [len(found) for found in tracks.values()]))
        scores = disassembly_scores(every, whole, control=by, seed=seed, losses=losses[control]).features
        kinds = scores["class"].value_counts()
        told = ", ".join(f"{int(kinds.get(kind, 0))} {kind}" for kind in ("CCP", "AC", "OT"))
        das = f"{told} of complete tracks, by the risk of disassembly of {control}."
    except ValueError as error:
        das = f"Not told: {error}."
    begin = 0
    for name, found in tracks.items():
        if scores is not None:
            own = scores.iloc[begin : begin + len(found)].reset_index(drop=True)
            tracks[name] = found = pd.concat([found, own], axis=1)
        begin += len(found)
        classes = found["class"] if scores is not None else None
        rows = measure_cells(conditions[name], found, losses[name], areas=areas, classes=classes)
        cells.append(rows.assign(condition=name))
        found.insert(0, "condition", name)
    if scores is not None and (agreed := _agreement(pd.concat(tracks.values()))):
        das += f" {agreed}"
    return pd.concat(tracks.values(), ignore_index=True), pd.concat(cells, ignore_index=True), das


def _agreement(tracks: pd.DataFrame) -> str:
    """How well the score from one channel tells tracks with a significant partner from others, as an AUC."""
    if "partner" not in tracks:
        return ""
    known = tracks[tracks["partner"].notna() & tracks["score"].notna() & tracks["complete"].astype(bool)]
    if known["partner"].nunique() < 2:
        return ""
    rank, hit = known["score"].rank().to_numpy(), known["partner"].to_numpy() == 1
    yes, no = int(hit.sum()), int((~hit).sum())
    auc = (rank[hit].sum() - yes * (yes + 1) / 2) / (yes * no)
    return f"It tells tracks with a significant partner, which it never saw, from others: AUC {auc:.3f}."


def _planned(
    tracks: pd.DataFrame, cells: pd.DataFrame, comparisons: Sequence[Comparison], lifetimes: Mapping[str, pd.DataFrame],
    cohorts: Mapping[str, Mapping[str, pd.DataFrame]], names: Sequence[str], unit: str,
) -> list[PlannedFigure]:  # fmt: skip
    drawn = [
        PlannedFigure("cells", "One mark a cell for each quantity and condition; the table has the numbers.",
                      lambda narrow: figures.cells_figure(cells, comparisons, unit, narrow=narrow)),
        PlannedFigure("lifetimes", "Densities of lifetimes, mean over cells with standard errors, by condition.",
                      lambda narrow: figures.lifetimes_figure(lifetimes, unit, narrow=narrow)),
    ]  # fmt: skip
    for align, by in cohorts.items():
        alt = f"Mean amplitudes in cohorts of lifetimes, aligned at the {align}, by condition."
        drawn.append(PlannedFigure(f"cohorts_{align}", alt, _cohorts_drawn(by, names, align, unit)))
    if "onset" in tracks and tracks["onset"].notna().any():
        drawn.append(PlannedFigure("onsets", "When the partner comes, from the track's start and to its end.",
                                   lambda narrow: figures.onsets_figure(tracks, unit, narrow=narrow)))  # fmt: skip
    if "class" in tracks:
        drawn.append(PlannedFigure("scores", "Features d1 and d2 of the disassembly risk of tracks, by class.",
                                   lambda narrow: figures.scores_figure(tracks, narrow=narrow)))  # fmt: skip
    return drawn


def _cohorts_drawn(by: Mapping[str, pd.DataFrame], names: Sequence[str], align: str, unit: str) -> Draw:
    return lambda narrow: figures.cohorts_figure(by, names, align, unit, narrow=narrow)


def _comparisons(found: Sequence[Comparison], units: Mapping[str, str]) -> Table:
    return Table.of("comparisons-table", found, [
        (Column("quantity"), lambda one: figures.quantity_name(one.quantity, units)),
        (Column("control"), "control"), (Column("condition"), "other"),
        (Column("mean, control", "over cells", ".4g"), "mean_control"),
        (Column("mean", "over cells", ".4g"), "mean_other"),
        (Column("effect", "condition less control", ".3g"), "effect"),
        (Column("from", "95 % interval of the effect", ".3g"), "low"), (Column("to", "", ".3g"), "high"),
        (Column("p", "two-sided, by permutation of cells", ".2g"), "p"),
        (Column("p, Holm", "corrected for the quantities of these two conditions", ".2g"), "p_holm"),
        (Column("least p", "that so many cells allow", ".2g"), "least_p"),
        (Column("exact", "all divisions tried"), "exact"),
        (Column("cells", "control and condition"), lambda one: f"{one.cells_control} and {one.cells_other}"),
    ])  # fmt: skip


def _cells(cells: pd.DataFrame, units: Mapping[str, str]) -> Table:
    order = ["condition", *(name for name in cells.columns if name not in ("condition", "initiation_unit"))]
    heads = [Column(figures.quantity_name(name, units)) for name in order]
    return Table("cells-table", heads, cells[order].to_numpy(dtype=object).tolist())


def _long(found: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Densities with a row a bin and cell; the mean over cells is the cell ""."""
    head = found[["lifetime", "mean", "error"]].rename(columns={"mean": "density"}).assign(cell="")
    rest = found.drop(columns=["mean", "error"]).melt("lifetime", var_name="cell", value_name="density")
    return pd.concat([head, rest], ignore_index=True).assign(condition=condition)
