"""What statistics of maps have in common: scikit-learn's way of fitting, and JSON values in which they are saved.

Every statistic is a transformer, `fit` on training maps only and `transform` to one row of features per map. Nothing
here, nor in the statistics, imports scikit-learn: what `from_dict` brings back scores maps with NumPy alone.
"""

import base64
import importlib
import inspect
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from awd_core.checks import check_kind
from awd_core.typing import Array
from awd_cosmo.formats.pixel_scale import arcmin_per_pixel
from awd_cosmo.statistics.estimator import Estimator, not_fitted

STATISTICS = {
    "PeakCounts": "awd_cosmo.statistics.counts",
    "PeaksAbove": "awd_cosmo.statistics.few_counts",
    "ScaleCounts": "awd_cosmo.statistics.scales",
    "StarletCounts": "awd_cosmo.statistics.starlet",
    "PowerSpectrum": "awd_cosmo.statistics.spectrum",
    "ShiftedLognormal": "awd_cosmo.statistics.shifted_lognormal",
    "PerBin": "awd_cosmo.statistics.per_bin",
    "PixelDistribution": "awd_cosmo.field_statistics.one_point",
    "StarletNorm": "awd_cosmo.field_statistics.starlet_norm",
    "MinkowskiFunctionals": "awd_cosmo.field_statistics.minkowski",
    "ScatteringCoefficients": "awd_cosmo.field_statistics.scattering",
    "JointStatistic": "awd_cosmo.field_statistics.joint",
}
"""Where a saved statistic's class is found."""


class Statistic(Estimator):
    """What the statistics share: parameters as in scikit-learn, and the way to JSON values and back.

    A subclass takes its parameters by name in `__init__`, stores them as they are, and names what `fit` learns in
    `_learnt`.
    """

    _learnt: tuple[str, ...] = ()

    def _keep(self, given: Mapping[str, Any]) -> None:
        """Store the parameters of `__init__`, given as its locals, as they are: scikit-learn's rule."""
        for name in inspect.signature(type(self)).parameters:
            setattr(self, name, given[name])

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from training maps (n, ny, nx) what the statistic needs, such as its bins."""
        raise NotImplementedError

    def transform(self, X: Any, mask: Any = None) -> Array:
        """Features of maps (n, ny, nx) as an array (n, features)."""
        raise NotImplementedError

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Fit to maps, and return their features."""
        return self.fit(X, y).transform(X)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values: parameters, and what was learnt.

        A wavelet among the parameters is kept as its taps, and comes back as an array of them.
        """
        self._check_fitted()
        return self._record()

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Statistic from what `to_dict` gave; `Statistic.from_dict` takes the record of any of them.

        Raises
        ------
        ValueError
            If it is the record of something else, or of a later version.
        """
        name = check_kind("record", record, Mapping).get("statistic")
        if name not in STATISTICS or (cls is not Statistic and name != cls.__name__):
            allowed = ", ".join(STATISTICS) if cls is Statistic else cls.__name__
            raise ValueError(f"the record is that of {name!r}, not of {allowed}; give what to_dict returned")
        if record.get("version") != 1:
            raise ValueError(f"the record has version {record.get('version')!r}, known is 1; update awd-cosmo")
        # The classes are in later modules, which import this one.
        kind: Any = getattr(importlib.import_module(STATISTICS[name]), name)
        statistic = kind(**{key: _from_json(value) for key, value in record["parameters"].items()})
        for key in kind._learnt if record["learnt"] is not None else ():
            setattr(statistic, key, _from_json(record["learnt"][key]))
        found: Self = statistic
        return found

    def _record(self) -> dict[str, Any]:
        """What `to_dict` gives; of a statistic that is not fitted, None for what was learnt."""
        fitted = self.__sklearn_is_fitted__()
        return {
            "statistic": type(self).__name__,
            "version": 1,
            "parameters": {name: _as_json(value) for name, value in self.get_params().items()},
            "learnt": {name: _as_json(getattr(self, name)) for name in self._learnt} if fitted else None,
        }

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise not_fitted(self, "call fit with training maps first")

    def __sklearn_is_fitted__(self) -> bool:
        return all(hasattr(self, name) for name in self._learnt)

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn asks, from 1.6 on. Inheriting from its classes would need it for every prediction.
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            input_tags=InputTags(two_d_array=False, three_d_array=True),
        )


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, Statistic):
        return {"of": value._record()}
    if isinstance(value, np.ndarray) and value.dtype == np.bool_:
        packed = base64.b64encode(np.packbits(value).tobytes()).decode("ascii")
        return {"mask": packed, "shape": list(value.shape)}
    if hasattr(value, "to_value"):
        return arcmin_per_pixel(value)
    if hasattr(value, "rec_lo"):
        return {"array": np.asarray(value.dec_lo, dtype=np.float64).tolist()}
    if isinstance(value, np.ndarray):
        return {"array": _finite(value.tolist())}
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _as_json(entry) for key, entry in value.items()}}
    if isinstance(value, list | tuple):
        return [_as_json(entry) for entry in value]
    return _finite(float(value))


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    if "of" in value:
        return Statistic.from_dict(value["of"])
    if "mask" in value:
        shape = tuple(value["shape"])
        bits = np.unpackbits(np.frombuffer(base64.b64decode(value["mask"]), np.uint8), count=math.prod(shape))
        return bits.astype(np.bool_).reshape(shape)
    if "mapping" in value:
        return {key: _from_json(entry) for key, entry in value["mapping"].items()}
    return np.array(value["array"], dtype=np.float64)  # it reads "inf" as well
