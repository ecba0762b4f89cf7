"""Statistics of the whole field: distribution, starlet's ℓ1-norm, Minkowski functionals, scattering, joint vectors.

What the field's papers put beside peaks and the power spectrum; classes of `awd_cosmo.statistics.Statistic`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
