"""Warnings that point at the user's line."""

import sys
import warnings

_OURS = {"awd_core", "awd_cosmo", "awd_cme", "torch", "sklearn", "lightning"}


def warn(message: str) -> None:
    """Warn of the nearest line that is neither ours nor of a library that calls us, such as torch's modules."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)
