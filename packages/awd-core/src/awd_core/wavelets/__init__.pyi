from .certificate import Certificate as Certificate
from .filters import Filter as Filter
from .filters import FixedFilter as FixedFilter
from .filters import FreeFilter as FreeFilter
from .filters import OrthonormalFilter as OrthonormalFilter
from .filters import lattice_taps as lattice_taps
from .plot import plot_wavelet as plot_wavelet
from .wavelet import Wavelet as Wavelet
