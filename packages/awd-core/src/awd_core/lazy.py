"""Public names of a package that are loaded when they are first asked for."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """What a package takes as its ``__getattr__`` and ``__dir__``.

    Parameters
    ----------
    package : str
        Name of the package, ``__name__`` there.
    home : mapping of str to str
        Each public name, and the module of the package that it comes from.

    Returns
    -------
    getattr, dir : callable

    Examples
    --------
    >>> load, names = lazy_names("awd_core", {"Wavelet": "wavelets.wavelet"})
    >>> load("Wavelet").__name__, "Wavelet" in names()
    ('Wavelet', True)
    """

    def load(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    def names() -> list[str]:
        return [*vars(sys.modules[package]), *sorted(home)]

    return load, names
