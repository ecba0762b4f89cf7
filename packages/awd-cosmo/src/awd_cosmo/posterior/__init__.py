"""Posteriors of several parameters at once: samples, chains, coverage, maps of a survey together.

The likelihood is an emulator's (`awd_cosmo.inference.EmulatorPosterior`) or that of small networks (`NeuralPosterior`);
the prior is flat in the box of the training parameters.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
