"""The command `awd-cosmo predict`: NumPy and a saved model, no torch. Nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from awd_core.run import ARGUMENTS, Scheduler, Typed, Workers, echo


def predict(
    model: Annotated[Path, ARGUMENTS, "model.json of a run, or the run's folder."],
    maps: Annotated[list[Path], ARGUMENTS, Typed("MAPS…"), "FITS files, .npy files, or folders of them."],
    mask: Annotated[Path | None, "Of the maps: 1 where seen."] = None,
    pixel_scale: Annotated[float | None, Typed("ARCMIN"), "If headers do not tell it."] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    out: Annotated[Sequence[Path], Typed("FILE"), "Write .csv or .json; may be given twice."] = (),
) -> None:
    """Estimate the parameter of maps, with error bars, and say how far they lie from the training maps."""
    import warnings

    from awd_core.files import write_atomically
    from awd_core.workers import open_workers
    from awd_cosmo.inference.model import Model
    from awd_cosmo.inference.predict import predict_files, table_text, to_csv, to_json

    writers = {".csv": to_csv, ".json": to_json}
    for file in out:
        if file.suffix not in writers:
            raise ValueError(f"--out is {file}; its ending must be .csv or .json")
    place = model / "model.json" if model.is_dir() else model
    model_scale = Model.load(place).pixel_scale  # what is wrong with it is said here, and not by workers
    with warnings.catch_warnings(record=True) as said, open_workers(workers, scheduler) as crew:
        warnings.simplefilter("always", UserWarning)
        found = predict_files(place, maps, pixel_scale=pixel_scale, mask=mask, workers=crew)
    for warning in said:
        echo(f"Note: {warning.message}", aside=True)
    for scale in sorted({one.arcmin_per_pixel for one in found}):
        if (side := round(model_scale / scale)) > 1:
            echo(
                f"Note: maps with pixels of {scale:.3g} arcmin were averaged over {side} × {side} of them, since the "
                f"model's have {model_scale:.3g} arcmin.",
                aside=True,
            )
    echo(table_text(found))
    for file in out:
        write_atomically(file, writers[file.suffix](found))
