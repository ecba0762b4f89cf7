"""What goes between this package and PyWavelets: names of wavelets, filters, `pywt.Wavelet` objects, the cascade.

PyWavelets' filters follow one rule from the low-pass analysis filter (`awd_core.wavelets.certificate.mirror`), bit for
bit in all of its 76 orthogonal wavelets; a filter bank that does not is refused here.
"""

import difflib
from functools import cache
from typing import NamedTuple

import numpy as np
import pywt

from awd_core.checks.whole_numbers import whole_number
from awd_core.typing import Array
from awd_core.wavelets.certificate import mirror
from awd_core.wavelets.lattice import TOLERANCE

# PyWavelets calls dmey orthogonal, but its taps were cut from an infinite filter.
_NAMED_TOLERANCE = {"dmey": 1e-2}


class PyWaveletsFilter(NamedTuple):
    """Low-pass analysis taps, shape (L,), the name, and the tolerance that these taps need."""

    taps: Array
    name: str
    tolerance: float


class WaveletFunctions(NamedTuple):
    """Samples of the scaling function φ and the wavelet function ψ at the places x, arrays of one length."""

    x: Array
    phi: Array
    psi: Array


@cache
def orthogonal_names() -> tuple[str, ...]:
    """Names of the orthogonal wavelets of the installed PyWavelets."""
    return tuple(name for name in pywt.wavelist(kind="discrete") if pywt.Wavelet(name).orthogonal)


def filter_of_name(name: str) -> PyWaveletsFilter:
    """Filter of a wavelet of PyWavelets by its name, in upper or lower case.

    Raises
    ------
    TypeError
        If the name is not a string.
    ValueError
        For an unknown name, and for wavelets that are not orthogonal.

    Examples
    --------
    >>> filter_of_name("DB2").taps.round(4)
    array([-0.1294,  0.2241,  0.8365,  0.483 ])
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a wavelet must be a string, got {type(name).__name__}")
    key = name.lower()
    if key not in orthogonal_names():
        raise ValueError(_about_name(name))
    return PyWaveletsFilter(np.asarray(pywt.Wavelet(key).dec_lo), key, _NAMED_TOLERANCE.get(key, TOLERANCE))


def filter_of_object(wavelet: pywt.Wavelet, tolerance: float | None = None) -> PyWaveletsFilter:
    """Filter of a `pywt.Wavelet`, built in or made from a filter bank; "custom" is the name of one without.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If the four filters are not one low-pass filter and its mirrors (to `tolerance`), as in a biorthogonal wavelet.
    """
    if not isinstance(wavelet, pywt.Wavelet):
        raise TypeError(f"from_pywt takes a pywt.Wavelet, got {type(wavelet).__name__}")
    name = wavelet.name.lower()
    if tolerance is None:
        tolerance = _NAMED_TOLERANCE.get(name, TOLERANCE) if name in orthogonal_names() else TOLERANCE
    low = np.asarray(wavelet.dec_lo)
    high = mirror(low)
    expected = (low, high, low[::-1], high[::-1])
    bank = [np.asarray(taps) for taps in wavelet.filter_bank]
    if any(np.abs(given - wanted).max() > tolerance for given, wanted in zip(bank, expected, strict=True)):
        raise ValueError(
            f"the filter bank of {wavelet.name or 'this wavelet'!r} is not one orthogonal filter and its mirrors "
            "(dec_hi[n] = (-1)**(n+1) * dec_lo[L-1-n], rec_lo and rec_hi the two reversed); biorthogonal "
            "wavelets cannot be used. If only a sign or a shift of the high-pass filters differs, take "
            "Wavelet.from_taps(wavelet.dec_lo)"
        )
    return PyWaveletsFilter(low, wavelet.name or "custom", tolerance)


def object_of_filter(taps: Array, name: str) -> pywt.Wavelet:
    """Return a `pywt.Wavelet` with these low-pass analysis taps, flagged orthogonal and biorthogonal.

    Notes
    -----
    The built-in object is returned where the taps are a built-in wavelet's own under its name. The flags are set for
    taps that were accepted with a larger tolerance too, as PyWavelets sets them for dmey.

    scikit-image takes names only: `skimage.restoration.denoise_wavelet` passes its argument to `pywt.Wavelet`, which
    refuses objects, so that a learnt wavelet cannot be handed to it. Its default method for a grey image, BayesShrink
    with a known noise σ, is this::

        coefficients = pywt.wavedecn(image, wavelet.to_pywt(), level=levels)
        for details in coefficients[1:]:
            for key, d in details.items():
                spread = max(np.mean(d * d) - sigma**2, np.finfo(d.dtype).eps)
                details[key] = pywt.threshold(d, sigma**2 / np.sqrt(spread), mode="soft")
        denoised = pywt.waverecn(coefficients, wavelet.to_pywt())[tuple(slice(n) for n in image.shape)]
    """
    if name in orthogonal_names():
        built_in = pywt.Wavelet(name)
        if np.asarray(built_in.dec_lo).tobytes() == taps.tobytes():
            return built_in
    high = mirror(taps)
    bank = [filter.tolist() for filter in (taps, high, taps[::-1], high[::-1])]
    wavelet = pywt.Wavelet(name, filter_bank=bank)
    wavelet.orthogonal = wavelet.biorthogonal = True
    return wavelet


def cascade(wavelet: pywt.Wavelet, level: int) -> WaveletFunctions:
    """Scaling and wavelet function after `level` refinements, 1 or more; see `awd_core.wavelets.Wavelet.functions`."""
    phi, psi, x = wavelet.wavefun(level=whole_number("level", level))
    return WaveletFunctions(x, phi, psi)


def _about_name(name: str) -> str:
    if name.lower() in pywt.wavelist():
        problem = f"{name!r} is not an orthogonal wavelet"
    else:
        close = difflib.get_close_matches(name.lower(), orthogonal_names(), n=3)
        meant = f" (did you mean {', '.join(close)}?)" if close else ""
        problem = f"there is no wavelet {name!r}{meant}"
    return f"{problem}; allowed are haar, db1–db38, sym2–sym20, coif1–coif17 and dmey"
