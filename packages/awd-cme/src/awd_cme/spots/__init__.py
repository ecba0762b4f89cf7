"""Spots in one image: detection, position, height, significance.

Windows of pixels around spots, least squares on them in closed form, and the plain sums beside it.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.spots.apertures import aperture_sums as aperture_sums
    from awd_cme.spots.detect import detect_spots as detect_spots
    from awd_cme.spots.detect import estimate_sigma as estimate_sigma
    from awd_cme.spots.fit import SpotFits as SpotFits
    from awd_cme.spots.fit import fit_spots as fit_spots

_HOME = {
    "SpotFits": "fit",
    "aperture_sums": "apertures",
    "detect_spots": "detect",
    "estimate_sigma": "detect",
    "fit_spots": "fit",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
