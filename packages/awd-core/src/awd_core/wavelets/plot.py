"""The figure of a wavelet, from whatever a wavelet may be given as."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from awd_core.wavelets.wavelet import Wavelet

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
