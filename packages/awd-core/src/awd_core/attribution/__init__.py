"""What a prediction depends on: a teacher's input gradients, and attributions of coefficients made of them.

Gradients are asked once, in blocks that workers may share, and kept in a store that an interrupted run goes on with.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
