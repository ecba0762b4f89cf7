"""`awd-cme figures`: what a group publishes of its tracks. Nothing heavy is imported here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from awd_cme.run.job import RunJob
from awd_core.run import ARGUMENTS, RUN, AtLeast, Fields, Overwrite, Panel, Quiet, SettingError, Typed, echo, resumable

if TYPE_CHECKING:
    import pandas as pd

    from awd_cme.tracks.losses import LossReport

FIGURES = Panel("Conditions", 2)


def figures(
    tracks: Annotated[
        list[Path], ARGUMENTS, Typed("TRACKS…"), "Files or folders of tracks with intensities, one a condition."
    ],
    given: Annotated[
        Mapping[str, Any],
        Fields(
            "channels seconds_per_frame micrometres_per_pixel format columns position_unit master on_error compound",
            of=RunJob,
        ),
    ],
    out: Annotated[Path, RUN, Typed("FOLDER"), "Folder for figures, tables and the page."],
    condition: Annotated[
        tuple[str, ...], FIGURES, Typed("A,B"), "Names of the conditions, the control first; else those of the files."
    ] = (),
    area: Annotated[
        float | None, FIGURES, AtLeast(1e-6), Typed("UM2"), "Area of every cell in µm²; else that of its tracks' hull."
    ] = None,
    seed: Annotated[int, RUN, AtLeast(0), "Of all that is random."] = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Lifetimes, cohorts, partners, initiation and onsets of conditions, compared with cells as units.

    Where one folder or table holds cells as CONDITION/CELL, those are the conditions.
    """  # fmt: skip
    from awd_cme.publish import write_figures
    from awd_cme.readers.source import recognise_source
    from awd_cme.run.data import read_tracks_file

    if condition and len(condition) != len(tracks):
        raise SettingError(
            "{condition} names {named} conditions, and there are {count} of tracks; give a name for each",
            named=len(condition), count=len(tracks),
        )  # fmt: skip
    names = list(condition) or _names(tracks)
    if len(set(names)) < len(names):
        raise SettingError("the conditions are called {names}; give each another name: {condition} A,B", names=names)
    found: dict[str, tuple[pd.DataFrame, LossReport]] = {}
    identities: dict[str, Any] = {}
    for name, path in zip(names, tracks, strict=True):
        source = recognise_source(str(path))
        if source.kind != "tracks":
            raise ValueError(f"{path} holds movies; make tracks of them first: awd-cme tracks {path} --out t.parquet")
        found[name] = read_tracks_file(RunJob(str(path), str(out), **given), path)
        identities[name] = source.identity()
    if len(found) == 1 and not condition:
        found = _by_folders(*next(iter(found.items())))
    with resumable(out):
        compared = write_figures(
            out, {name: table for name, (table, _) in found.items()},
            losses={name: losses for name, (_, losses) in found.items()}, identities=identities, areas=area, seed=seed,
            overwrite=overwrite, quiet=quiet,
        )  # fmt: skip
    if not quiet:
        for one in compared:
            echo(f"{one.quantity}: {one.other} {one.mean_other:.4g}, {one.control} {one.mean_control:.4g}; difference "
                 f"{one.effect:.3g} (95 %: {one.low:.3g} to {one.high:.3g}), p = {one.p:.2g} by permutation of "
                 f"{one.cells_control} and {one.cells_other} cells")  # fmt: skip
        echo(f"Written to {out}: report.html, figures, comparisons.csv, cells.csv, tracks.csv and more.")


def _names(paths: list[Path]) -> list[str]:
    """What files are called without their endings, or, where several are called alike, what their folders are."""
    names = [path.absolute().name.split(".")[0] or path.name for path in paths]
    return names if len(set(names)) == len(names) else [path.absolute().parent.name for path in paths]


def _by_folders(name: str, one: "tuple[pd.DataFrame, LossReport]") -> "dict[str, tuple[pd.DataFrame, LossReport]]":
    """A table by what stands before the slash in the names of its cells, if all have one."""
    table, losses = one
    before = table["cell"].astype(str).str.rpartition("/")[0]
    kinds = sorted(before.unique())
    if "" in kinds or len(kinds) < 2:
        return {name: one}
    parts: dict[str, tuple[pd.DataFrame, LossReport]] = {}
    for kind in kinds:
        own = table[before == kind].reset_index(drop=True)
        own["cell"] = own["cell"].cat.remove_unused_categories()
        own.attrs = dict(table.attrs)
        parts[kind] = own, type(losses).from_dict(losses.to_dict())
    return parts
