from .apertures import aperture_sums as aperture_sums
from .detect import detect_spots as detect_spots
from .detect import estimate_sigma as estimate_sigma
from .fit import SpotFits as SpotFits
from .fit import fit_spots as fit_spots
from .gain import Gain as Gain
from .gain import estimate_gain as estimate_gain
