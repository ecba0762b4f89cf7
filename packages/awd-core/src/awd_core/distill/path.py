"""What distillation finds: a wavelet for every share of the interpretation term, and the searches that led to it.

A path's file is one JSON object, from which it comes back bit for bit, but for timings.

    {"format": "awd-path", "version": 1, "start": {wavelet}, "start_sparsity": S₀, "start_interpretation": A₀,
     "settings": {…}, "points": [{"share": α, "ratio": γ/λ or null for infinity, "sparsity": S, "interpretation": A,
       "objective": …, "wavelet": {wavelet}, "distance_to_start": {"taps": …, "function": …},
       "descents": [{"start": name, "evaluations": n, "steps": [[free angles, S or null, A or null, objective], …]}]}]}

A {wavelet} is {"name", "taps", "angles"}. How long each search took is left out: the same data and settings make the
same file, and whoever compares two runs compares two files.
"""

import html
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

from awd_core.distill.descent import Descent
from awd_core.files.atomic import json_bytes, write_atomically
from awd_core.files.record import Record, reading
from awd_core.wavelets.wavelet import Wavelet


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"<PathPoint at share {self.share:g}: {self.wavelet!r}, objective {self.objective:.5g}>"

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

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the path to a JSON file, whole or not at all; as `path.json` of a run."""
        save_path(self, file)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> "DistillationPath":
        """Read a file that `save` or `awd distill` wrote, or path.json of the folder of a run.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no such file, or was written by a later version.
        """
        place = Path(file)
        return load_path(place / "path.json" if place.is_dir() else place)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each share: both norms, over the start's, the objective, and the distance to the start."""
        return [
            {
                "share": point.share,
                "sparsity": point.sparsity,
                "sparsity_over_start": point.sparsity / self.start_sparsity,
                "interpretation": point.interpretation,
                "interpretation_over_start": point.interpretation / self.start_interpretation,
                "objective": point.objective,
                "distance": point.wavelet.distance(self.start),
                "distance_of_functions": point.wavelet.distance(self.start, of="function"),
            }
            for point in self
        ]

    def to_dataframe(self) -> Any:
        """The rows as a table of pandas.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas, which is not installed; path.rows() has the same") from error
        return pandas.DataFrame(self.rows())

    def plot(self) -> Any:
        """A figure of matplotlib: both norms along the path, and the distance to the start."""
        from matplotlib.figure import Figure

        from awd_core.plotting.palette import BEFORE, HIGH, LOW

        rows = self.rows()
        shares = [row["share"] for row in rows]
        figure = Figure(figsize=(8.0, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(shares, [row["sparsity_over_start"] for row in rows], "o-", color=LOW, label="inputs, S/S₀")
        left.plot(
            shares, [row["interpretation_over_start"] for row in rows], "D--", color=HIGH, label="attributions, A/A₀"
        )
        left.axhline(1.0, color=BEFORE, linewidth=1.0)
        left.set_ylabel(f"L1 norm, {self.start.name} = 1")
        left.legend(frameon=False, fontsize=8)
        right.plot(shares, [row["distance_of_functions"] for row in rows], "o-", color=HIGH)
        right.set_ylabel(f"distance to {self.start.name}, L2 of ψ")
        for axes in (left, right):
            axes.set_xlabel("share α of the attributions")
            axes.spines[["top", "right"]].set_visible(False)
        return figure

    def __repr__(self) -> str:
        shares = ", ".join(f"{point.share:g}" for point in self._points[:1] + self._points[-1:][len(self) == 1 :])
        return (
            f"<DistillationPath from {self.start.name}: {len(self)} share{'s' * (len(self) != 1)}, "
            f"{shares.replace(', ', ' to ')}>"
        )

    def _repr_html_(self) -> str:
        told = ("share α", "inputs, S/S₀", "attributions, A/A₀", "objective", "distance")
        heads = f"<tr>{''.join(f'<th>{head}</th>' for head in told)}</tr>"
        names = ("sparsity_over_start", "interpretation_over_start", "objective", "distance_of_functions")
        body = "".join(
            f"<tr><td>{row['share']:g}</td>{''.join(f'<td>{row[name]:.4f}</td>' for name in names)}</tr>"
            for row in self.rows()
        )
        return f"<p>{html.escape(repr(self)[1:-1])}</p><table>{heads}{body}</table>"


ORDER = ("share", "ratio", "sparsity", "interpretation", "objective", "wavelet", "distance_to_start", "descents")
"""Of the entries of a point."""


@dataclass(frozen=True)
class _Path(Record, format="awd-path", writer="save_path and awd distill"):
    start: Wavelet
    start_sparsity: float
    start_interpretation: float
    settings: dict[str, Any]
    points: tuple[PathPoint, ...]


def save_path(path: DistillationPath, file: str | os.PathLike[str]) -> None:
    """Write a path to a JSON file, whole or not at all."""
    write_atomically(file, to_json(path))


def load_path(file: str | os.PathLike[str]) -> DistillationPath:
    """Read a file that `save_path` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, or was written by a later version.
    """
    with reading(file, "a distillation path") as values:
        return _from_dict(values)


def to_json(path: DistillationPath) -> bytes:
    """Content of the file."""
    values = _Path(path.start, path.start_sparsity, path.start_interpretation, path.settings, ()).to_dict()
    return json_bytes(values | {"points": [_point_values(point, path.start) for point in path]}, indent=None)


def from_json(content: bytes) -> DistillationPath:
    """Path from the content of the file; the descents' `seconds` are NaN.

    Raises
    ------
    ValueError
        If it is something else, or of a later version.
    """
    return _from_dict(json.loads(content))


def _from_dict(values: Any) -> DistillationPath:
    held = _Path.from_dict(values)
    points = []
    for point in held.points:
        metadata = {"share": point.share, "start": held.start.name, "settings": held.settings}
        ratio = math.inf if math.isnan(point.ratio) else point.ratio
        points.append(replace(point, ratio=ratio, wavelet=point.wavelet.with_metadata(metadata)))
    return DistillationPath(points, held.start, held.start_sparsity, held.start_interpretation, held.settings)


def _point_values(point: PathPoint, start: Wavelet) -> dict[str, Any]:
    distances = {"taps": point.wavelet.distance(start), "function": point.wavelet.distance(start, of="function")}
    values = point.to_dict() | {"distance_to_start": distances}
    for descent in values["descents"]:
        del descent["seconds"]
    return {name: values[name] for name in ORDER}
