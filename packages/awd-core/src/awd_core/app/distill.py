"""The command `awd distill`: options in, a job of `awd_core.app.pipeline` out. Nothing heavy is imported here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from awd_core.run.interruption import goes_on
from awd_core.run.options import (
    RUN,
    NoQualityOption,
    OverwriteOption,
    QuietOption,
    SchedulerOption,
    WorkersOption,
    parse_arguments,
    parse_shares,
)

if TYPE_CHECKING:
    from awd_core.app.pipeline import TeacherFile
    from awd_core.attribution.points import Method

DATA, LEARNING, SEARCH = "Data", "Distillation", "Search"


def distill(
    inputs: Annotated[str, typer.Argument(metavar="X", help="Inputs: FILE.npy, FILE.npz:NAME or FOLDER.zarr:NAME.")],
    *,
    gradients: Annotated[
        str | None, typer.Option(metavar="G", help="Gradients, one for each value of X.", rich_help_panel=DATA)
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(metavar="PKG.MODULE:FACTORY", help="Or: what builds the network.", rich_help_panel=DATA),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its weights, .safetensors.", rich_help_panel=DATA)
    ] = None,
    factory_args: Annotated[
        str, typer.Option(metavar="JSON", help='Arguments of the factory: {"n_in": 64}.', rich_help_panel=DATA)
    ] = "{}",
    other_weights: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Weights from another seed, to compare; may be given again.", rich_help_panel=DATA
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="INDEX", help="Which prediction: 0, or 2,1.", rich_help_panel=DATA)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Inputs per pass.", rich_help_panel=DATA)] = 64,
    method: Annotated[
        str,
        typer.Option(
            help="saliency, input_x_gradient, integrated_gradients or gradient_shap: what is asked of the teacher, or "
            "what the given gradients are for.",
            rich_help_panel=DATA,
        ),
    ] = "saliency",
    baseline: Annotated[
        str | None,
        typer.Option(metavar="NUMBER|ARRAY", help="Of the last two methods; 0 if not given.", rich_help_panel=DATA),
    ] = None,
    wavelet: Annotated[
        str, typer.Option(metavar="NAME|JSON", help="Where to start; its length stays.", rich_help_panel=LEARNING)
    ] = "db5",
    levels: Annotated[int, typer.Option(min=1, help="Levels of the transform.", rich_help_panel=LEARNING)] = 4,
    mode: Annotated[str, typer.Option(help="Boundary mode.", rich_help_panel=LEARNING)] = "zero",
    ndim: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="Axes to transform, 1 or 2; needed if X has three.", rich_help_panel=LEARNING),
    ] = None,
    shares: Annotated[
        str,
        typer.Option(
            metavar="LIST|COUNT",
            help="Shares of the attributions, 0 to 1, such as 0,0.5,1; or how many, evenly spaced.",
            rich_help_panel=LEARNING,
        ),
    ] = "11",
    share: Annotated[
        float | None,
        typer.Option(help="Which of them becomes wavelet.json; the middle if not given.", rich_help_panel=LEARNING),
    ] = None,
    y: Annotated[
        str | None,
        typer.Option("--y", metavar="Y", help="Or: truths to choose it by cross-validation.", rich_help_panel=LEARNING),
    ] = None,
    predictor: Annotated[
        str, typer.Option(help="lasso or ridge: what predicts the truths.", rich_help_panel=LEARNING)
    ] = "lasso",
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.", rich_help_panel=SEARCH)] = 0,
    random_starts: Annotated[
        int, typer.Option(min=0, help="Random filters to start from too.", rich_help_panel=SEARCH)
    ] = 64,
    small_batch: Annotated[
        int, typer.Option(min=1, help="Values of X to search on.", rich_help_panel=SEARCH)
    ] = 131_072,
    large_batch: Annotated[
        int, typer.Option(min=1, help="Values of X to refine on.", rich_help_panel=SEARCH)
    ] = 8_388_608,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.", rich_help_panel=SEARCH)] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or float64.", rich_help_panel=SEARCH)] = "float32",
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", rich_help_panel=RUN)],
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    no_quality: NoQualityOption = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="No figures.", rich_help_panel=RUN)] = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Distil a network's attributions into a wavelet: arrays in, a wavelet and a report out.

    X with --gradients from any framework, or X with --teacher and --weights of a torch network.

    A run is a folder. The same command goes on with a run that was interrupted, and may ask for another --share of a
    run that is finished.
    """
    from awd_core.app.pipeline import DistillJob, distill_files
    from awd_core.distill.distill import SearchSettings
    from awd_core.wavelets.argument import named_or_loaded

    job = DistillJob(
        inputs,
        out,
        gradients=gradients,
        teacher=_teacher(teacher, weights, factory_args, target, batch_size, other_weights or []),
        wavelet=named_or_loaded(wavelet),
        levels=levels,
        mode=mode,
        ndim=ndim,
        shares=parse_shares(shares),
        method=cast("Method", method),
        baseline=_number_or_name(baseline),
        seed=seed,
        search=SearchSettings(random_starts=random_starts, small_batch=small_batch, large_batch=large_batch),
        device=device,
        dtype=dtype,
        share=share,
        y=y,
        predictor=predictor,
        quality=not no_quality,
        report=not no_report,
        quiet=quiet,
        overwrite=overwrite,
        workers=workers,
        scheduler=scheduler,
    )
    with goes_on(out):
        distill_files(job)
    if not quiet:
        what = "wavelet.json" if no_report else "report.html, wavelet.json, wavelet.gif"
        typer.echo(f"Written to {out}: {what} and more.")


def _teacher(
    factory: str | None, weights: Path | None, arguments: str, target: str | None, batch_size: int, others: list[Path]
) -> "TeacherFile | None":
    if factory is None:
        if weights is not None or target is not None or arguments != "{}" or others:
            raise ValueError(
                "--weights, --target and --factory-args are for a --teacher, which is not given; so are --other-weights"
            )
        return None
    if weights is None:
        raise ValueError("--teacher needs its --weights, a .safetensors file")
    from awd_core.app.pipeline import TeacherFile

    return TeacherFile(factory, weights, parse_arguments(arguments), _target(target), batch_size, tuple(others))


def _target(text: str | None) -> int | tuple[int, ...] | None:
    if text is None:
        return None
    try:
        target = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"--target is {text!r}; give the index of one prediction, such as 0, or 2,1 where predictions have two axes"
        ) from error
    return target[0] if len(target) == 1 else target


def _number_or_name(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
