"""The saved model: one JSON document from which NumPy alone goes from maps to parameters.

    {"format": "awd-cosmo-model", "version": 1, "parameters": ["Omega_m"], "pixel_scale_arcmin": 0.41,
     "shape": [512, 512], "preprocessing": {…}, "statistics": [{…}, …], "regressor": {…}, "training": {…},
     "wavelet": {…} or null, "provenance": {…}}

It is read without running anything that it names: statistics and regressors are looked up among this package's own
classes, and others only where the caller hands them over. Neither torch nor scikit-learn, SciPy or astropy is imported.
"""

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from awd_core.checks import warn
from awd_core.files import Record, json_bytes, reading, write_atomically
from awd_core.typing import Array
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.inference.estimators import regressor_from_dict
from awd_cosmo.inference.regressor import CountRegressor
from awd_cosmo.inference.training_range import TrainingDistribution
from awd_cosmo.maps.preprocessing import Maps, Preprocessing, block_means, map_stack
from awd_cosmo.statistics.per_bin import PerBin
from awd_cosmo.statistics.statistic import STATISTICS, Statistic

if TYPE_CHECKING:
    from awd_core.wavelets import Wavelet


SCALE_TOLERANCE = 0.02
"""Relative difference of pixel scales that is taken for none."""


class MapStatistic(Protocol):
    """What a model needs of a statistic: the classes of `awd_cosmo.statistics.statistic`, or a user's own."""

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Features (n, F) of maps (n, ny, nx), observed where the mask is True."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values with the class' name as "statistic"."""


class Prediction(NamedTuple):
    """What a model says of maps.

    Attributes
    ----------
    estimate, std : ndarray, shape (n,) or (n, k)
        Parameters and their error bars (1σ), in the order of `Model.parameters`.
    distance : ndarray, shape (n,)
        Mahalanobis distance of the maps' features from what maps are like within the training box.
    percentile : ndarray, shape (n,)
        Share of the maps that validated the model, in percent, that lie nearer. At 100 a map is unlike all of them.
    """

    estimate: Array
    std: Array
    distance: Array
    percentile: Array


@dataclass(frozen=True, eq=False)
class _Wavelet:
    name: str
    taps: Array
    tolerance: float
    metadata: dict[str, Any]

    def made(self) -> "Wavelet":
        from awd_core.wavelets import Wavelet

        return Wavelet.from_taps(self.taps, name=self.name, tolerance=self.tolerance, metadata=self.metadata)


@dataclass(frozen=True, eq=False)
class _File(Record, format="awd-cosmo-model", writer="Model.save"):
    parameters: tuple[str, ...]
    pixel_scale_arcmin: float
    shape: tuple[int, int]
    preprocessing: Preprocessing
    statistics: tuple[dict[str, Any], ...]
    regressor: dict[str, Any]
    training: TrainingDistribution
    wavelet: _Wavelet | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Everything between a map and its parameters.

    Parameters
    ----------
    parameters : sequence of str
        Names of what is estimated, such as ("Omega_m",), in the order of the regressor's targets.
    pixel_scale : float
        Arcmin per pixel of the maps, before `preprocessing`.
    shape : (int, int)
        (ny, nx) of the training maps, before `preprocessing`.
    statistics : sequence
        Fitted statistics; their features are put side by side.
    regressor : CountRegressor
        Fitted, with error bars.
    training : TrainingDistribution
        Of the statistics' features.
    preprocessing : Preprocessing
        What is done to maps first.
    wavelet : Wavelet, optional
        The wavelet that was distilled.
    provenance : mapping
        JSON values: data, split, scores, versions, seeds.

    Raises
    ------
    ValueError
        If the parts do not fit each other.
    """

    parameters: Sequence[str]
    pixel_scale: float
    shape: tuple[int, int]
    statistics: Sequence[MapStatistic]
    regressor: CountRegressor
    training: TrainingDistribution
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    wavelet: "Wavelet | None" = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        object.__setattr__(self, "pixel_scale", arcmin_per_pixel(self.pixel_scale))
        object.__setattr__(self, "shape", tuple(int(side) for side in self.shape))
        object.__setattr__(self, "statistics", tuple(self.statistics))
        if not self.statistics:
            raise ValueError("a model needs at least one statistic")
        self.regressor._check_fitted()
        if len(self.parameters) != self.regressor.n_targets_:
            raise ValueError(
                f"{len(self.parameters)} parameters are named ({', '.join(self.parameters)}) and the regressor "
                f"estimates {self.regressor.n_targets_}; name each once"
            )
        if len(self.training.mean) != self.regressor.n_features_in_:
            raise ValueError(
                f"the training distribution has {len(self.training.mean)} features and the regressor takes "
                f"{self.regressor.n_features_in_}; give those of the same statistics"
            )

    @property
    def bins(self) -> int:
        """Redshift bins of a map that are looked at together; 1 where there is one."""
        return max(statistic.bins if isinstance(statistic, PerBin) else 1 for statistic in self.statistics)

    def features(self, maps: npt.ArrayLike, *, pixel_scale: Any = None, mask: npt.ArrayLike | None = None) -> Array:
        """Features of maps, (n, F), preprocessed as the training maps were; see `predict`."""
        if self.bins == 1:
            stack = self._at_scale(maps, pixel_scale, mask)
            self._check_size(stack)
            return self.measure(self.preprocessing.apply(stack, pixel_scale=self.pixel_scale))
        given = np.asarray(maps)
        given = given[None] if given.ndim == 3 else given
        if given.ndim != 4 or given.shape[1] != self.bins:
            raise ValueError(
                f"the model looks at {self.bins} redshift bins of a map together: give (n, {self.bins}, ny, nx) or "
                f"({self.bins}, ny, nx); got {np.shape(maps)}"
            )
        seen = None if mask is None else np.broadcast_to(np.asarray(mask), given.shape).reshape(-1, *given.shape[2:])
        stack = self._at_scale(given.reshape(-1, *given.shape[2:]), pixel_scale, seen)
        self._check_size(stack)
        ready = self.preprocessing.apply(stack, pixel_scale=self.pixel_scale)
        return self.measure(ready.reshape(-1, self.bins, *ready.shape[1:]))

    def prepare(self, maps: npt.ArrayLike, *, pixel_scale: Any = None, mask: npt.ArrayLike | None = None) -> Maps:
        """Maps of any size brought to the model's scale and preprocessed, before they are cut into tiles.

        Training maps were preprocessed whole and then cut, so that the smoothing of a tile reaches into its neighbours;
        `measure` takes the tiles.

        Parameters
        ----------
        maps, pixel_scale, mask
            As for `predict`; the sides are multiples of the blocks of which means are taken.

        Returns
        -------
        ndarray, shape (n, ny / b, nx / b)
            NaN where not observed; b is how many pixels of these maps are a side of one that is measured.

        Raises
        ------
        ValueError
            If the maps have another pixel scale, or blocks do not fill them.
        """
        return self.preprocessing.apply(self._at_scale(maps, pixel_scale, mask), pixel_scale=self.pixel_scale)

    def measure(self, prepared: Maps) -> Array:
        """Features (n, F) of what `prepare` made, cut to the size of the training maps; NaN where not observed."""
        missing = np.isnan(prepared)
        seen = ~missing if missing.any() else None
        columns = [statistic.transform(prepared, mask=seen) for statistic in self.statistics]
        return np.hstack([np.asarray(column, dtype=np.float64).reshape(len(prepared), -1) for column in columns])

    def predict(self, maps: npt.ArrayLike, *, pixel_scale: Any = None, mask: npt.ArrayLike | None = None) -> Prediction:
        """Estimate the parameters of maps, and how far they lie from the training maps.

        Parameters
        ----------
        maps : array_like, shape (n, ny, nx) or (ny, nx), or (n, bins, ny, nx) or (bins, ny, nx) of several bins
            Convergence; NaN where not observed.
        pixel_scale : float or Quantity, optional
            Of these maps, arcmin per pixel. Finer maps are brought to the model's scale by block means where it is a
            multiple of theirs; if not given, theirs is taken to be the model's.
        mask : array_like of bool, optional, shape (ny, nx) or (n, ny, nx)
            True where observed.

        Returns
        -------
        Prediction

        Raises
        ------
        ValueError
            If the maps have another pixel scale, or another size while the statistics count per map.

        Warns
        -----
        UserWarning
            If pixels are missing while the statistics count per map.
        """
        features = self.features(maps, pixel_scale=pixel_scale, mask=mask)
        estimate, std = self.regressor.predict(features, return_std=True)
        return Prediction(estimate, std, *self.training.distance(features))

    def distance_from_training(
        self, maps: npt.ArrayLike, *, pixel_scale: Any = None, mask: npt.ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Mahalanobis distance of maps from the training maps, and its percentile among those, both (n,)."""
        return self.training.distance(self.features(maps, pixel_scale=pixel_scale, mask=mask))

    def groups(self) -> list[str]:
        """What each feature is of: a band and its median wavelength on the sky, a filter, a statistic, a redshift bin.

        Empty if a statistic does not name its features.
        """
        told: list[str] = []
        arcmin = self.pixel_scale * self.preprocessing.downsample
        for statistic in self.statistics:
            if not hasattr(statistic, "get_feature_names_out"):
                return []
            if isinstance(statistic, PerBin):
                told += [str(name).partition(":")[0] for name in statistic.get_feature_names_out()]
                continue
            count = len(statistic.get_feature_names_out())
            names = [str(name) for name in getattr(statistic, "names_", [type(statistic).__name__])]
            if hasattr(statistic, "scales"):
                sized: Any = copy.copy(statistic)
                sized.set_params(pixel_scale=arcmin)
                wavelengths = {scale.band: f"{scale.band} at {scale.arcmin:.1f} arcmin" for scale in sized.scales()}
                names = [wavelengths.get(name.split()[0], name) for name in names]
            told += [name for name in names for _ in range(count // len(names))]
        return told

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the whole model."""
        wavelet = self.wavelet
        return _File(
            parameters=tuple(self.parameters),
            pixel_scale_arcmin=self.pixel_scale,
            shape=self.shape,
            preprocessing=self.preprocessing,
            statistics=tuple(statistic.to_dict() for statistic in self.statistics),
            regressor=self.regressor.to_dict(),
            training=self.training,
            wavelet=None
            if wavelet is None
            else _Wavelet(wavelet.name, wavelet.taps, wavelet.tolerance, wavelet.metadata),
            provenance=dict(self.provenance),
        ).to_dict()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, statistics: Iterable[type] = ()) -> "Model":
        """Model from what `to_dict` gave.

        Parameters
        ----------
        values : mapping
            JSON values.
        statistics : iterable of classes
            Statistics of the caller's own, for models that use them. Only these and this package's are looked up.

        Raises
        ------
        ValueError
            If it is no model, of a later version, lacks something, or names a statistic that is not known.
        """
        file, own = _File.from_dict(values), {kind.__name__: kind for kind in statistics}
        try:
            made = cls(
                parameters=file.parameters,
                pixel_scale=file.pixel_scale_arcmin,
                shape=file.shape,
                statistics=[_statistic(record, own) for record in file.statistics],
                regressor=regressor_from_dict(file.regressor),
                training=file.training,
                preprocessing=file.preprocessing,
                wavelet=None if file.wavelet is None else file.wavelet.made(),
                provenance=file.provenance,
            )
            estimate = made.regressor._estimate(np.zeros((1, made.regressor.n_features_in_)))[0]
            if np.shape(estimate) != (1, made.regressor.n_targets_):
                raise ValueError("the regressor contradicts itself: its arrays are not of one size")
            return made
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"a statistic or the regressor is not as it should be: {error!r}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file, whole or not at all; `load` gives a model with the same predictions, bit for bit.

        Raises
        ------
        ValueError
            If something in it, such as the provenance, is not JSON.
        """
        try:
            content = json_bytes(self.to_dict(), indent=None)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "the model cannot be written as JSON; provenance and options must hold strings, finite numbers, "
                f"booleans, None, lists and mappings only: {error}"
            ) from error
        write_atomically(path, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, statistics: Iterable[type] = ()) -> "Model":
        """Read a file that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a model, or was cut short; see `from_dict`, also for `statistics`.
        """
        with reading(path, "a model") as values:
            return cls.from_dict(values, statistics=statistics)

    def _at_scale(self, maps: npt.ArrayLike, pixel_scale: Any, mask: npt.ArrayLike | None) -> Maps:
        """Maps (n, ny, nx) at the model's pixel scale, before preprocessing; NaN where not observed."""
        stack = map_stack(maps)
        if mask is not None:
            observed = np.asarray(mask)
            if observed.dtype != np.bool_ or observed.shape not in (stack.shape, stack.shape[1:]):
                raise ValueError(
                    f"a mask must be bool, True where observed, of the shape {stack.shape[1:]} or {stack.shape}; got "
                    f"{observed.dtype} of the shape {observed.shape}"
                )
            stack = np.where(observed, stack, np.asarray(np.nan, stack.dtype))
        return block_means(stack, self.coarser(pixel_scale))

    def coarser(self, pixel_scale: Any, file: str = "") -> int:
        """Side of the blocks that bring maps to the model's pixel scale.

        Raises
        ------
        ValueError
            If the maps are coarser than the model's, or no whole number of their pixels makes one of the model's.
        """
        if pixel_scale is None:
            return 1
        scale = arcmin_per_pixel(pixel_scale)
        ratio = self.pixel_scale / scale
        if not self.takes(scale):
            why = "which is finer" if ratio < 1 else f"which is no multiple ({ratio:.3g} of theirs)"
            raise ValueError(
                f"{f'{file}: ' if file else ''}the maps have {scale:g} arcmin per pixel and the model "
                f"{self.pixel_scale:g}, {why}; regrid to {self.pixel_scale:g} arcmin (--regrid), or train a model "
                "at their scale"
            )
        return max(1, round(ratio))

    def takes(self, pixel_scale: float) -> bool:
        """Whether a whole number of pixels of that scale, in arcmin, makes one of the model's."""
        ratio = self.pixel_scale / pixel_scale
        return abs(ratio / max(1, round(ratio)) - 1) <= SCALE_TOLERANCE

    def _check_size(self, stack: Maps) -> None:
        per_map = [type(statistic).__name__ for statistic in self.statistics if getattr(statistic, "per", "") == "map"]
        if not per_map:
            return
        if stack.shape[1:] != self.shape:
            raise ValueError(
                f"the maps have {stack.shape[1]} × {stack.shape[2]} pixels, the model was trained on {self.shape[0]} × "
                f"{self.shape[1]}, and {per_map[0]} counts per map; cut the maps to that size, or train a model with "
                "per='pixel'"
            )
        missing = float(np.isnan(stack).mean())
        if missing > 0:
            warn(
                f"{missing:.1%} of the pixels were not observed and {per_map[0]} counts per map: fewer counts than in "
                "training are no sign of cosmology. Train with per='pixel' for masked maps"
            )


def _statistic(record: Mapping[str, Any], own: Mapping[str, Any]) -> MapStatistic:
    name = str(record.get("statistic"))
    if name in own:
        made: MapStatistic = own[name].from_dict(record)
        return made
    if name not in STATISTICS:
        raise ValueError(
            f"it uses the statistic {name!r}, which is none of {', '.join(STATISTICS)}; if it is yours and you trust "
            "the file, hand its class over: Model.load(path, statistics=[…])"
        )
    return Statistic.from_dict(record)
