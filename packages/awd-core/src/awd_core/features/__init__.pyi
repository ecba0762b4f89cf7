from .distiller import WaveletDistiller as WaveletDistiller
from .folds import Folds as Folds
from .folds import group_folds as group_folds
from .select import Selection as Selection
from .select import select_point as select_point
from .transformer import WaveletTransformer as WaveletTransformer
