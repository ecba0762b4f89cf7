"""The commands `awd-cosmo run`, `prepare` and the single steps. Nothing heavy is imported here."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from awd_core.checks import check_choice
from awd_core.run import (
    RUN,
    NoQualityOption,
    OverwriteOption,
    QuietOption,
    SchedulerOption,
    WorkersOption,
    goes_on,
    parse_arguments,
    parse_names,
    parse_shares,
)
from awd_cosmo.app.options import (
    DATA,
    LEARNING,
    MAPS,
    TEACHER,
    Data,
    Here,
    Mask,
    Observed,
    Out,
    Pixels,
    PixelScale,
    Suite,
)
from awd_cosmo.run.job import PRESETS, SIMULATED


def setting(name: str, text: str, panel: str, **options: Any) -> Any:
    """An option for a setting that presets decide; `--help` tells its value in each."""
    return typer.Option(help=text, rich_help_panel=panel, show_default=default_of(name), **options)


def default_of(name: str) -> str:
    """A setting in the preset quick, and in others where it differs, as it would be typed.

    Examples
    --------
    >>> default_of("width")
    '8; full 64; tiny 4'
    """
    values = {preset: _typed(getattr(job, name)) for preset, job in PRESETS.items()}
    usual = values.pop("quick")
    return "; ".join([usual, *(f"{preset} {value}" for preset, value in values.items() if value != usual)])


def _typed(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_typed, value))
    return f"{value:g}" if isinstance(value, float) else str(value or 0)


def run(
    data: Data = None,
    *,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Make the embedded suite first, in the run's folder.", rich_help_panel=DATA),
    ] = False,
    preset: Annotated[
        str, typer.Option(help="quick, full or tiny: the settings that are not given.", rich_help_panel=DATA)
    ] = "quick",
    suite: Suite = None,
    cosmologies: Annotated[
        int | None, typer.Option(min=8, help="Of the simulated suite.", rich_help_panel=DATA)
    ] = None,
    realisations: Annotated[
        int | None,
        typer.Option(min=1, help="Of each, simulated; else the first so many are read.", rich_help_panel=DATA),
    ] = None,
    map_pixels: Pixels = None,
    layout: Annotated[
        str | None, setting("layout", "How the data are laid out: auto, or a name of docs/formats.md.", DATA)
    ] = None,
    source_redshift: Annotated[
        float | None,
        typer.Option(help="Which maps to read; or of all maps, if headers do not tell it.", rich_help_panel=DATA),
    ] = None,
    pixel_scale: PixelScale = None,
    on_error: Annotated[str | None, setting("on_error", "raise, or skip: leave bad maps out.", DATA)] = None,
    phases: Annotated[
        str | None, setting("phases", "avoid, allow or independent: may cosmologies share phases?", DATA)
    ] = None,
    observed: Observed = None,
    mask: Mask = None,
    tile: Annotated[
        int | None, setting("tile", "Cut maps into tiles; 0: whole.", MAPS, min=0, metavar="PIXELS")
    ] = None,
    downsample: Annotated[int | None, setting("downsample", "Blocks to average.", MAPS, min=1)] = None,
    smoothing: Annotated[
        float | None, setting("smoothing", "Gaussian, standard deviation.", MAPS, min=0, metavar="ARCMIN")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="Add shape noise by a convention: lenstools or fair.", rich_help_panel=MAPS)
    ] = None,
    galaxies: Annotated[float | None, setting("galaxies", "Per arcmin², of that noise.", MAPS)] = None,
    also: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="More parameters for the teacher: M_nu,A_s.", rich_help_panel=TEACHER),
    ] = None,
    architecture: Annotated[str | None, setting("architecture", "resnet18 or resnet34.", TEACHER)] = None,
    width: Annotated[int | None, setting("width", "Its channels; 64 as published.", TEACHER, min=1)] = None,
    epochs: Annotated[int | None, setting("epochs", "At most; 0: no teacher.", TEACHER, min=0)] = None,
    batch_size: Annotated[int | None, setting("batch_size", "Maps per step of its training.", TEACHER, min=1)] = None,
    learning_rate: Annotated[float | None, setting("learning_rate", "The highest of its cycle.", TEACHER)] = None,
    teacher_maps: Annotated[
        int | None, setting("teacher_maps", "Training maps for it, at most.", TEACHER, min=8)
    ] = None,
    accelerator: Annotated[str | None, setting("accelerator", "cpu, gpu, auto.", TEACHER)] = None,
    precision: Annotated[str | None, setting("precision", "32-true, bf16-mixed …", TEACHER)] = None,
    teacher: Annotated[
        str | None,
        typer.Option(metavar="PKG.MODULE:FACTORY", help="Or: your own network.", rich_help_panel=TEACHER),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its weights, .safetensors.", rich_help_panel=TEACHER)
    ] = None,
    factory_args: Annotated[
        str, typer.Option(metavar="JSON", help="Arguments of the factory.", rich_help_panel=TEACHER)
    ] = "{}",
    output: Annotated[int | None, setting("teacher_output", "Which of its outputs.", TEACHER, min=0)] = None,
    gradients: Annotated[
        Path | None,
        typer.Option(metavar="G.npy", help="Or: ready gradients, one for each prepared map.", rich_help_panel=TEACHER),
    ] = None,
    wavelets: Annotated[str | None, setting("wavelets", "Where to start.", LEARNING, metavar="NAMES")] = None,
    shares: Annotated[str | None, setting("shares", "Of the attributions.", LEARNING, metavar="LIST|COUNT")] = None,
    distill_maps: Annotated[int | None, setting("distill_maps", "Maps to distil from.", LEARNING, min=2)] = None,
    estimators: Annotated[str | None, setting("estimators", "On the counts: ridge, emulator.", LEARNING)] = None,
    target: Annotated[str | None, setting("target", "Parameter to estimate.", LEARNING)] = None,
    seed: Annotated[int | None, setting("seed", "Of all that is random.", RUN, min=0)] = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    device: Annotated[str | None, typer.Option(help="For the wavelets: cpu, cuda.", rich_help_panel=RUN)] = None,
    no_quality: NoQualityOption = False,
    out: Out,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    until: Annotated[str, typer.Option(hidden=True)] = "report",
) -> None:
    """From maps to Ω_m: teacher, distilled wavelet, readable estimator, comparison and report.

    DATA is a folder of maps, or "simulated" for the embedded suite. The same command goes on with a run that was
    interrupted.
    """
    from difflib import get_close_matches

    from awd_cosmo.run.job_checks import check_job

    check_choice("--preset", preset, PRESETS)
    if (data is None) != simulate and not (simulate and data == SIMULATED):
        raise ValueError("give DATA, a folder of maps, or --simulate for the embedded suite; not both")
    if data is not None and not Path(data).exists() and get_close_matches(data, [SIMULATED], cutoff=0.8):
        check_choice("DATA", data, [SIMULATED, "a folder, tar or table of maps"])
    simulate = simulate or data == SIMULATED
    only_simulated = {"--suite": suite, "--cosmologies": cosmologies, "--map-pixels": map_pixels}
    if not simulate and (given := [name for name, value in only_simulated.items() if value is not None]):
        raise ValueError(f"{given[0]} is for simulated maps, and DATA is {data}; leave one of them out")
    if noise is None and galaxies is not None:
        raise ValueError(f"--galaxies is {galaxies:g}, but no noise is added: give --noise lenstools or fair too")
    values: dict[str, Any] = {
        "suite": suite, "suite_cosmologies": cosmologies, "suite_pixels": map_pixels, "layout": layout,
        "suite_realisations" if simulate else "maps_per_cosmology": realisations,
        "source_redshift": source_redshift, "pixel_scale": pixel_scale, "on_error": on_error, "phases": phases,
        "downsample": downsample, "smoothing": smoothing, "noise": noise, "galaxies": galaxies, "tile": tile or None,
        "more_targets": parse_names(also), "architecture": architecture, "width": width, "epochs": epochs,
        "batch_size": batch_size, "learning_rate": learning_rate, "teacher_maps": teacher_maps,
        "accelerator": accelerator, "precision": precision, "teacher": teacher, "teacher_output": output,
        "teacher_arguments": parse_arguments(factory_args) or None, "wavelets": parse_names(wavelets),
        "shares": None if shares is None else parse_shares(shares), "distill_maps": distill_maps,
        "estimators": parse_names(estimators), "target": target, "seed": seed,
    }  # fmt: skip
    job = PRESETS[preset].changed(**values)
    if tile == 0:
        from dataclasses import replace

        job = replace(job, tile=None)
    if gradients is not None and epochs is None and teacher is None:
        job = job.changed(epochs=0, gradients_digest="given")
    check_job(job, [mask, weights, gradients, *(observed or ())])
    _go(
        SIMULATED if simulate else data, out, until, quiet, job=job, weights=weights, gradients=gradients,
        observed=observed or (), mask=mask, workers=workers, scheduler=scheduler, device=device,
        quality=not no_quality, overwrite=overwrite,
    )  # fmt: skip


def teach(
    folder: Here, workers: WorkersOption = 1, scheduler: SchedulerOption = None, quiet: QuietOption = False
) -> None:
    """Train the teachers of a run that `prepare` began."""
    _go(None, folder, "teach", quiet, workers=workers, scheduler=scheduler)


def distill(
    folder: Here,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    no_quality: NoQualityOption = False,
    quiet: QuietOption = False,
) -> None:
    """Distil wavelets from the teacher of a run, and choose one by validation."""
    _go(None, folder, "distill", quiet, workers=workers, scheduler=scheduler, quality=not no_quality)


def evaluate(
    folder: Here,
    observed: Observed = None,
    mask: Mask = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    no_quality: NoQualityOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare all models of a run on its test maps, and save the readable one."""
    _go(
        None, folder, "evaluate", quiet, observed=observed or (), mask=mask, workers=workers, scheduler=scheduler,
        quality=not no_quality,
    )  # fmt: skip


def report(
    folder: Here,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    no_quality: NoQualityOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the report of a run, after whatever is still to be done for it."""
    _go(None, folder, "report", quiet, workers=workers, scheduler=scheduler, quality=not no_quality)


def _go(data: str | None, out: Path, until: str, quiet: bool, *, observed: Sequence[Path] = (), **options: Any) -> None:
    from awd_cosmo.run.pipeline import run_pipeline

    with goes_on(out):
        run_pipeline(data, out, until=until, quiet=quiet, observed=observed, **options)
    if quiet:
        return
    if (out / "results.json").exists() and until in ("evaluate", "report"):
        from awd_cosmo.inference.results import Results

        typer.echo(Results.read(out).text())
    typer.echo(
        f"Written to {out}" + (": report.html, model.json, results.json and more." if until == "report" else ".")
    )


def step_of_run(until: str) -> Callable[..., None]:
    """The command `run`, ending with an earlier step: its options, another name."""
    from functools import wraps

    @wraps(run)
    def step(*args: Any, **values: Any) -> None:
        run(*args, **values | {"until": until})

    return step


prepare = step_of_run("prepare")
prepare.__doc__ = """Read, prepare, cache and split maps: the first step of a run, with all its settings."""
