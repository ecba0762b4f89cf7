"""What a group publishes of its tracks: lifetimes, cohorts, partners, initiation, onsets; conditions compared by cells.

Everything is made of canonical tables; conditions are compared with cells as units, never with tracks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
