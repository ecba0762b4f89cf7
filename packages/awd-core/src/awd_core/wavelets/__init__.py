"""Wavelets: the value itself, how it is made, certified, compared, written and drawn.

`Wavelet` needs NumPy alone; the filters that can be learnt are torch modules.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.wavelets.certificate import Certificate as Certificate
    from awd_core.wavelets.filters import Filter as Filter
    from awd_core.wavelets.filters import FixedFilter as FixedFilter
    from awd_core.wavelets.filters import FreeFilter as FreeFilter
    from awd_core.wavelets.filters import OrthonormalFilter as OrthonormalFilter
    from awd_core.wavelets.filters import lattice_taps as lattice_taps
    from awd_core.wavelets.plot import plot_wavelet as plot_wavelet
    from awd_core.wavelets.wavelet import Wavelet as Wavelet

_HOME = {
    "Certificate": "certificate",
    "Filter": "filters",
    "FixedFilter": "filters",
    "FreeFilter": "filters",
    "OrthonormalFilter": "filters",
    "Wavelet": "wavelet",
    "lattice_taps": "filters",
    "plot_wavelet": "plot",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
