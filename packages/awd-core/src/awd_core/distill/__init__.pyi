from .distill import distill_path as distill_path
from .lengths import compare_lengths as compare_lengths
from .minima import local_minima as local_minima
from .path import DistillationPath as DistillationPath
from .path import PathPoint as PathPoint
from .path_file import load_path as load_path
from .path_file import save_path as save_path
from .settings import SearchSettings as SearchSettings
