"""Statistics of maps: counts of peaks, of a wavelet's scales, of the starlet's, and the power spectrum.

Each is fitted to training maps, turns maps into features with NumPy alone, and is saved as JSON values.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.statistics.counts import PeakCounts as PeakCounts
    from awd_cosmo.statistics.kernels import wavelet_kernels as wavelet_kernels
    from awd_cosmo.statistics.peaks import find_peaks as find_peaks
    from awd_cosmo.statistics.scales import ScaleCounts as ScaleCounts
    from awd_cosmo.statistics.spectrum import PowerSpectrum as PowerSpectrum
    from awd_cosmo.statistics.starlet import StarletCounts as StarletCounts
    from awd_cosmo.statistics.statistic import Statistic as Statistic
    from awd_cosmo.statistics.undecimated import wavelet_scales as wavelet_scales

_HOME = {
    "PeakCounts": "counts",
    "PowerSpectrum": "spectrum",
    "ScaleCounts": "scales",
    "StarletCounts": "starlet",
    "Statistic": "statistic",
    "find_peaks": "peaks",
    "wavelet_kernels": "kernels",
    "wavelet_scales": "undecimated",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
