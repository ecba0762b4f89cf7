"""The file of a model card: what stands where.

Times are in `unit`: seconds where the frame interval was known, else samples. `inputs` and `targets` are the z-scores
of the series and of the target. What is not known is null, as is a limit that does not limit.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from awd_cme.model.coefficients import Selection, scales
from awd_cme.series.scaling import Statistics
from awd_core.files import Record
from awd_core.typing import Array

if TYPE_CHECKING:
    from awd_cme.model.card import ModelCard

Triple = tuple[float, float, float]


class _Series(NamedTuple):
    length: int
    resampling: str
    seconds_per_sample: float | None


class _Function(NamedTuple):
    time: Array
    psi: Array


class _Wavelet(NamedTuple):
    name: str
    taps: Array
    levels: int
    mode: str
    function: _Function


class _Scale(NamedTuple):
    name: str
    time: float
    span: float
    coefficients: int


class _Intercept(NamedTuple):
    value: float
    low: float
    high: float


class _Coefficient(NamedTuple):
    feature: str
    value: float
    low: float
    high: float
    p: float = math.nan  # the first cards had none


@dataclass(frozen=True, eq=False)
class CardFile(Record, format="awd-cme-card", writer="ModelCard.save"):
    """A card as it lies on the disk."""

    task: str
    channels: tuple[str, str]
    target: str
    unit: str
    series: _Series
    inputs: Statistics
    targets: Statistics
    wavelet: _Wavelet
    scales: tuple[_Scale, ...]
    features: Selection
    intercept: _Intercept
    limits: tuple[float, float]
    coefficients: tuple[_Coefficient, ...]
    notes: dict[str, Any]

    @classmethod
    def of(cls, card: "ModelCard") -> "CardFile":
        """What is to be written of a card."""
        step = card.seconds_per_sample or 1.0
        levels = [card.levels, *range(card.levels, 0, -1)]
        spans = [((2**level - 1) * (len(card.taps) - 1) + 1) * step for level in levels]
        named = zip(scales(card.levels, card.seconds_per_sample), spans, card.matrices, strict=True)
        return cls(
            task=card.task,
            channels=card.channels,
            target=card.target,
            unit=card.unit,
            series=_Series(card.length, card.resampling, card.seconds_per_sample),
            inputs=card.inputs,
            targets=card.targets,
            wavelet=_Wavelet(card.wavelet, card.taps, card.levels, card.mode, _Function(*card.function)),
            scales=tuple(_Scale(name, time, span, len(matrix)) for (name, time), span, matrix in named),
            features=card.selection,
            intercept=_Intercept(*map(float, card.intercept)),
            limits=card.limits,
            coefficients=tuple(map(_Coefficient, card.names, *card.coefficients.T.tolist())),
            notes=card.notes,
        )

    def fields(self) -> dict[str, Any]:
        """The fields of the card."""
        low, high = self.limits
        rows = [row[1:] for row in self.coefficients]
        return {
            "task": self.task,
            "channels": self.channels,
            "target": self.target,
            **self.series._asdict(),
            "inputs": self.inputs,
            "targets": self.targets,
            "wavelet": self.wavelet.name,
            "taps": self.wavelet.taps,
            "levels": self.wavelet.levels,
            "mode": self.wavelet.mode,
            "selection": self.features,
            "coefficients": np.array(rows, dtype=np.float64).reshape(-1, 4),
            "intercept": tuple(self.intercept),
            "limits": (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high),
            "function": np.array(self.wavelet.function, dtype=np.float64),
            "notes": self.notes,
        }
