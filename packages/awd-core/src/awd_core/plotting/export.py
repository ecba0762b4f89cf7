"""The way of a figure into a file."""

import io
import os
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from awd_core.files.atomic import write_atomically


def png(figure: Figure, *, dpi: float = 150) -> bytes:
    """Draw a figure as a PNG file."""
    return drawn(figure, "png", dpi=dpi)


def drawn(figure: Figure, ending: str, *, dpi: float = 150) -> bytes:
    """Draw a figure as a file of a kind, such as "pdf"; the same figure makes the same bytes."""
    file = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending)
    with rc_context({"svg.hashsalt": "awd"}):
        figure.savefig(file, format=ending, dpi=dpi, metadata=undated)
    return file.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: float = 200) -> None:
    """Write a figure to a file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : str or path
        Its ending names the format: .png, .pdf, .svg and what else matplotlib writes.
    dpi : float
        Dots per inch of pixel formats.

    Raises
    ------
    ValueError
        If matplotlib does not know the ending.
    """
    ending = Path(path).suffix.lstrip(".").lower()
    known = figure.canvas.get_supported_filetypes()
    if ending not in known:
        raise ValueError(f"{os.fspath(path)} must end in one of .{', .'.join(sorted(known))}")
    write_atomically(path, drawn(figure, ending, dpi=dpi))
