from .convolutions import ConvolutionTeacher as ConvolutionTeacher
from .convolutions import ConvolutionTeacherClassifier as ConvolutionTeacherClassifier
from .networks import PooledConvolutions as PooledConvolutions
from .networks import SeriesLSTM as SeriesLSTM
from .teacher import SeriesEnsemble as SeriesEnsemble
from .teacher import SeriesTeacher as SeriesTeacher
from .teacher import SeriesTeacherClassifier as SeriesTeacherClassifier
