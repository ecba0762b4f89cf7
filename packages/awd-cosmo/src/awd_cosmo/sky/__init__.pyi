from .healpix import HealpixMap as HealpixMap
from .healpix import read_healpix as read_healpix
from .tiles import Tile as Tile
from .tiles import TilesWritten as TilesWritten
from .tiles import cut_tile as cut_tile
from .tiles import tile_centres as tile_centres
from .tiles import write_tiles as write_tiles
