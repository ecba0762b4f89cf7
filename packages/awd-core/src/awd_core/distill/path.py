"""What distillation finds: a wavelet for every share of the interpretation term, and the searches that led to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

from awd_core.distill.descent import Descent
from awd_core.files.record import Record
from awd_core.wavelets.wavelet import Wavelet


@dataclass(frozen=True)
class PathPoint(Record, ignored=("distance_to_start",)):
    """The best wavelet at one share of the interpretation term.

    Attributes
    ----------
    share : float
        α.
    ratio : float
        γ/λ in the published scaling; infinite at α = 1.
    wavelet : Wavelet
        The best of all local minima.
    sparsity, interpretation : float
        S and A of that wavelet over the large batch.
    objective : float
        (1 − α) S/S₀ + α A/A₀.
    descents : tuple of Descent
        All local searches at this share: those named "medium …" are on the medium batch, those named "refined …" on the
        last one, the rest on the small one.
    """

    share: float
    ratio: float
    wavelet: Wavelet
    sparsity: float
    interpretation: float
    objective: float
    descents: tuple[Descent, ...]

    @property
    def best(self) -> Descent:
        """The search that found the wavelet."""
        return min((d for d in self.descents if d.start.startswith("refined")), key=lambda d: d.objective)


class DistillationPath(Sequence[PathPoint]):
    """Wavelets along the path, in the order of the shares.

    Attributes
    ----------
    start : Wavelet
        Where the user started.
    start_sparsity, start_interpretation : float
        S₀ and A₀.
    settings : dict
        Everything that determines the result, digests of the data included.
    """

    def __init__(
        self,
        points: Sequence[PathPoint],
        start: Wavelet,
        start_sparsity: float,
        start_interpretation: float,
        settings: dict[str, Any],
    ) -> None:
        self._points = tuple(points)
        self.start = start
        self.start_sparsity = start_sparsity
        self.start_interpretation = start_interpretation
        self.settings = settings

    @overload
    def __getitem__(self, index: int) -> PathPoint: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PathPoint, ...]: ...
    def __getitem__(self, index: int | slice) -> PathPoint | tuple[PathPoint, ...]:
        return self._points[index]

    def __len__(self) -> int:
        return len(self._points)

    def __repr__(self) -> str:
        return f"<DistillationPath from {self.start.name}, shares {[point.share for point in self]}>"
