"""Maps as a value: a lazy stack with cosmologies, pixel scale, mask and provenance.

`open_maps` makes a `MapSet` of whatever lies on the disk; observing, preparing, caching and writing suites start there.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.maps.layout_writer import pack_models as pack_models
    from awd_cosmo.maps.layout_writer import write_suite as write_suite
    from awd_cosmo.maps.map_set import MapSet as MapSet
    from awd_cosmo.maps.open import open_maps as open_maps

_HOME = {
    "MapSet": "map_set",
    "open_maps": "open",
    "pack_models": "layout_writer",
    "write_suite": "layout_writer",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
