"""Distillation within a run: the teacher's gradients once, then a path of wavelets from each start.

A start fixes the length of the filter; its path holds a wavelet for each share of the interpretation term.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from awd_core.attribution import check_gradients, input_gradients
from awd_core.distill import DistillationPath, SearchSettings, distill_path, load_path, save_path
from awd_core.evidence import score_pair, write_scores
from awd_core.files import read_array
from awd_core.report import read_json
from awd_core.run import RunFolder
from awd_core.wavelets import Wavelet
from awd_core.workers import Serial, Workers, available_cores, torch_threads
from awd_cosmo.maps.sources import Source
from awd_cosmo.run.job import Job
from awd_cosmo.run.prepare import Prepared

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int, str], object]
MODE = "zero"
"""Boundary mode of the transform in which inputs and attributions shall be sparse, as published."""


@dataclass(frozen=True)
class Slopes:
    """Maps that wavelets are distilled from, and the teacher's gradients.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
    maps, gradients : ndarray, shape (m, ny, nx)
    scale : float
        Standard deviation of the maps: inputs are divided by it, gradients multiplied with it, so that the thresholds
        of `awd_core.evidence.scores` mean what they meant in the paper. The path does not depend on it.
    """

    rows: npt.NDArray[np.int64]
    maps: Floats
    gradients: Floats
    scale: float

    @property
    def standardised(self) -> tuple[Floats, Floats]:
        """Maps and gradients in units of the scale."""
        return self.maps / np.float32(self.scale), self.gradients * np.float32(self.scale)


@dataclass(frozen=True)
class SlopesOnDisk:
    """Where the same lie, for another process.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
    maps : Source
        Rows 0 to m − 1 of it are the maps.
    gradients : str
        An array on the disk, as `awd_core.files.read_array` takes it.
    places : ndarray of int, shape (m,)
        Rows of that array.
    """

    rows: npt.NDArray[np.int64]
    maps: Source
    gradients: str
    places: npt.NDArray[np.int64]

    def read(self) -> Slopes:
        """Maps and gradients in memory."""
        maps = self.maps(np.arange(len(self.rows)), available_cores(), None)
        array = read_array(self.gradients)
        slopes = _rows_of(array, self.places, maps.shape[1:])
        return Slopes(self.rows, maps, slopes, float(maps.std(dtype=np.float64)))


def distilled_rows(job: Job, prepared: Prepared) -> npt.NDArray[np.int64]:
    """The training maps that are distilled from, drawn among those that train in every protocol."""
    rows = np.random.default_rng([job.seed, 0xD157]).permutation(prepared.both_train())
    return np.sort(rows[: job.distill_maps]).astype(np.int64)


def ask_gradients(
    run: RunFolder, job: Job, prepared: Prepared, teacher: Any, ready: Path | None, workers: Workers
) -> Slopes:
    """Gradients of the target with respect to the maps, from the teacher or as they were given.

    Parameters
    ----------
    run : RunFolder
        They are kept in its gradients.zarr, and their rows in gradients.json.
    job, prepared
        The run.
    teacher : torch.nn.Module or None
        From maps (n, 1, ny, nx) to predictions (n, k) or (n,).
    ready : Path, optional
        An array (n, ny, nx) or (n, 1, ny, nx) of gradients, one for each prepared map, in the order of the table.
    workers : Workers
        Who asks the teacher, a batch at a time.

    Raises
    ------
    ValueError
        If ready gradients do not fit the maps.
    """
    if (run / "gradients.json").exists():
        return saved_slopes(run, prepared, ready).read()
    rows = distilled_rows(job, prepared)
    maps = prepared.maps.read(rows)
    if ready is not None:
        array = read_array(ready)
        if array.shape[0] != len(prepared.maps) or tuple(array.shape[-2:]) != prepared.maps.shape:
            raise ValueError(
                f"{ready} holds gradients of the shape {tuple(array.shape)}; give one for each of the "
                f"{len(prepared.maps)} prepared maps of {prepared.maps.shape[0]} × {prepared.maps.shape[1]} pixels, in "
                "the order of the table (awd-cosmo prepare writes maps.ecsv)"
            )
        gradients = _rows_of(array, rows, prepared.maps.shape)
        check_gradients(maps, gradients)
    else:
        target = job.teacher_output if job.teacher is not None else 0
        with torch.no_grad():
            answer = teacher(torch.from_numpy(maps[:1, None]))
        with run.step("Input gradients") as progress:
            store = input_gradients(
                teacher, maps[:, None], None if answer.ndim == 1 else target, batch_size=64,
                out=run / "gradients.zarr", workers=workers, progress=progress,
            )  # fmt: skip
        gradients = np.asarray(store[:], np.float32)[:, 0]
    run.write_json("gradients.json", {"rows": rows.tolist(), "method": "saliency", "target": job.target})
    return Slopes(rows, maps, gradients, float(maps.std(dtype=np.float64)))


def follow_paths(
    run: RunFolder, job: Job, slopes: Slopes, elsewhere: SlopesOnDisk, *, device: str | None = None,
    workers: Workers | None = None,
) -> dict[str, DistillationPath]:  # fmt: skip
    """A path for each start, kept in the run's folder `paths`.

    Workers follow a path each; they read maps and gradients themselves, hold all of them, and use as many threads as
    this process would, since the order of sums depends on their number.
    """
    workers = workers or Serial()
    folder = run.path.absolute() / "paths"
    folder.mkdir(exist_ok=True)
    todo = [start for start in job.wavelets if not _path_file(folder, start).exists()]
    with run.step("Paths") as progress:
        if workers.here:
            for number, start in enumerate(todo):

                def told(done: int, total: int, what: str = "", number: int = number, start: str = start) -> None:
                    progress(100 * number + 100 * done // max(total, 1), 100 * len(todo), f"{start} {what}")

                _follow(job, slopes, folder, start, device, told)
        else:
            follow = partial(_read_and_follow, job, elsewhere, folder, device, torch.get_num_threads())
            # The longest filters take longest: they begin.
            for _ in workers.map(follow, sorted(todo, key=_length), names=_path_name, progress=progress):
                pass
    return {start: load_path(_path_file(folder, start)) for start in job.wavelets}


def write_chosen(run: RunFolder, paths: dict[str, DistillationPath], start: str, index: int) -> Wavelet:
    """Write path.json, wavelets/ and wavelet.json: the path from the chosen start, and the wavelet that was chosen."""
    path = paths[start]
    save_path(path, run / "path.json")
    (run / "wavelets").mkdir(exist_ok=True)
    for point in path:
        point.wavelet.save(run / "wavelets" / f"share-{point.share:.3f}.json")
    path[index].wavelet.save(run / "wavelet.json")
    return path[index].wavelet


def score_wavelets(run: RunFolder, job: Job, slopes: Slopes, start: Wavelet, chosen: Wavelet) -> None:
    """Write scores.json: how sparse coefficients and attributions are, at the start and distilled."""
    levels = levels_for(slopes.maps, job.path_levels)
    write_scores(run / "scores.json", score_pair(start, chosen, *slopes.standardised, levels=levels, mode=MODE, ndim=2))


def saved_slopes(run: RunFolder, prepared: Prepared, ready: Path | None) -> SlopesOnDisk:
    """The gradients that lie in the run's folder, or that were given."""
    rows = np.array(read_json(run / "gradients.json")["rows"], dtype=np.int64)
    if ready is not None:
        return SlopesOnDisk(rows, prepared.maps.source.part(rows), str(ready.absolute()), rows)
    own = f"{run.path.absolute() / 'gradients.zarr'}:gradients"
    return SlopesOnDisk(rows, prepared.maps.source.part(rows), own, np.arange(len(rows)))


def _rows_of(array: Any, rows: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Floats:
    """Rows of gradients on the disk, one read each, as (m, ny, nx)."""
    return np.stack([np.asarray(array[int(row) : int(row) + 1], np.float32).reshape(shape) for row in rows])


def _follow(job: Job, slopes: Slopes, folder: Path, start: str, device: str | None, progress: Progress | None) -> None:
    """Follow the path from a start, or go on with it, and write it."""
    search = SearchSettings(
        random_starts=job.random_starts, small_batch=job.small_batch, medium_batch=max(job.small_batch, 1 << 19),
        large_batch=job.large_batch,
    )  # fmt: skip
    path = distill_path(
        *slopes.standardised, wavelet=start, levels=levels_for(slopes.maps, job.path_levels), mode=MODE, ndim=2,
        shares=job.shares, seed=job.seed, search=search, device=device,
        checkpoint=folder / f"{start}.checkpoint.json", progress=progress,
    )  # fmt: skip
    save_path(path, _path_file(folder, start))


def _read_and_follow(job: Job, slopes: SlopesOnDisk, folder: Path, device: str | None, count: int, start: str) -> None:
    if not _path_file(folder, start).exists():
        with torch_threads(count):
            _follow(job, slopes.read(), folder, start, device, None)


def _path_file(folder: Path, start: str) -> Path:
    return folder / f"{start}.json"


def _length(start: str) -> int:
    return -Wavelet.of(start).length


def _path_name(start: str) -> str:
    return f"the path from {start}"


def levels_for(maps: Floats, wanted: int) -> int:
    """No more levels than leave four coefficients a side of maps (n, ny, nx)."""
    return max(1, min(wanted, int(np.log2(min(maps.shape[1:]))) - 2))
