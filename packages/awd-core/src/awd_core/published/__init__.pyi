from .fit import distill_penalised as distill_penalised
from .grid import distill_grid as distill_grid
from .losses import LossWeights as LossWeights
from .losses import distillation_loss as distillation_loss
from .through_teacher import hessian_term as hessian_term
from .through_teacher import trim_attributions as trim_attributions
