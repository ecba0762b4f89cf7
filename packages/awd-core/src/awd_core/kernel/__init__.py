"""The compiled kernel of the wavelet transform: its source, how it is compiled, found and loaded, and its threads.

What it computes, `awd_core.transforms` computes in plain torch too: where there is no compiler, nothing is missing but
speed. `AWD_KERNEL=off` switches it off.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
