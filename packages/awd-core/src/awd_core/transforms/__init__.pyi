from .boundary import MODES as MODES
from .boundary import without_boundary_warnings as without_boundary_warnings
from .coefficients import Coefficients as Coefficients
from .dictionary import LinearDictionary as LinearDictionary
from .dwt import DWT1d as DWT1d
from .dwt import DWT2d as DWT2d
from .fourier import FourierTransform as FourierTransform
from .fourier import Transform as Transform
