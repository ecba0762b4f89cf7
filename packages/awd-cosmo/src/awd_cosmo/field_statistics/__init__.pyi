from .joint import JointStatistic as JointStatistic
from .minkowski import MinkowskiFunctionals as MinkowskiFunctionals
from .one_point import PixelDistribution as PixelDistribution
from .scattering import ScatteringCoefficients as ScatteringCoefficients
from .starlet_norm import StarletNorm as StarletNorm
