"""The teacher for maps: `awd_core`'s teacher with a residual network, turns of the sky, and defaults for small maps.

Any other teacher fits in its place: `factory` takes a network of your own, and what is distilled needs no more than its
input gradients (`awd_core.attribution.gradients`).
"""

import math
import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from awd_core.checks import is_real_number, plain_array, whole_number
from awd_core.teacher import Augment, Factory, Optimizer, Schedule, Teacher, Validation
from awd_core.typing import AnyArray, Flags
from awd_cosmo.teacher.augmentation import OverTurns, SkyAugmentation, WithChannel
from awd_cosmo.teacher.resnet import SMALL, ResNet, ResNet18

if TYPE_CHECKING:
    from awd_core.teacher import Standardised
    from awd_cosmo.maps.map_set import MapSet

HELD_OUT = 0
"""Stream of the seed from which the cosmologies for validation are drawn."""


@dataclass(eq=False, repr=False)
class _Named:
    """Puts `targets` first among the arguments: fields of the last base class are the first ones."""

    targets: Sequence[str] = ("Omega_m",)


@dataclass(eq=False, repr=False)
class MapTeacher(Teacher, _Named):
    """A residual network that predicts cosmological parameters from maps: an `awd_core.teacher.Teacher`.

    Parameters
    ----------
    targets : sequence of str
        Names of what is predicted; their number is that of the columns of y. From a `MapSet` y is read by them.
    factory : callable or str
        The network: `awd_cosmo.teacher.ResNet18`, `ResNet34`, or one of your own from (n, channels, ny, nx) to (n, p)
        or (n,). To start from published weights, give a function that builds a ResNet and calls `load_torchvision`.
    factory_kwargs : mapping, optional
        Arguments of the network beside those that follow, such as `{"in_channels": 5}` for maps (n, 5, ny, nx).
    width : int, optional
        Channels of a ResNet's first stage. None: 8 with the stem for small maps, 16 without.
    small_input : bool, optional
        The stem of a ResNet that keeps the resolution; see there. None: where maps are below 100 pixels.
    turns : bool
        Flip and turn each training map at random, anew in each epoch; half turns only where maps are not square.
    noise : float
        Standard deviation of white noise that is added to each pixel of a training map, anew in each epoch, in units
        of the maps (`awd_cosmo.maps.observe.shape_noise_sigma`). The training maps are clean then, and the maps for
        validation and prediction have noise already.
    noise_smoothing : float
        Standard deviation in pixels of the Gaussian that this noise is then smoothed by, as the maps were.
    missing : float, optional
        What the network sees in pixels that are NaN, in memory or in a `MapSet`; None: they are an error. As κ has
        mean 0, 0 is neutral.
    learning_rate, weight_decay, optimizer, schedule, batch_size, max_epochs, gradient_clip
        AdamW in one cycle of the learning rate; the weights of the epoch with the lowest validation loss are kept.
    patience : int, optional
        None by default: stopping early would cut off the end of the cycle, where most is won.
    augment : callable, optional
        `augment(x, generator)`, in place of turns and noise.
    scale_inputs, scale_targets, seed, precision, accelerator, devices, strategy, progress
        As for `awd_core.teacher.Teacher`. Training with "bf16-mixed" takes about half of the time where the processor
        has such instructions.

    Attributes
    ----------
    module_ : torch.nn.Module
        From raw maps (n, ny, nx), or the same with an axis of one channel, to raw targets (n, p).
    small_input_ : bool
        The stem that was chosen.
    history_, best_epoch_, input_shape_
        As for `awd_core.teacher.Teacher`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> amplitude = rng.uniform(1, 2, 40)
    >>> maps = amplitude[:, None, None] * rng.normal(0, 0.01, (40, 16, 16))
    >>> teacher = MapTeacher(width=2, max_epochs=2, accelerator="cpu").fit(maps, amplitude)
    >>> teacher.predict(maps, average=True).shape
    (40,)
    """

    factory: Factory | str = ResNet18
    _: KW_ONLY
    width: int | None = None
    small_input: bool | None = None
    turns: bool = True
    noise: float = 0.0
    noise_smoothing: float = 0.0
    missing: float | None = None
    optimizer: Optimizer = "adamw"
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    schedule: Schedule = "one-cycle"
    max_epochs: int = 15
    patience: int | None = None
    gradient_clip: float | None = 1.0

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: "Validation | MapSet" = 0.1,
        cosmology: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train the network, and keep the weights of the epoch with the lowest validation loss.

        Parameters
        ----------
        X : array_like, torch.Tensor, zarr.Array or MapSet, shape (n, ny, nx) or (n, channels, ny, nx)
            Maps. An array on disk is read batch by batch, a `MapSet` at once into memory.
        y : array_like, shape (n,) or (n, p)
            The targets. None: the parameters `targets` of the `MapSet`.
        validation : float, tuple, MapSet or None
            A fraction to hold out; `(X, y)` or `(X, y, sample_weight)`; a `MapSet` with its own parameters; or None.
        cosmology : array_like of int, shape (n,), optional
            Of a `MapSet` its own. With it a fraction holds out whole cosmologies instead of maps, since other maps of
            a cosmology that was trained on would call a memory good; the maps have to be in memory then.
        sample_weight : array_like, optional, shape (n,)
            Weights of the losses, not negative.
        checkpoint_dir : path, optional
            Where the state is stored after every epoch, and from where a training that was killed goes on.

        Returns
        -------
        Self
            The fitted teacher.

        Raises
        ------
        ValueError, TypeError
            Maps, targets or options that can't be used; as for `awd_core.teacher.Teacher.fit`.
        """
        self._check_own_options(validation)
        if cosmology is None and _is_map_set(X):
            cosmology = np.asarray(X.table["cosmology"])
        X, y = self._maps(X, "X"), self._parameters(X, y, "y")
        given: Any = (validation, None) if _is_map_set(validation) else validation
        if isinstance(given, tuple) and len(given) >= 2:
            maps, values = self._maps(given[0], "validation X"), self._parameters(given[0], given[1], "validation y")
            given = (maps, values, *given[2:])
        elif isinstance(given, float) and 0 < given < 1 and cosmology is not None:
            if _on_disk(X):
                raise ValueError("maps on disk can't be split by cosmology here: give validation=(X, y), or a fraction")
            if len(X) != len(y):
                raise ValueError(f"X has {len(X)} maps and y {len(y)} rows; they have to be as many")
            held = _held_out(np.asarray(cosmology), len(X), given, self.seed)
            rest, every = ~held, None if sample_weight is None else np.asarray(sample_weight)
            given = (X[held], y[held]) if every is None else (X[held], y[held], every[held])
            X, y, sample_weight = X[rest], y[rest], None if every is None else every[rest]
        self.small_input_ = min(X.shape[-2:]) < SMALL if self.small_input is None else self.small_input
        return super().fit(X, y, validation=given, sample_weight=sample_weight, checkpoint_dir=checkpoint_dir)

    def predict(self, X: Any, *, average: bool = False) -> AnyArray:
        """Predict the targets.

        Parameters
        ----------
        X : array_like, torch.Tensor, zarr.Array or MapSet, shape (n, ny, nx) or (n, channels, ny, nx)
            Maps of the size that was trained on.
        average : bool
            Predict each map in its eight orientations (four if it is not square) and take the mean.

        Returns
        -------
        ndarray, shape (n,) or (n, p)
            As y had.
        """
        check_is_fitted(self, "module_")
        module = self.as_torch(average=True) if average else self.module_
        return self._values(self._outputs(self._maps(X, "X"), module))

    def score(self, X: Any, y: Any = None, sample_weight: npt.ArrayLike | None = None) -> float:
        """R² of the predictions, averaged over the targets; y as in `fit`."""
        return float(super().score(X, self._parameters(X, y, "y"), sample_weight))

    def as_torch(self, *, average: bool = False) -> "Standardised":
        """A copy of the trained module from raw maps (n, ny, nx) or (n, 1, ny, nx) to raw targets (n, p).

        In evaluation mode, on the CPU, its parameters frozen; with `average` the mean over all orientations.
        """
        module = super().as_torch()
        if average:
            module.network = OverTurns(module.network).eval()
        return module

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.target_tags.required = False  # a MapSet brings its own
        return tags

    def _network(self) -> tuple[nn.Module, torch.dtype]:
        """The network, with the axis of channels that maps lack."""
        network, dtype = super()._network()
        return WithChannel(network), dtype

    def _network_arguments(self, factory: Factory) -> dict[str, Any]:
        """Of a ResNet as many outputs as there are targets, too."""
        own = isinstance(factory, type) and issubclass(factory, ResNet)
        chosen = {"outputs": len(self.targets), **self._chosen()} if own else {}
        return chosen | super()._network_arguments(factory)

    def _chosen(self) -> dict[str, Any]:
        """Stem and width, which are chosen by the size of the maps; a file is loaded without maps."""
        small = self.small_input_ if self.small_input is None else self.small_input
        width = (8 if small else 16) if self.width is None else whole_number("width", self.width)
        return {"width": width, "small_input": small}

    def _augmentation(self) -> Augment | None:
        """Turns and noise, if nothing else is given."""
        if self.augment is None and (self.turns or self.noise):
            return SkyAugmentation(self.turns, self.noise, self.noise_smoothing)
        return self.augment

    def _check_own_options(self, validation: Any) -> None:
        if isinstance(self.targets, str) or not self.targets or not all(isinstance(t, str) for t in self.targets):
            raise ValueError(f"targets is a sequence of names such as ('Omega_m', 'A_s'); got {self.targets!r}")
        for name in ("noise", "noise_smoothing"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and not negative; got {value}")
        if self.noise and self.augment is not None:
            raise ValueError("augment takes the place of turns and noise: add the noise there, and take noise=0")
        if self.noise and isinstance(validation, float):
            raise ValueError(
                "with noise the training maps are clean and get noise in each epoch, and a fraction of them held out "
                "would be clean: give validation=(X, y) with noisy maps (awd_cosmo.maps.observe.add_noise), or None"
            )

    def _maps(self, X: Any, name: str) -> Any:
        """Maps as the core's teacher takes them: without an axis of one channel, and without missing pixels."""
        if _on_disk(X):
            maps = X
        elif isinstance(X, Tensor):
            maps = X.detach().cpu().numpy()
        else:
            maps = X.read() if _is_map_set(X) else plain_array(X, name)
        if maps.ndim not in (3, 4):
            raise ValueError(f"{name} must be maps of shape (n, ny, nx) or (n, channels, ny, nx); got {maps.shape}")
        if _on_disk(X):
            return maps
        if maps.ndim == 4 and maps.shape[1] == 1:
            maps = maps[:, 0]
        if maps.dtype.kind == "f" and (gone := np.isnan(maps)).any():
            if self.missing is not None and not is_real_number(self.missing):
                raise ValueError(f"missing is {self.missing!r}; give the value that unobserved pixels get, such as 0.0")
            if self.missing is None:
                first = int(gone.reshape(len(maps), -1).any(axis=1).argmax())
                raise ValueError(
                    f"{name} has pixels that were not observed (NaN), first in map {first}: say with missing=0.0 what "
                    "the network is to see there, or leave such maps out"
                )
            maps = np.where(gone, np.asarray(self.missing, maps.dtype), maps)
        return maps

    def _parameters(self, X: Any, y: Any, name: str) -> AnyArray:
        """Targets (n,) or (n, p), which are as many as their names."""
        if y is None:
            if not _is_map_set(X):
                raise ValueError(f"{name} is missing: only a MapSet knows the parameters of its maps")
            values = X.parameters(list(self.targets))
            return np.asarray(values[:, 0] if len(self.targets) == 1 else values)
        values = y.detach().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)
        columns = values.shape[1] if values.ndim == 2 else 1
        if values.ndim not in (1, 2) or columns != len(self.targets):
            raise ValueError(
                f"{name} of shape {values.shape} doesn't fit the {len(self.targets)} targets "
                f"{', '.join(self.targets)}: give one column for each, or name them with targets=(…)"
            )
        return np.asarray(values)


def _held_out(cosmology: AnyArray, n: int, fraction: float, seed: int) -> Flags:
    """Which maps belong to the cosmologies that are held out."""
    if cosmology.shape != (n,):
        raise ValueError(f"cosmology must hold one number for each of the {n} maps; got shape {cosmology.shape}")
    known = np.unique(cosmology)
    if len(known) < 2:
        raise ValueError("all maps are of one cosmology: none can be held out. Give validation=(X, y), or None")
    k = min(max(round(fraction * len(known)), 1), len(known) - 1)
    return np.isin(cosmology, np.random.default_rng([seed, HELD_OUT]).permutation(known)[:k])


def _is_map_set(X: Any) -> bool:
    return all(hasattr(X, name) for name in ("read", "parameters", "table"))


def _on_disk(X: Any) -> bool:
    return type(X).__module__.partition(".")[0] == "zarr"
