"""Known truth: signals whose response is linear in a few coefficients of a hidden wavelet, and a network that learns.

The simulation of Ha, Singh, Lanusse, Upadhyayula and Yu (NeurIPS 2021), section 4: inputs x are white noise, and

    y = Σ_k w_k (Ψx)_k + noise,

with few weights w_k that are not zero. A network is trained to predict y; distilled, it should give Ψ's wavelet back.
"""

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import is_whole_number, whole_number
from awd_core.transforms.boundary import check_mode, is_periodized, without_boundary_warnings
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d
from awd_core.typing import AnyArray, Array, Flags
from awd_core.wavelets.filters import WaveletLike
from awd_core.wavelets.lattice import QUARTER_PI
from awd_core.wavelets.wavelet import Wavelet

if TYPE_CHECKING:
    from awd_core.attribution.points import Method
    from awd_core.teacher.teacher import Teacher


WEIGHTS = (0.5, 1.5)
"""Between which the sizes of the weights are drawn: away from zero, so that every active coefficient counts."""

# What a seed is for; each purpose has a stream of its own.
_ANGLES, _PLACES, _INPUTS, _NOISE = range(4)


class ActiveCoefficient(NamedTuple):
    """One coefficient that the response depends on.

    Attributes
    ----------
    band : str
        PyWavelets' name with the level: cA3, cD3 … cD1, in two dimensions cH2, cV2, cD2.
    position : tuple of int
        Index within the band.
    weight : float
        What the response gains per unit of the coefficient.
    """

    band: str
    position: tuple[int, ...]
    weight: float


class TrainedTeacher(NamedTuple):
    """A teacher, and R² of its predictions on samples that took no part in its training."""

    teacher: "Teacher"
    r2: float


@dataclass(frozen=True, eq=False)
class KnownTruth:
    """Inputs, responses, and what they were made from.

    Attributes
    ----------
    X : ndarray, shape (samples, N) or (samples, H, W), float32
        White noise of unit variance.
    y : ndarray, shape (samples,), float32
        Response.
    wavelet : Wavelet
        The hidden one.
    active : tuple of ActiveCoefficient
        All weights that are not zero.
    slope : ndarray, shape (N,) or (H, W), float64
        The response's gradient with respect to an input, the same for all inputs: Ψᵀw.
    levels : int
        Levels of the hidden transform.
    mode : str
        Its boundary mode.
    noise : float
        Standard deviation of the noise, in units of that of the response without it.
    seed : int
        Of everything random.
    """

    X: AnyArray
    y: AnyArray
    wavelet: Wavelet
    active: tuple[ActiveCoefficient, ...]
    slope: Array
    levels: int
    mode: str
    noise: float
    seed: int

    @property
    def best_r2(self) -> float:
        """R² of the true response itself, which no teacher can surpass: 1/(1 + noise²)."""
        return 1 / (1 + self.noise**2)

    def weights(self) -> Coefficients:
        """All weights in the order and shapes of one input's coefficients, float64, most of them zero."""
        weights = _transformed(torch.zeros(self.slope.shape).double(), self.wavelet, self.levels, self.mode)
        bands = _by_name(weights, self.levels)
        for place in self.active:
            bands[place.band][place.position] = place.weight
        return weights

    def teacher(
        self,
        *,
        seed: int,
        hidden: Sequence[int] = (32,),
        activation: Literal["relu", "gelu", "tanh"] = "relu",
        held_out: float = 0.1,
        least_r2: float = 0.9,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> TrainedTeacher:
        """Train a network to predict the response.

        One hidden layer with an activation is a network of two layers. It learns the response of white noise well,
        but not exactly: its gradients vary from input to input around the slope.

        Parameters
        ----------
        seed : int
            Of the first weights and the order of the batches.
        hidden : sequence of int, optional
            Widths of the hidden layers.
        activation : {"relu", "gelu", "tanh"}, optional
            Function after each hidden layer.
        held_out : float, optional
            The share of the samples, the last ones, on which R² is measured.
        least_r2 : float, optional
            What R² must surpass.
        checkpoint_dir : path, optional
            Where the training stores its state after every epoch, to go on from there.
        **options
            Of `Teacher`, in place of those that are chosen here: 15 epochs of one cycle of the learning rate up to
            0.01, batches of 512, on the CPU.

        Returns
        -------
        TrainedTeacher

        Raises
        ------
        ValueError
            If the share held out leaves nothing to train on or to test with.
        RuntimeError
            If R² is too low.
        """
        from awd_core.teacher.networks import MLP
        from awd_core.teacher.teacher import Teacher

        tested = round(held_out * len(self.X))
        if not 2 <= tested <= len(self.X) - 2:
            raise ValueError(
                f"held_out is {held_out}, which is {tested} of {len(self.X)} samples; it must leave at least 2 to test "
                "with and 2 to train on"
            )
        network = {"n_in": self.slope.size, "hidden": tuple(hidden), "activation": activation}
        chosen: dict[str, Any] = {"max_epochs": 15, "batch_size": 512, "learning_rate": 0.01, "schedule": "one-cycle"}
        chosen |= {"patience": None, "accelerator": "cpu", **options}
        teacher = Teacher(MLP, network, seed=seed, **chosen)
        teacher.fit(self.X[:-tested], self.y[:-tested], checkpoint_dir=checkpoint_dir)
        r2 = float(teacher.score(self.X[-tested:], self.y[-tested:]))
        if not r2 > least_r2:
            raise RuntimeError(
                f"the teacher's R² on {tested} held-out samples is {r2:.4f}, not above {least_r2} (the truth itself: "
                f"{self.best_r2:.4f}); give more samples, more epochs (max_epochs) or wider layers (hidden)"
            )
        return TrainedTeacher(teacher, r2)

    def gradients(
        self,
        teacher: "Teacher | nn.Module",
        *,
        method: "Method" = "saliency",
        batch_size: int = 4096,
        **options: Any,
    ) -> AnyArray:
        """Gradients of a teacher at all inputs, shape of X; options are those of `input_gradients`."""
        from awd_core.attribution.gradients import input_gradients

        model = teacher if isinstance(teacher, nn.Module) else teacher.as_torch()
        return np.asarray(input_gradients(model, self.X, method=method, batch_size=batch_size, **options))


def simulate_known_truth(
    *,
    seed: int,
    wavelet: WaveletLike | Literal["random"] = "db3",
    taps: int | None = None,
    samples: int = 50_000,
    shape: Sequence[int] = (64,),
    levels: int = 3,
    mode: str = "zero",
    active: int = 12,
    noise: float = 0.0,
    interior: bool = True,
) -> KnownTruth:
    """White noise, and a response that is linear in a few coefficients of a hidden wavelet.

    Ha, Singh, Lanusse, Upadhyayula and Yu (NeurIPS 2021), section 4.

    Parameters
    ----------
    seed : int
        Of inputs, places, weights, noise and a random wavelet.
    wavelet : Wavelet, str or pywt.Wavelet, optional
        The hidden wavelet; "random" draws its free lattice angles, uniformly over all filters of `taps` taps.
    taps : int, optional
        Number of taps of a random wavelet.
    samples : int, optional
        Number of inputs.
    shape : sequence of int, optional
        Of one input: (N,) for a series, (H, W) for an image.
    levels : int, optional
        Levels of the hidden transform.
    mode : str, optional
        Its boundary mode.
    active : int, optional
        Number of coefficients that the response depends on, at places that are drawn. Their weights have a random
        sign and sizes that are uniform in `WEIGHTS`.
    noise : float, optional
        Standard deviation of the normal noise on the response, in units of that of the response without it.
    interior : bool, optional
        Draw only among coefficients that the boundary does not reach. Those near it are not orthogonal to each other
        unless the mode is periodization, so that attributions of a few of them spread over others.

    Returns
    -------
    KnownTruth

    Raises
    ------
    ValueError
        If there are fewer coefficients than shall be active, or an argument is out of range.

    Examples
    --------
    >>> truth = simulate_known_truth(seed=1, samples=100, shape=(32,), levels=2, active=3)
    >>> truth.X.shape, [place.band for place in truth.active]
    ((100, 32), ['cD2', 'cD2', 'cD1'])
    >>> bool(np.allclose(truth.X @ truth.slope, truth.y, atol=1e-5))
    True
    """
    given = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if len(given) not in (1, 2) or not all(is_whole_number(size) and size >= 2 for size in given):
        raise ValueError(f"shape is {shape!r}; give (N,) for series or (H, W) for images, 2 samples or more along each")
    shape = tuple(map(int, given))
    samples, active = whole_number("samples", samples), whole_number("active", active)
    levels, seed = whole_number("levels", levels), whole_number("seed", seed, 0)
    noise = real_number("noise", noise, "a standard deviation relative to the response's own", least=0)
    check_mode(mode)
    hidden = _hidden(wavelet, taps, seed)
    places = _places(hidden, levels, mode, shape, interior)
    if len(places) < active:
        advice = "; take fewer levels, a shorter wavelet or larger inputs, or set interior=False" if interior else ""
        raise ValueError(
            f"active is {active}, but {len(places)} coefficients{' off the boundary' if interior else ''} are all that "
            f"{levels} levels of {hidden.name} ({hidden.length} taps) have for inputs of shape {shape}{advice}"
        )
    rng = np.random.default_rng([seed, _PLACES])
    drawn = np.sort(rng.choice(len(places), active, replace=False))
    weights = rng.choice([-1.0, 1.0], active) * rng.uniform(*WEIGHTS, active)
    chosen = tuple(ActiveCoefficient(places[k][0], places[k][1], float(w)) for k, w in zip(drawn, weights, strict=True))
    slope = _slope(hidden, levels, mode, shape, chosen)
    X = np.random.default_rng([seed, _INPUTS]).standard_normal((samples, *shape), dtype=np.float32)
    # einsum works in float64 without a copy of X in it.
    y = np.einsum("mi,i->m", X.reshape(samples, -1), slope.ravel())
    y += noise * np.linalg.norm(slope) * np.random.default_rng([seed, _NOISE]).standard_normal(samples)
    return KnownTruth(X, y.astype(np.float32), hidden, chosen, slope, levels, mode, noise, seed)


def _hidden(wavelet: WaveletLike | Literal["random"], taps: int | None, seed: int) -> Wavelet:
    if isinstance(wavelet, str) and wavelet == "random":
        if not is_whole_number(taps) or taps < 4 or taps % 2:
            raise ValueError(f"taps is {taps}; a random wavelet needs an even number of taps, 4 or more")
        free = np.random.default_rng([seed, _ANGLES]).uniform(-math.pi / 2, math.pi / 2, taps // 2 - 1)
        return Wavelet.from_angles([QUARTER_PI - free.sum(), *free], name=f"random {seed}")
    if taps is not None:
        raise ValueError(f'taps is {taps}, but a wavelet is given; taps are for wavelet="random"')
    return Wavelet.of(wavelet)


def _transformed(x: Tensor, wavelet: Wavelet, levels: int, mode: str) -> Coefficients:
    with warnings.catch_warnings():
        # Whether the boundary matters is asked of every coefficient by itself.
        warnings.filterwarnings("ignore", ".*boundary effects", UserWarning)
        coefficients: Coefficients = (DWT1d if x.ndim == 1 else DWT2d)(wavelet, levels, mode)(x)
    return coefficients


def _by_name(coefficients: Coefficients, levels: int) -> dict[str, Tensor]:
    return dict(zip(_band_names(levels, len(coefficients.shape)), coefficients.tensors(), strict=True))


def _band_names(levels: int, ndim: int) -> list[str]:
    details = ("cD",) if ndim == 1 else ("cH", "cV", "cD")
    return [f"cA{levels}", *(f"{name}{level}" for level in range(levels, 0, -1) for name in details)]


def _places(
    wavelet: Wavelet, levels: int, mode: str, shape: tuple[int, ...], interior: bool
) -> list[tuple[str, tuple[int, ...]]]:
    """Bands and positions of all coefficients, or of those whose part of the wavelet lies within the signal."""
    # A coefficient of a product of 1-D transforms is off the boundary if it is so along each axis. There, its row of
    # the transform that extends by zeros has the norm 1; rows that the boundary cuts have less. A millionth of the
    # energy, the end of the tail of a long filter, may be cut.
    whole = [_whole_rows(wavelet, levels, mode, size, interior) for size in shape]
    letters = {"cA": "aa", "cH": "da", "cV": "ad", "cD": "dd"} if len(shape) == 2 else {"cA": "a", "cD": "d"}
    places = []
    for name in _band_names(levels, len(shape)):
        axes = [rows[letter, int(name[2:])] for rows, letter in zip(whole, letters[name[:2]], strict=True)]
        inside = axes[0] if len(axes) == 1 else np.logical_and.outer(*axes)
        places += [(name, tuple(position)) for position in np.argwhere(inside).tolist()]
    return places


def _whole_rows(wavelet: Wavelet, levels: int, mode: str, size: int, interior: bool) -> dict[tuple[str, int], Flags]:
    rows = {}
    extension = "periodization" if is_periodized(mode) else "zero"
    with without_boundary_warnings():
        for level in range(1, levels + 1):
            bands = DWT1d(wavelet, level, extension)(torch.eye(size, dtype=torch.float64))
            for letter, band in zip("ad", bands[:2], strict=True):
                norms = band.square().sum(dim=0).numpy()
                rows[letter, level] = np.abs(norms - 1) < 1e-6 if interior else np.ones(len(norms), dtype=bool)
    return rows


def _slope(
    wavelet: Wavelet, levels: int, mode: str, shape: tuple[int, ...], active: Sequence[ActiveCoefficient]
) -> Array:
    """Ψᵀw: the gradient of Σ w_k (Ψx)_k at any x, since every extension is linear."""
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    bands = _by_name(_transformed(x, wavelet, levels, mode), levels)
    terms = [place.weight * bands[place.band][place.position] for place in active]
    slope: Array = torch.autograd.grad(torch.stack(terms).sum(), x)[0].numpy()
    return slope
