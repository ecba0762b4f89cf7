"""What a prediction depends on: a teacher's input gradients, and attributions of coefficients made of them.

Gradients are asked once, in blocks that workers may share, and kept in a store that an interrupted run goes on with.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.attribution.coefficients import coefficient_attributions as coefficient_attributions
    from awd_core.attribution.gradients import check_gradients as check_gradients
    from awd_core.attribution.gradients import input_gradients as input_gradients
    from awd_core.attribution.trim import TrimModel as TrimModel

_HOME = {
    "TrimModel": "trim",
    "check_gradients": "gradients",
    "coefficient_attributions": "coefficients",
    "input_gradients": "gradients",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
