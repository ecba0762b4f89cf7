"""What all figures share: colours, panels and their labels, and the way into a file.

Nothing here knows what is drawn, and nothing uses pyplot.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
