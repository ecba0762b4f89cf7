from .coefficients import coefficient_attributions as coefficient_attributions
from .functions import attribute_function as attribute_function
from .gradients import check_gradients as check_gradients
from .gradients import input_gradients as input_gradients
from .outputs import teacher_outputs as teacher_outputs
from .trim import TrimModel as TrimModel
