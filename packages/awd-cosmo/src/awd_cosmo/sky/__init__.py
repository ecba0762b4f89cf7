"""Maps on the sphere, in HEALPix' pixels, and the flat tiles that are cut from them.

Whatever comes after works on flat maps; see `awd_cosmo.maps`. The pixels' places are astropy-healpix', an extra.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
