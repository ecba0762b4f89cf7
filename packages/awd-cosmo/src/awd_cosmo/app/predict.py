"""The command `awd-cosmo predict`: NumPy and a saved model, no torch. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

import typer

from awd_core.run import SchedulerOption, WorkersOption
from awd_cosmo.app.options import Mask, PixelScale


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="model.json of a run, or the run's folder.")],
    maps: Annotated[list[Path], typer.Argument(metavar="MAPS…", help="FITS files, .npy files, or folders of them.")],
    mask: Mask = None,
    pixel_scale: PixelScale = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    out: Annotated[
        list[Path] | None, typer.Option("--out", metavar="FILE", help="Write .csv or .json; may be given twice.")
    ] = None,
) -> None:
    """Estimate the parameter of maps, with error bars, and say how far they lie from the training maps."""
    import warnings

    from awd_core.files import write_atomically
    from awd_core.workers import open_workers
    from awd_cosmo.inference.model import Model
    from awd_cosmo.inference.predict import predict_files, table_text, to_csv, to_json

    writers = {".csv": to_csv, ".json": to_json}
    for file in out or ():
        if file.suffix not in writers:
            raise ValueError(f"--out is {file}; its ending must be .csv or .json")
    place = model / "model.json" if model.is_dir() else model
    model_scale = Model.load(place).pixel_scale  # what is wrong with it is said here, and not by workers
    with warnings.catch_warnings(record=True) as said, open_workers(workers, scheduler) as crew:
        warnings.simplefilter("always", UserWarning)
        found = predict_files(place, maps, pixel_scale=pixel_scale, mask=mask, workers=crew)
    for warning in said:
        typer.echo(f"Note: {warning.message}", err=True)
    for scale in sorted({one.arcmin_per_pixel for one in found}):
        if (side := round(model_scale / scale)) > 1:
            typer.echo(
                f"Note: maps with pixels of {scale:.3g} arcmin were averaged over {side} × {side} of them, since the "
                f"model's have {model_scale:.3g} arcmin.",
                err=True,
            )
    typer.echo(table_text(found))
    for file in out or ():
        write_atomically(file, writers[file.suffix](found))
