"""How maps and suites of maps lie on the disk: files, headers, names, tables, layouts.

What is read here is told by names and headers alone; pixels are read when they are asked for.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.formats.archives import BadMap as BadMap
    from awd_cosmo.formats.fits import read_map as read_map
    from awd_cosmo.formats.fits_writer import write_map as write_map

_HOME = {
    "BadMap": "archives",
    "read_map": "fits",
    "write_map": "fits_writer",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
