"""Distillation within a run: the teacher's gradients once, then a path of wavelets from each start.

A start fixes the length of the filter; its path holds a wavelet for each share of the interpretation term.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from awd_core.arrays import read_array
from awd_core.distill import DistillationPath, SearchSettings, distill_path
from awd_core.gradients import check_gradients, input_gradients
from awd_core.path_file import load_path, save_path
from awd_core.run_folder import RunFolder
from awd_core.scores import coefficient_scores
from awd_core.wavelet import Wavelet
from awd_cosmo.job import Job
from awd_cosmo.prepare import Prepared

Floats = npt.NDArray[np.float32]
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
        of `awd_core.scores` mean what they meant in the paper. The path does not depend on it.
    """

    rows: npt.NDArray[np.int64]
    maps: Floats
    gradients: Floats
    scale: float


def distilled_rows(job: Job, prepared: Prepared) -> npt.NDArray[np.int64]:
    """The training maps that are distilled from, drawn among those that train in every protocol."""
    rows = np.random.default_rng([job.seed, 0xD157]).permutation(prepared.both_train())
    return np.sort(rows[: job.distill_maps]).astype(np.int64)


def ask_gradients(run: RunFolder, job: Job, prepared: Prepared, teacher: Any, ready: Path | None) -> Slopes:
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

    Raises
    ------
    ValueError
        If ready gradients do not fit the maps.
    """
    if (run / "gradients.json").exists():
        return _saved_slopes(run, prepared, ready)
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
        gradients = np.stack(
            [np.asarray(array[int(row) : int(row) + 1], np.float32).reshape(prepared.maps.shape) for row in rows]
        )
        check_gradients(maps, gradients)
    else:
        target = job.teacher_output if job.teacher is not None else 0
        with torch.no_grad():
            answer = teacher(torch.from_numpy(maps[:1, None]))
        with run.step("Input gradients") as progress:
            store = input_gradients(
                teacher, maps[:, None], None if answer.ndim == 1 else target, batch_size=64,
                out=run / "gradients.zarr", progress=progress,
            )  # fmt: skip
        gradients = np.asarray(store[:], np.float32)[:, 0]
    run.write_json("gradients.json", {"rows": rows.tolist(), "method": "saliency", "target": job.target})
    return Slopes(rows, maps, gradients, float(maps.std(dtype=np.float64)))


def follow_paths(run: RunFolder, job: Job, slopes: Slopes, *, device: str | None = None) -> dict[str, DistillationPath]:
    """A path for each start, kept in the run's folder `paths`."""
    found = {}
    search = SearchSettings(
        random_starts=job.random_starts, small_batch=job.small_batch, medium_batch=max(job.small_batch, 1 << 19),
        large_batch=job.large_batch,
    )  # fmt: skip
    (run / "paths").mkdir(exist_ok=True)
    with run.step("Paths") as progress:
        for number, start in enumerate(job.wavelets):
            place = run / "paths" / f"{start}.json"
            if not place.exists():

                def told(done: int, total: int, what: str = "", number: int = number, start: str = start) -> None:
                    progress(100 * number + 100 * done // max(total, 1), 100 * len(job.wavelets), f"{start} {what}")

                path = distill_path(
                    slopes.maps / np.float32(slopes.scale), slopes.gradients * np.float32(slopes.scale),
                    wavelet=start, levels=_levels(job.path_levels, slopes), mode=MODE, ndim=2, shares=job.shares,
                    seed=job.seed, search=search, device=device, checkpoint=run / "paths" / f"{start}.checkpoint.json",
                    progress=told,
                )  # fmt: skip
                save_path(path, place)
            found[start] = load_path(place)
    return found


def write_chosen(run: RunFolder, paths: dict[str, DistillationPath], start: str, index: int) -> Wavelet:
    """Write path.json, wavelets/ and wavelet.json: the path from the chosen start, and the wavelet that was chosen."""
    path = paths[start]
    save_path(path, run / "path.json")
    (run / "wavelets").mkdir(exist_ok=True)
    for point in path:
        point.wavelet.save(run / "wavelets" / f"share-{point.share:.3f}.json")
    path[index].wavelet.save(run / "wavelet.json")
    return path[index].wavelet


def write_scores(run: RunFolder, job: Job, slopes: Slopes, start: Wavelet, chosen: Wavelet) -> None:
    """Write scores.json: how sparse coefficients and attributions are, at the start and distilled."""
    told = []
    for wavelet in (start, chosen):
        scores = coefficient_scores(
            wavelet, slopes.maps / np.float32(slopes.scale), slopes.gradients * np.float32(slopes.scale),
            levels=_levels(job.path_levels, slopes), mode=MODE, ndim=2,
        )  # fmt: skip
        told.append(scores.to_dict())
    run.write_json("scores.json", dict(zip(("start", "distilled"), told, strict=True)))


def _saved_slopes(run: RunFolder, prepared: Prepared, ready: Path | None) -> Slopes:
    """The gradients that lie in the run's folder."""
    rows = np.array(json.loads((run / "gradients.json").read_text())["rows"], dtype=np.int64)
    maps = prepared.maps.read(rows)
    array = read_array(ready if ready is not None else f"{run / 'gradients.zarr'}:gradients")
    chosen = [array[int(i) : int(i) + 1] for i in (rows if ready is not None else range(len(rows)))]
    gradients = np.stack([np.asarray(one, np.float32).reshape(maps.shape[1:]) for one in chosen])
    return Slopes(rows, maps, gradients, float(maps.std(dtype=np.float64)))


def _levels(wanted: int, slopes: Slopes) -> int:
    """No more levels than leave four coefficients a side."""
    return max(1, min(wanted, int(np.log2(min(slopes.maps.shape[1:]))) - 2))
