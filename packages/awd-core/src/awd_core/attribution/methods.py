"""Names of the attribution methods; nothing is imported that takes a while."""

from typing import Literal, get_args

Method = Literal["saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"]
"""Attribution methods by Captum's names in snake case."""

METHODS: tuple[Method, ...] = get_args(Method)
