"""The command `awd-cosmo simulate`. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the suite.")],
    preset: Annotated[str, typer.Option(help="tiny, quick, halos or massivenus.")] = "quick",
    cosmologies: Annotated[int | None, typer.Option(min=1, help="In place of the preset's.")] = None,
    realisations: Annotated[int | None, typer.Option(min=1, help="Maps of each.")] = None,
    pixels: Annotated[int | None, typer.Option(min=16, help="Side of a map.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of design and noise.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    theory: Annotated[
        bool, typer.Option("--theory", help="Compare variance, skewness and power with theory: theory.ecsv.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show errors only.")] = False,
) -> None:
    """Simulate convergence maps with known parameters, in the layout of MassiveNuS.

    The same command goes on with a suite that was interrupted.
    """
    from dataclasses import replace

    from awd_core.run_progress import Screen
    from awd_cosmo.simulate import PRESETS, simulate_suite, theory_table

    if preset not in PRESETS:
        raise ValueError(f"--preset is {preset!r}; choose one of {', '.join(PRESETS)}")
    chosen = PRESETS[preset]
    if cosmologies is not None:
        chosen = replace(chosen, cosmologies=cosmologies)
    setup = chosen.setup if pixels is None else replace(chosen.setup, pixels=pixels)
    screen = Screen(quiet=quiet)
    with screen.task("Simulation") as show:
        table = simulate_suite(
            out, seed=seed, preset=preset, design=chosen.table(seed), setup=setup, workers=workers,
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
