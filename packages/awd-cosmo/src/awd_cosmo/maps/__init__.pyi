from .bins import together as together
from .layout_writer import pack_models as pack_models
from .layout_writer import write_suite as write_suite
from .map_set import MapSet as MapSet
from .open import open_maps as open_maps
