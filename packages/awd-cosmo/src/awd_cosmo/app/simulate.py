"""The command `awd-cosmo simulate`. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

import typer

from awd_core.checks import check_choice
from awd_core.run import QuietOption, SchedulerOption, WorkersOption, goes_on
from awd_cosmo.app.options import Pixels


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the suite.")],
    preset: Annotated[str, typer.Option(help="tiny, quick, halos or massivenus.")] = "quick",
    cosmologies: Annotated[int | None, typer.Option(min=1, help="In place of the preset's.")] = None,
    realisations: Annotated[int | None, typer.Option(min=1, help="Maps of each.")] = None,
    pixels: Pixels = None,
    seed: Annotated[int, typer.Option(min=0, help="Of design and noise.")] = 0,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    theory: Annotated[
        bool, typer.Option("--theory", help="Compare variance, skewness and power with theory: theory.ecsv.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Simulate convergence maps with known parameters, in the layout of MassiveNuS.

    The same command goes on with a suite that was interrupted.
    """
    from dataclasses import replace

    from awd_core.run import Screen
    from awd_core.workers import open_workers
    from awd_cosmo.simulate.simulation import PRESETS, simulate_suite, theory_table

    check_choice("--preset", preset, PRESETS)
    chosen = PRESETS[preset]
    if cosmologies is not None:
        chosen = replace(chosen, cosmologies=cosmologies)
    setup = chosen.setup if pixels is None else replace(chosen.setup, pixels=pixels)
    screen = Screen(quiet=quiet)
    with goes_on(out), screen.task("Simulation") as show, open_workers(workers, scheduler) as crew:
        table = simulate_suite(
            out, seed=seed, preset=preset, design=chosen.table(seed), setup=setup, workers=crew,
            realisations=realisations, progress=lambda done, total: show(done, total, ""),
        )  # fmt: skip
    if theory:
        import io

        from awd_core.files import write_atomically

        text = io.StringIO()
        theory_table(out).write(text, format="ascii.ecsv")
        write_atomically(out / "theory.ecsv", text.getvalue().encode())
    if not quiet:
        typer.echo(f"Written to {out}: {len(table)} maps of {setup.pixels} × {setup.pixels} pixels.")
