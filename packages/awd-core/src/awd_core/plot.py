"""Figures: of a wavelet, and the way of any figure into a file.

Figures are made without pyplot, so that nothing needs a display and nothing is left behind in a global list.
"""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from awd_core.files import write_atomically
from awd_core.palette import BEFORE as BEFORE
from awd_core.palette import HIGH as HIGH
from awd_core.palette import LOW as LOW
from awd_core.wavelet import Wavelet

if TYPE_CHECKING:
    import pywt


def plot_wavelet(
    wavelet: "Wavelet | str | pywt.Wavelet",
    *,
    before: "Wavelet | str | pywt.Wavelet | None" = None,
    level: int = 8,
) -> Figure:
    """Draw a wavelet: φ and ψ above, taps and frequency responses below.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet.
    before : Wavelet, str or pywt.Wavelet, optional
        A second one, such as the one that the learning started from, drawn behind it in grey, unshifted.
    level : int
        Refinements of the two functions; see `Wavelet.functions`.

    Returns
    -------
    matplotlib.figure.Figure
        Four axes: scaling function, wavelet function, filters, frequency responses.

    Examples
    --------
    >>> figure = plot_wavelet("sym4", before="db4")
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Scaling function', 'Wavelet function', 'Analysis filters', 'Frequency response']
    """
    return Wavelet.of(wavelet).plot(before=before, level=level)


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
    drawn = io.BytesIO()
    figure.savefig(drawn, format=ending, dpi=dpi)
    write_atomically(path, drawn.getvalue())
