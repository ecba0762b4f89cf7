"""The command `awd-cosmo simulate`. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

from awd_core.run import ARGUMENTS, AtLeast, Quiet, Scheduler, Typed, Workers, echo, resumable
from awd_cosmo.run.job import Suite


def simulate(
    out: Annotated[Path, ARGUMENTS, "Folder of the suite."],
    preset: Annotated[Suite, "Which suite."] = "quick",
    cosmologies: Annotated[int | None, AtLeast(1), "In place of the preset's."] = None,
    realisations: Annotated[int | None, AtLeast(1), "Maps of each."] = None,
    pixels: Annotated[int | None, AtLeast(16), "Side of simulated maps."] = None,
    shift: Annotated[
        str, Typed("NAME|NUMBER"), "Lognormal shift: empty-beam, hilbert (a published fit) or a number."
    ] = "empty-beam",
    redshift: Annotated[float | None, "Of the source plane, or the mean of a distribution."] = None,
    smail: Annotated[str | None, Typed("A,B"), "Sources spread as z^A exp(-(z/z0)^B), such as 2,1.5."] = None,
    nuisances: Annotated[
        str | None, Typed("NAME=LOW:HIGH"), "Drawn for each map: redshift_shift, shear_bias, gas_mass."
    ] = None,
    seed: Annotated[int, AtLeast(0), "Of design and noise."] = 0,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    theory: Annotated[bool, "Compare variance, skewness and power with theory: theory.ecsv."] = False,
    quiet: Quiet = False,
) -> None:
    """Simulate convergence maps with known parameters, in the layout of MassiveNuS.

    The same command goes on with a suite that was interrupted.
    """
    from dataclasses import replace

    from awd_core.run import Screen
    from awd_core.workers import open_workers
    from awd_cosmo.simulate import Nuisances, Smail
    from awd_cosmo.simulate.simulation import PRESETS, simulate_suite, theory_table

    chosen = PRESETS[preset]
    if cosmologies is not None:
        chosen = replace(chosen, cosmologies=cosmologies)
    setup = replace(
        chosen.setup,
        pixels=pixels or chosen.setup.pixels,
        shift=shift,
        source_redshift=chosen.setup.source_redshift if redshift is None else redshift,
        smail=None if smail is None else Smail.typed(smail),
        nuisances=None if nuisances is None else Nuisances.typed(nuisances),
    )
    screen = Screen(quiet=quiet)
    with resumable(out), screen.task("Simulation") as show, open_workers(workers, scheduler) as crew:
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
        echo(f"Written to {out}: {len(table)} maps of {setup.pixels} × {setup.pixels} pixels.")
