"""What is published of tracks: lifetimes, cohorts, the partner's share and onset, and conditions compared.

Cells are the units: tracks of a cell share what is particular about it, and are no independent evidence.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
