"""The teacher: a network that is trained once, and then distilled. A scikit-learn estimator around any torch module."""

from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from torch import Tensor
from torch.nn import functional

from awd_core.teacher.estimator import TeacherBase
from awd_core.teacher.settings import Scaling
from awd_core.typing import AnyArray


@dataclass(eq=False, repr=False)
class Teacher(RegressorMixin, TeacherBase):  # type: ignore[misc] # scikit-learn has no types
    """A network for a regression: trained through Lightning, used like any scikit-learn estimator.

    Parameters
    ----------
    factory : callable or str
        What builds the network: a module class, a function that returns a module, or the name of either as
        `"package.module:name"`. The network maps (n, …) to (n, k) or, for a single target, (n,).
    factory_kwargs : mapping, optional
        Arguments of the factory. For `save`: numbers, texts, and lists or dicts of them.
    scale_inputs, scale_targets : {"none", "global", "feature"}
        Standardisation inside, with the mean and deviation of the training part: not at all, one pair of numbers, or
        one for each element of a sample (each column of y).
    optimizer : {"adam", "adamw"}
        With `learning_rate` and `weight_decay`.
    learning_rate : float
        For the one-cycle schedule the highest rate.
    weight_decay : float
        Adam: L2 penalty on the weights. AdamW: decoupled decay.
    schedule : {None, "one-cycle", "cosine", "plateau"}
        Of the learning rate: constant; one cycle or half a cosine over `max_epochs`; or halved whenever the validation
        loss hasn't fallen for more than `patience // 2` epochs (5 without patience).
    batch_size : int
        Samples of a step, over all devices together. A single sample left over at the end of an epoch joins the step
        before it. A process whose share of a step is one sample is given another beside it, which counts nothing.
    max_epochs : int
        Passes over the training part at most.
    patience : int, optional
        Stop after so many epochs without a new lowest validation loss; None: never.
    gradient_clip : float, optional
        Largest norm of the gradient of a step.
    augment : callable, optional
        `augment(x, generator)` returns altered inputs for a training batch x (n, …), in the data's units and on the
        training's device. It draws from the `torch.Generator` (on the CPU), and from nothing else.
    penalty : callable, optional
        A further term of the loss, such as `awd_core.decomposition.ExplanationPenalty`, which says what must not be
        used: `penalty(network, x, rows, epoch)` returns one number for each sample of a training batch x, in the data's
        units. `network` maps it to standardised predictions; `rows` are the numbers of its samples in X, or None for
        samples of a validation set that was given apart; epochs count from 0. What is early stopped by counts it, with
        the weight of the last epoch. A saved teacher has none.
    seed : int
        Seed of the first weights, the held-out fraction, the order of batches, dropout and augmentation. torch's
        global generators are left as they were.
    precision : {"32-true", "64-true", "bf16-mixed", "16-mixed"}
        Lightning's names. Predictions are made in the precision of the weights.
    accelerator, devices, strategy
        Passed to `lightning.Fabric`. For the same bits on a GPU call `torch.use_deterministic_algorithms(True)`. Under
        torchrun: as many devices as it starts processes, and strategy="ddp"; the first process writes checkpoints.
    progress : bool or callable
        Show a bar on the error stream; or call this with (epochs done, epochs at most, losses in words).

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, from raw inputs (n, …) to raw outputs (n, k).
    history_ : list of dict
        For each epoch `epoch` (from 1), `train_loss` and `valid_loss` (mean squared errors of the standardised
        targets; the first while the weights still changed), with a penalty its means beside them, `penalty` and
        `valid_penalty`, `learning_rate` of its last step, and `seconds`.
    best_epoch_ : int
        The epoch whose weights were kept.
    input_shape_ : tuple of int
        Shape of a sample.
    n_features_in_ : int
        Its first number, as scikit-learn has it: of a table the columns.
    feature_names_in_ : ndarray of str
        Names of the columns, if X was a table that has some. Predictions are refused for others, and in another order.

    Examples
    --------
    >>> import numpy as np
    >>> from awd_core.teacher import MLP
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> teacher = Teacher(MLP, {"n_in": 4, "hidden": (16,)}, max_epochs=30, learning_rate=0.01, accelerator="cpu")
    >>> teacher.fit(X, X[:, 0] - X[:, 1]).score(X, X[:, 0] - X[:, 1]) > 0.9
    True
    >>> teacher.as_torch()  # doctest: +ELLIPSIS
    Standardised(...)
    """

    scale_targets: Scaling = field(default="feature", kw_only=True)

    _task = "regression"

    @staticmethod
    def _loss(out: Tensor, y: Tensor) -> Tensor:
        return ((out - y) ** 2).mean(dim=1)

    def predict(self, X: Any) -> AnyArray:
        """Predict targets in their own units, of the shape that y had: (n,) or (n, k)."""
        return self._values(self._outputs(X))

    def _values(self, outputs: Tensor) -> AnyArray:
        """Raw outputs (n, k) in the shape that y had."""
        values: AnyArray = outputs.numpy()
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class TeacherClassifier(ClassifierMixin, TeacherBase):  # type: ignore[misc] # scikit-learn has no types
    """A network for a classification; everything but the targets is as with `Teacher`.

    The network answers with one logit for each class, trained by cross-entropy, or, for two classes, with a single
    logit for the second of `classes_`, trained by binary cross-entropy. Labels are numbers, booleans or texts.

    Examples
    --------
    >>> import numpy as np
    >>> from awd_core.teacher import MLP
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> label = np.where(X[:, 0] > 0, "yes", "no")
    >>> teacher = TeacherClassifier(MLP, {"n_in": 4, "hidden": (16,)}, max_epochs=30, accelerator="cpu")
    >>> teacher.fit(X, label).predict_proba(X).shape, teacher.classes_.tolist()
    ((200, 2), ['no', 'yes'])
    """

    _task = "classification"

    @staticmethod
    def _loss(out: Tensor, y: Tensor) -> Tensor:
        if out.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(out[:, 0], y.to(out.dtype), reduction="none")
        return functional.cross_entropy(out, y, reduction="none")

    def predict(self, X: Any) -> AnyArray:
        """Predict the most probable label of each sample, shape (n,)."""
        places = self.predict_proba(X).argmax(axis=1)
        most: AnyArray = self.classes_[places]
        return most

    def predict_proba(self, X: Any) -> AnyArray:
        """Predict probabilities (n, classes), in the order of `classes_`."""
        logits = self._outputs(X).double()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        return logits.softmax(dim=1).numpy()
