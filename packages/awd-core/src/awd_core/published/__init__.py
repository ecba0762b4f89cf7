"""Distillation in its published form: free taps, penalties, attributions through the teacher, Adam.

`distill_penalised` is one fit, `distill_grid` the published grid of weights.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.published.fit import distill_penalised as distill_penalised
    from awd_core.published.grid import distill_grid as distill_grid
    from awd_core.published.losses import LossWeights as LossWeights
    from awd_core.published.losses import distillation_loss as distillation_loss
    from awd_core.published.through_teacher import hessian_term as hessian_term
    from awd_core.published.through_teacher import trim_attributions as trim_attributions

_HOME = {
    "LossWeights": "losses",
    "distill_grid": "grid",
    "distill_penalised": "fit",
    "distillation_loss": "losses",
    "hessian_term": "through_teacher",
    "trim_attributions": "through_teacher",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
