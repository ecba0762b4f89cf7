"""From weak-lensing mass maps to cosmological parameters with an adaptively distilled wavelet."""

from importlib.metadata import version

__version__ = version("awd-cosmo")
