from .archives import BadMap as BadMap
from .fits import read_map as read_map
from .fits_writer import write_map as write_map
