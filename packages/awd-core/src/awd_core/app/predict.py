"""The command `awd predict`: a model that a run has left, on new inputs. Nothing heavy is imported here."""

import csv
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from awd_core.run.messages import echo
from awd_core.run.settings import ARGUMENTS, Quiet, Typed

if TYPE_CHECKING:
    from awd_core.files.arrays import SampleArray
    from awd_core.readable.model import ReadableModel

ENDINGS = (".csv", ".npy")
ROWS = 4096
"""Inputs that are predicted from at a time."""


def predict(
    model: Annotated[Path, ARGUMENTS, Typed("RUN")],
    X: Annotated[str, ARGUMENTS, Typed("X")],
    out: Annotated[Path | None, Typed("FILE")] = None,
    quiet: Quiet = False,
) -> None:
    """Predict from new inputs with the model of a run, and mark rows unlike its training data.

    A row of the table for each input: the prediction, of classes the probabilities, how far it lies from the training
    data (1 is the limit), and whether it is unlike them.

    Parameters
    ----------
    model
        Folder of a finished run of awd distill with --y, or its model.json.
    X
        Inputs as in training: FILE.npy, FILE.npz:NAME, FOLDER.zarr:NAME, FILE.csv or FILE.parquet.
    out
        A .csv file for the table, or an .npy file for the predictions alone; without it the table is printed.
    quiet
        Whether to show errors only.
    """
    from awd_core.files.arrays import read_array
    from awd_core.files.atomic import write_atomically
    from awd_core.readable.model import ReadableModel

    if out is not None and out.suffix.lower() not in ENDINGS:
        raise ValueError(f"--out is {out}; give a file that ends in {' or '.join(ENDINGS)}")
    loaded = ReadableModel.load(model)
    columns = _scored(loaded, read_array(X))
    table = _csv(columns)
    if out is None:
        sys.stdout.write(table)
    elif out.suffix.lower() == ".csv":
        write_atomically(out, table.encode())
    else:
        write_atomically(out, _npy(loaded, columns))
    if not quiet:
        echo(_summary(columns, out), aside=out is None)


def _scored(model: "ReadableModel", inputs: "SampleArray") -> dict[str, list[Any]]:
    """Columns of the table, a block of inputs after the other: there may be more than memory holds."""
    columns: dict[str, list[Any]] = {}
    for start in range(0, max(inputs.shape[0], 1), ROWS):
        for name, values in model.score_rows(inputs[start : start + ROWS]).items():
            columns.setdefault(name, []).extend(values)
    columns["row"] = list(range(len(columns["row"])))
    return columns


def _summary(columns: dict[str, list[Any]], out: Path | None) -> str:
    rows, unlike = len(columns["row"]), columns["unlike"].count("yes")
    what = f"{rows} prediction{'s' if rows != 1 else ''}"
    where = f"Written to {out}: {what}" if out is not None else what
    if not unlike:
        return f"{where}, none of inputs unlike the training data."
    verb = "is of an input" if unlike == 1 else "are of inputs"
    return f"{where}, of which {unlike} {verb} unlike the training data (marked): what the model says there is a guess."


def _csv(columns: dict[str, list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if value is None else repr(value) if isinstance(value, float) else value for value in row])
    return text.getvalue()


def _npy(model: "ReadableModel", columns: dict[str, list[Any]]) -> bytes:
    import numpy as np

    names = ["prediction"] if "prediction" in columns else list(model.card.targets)
    values = [[np.nan if one is None else one for one in columns[name]] for name in names]
    if model.card.classes is not None and model.card.classes.dtype.kind not in "f":
        if None in columns["prediction"]:
            raise ValueError("some inputs are not finite and have no class; write a .csv file, which marks them")
        found = np.asarray(columns["prediction"], dtype=model.card.classes.dtype)
    else:
        found = np.array(values[0]) if len(values) == 1 else np.array(values).T
    buffer = io.BytesIO()
    np.save(buffer, found, allow_pickle=False)
    return buffer.getvalue()
