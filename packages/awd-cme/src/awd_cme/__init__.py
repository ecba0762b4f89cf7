"""From tracked two-channel video to a partner protein's signal with an adaptively distilled wavelet."""

from importlib.metadata import version

__version__ = version("awd-cme")
