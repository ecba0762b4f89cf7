from .counts import PeakCounts as PeakCounts
from .kernels import wavelet_kernels as wavelet_kernels
from .peaks import find_peaks as find_peaks
from .scales import ScaleCounts as ScaleCounts
from .spectrum import PowerSpectrum as PowerSpectrum
from .starlet import StarletCounts as StarletCounts
from .statistic import Statistic as Statistic
from .undecimated import wavelet_scales as wavelet_scales
