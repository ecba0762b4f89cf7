"""The command `awd-cosmo predict`: NumPy and a saved model, no torch. Nothing heavy is imported here."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="model.json of a run, or the run's folder.")],
    maps: Annotated[list[Path], typer.Argument(metavar="MAPS…", help="FITS files, .npy files, or folders of them.")],
    mask: Annotated[Path | None, typer.Option(help="1 where observed, 0 elsewhere; for all maps.")] = None,
    pixel_scale: Annotated[float | None, typer.Option(metavar="ARCMIN", help="If headers do not tell it.")] = None,
    out: Annotated[
        list[Path] | None, typer.Option("--out", metavar="FILE", help="Write .csv or .json; may be given twice.")
    ] = None,
) -> None:
    """Estimate the parameter of maps, with error bars, and say how far they lie from the training maps."""
    import warnings

    from awd_core.files import write_atomically
    from awd_cosmo.model import Model
    from awd_cosmo.predict import predict_files, table_text, to_csv, to_json

    writers = {".csv": to_csv, ".json": to_json}
    for place in out or ():
        if place.suffix not in writers:
            raise ValueError(f"--out is {place}; its ending must be .csv or .json")
    loaded = Model.load(model / "model.json" if model.is_dir() else model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        found = predict_files(loaded, maps, pixel_scale=pixel_scale, mask=mask)
    for warning in said:
        typer.echo(f"Note: {warning.message}", err=True)
    typer.echo(table_text(found))
    for place in out or ():
        write_atomically(place, writers[place.suffix](found))
