"""Independent pieces of work, done here, in processes beside this one, or on the workers of a scheduler.

`open_workers` gives a `Workers`, which maps a function over items in order, and names the item that kills.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
