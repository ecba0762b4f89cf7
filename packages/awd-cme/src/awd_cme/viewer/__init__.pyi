from .layers import get_reader as get_reader
from .layers import sample_data as sample_data
from .layers import track_layers as track_layers
