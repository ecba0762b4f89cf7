"""What a caller gives: checked, and refused or warned of in words that say what to do.

Nothing here is about wavelets, and nothing heavy is imported.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
