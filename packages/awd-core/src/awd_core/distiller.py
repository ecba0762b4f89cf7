"""The scikit-learn face: wavelet coefficients as features, with a wavelet that is given or distilled.

`WaveletTransformer` only transforms; `WaveletDistiller` learns its wavelet in `fit` from a teacher's gradients. Both
give one row of coefficients per sample, in PyWavelets' order from coarse to fine, and take such rows back.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from awd_core.distill import DistillationPath, Progress, SearchSettings, distill_path, transformed_axes
from awd_core.dwt import Coefficients, DWT1d, DWT2d
from awd_core.gradient_paths import Method, as_samples
from awd_core.gradient_teacher import Model, Target
from awd_core.gradients import check_gradients, input_gradients
from awd_core.lattice import QUARTER_PI
from awd_core.losses import LossWeights
from awd_core.objective import DistillationObjective
from awd_core.penalised import PenalisedFit, distill_penalised
from awd_core.wavelet import Wavelet

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before 1.6 it is a method

    def validate_data(estimator: Any, X: Any, **options: Any) -> Any:
        """Check X, and the number and names of its features."""
        return estimator._validate_data(X, **options)


Array = npt.NDArray[Any]


class WaveletTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Wavelet coefficients of every sample, as a table of features.

    Parameters
    ----------
    wavelet : Wavelet, str or pywt.Wavelet
        The wavelet.
    levels : int or None
        Number of levels; None for as many as fit.
    mode : str
        Boundary mode, by PyWavelets' name.
    ndim : int, optional
        1 or 2 transformed axes; needed where X has three axes, else told by their number.

    Attributes
    ----------
    wavelet_ : Wavelet
        The wavelet.
    sample_shape_ : tuple of int
        Shape of a sample.
    n_features_in_ : int
        Size of axis 1, as scikit-learn has it: the length of a series.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((5, 16))
    >>> transformer = WaveletTransformer("db2", levels=2).fit(X)
    >>> S = transformer.transform(X)
    >>> S.shape, list(transformer.get_feature_names_out()[[0, 6, 12]])
    ((5, 21), ['cA2[0]', 'cD2[0]', 'cD1[0]'])
    >>> bool(np.allclose(transformer.inverse_transform(S), X))
    True
    """

    def __init__(
        self, wavelet: Any = "db5", levels: int | None = 4, mode: str = "zero", ndim: int | None = None
    ) -> None:
        self.wavelet = wavelet
        self.levels = levels
        self.mode = mode
        self.ndim = ndim

    def fit(self, X: Any, y: Any = None) -> Self:
        """Take note of the shape of a sample; nothing is learnt.

        Parameters
        ----------
        X : array_like, shape (n, …, N) or (n, …, H, W)
            Samples; three axes need `ndim`.
        y : ignored

        Raises
        ------
        ValueError
            If X, the wavelet, the levels or the mode will not do, or do not belong together.
        """
        self._checked(X, reset=True)
        self.wavelet_ = Wavelet.of(self.wavelet)
        self._template()  # raises, and warns of levels beyond the signal's, once
        return self

    def transform(self, X: Any) -> Array:
        """Coefficients of every sample.

        Parameters
        ----------
        X : array_like, shape (n, *sample_shape_)
            Samples, float32 or float64; anything else becomes float64.

        Returns
        -------
        ndarray, shape (n, n_coefficients), of X's type
            Bands from coarse to fine, each raveled in C order, axes that are not transformed included; see
            `get_feature_names_out`.
        """
        check_is_fitted(self)
        x = torch.from_numpy(self._checked(X, reset=False))
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
            bands = [band.reshape(len(x), -1) for band in self._dwt()(x).tensors()]
        rows: Array = torch.cat(bands, dim=1).numpy()
        return rows

    def inverse_transform(self, X: Any) -> Array:
        """Samples from their coefficients: the very ones if the wavelet is orthonormal.

        Parameters
        ----------
        X : array_like, shape (n, n_coefficients)
            Coefficients as `transform` returns them.

        Returns
        -------
        ndarray, shape (n, *sample_shape_)
        """
        check_is_fitted(self)
        rows = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
            template = self._template()
        shapes = [tuple(band.shape[1:]) for band in template.tensors()]
        sizes = [math.prod(shape) for shape in shapes]
        if rows.shape[1] != sum(sizes):
            raise ValueError(
                f"X has {rows.shape[1]} coefficients per sample; samples of shape {self.sample_shape_} have "
                f"{sum(sizes)}"
            )
        parts = torch.split(torch.from_numpy(np.require(rows, requirements=["C", "W"])), sizes, dim=1)
        bands = iter([part.reshape(len(rows), *shape) for part, shape in zip(parts, shapes, strict=True)])
        with torch.no_grad():
            x: Array = self._dwt().inverse(template.map(lambda _: next(bands))).numpy()
        return x

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the coefficients: band, level and place, such as cA4[0], cD4[3], or in two dimensions cH2[1,5].

        Parameters
        ----------
        input_features : array_like of str, optional
            Only their number, and agreement with those seen in `fit`, is looked at.
        """
        check_is_fitted(self)
        if input_features is not None:
            seen = getattr(self, "feature_names_in_", None)
            if seen is not None and not np.array_equal(seen, np.asarray(input_features, dtype=object)):
                raise ValueError("input_features is not equal to feature_names_in_; give those of fit, or none")
            if len(input_features) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to number of features ({self.n_features_in_}), got "
                    f"{len(input_features)}"
                )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
            approximation, *details = self._template()
        named = [(f"cA{len(details)}", approximation)]
        for level, entry in zip(range(len(details), 0, -1), details, strict=True):
            letters, bands = ("HVD", entry) if isinstance(entry, tuple) else ("D", (entry,))
            named += [(f"c{letter}{level}", band) for letter, band in zip(letters, bands, strict=True)]
        return np.array(
            [
                f"{name}[{','.join(map(str, place))}]"
                for name, band in named
                for place in np.ndindex(*band.shape[1:])
            ],
            dtype=object,
        )  # fmt: skip

    def _checked(self, X: Any, *, reset: bool) -> Array:
        """X as a contiguous array of float32 or float64, of the shape of `fit` unless that is now taken note of."""
        X = X.detach().cpu().numpy() if isinstance(X, Tensor) else X
        x = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], allow_nd=True)
        if reset:
            self._axes = transformed_axes(x.shape, self.ndim)
            self.sample_shape_: tuple[int, ...] = tuple(x.shape[1:])
        elif x.shape[1:] != self.sample_shape_:
            raise ValueError(f"samples of X have shape {x.shape[1:]}; fit saw {self.sample_shape_}")
        checked: Array = np.require(x, requirements=["C", "W"])  # what torch wants, of a memory map too
        return checked

    def _dwt(self) -> DWT1d | DWT2d:
        transform = DWT1d if self._axes == 1 else DWT2d
        return transform(self.wavelet_, self.levels, self.mode, check_finite=False)

    def _template(self) -> Coefficients:
        """Coefficients of one sample of zeros: their number, shapes and order."""
        coefficients: Coefficients = self._dwt()(torch.zeros(1, *self.sample_shape_))
        return coefficients


class WaveletDistiller(WaveletTransformer):
    """Wavelet coefficients with a wavelet that is distilled from a teacher.

    The teacher is known by its input gradients: an array for `fit`, from `awd_core.gradients.input_gradients` or any
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
        (`awd_core.penalised.distill_penalised`), which needs the teacher and takes `weights` in place of `share`.
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
        levels = self.levels
        if levels is None:
            raise ValueError("levels is None; a distilled wavelet needs their number, such as 4")
        self.path_: DistillationPath | None = None
        self.penalised_: PenalisedFit | None = None
        if self.form == "penalised":
            self.penalised_ = self._penalised(x, gradients, levels)
            self.wavelet_ = self.penalised_.wavelet
        else:
            self.path_ = self._orthonormal(x, gradients, levels)
            self.wavelet_ = self.path_[0].wavelet
        return self

    def _orthonormal(self, x: Array, gradients: Any, levels: int) -> DistillationPath:
        g = self._gradients(x, gradients)
        path = distill_path(
            x, np.ones_like(x) if g is None else g, wavelet=self.wavelet, levels=levels, mode=self.mode,
            ndim=self._axes, shares=(self.share,), method=self.method, search=self.search, seed=self.seed,
            baseline=0.0 if self.baseline is None else self.baseline, device=self.device,
            dtype=torch.from_numpy(x).dtype,
        )  # fmt: skip
        if g is not None:
            return path
        # Nothing was known of the teacher, so nothing is said of it: the ones above have no weight in the search.
        settings = path.settings | {"gradients": None}
        wavelet = path[0].wavelet.with_metadata({"settings": settings})
        point = replace(path[0], interpretation=math.nan, wavelet=wavelet)
        return DistillationPath([point], path.start, path.start_sparsity, math.nan, settings)

    def _gradients(self, x: Array, gradients: Any) -> Array | None:
        if gradients is not None:
            given = gradients.detach().cpu().numpy() if isinstance(gradients, Tensor) else np.asarray(gradients)
            return given.astype(x.dtype)
        if self.teacher is None:
            if self.share == 0:
                return None
            raise ValueError(
                f"share is {self.share} but nothing is known of the teacher: give fit(X, gradients=G) "
                "(in a pipeline distiller__gradients=G), or teacher=, or share=0"
            )
        seed = self.seed if self.method == "gradient_shap" else None
        found: Array = input_gradients(
            self.teacher, x.astype(self._teacher_type(x)), self.target, method=self.method, baseline=self.baseline,
            seed=seed, batch_size=self.batch_size, device=self.device,
        )  # fmt: skip
        return found.astype(x.dtype)

    def _penalised(self, x: Array, gradients: Any, levels: int) -> PenalisedFit:
        if gradients is not None:
            raise ValueError("the penalised form asks the teacher itself; give teacher=, and no gradients")
        return distill_penalised(
            x.astype(self._teacher_type(x)), self.teacher, target=self.target, wavelet=self.wavelet,
            levels=levels, mode=self.mode, ndim=self._axes, epochs=self.epochs,
            weights=LossWeights() if self.weights is None else self.weights, batch_size=self.batch_size,
            learning_rate=self.learning_rate, method=self.method, baseline=self.baseline, noise=self.noise,
            seed=self.seed, device=self.device,
        )  # fmt: skip

    def _teacher_type(self, x: Array) -> npt.DTypeLike:
        own = self.teacher.parameters() if isinstance(self.teacher, nn.Module) else ()
        single = any(parameter.dtype == torch.float32 for parameter in own)
        return np.float32 if single else x.dtype


@dataclass(frozen=True)
class LengthScore:
    """The distilled wavelet of one length, on a scale that all lengths share.

    Attributes
    ----------
    length : int
        Number of taps.
    wavelet : Wavelet
        The distilled wavelet.
    sparsity, interpretation : float
        S and A of it, divided by those of the Haar wavelet.
    score : float
        (1 − α) S/S_haar + α A/A_haar: what was minimised, up to a factor.
    path : DistillationPath
        The search, in the length's own scale.
    """

    length: int
    wavelet: Wavelet
    sparsity: float
    interpretation: float
    score: float
    path: DistillationPath


def compare_lengths(
    X: Any,
    gradients: Any,
    lengths: Sequence[int] = (4, 6, 8, 10, 12),
    *,
    share: float = 0.5,
    levels: int = 4,
    mode: str = "zero",
    ndim: int | None = None,
    method: Method = "saliency",
    baseline: float | npt.NDArray[Any] = 0.0,
    seed: int = 0,
    search: SearchSettings | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    progress: Progress | None = None,
) -> tuple[LengthScore, ...]:
    """Distil at several filter lengths and score them alike.

    `distill_path` scales both terms by those of the wavelet that it starts from, which another length changes. Here
    the reference is the Haar wavelet for all, so scores may be compared, between calls on the same data too; each
    length gets the share of its own scale that stands for the same γ/λ. A longer filter can be any shorter one but
    for the boundary, so scores fall with the length; what is gained beyond some length is for the user to weigh, for
    instance on data held out.

    Parameters
    ----------
    X, gradients : as for `awd_core.distill.distill_path`
        Inputs of the teacher and their gradients.
    lengths : sequence of int
        Even numbers of taps from 2 to 76. The search starts from the Daubechies wavelet of that length.
    share : float
        α, in the scale of the Haar wavelet.
    levels, mode, ndim, method, baseline, seed, search, device, dtype : optional
        As for `distill_path`.
    progress : callable, optional
        Called with (lengths done, lengths in all, what is next).

    Returns
    -------
    tuple of LengthScore
        In the order of the lengths. Terms are means over all of X.

    Raises
    ------
    ValueError
        If a length is odd or out of range, the share is not in [0, 1], or as for `distill_path`.

    Examples
    --------
    >>> X, G = np.random.default_rng(0).standard_normal((2, 30, 16))
    >>> [score.length for score in compare_lengths(X, G, (2, 4), levels=2)]
    [2, 4]
    """
    if not len(lengths) or any(length % 2 or not 2 <= length <= 76 for length in lengths):
        raise ValueError(f"lengths is {list(lengths)}; give even numbers of taps from 2 to 76")
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; it is between 0 and 1")
    samples, slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
    check_gradients(samples, slopes)
    axes = transformed_axes(samples.shape, ndim)

    def terms(wavelet: Wavelet) -> npt.NDArray[np.float64]:
        objective = DistillationObjective(
            samples, slopes, length=wavelet.length, levels=levels, mode=mode, ndim=axes, method=method,
            baseline=baseline, device=device, dtype=dtype,
        )  # fmt: skip
        _, _, found = objective(np.array(wavelet.angles[1:]), 1.0, 1.0)
        return np.array([found.sparsity, found.interpretation])

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
        haar = terms(Wavelet.from_angles([QUARTER_PI]))
        scores = []
        for done, length in enumerate(lengths):
            if progress:
                progress(done, len(lengths), f"{length} taps")
            start = Wavelet.from_name(f"db{length // 2}")
            inputs, attributions = np.array([1 - share, share]) * terms(start) / haar
            path = distill_path(
                samples, slopes, wavelet=start, levels=levels, mode=mode, ndim=axes,
                shares=(attributions / (inputs + attributions),), method=method, baseline=baseline, seed=seed,
                search=search, device=device, dtype=dtype,
            )  # fmt: skip
            sparsity, interpretation = (terms(path[0].wavelet) / haar).tolist()
            score = (1 - share) * sparsity + share * interpretation
            scores.append(LengthScore(length, path[0].wavelet, sparsity, interpretation, score, path))
    return tuple(scores)
