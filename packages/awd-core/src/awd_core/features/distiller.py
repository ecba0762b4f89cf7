"""The scikit-learn face: wavelet coefficients as features, with a wavelet that is given or distilled.

`WaveletTransformer` only transforms (`awd_core.features.transformer`); `WaveletDistiller` learns its wavelet in `fit`
from a teacher's gradients. Both give one row of coefficients per sample, in PyWavelets' order from coarse to fine, and
take such rows back.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from awd_core.attribution.gradients import input_gradients
from awd_core.attribution.model_gradients import Model, Target
from awd_core.attribution.points import Method
from awd_core.checks.real_numbers import real_array
from awd_core.checks.whole_numbers import whole_number
from awd_core.distill.distill import DistillationPath, SearchSettings, distill_path
from awd_core.distill.lengths import LengthScore as LengthScore
from awd_core.distill.lengths import compare_lengths as compare_lengths
from awd_core.features.transformer import WaveletTransformer as WaveletTransformer
from awd_core.published.grid import PenalisedFit, distill_penalised
from awd_core.published.losses import LossWeights
from awd_core.typing import AnyArray
from awd_core.workers.open import Workers, open_workers


class WaveletDistiller(WaveletTransformer):
    """Wavelet coefficients with a wavelet that is distilled from a teacher.

    The teacher is known by its input gradients: an array for `fit`, from `awd_core.attribution.input_gradients` or any
    framework; or else the parameter `teacher` is asked. In a pipeline, ``pipe.fit(X, y, distiller__gradients=G)``
    hands them on; they are then the gradients with respect to what this step sees.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        Where the search starts; its length is the length of the result.
    levels, mode, ndim
        As for `WaveletTransformer`.
    share : float
        Share α of the interpretation term, from 0 (sparse inputs; needs no gradients) to 1 (sparse attributions).
    method : {"saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"}
        Attribution method that the gradients are for.
    baseline : float or ndarray, optional
        Its baseline, if it has one.
    form : {"orthonormal", "penalised"}
        A search over orthonormal filters (`awd_core.distill.distill_path`), or the published form on free taps
        (`awd_core.published.distill_penalised`), which needs the teacher and takes `weights` in place of `share`.
    teacher : Module or callable, optional
        The teacher. Samples are given to it in the type of its weights.
    target : int, tuple of int or None
        Which of its predictions is meant.
    weights : LossWeights or sequence of float, optional
        For the penalised form: all weights, or (λ, γ). As in `LossWeights` if not given.
    epochs, batch_size, learning_rate, noise
        For the penalised form.
    seed : int
        Of everything random.
    search : SearchSettings, optional
        For the orthonormal form: how hard to search.
    device : str or torch.device, optional
        Where to distil; coefficients are computed on the CPU.
    workers : int
        For the orthonormal form: processes that ask the teacher and search.
    scheduler : str, optional
        Or the address of a scheduler of Dask, whose workers do it (see `awd_core.workers.open`).

    Attributes
    ----------
    wavelet_ : Wavelet
        The distilled wavelet.
    path_ : DistillationPath or None
        The search, in the orthonormal form: a path of the one share, which is searched from all starts. For a whole
        path, its ends and what lies between, call `distill_path`.
    penalised_ : PenalisedFit or None
        The fit, in the penalised form.
    sample_shape_, n_features_in_
        As for `WaveletTransformer`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, G = rng.standard_normal((2, 30, 16))
    >>> distiller = WaveletDistiller("db2", levels=2).fit(X, gradients=G)
    >>> distiller.transform(X).shape, distiller.wavelet_.length
    ((30, 21), 4)
    """

    def __init__(
        self,
        wavelet: Any = "db5",
        levels: int | None = 4,
        mode: str = "zero",
        ndim: int | None = None,
        *,
        share: float = 0.5,
        method: Method = "saliency",
        baseline: Any = None,
        form: Literal["orthonormal", "penalised"] = "orthonormal",
        teacher: Model | None = None,
        target: Target = None,
        weights: LossWeights | Sequence[float] | None = None,
        epochs: int = 50,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        noise: float = 0.0,
        seed: int = 0,
        search: SearchSettings | None = None,
        device: str | torch.device | None = None,
        workers: int = 1,
        scheduler: str | None = None,
    ) -> None:
        super().__init__(wavelet, levels, mode, ndim)
        self.share = share
        self.method = method
        self.baseline = baseline
        self.form = form
        self.teacher = teacher
        self.target = target
        self.weights = weights
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.noise = noise
        self.seed = seed
        self.search = search
        self.device = device
        self.workers = workers
        self.scheduler = scheduler

    def fit(self, X: Any, y: Any = None, *, gradients: Any = None) -> Self:
        """Distil the wavelet.

        Parameters
        ----------
        X : array_like, shape (n, …, N) or (n, …, H, W)
            Inputs of the teacher.
        y : ignored
            The teacher stands for it.
        gradients : array_like, of X's shape, optional
            Input gradients of the teacher for `method`; for the orthonormal form.

        Raises
        ------
        ValueError
            If there are neither gradients nor a teacher where they are needed, or as for the two functions.
        """
        x = self._checked(X, reset=True)
        if self.form not in ("orthonormal", "penalised"):
            raise ValueError(f"form is {self.form!r}; it is 'orthonormal' or 'penalised'")
        if self.levels is None:
            raise ValueError("levels is None; a distilled wavelet needs their number, such as 4")
        levels, seed = whole_number("levels", self.levels), whole_number("seed", self.seed, 0)
        self.path_: DistillationPath | None = None
        self.penalised_: PenalisedFit | None = None
        if self.form == "penalised":
            self.penalised_ = self._penalised(x, gradients, levels, seed)
            self.wavelet_ = self.penalised_.wavelet
        else:
            with open_workers(self.workers, self.scheduler) as crew:
                self.path_ = self._orthonormal(x, gradients, levels, seed, crew)
            self.wavelet_ = self.path_[0].wavelet
        return self

    def _orthonormal(self, x: AnyArray, gradients: Any, levels: int, seed: int, crew: Workers) -> DistillationPath:
        g = self._gradients(x, gradients, seed, crew)
        path = distill_path(
            x, np.ones_like(x) if g is None else g, wavelet=self.wavelet, levels=levels, mode=self.mode,
            ndim=self._axes, shares=(self.share,), method=self.method, search=self.search, seed=seed,
            baseline=0.0 if self.baseline is None else self.baseline, device=self.device,
            dtype=torch.from_numpy(x).dtype, workers=crew,
        )  # fmt: skip
        if g is not None:
            return path
        # Nothing was known of the teacher, so nothing is said of it: the ones above have no weight in the search.
        settings = path.settings | {"gradients": None}
        wavelet = path[0].wavelet.with_metadata({"settings": settings})
        point = replace(path[0], interpretation=math.nan, wavelet=wavelet)
        return DistillationPath([point], path.start, path.start_sparsity, math.nan, settings)

    def _gradients(self, x: AnyArray, gradients: Any, seed: int, crew: Workers) -> AnyArray | None:
        if gradients is not None:
            given = gradients.detach().cpu().numpy() if isinstance(gradients, Tensor) else gradients
            return real_array(given, "gradients").astype(x.dtype)
        if self.teacher is None:
            if self.share == 0:
                return None
            raise ValueError(
                f"share is {self.share} but nothing is known of the teacher: give fit(X, gradients=G) "
                "(in a pipeline distiller__gradients=G), or teacher=, or share=0"
            )
        found: AnyArray = input_gradients(
            self.teacher, x.astype(self._teacher_type(x)), self.target, method=self.method, baseline=self.baseline,
            seed=seed if self.method == "gradient_shap" else None,
            batch_size=whole_number("batch_size", self.batch_size), device=self.device, workers=crew,
        )  # fmt: skip
        return found.astype(x.dtype)

    def _penalised(self, x: AnyArray, gradients: Any, levels: int, seed: int) -> PenalisedFit:
        if gradients is not None:
            raise ValueError("the penalised form asks the teacher itself; give teacher=, and no gradients")
        return distill_penalised(
            x.astype(self._teacher_type(x)), self.teacher, target=self.target, wavelet=self.wavelet,
            levels=levels, mode=self.mode, ndim=self._axes, epochs=self.epochs,
            weights=LossWeights() if self.weights is None else self.weights, batch_size=self.batch_size,
            learning_rate=self.learning_rate, method=self.method, baseline=self.baseline, noise=self.noise,
            seed=seed, device=self.device,
        )  # fmt: skip

    def _teacher_type(self, x: AnyArray) -> npt.DTypeLike:
        own = self.teacher.parameters() if isinstance(self.teacher, nn.Module) else ()
        single = any(parameter.dtype == torch.float32 for parameter in own)
        return np.float32 if single else x.dtype
