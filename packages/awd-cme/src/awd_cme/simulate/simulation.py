"""Simulated two-channel movies of pits with known truth.

Channel 0 is clathrin, channel 1 auxilin. Pits are born anywhere and any time (Poisson, but not on top of each other),
live as `awd_cme.simulate.pits` says, wander, drift with the stage, and now and then one crosses another. Their images
are Gaussian spots (`awd_cme.spots.psf`) on an uneven background; spots and background bleach; a camera adds offset and
noise (`awd_cme.simulate.camera`).

**Signal-to-noise ratio** is the height of a spot above the background over the standard deviation of a pixel of the
background, in counts. A setting's `snr` is that of the plateau of the typical (median) successful pit in clathrin, and
`partner_snr` that of the median burst in auxilin, both without bleaching and where the background is at its mean; the
column `snr` of the table of pits is that of each pit in the frame where its clathrin is brightest.
"""

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from awd_cme.movies.writer import write_movie
from awd_cme.simulate import cell as places
from awd_cme.simulate.pits import LONGEST, TYPICAL_STRENGTH, best_r2, draw_pits
from awd_cme.simulate.render import RenderedMovie, render_tracks
from awd_cme.simulate.settings import CHANNELS, Settings, settings_for
from awd_cme.simulate.settings import PRESETS as PRESETS
from awd_cme.tracks.table import concat, make_table
from awd_cme.tracks.writers import read_parquet, to_parquet, write_parquet
from awd_core.checks import whole_number
from awd_core.files import make_atomically, read_json, write_json
from awd_core.typing import Array, Rows
from awd_core.workers import Progress, Workers, open_workers

FORMAT, VERSION = "awd-cme simulation", 1

# What a seed is for; each purpose has a stream of its own.
_PLACES, _LIVES, _PATHS, _SURROUNDINGS, _NOISE = range(5)


@dataclass(frozen=True, eq=False)
class SimulatedMovie:
    """A movie of a cell and all that is true of it.

    Attributes
    ----------
    movie : RenderedMovie
        Frames, made when they are asked for; `movie.in_memory()` makes all at once.
    truth : DataFrame
        Canonical table (`awd_cme.tracks.table`): every pit in every frame in which it lives. Amplitudes are those that
        were drawn, bleached; backgrounds contain the camera's offset; errors and p-values are NaN. `category` is 1 for
        pits that are born and gone during the movie, 3 for those that its begin or end cuts, 4 for those that are there
        all the time.
    pits : DataFrame
        One row a track: `cell`, `track`; the columns of `awd_cme.simulate.pits.draw_pits`, with `strength`, `law` and
        `expected` in counts, unbleached; `birth` in seconds from the first frame, `lifetime` in seconds, in the movie
        or not; `complete` (whether all of it is in the movie); `crossing` (whether it was sent across another);
        `snr`; and `peak`, the largest amplitude of auxilin that was drawn, in counts.
    settings : Settings
        What it was made with.
    """

    movie: RenderedMovie
    truth: pd.DataFrame
    pits: pd.DataFrame
    settings: Settings

    @property
    def success(self) -> pd.DataFrame:
        """The table of pits under another name."""
        return self.pits

    def best_r2(self, *, bursts: bool = False) -> float:
        """R² of the strength that the noise-free history determines, over complete pits, or those with a burst alone.

        Among pits with a burst it is known that there is one, so the law itself is the best prediction.
        """
        complete = self.pits[self.pits["complete"]]
        if bursts:
            complete = complete[complete["burst"]]
        return best_r2(complete["strength"], complete["law" if bursts else "expected"])


def simulate_movie(preset: str | Settings = "quick", *, seed: int, cell: int = 0, **changes: Any) -> SimulatedMovie:
    """Simulate the movie of one cell.

    Parameters
    ----------
    preset : {"quick", "realistic"} or Settings
        What is simulated.
    seed : int
        Of everything random.
    cell : int
        Number of the cell, from 0: cells of one seed are independent of each other.
    **changes
        Settings in place of the preset's, such as `snr=3`.

    Returns
    -------
    SimulatedMovie

    Raises
    ------
    ValueError
        If there is no such preset, or a setting is out of its range.

    Examples
    --------
    >>> simulated = simulate_movie("quick", seed=0, size=(64, 64), frames=20, pits=10)
    >>> simulated.movie.shape, simulated.movie.frame(0, "auxilin").dtype
    ((20, 2, 64, 64), dtype('uint16'))
    >>> sorted(set(simulated.truth["track"])) == simulated.pits["track"].tolist()
    True
    """
    settings = settings_for(preset, **changes)
    seed, cell = whole_number("seed", seed, 0), whole_number("cell", cell, 0)
    interval, size = settings.seconds_per_frame, settings.size
    times = np.arange(settings.frames, dtype=np.float64) * interval
    bleached = (1 - settings.bleaching) ** (times / max(times[-1], interval))
    camera, counts = settings.camera, np.array(settings.background) * settings.camera.gain
    noise = camera.noise_sd(counts)
    unit = np.array([settings.snr * noise[0], settings.partner_snr * noise[1] / TYPICAL_STRENGTH])

    def stream(purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, cell, purpose])

    pits, history, pit, frame, position = _lives(settings, times, stream)
    surroundings = stream(_SURROUNDINGS)
    position = position + places.drift(surroundings, settings.drift, settings.frames)[frame]
    shapes = [places.uneven(surroundings, size, settings.unevenness) for _ in CHANNELS]
    # Pits that leave the frames are left out, so that every track is whole as long as it lives.
    outside = ((position < 0) | (position > np.array(size) - 1.0)).any(axis=1)
    seen = np.setdiff1d(pit, pit[outside])
    rows = np.isin(pit, seen)
    pit, frame, position = np.searchsorted(seen, pit[rows]), frame[rows], position[rows]
    pits, history = pits.iloc[seen].reset_index(drop=True), history[seen]

    pits[["strength", "law", "expected"]] *= unit[1]
    age = times[frame] - pits["birth"].to_numpy()[pit]
    burst = np.exp(-0.5 * ((age - pits["burst_seconds"].to_numpy()[pit]) / pits["burst_width"].to_numpy()[pit]) ** 2)
    amplitudes = {
        "clathrin_amplitude": unit[0] * _between_seconds(history, pit, age) * bleached[frame],
        "auxilin_amplitude": pits["strength"].to_numpy()[pit] * burst * bleached[frame],
    }
    name = f"cell{cell + 1}"
    begins, ends = pits["birth"] >= 0, pits["birth"] + pits["lifetime"] <= times[-1]
    pits.insert(0, "cell", name)
    pits.insert(1, "track", np.arange(1, len(pits) + 1))
    pits["complete"] = begins & ends
    category = np.select([begins & ends, begins | ends], [1, 3], 4)
    table = make_table(
        track=pit + 1,
        frame=frame,
        y=position[:, 0],
        x=position[:, 1],
        cell=name,
        source=f"simulation, seed {seed}",
        category=category[pit],
        signals=amplitudes,
        channels=CHANNELS,
        seconds_per_frame=interval,
        micrometres_per_pixel=settings.micrometres_per_pixel,
    )
    y, x = np.indices(size, dtype=np.float64)
    movie = render_tracks(
        table,
        shape=(settings.frames, *size),
        seed=(seed, cell, _NOISE),
        sigma=settings.sigma,
        background=_Bleaching([shape(y, x) * level for shape, level in zip(shapes, counts, strict=True)], bleached),
        camera=camera,
    )
    return SimulatedMovie(movie, movie.table, _measured(pits, movie), settings)


def simulate_dataset(
    out: str | os.PathLike[str],
    preset: str | Settings = "quick",
    *,
    seed: int,
    workers: int | Workers = 1,
    progress: Progress | None = None,
    **changes: Any,
) -> list[Path]:
    """Simulate cells and write them to a folder; called again, it goes on where it was stopped.

    Parameters
    ----------
    out : str or path
        The folder; it is made. For each cell it gets the movie `cell1_1s.ome.tif` (the frame interval is in the name,
        too), and in the folder `truth` the canonical table `cell1.tracks.parquet` and the table of pits
        `cell1.pits.parquet`; what was simulated is in `simulation.json`.
    preset : {"quick", "realistic"} or Settings
        What is simulated.
    seed : int
        Of everything random.
    workers : int or Workers
        Processes; the files do not depend on their number.
    progress : callable, optional
        Called with (cells done, cells in all, what was done last).
    **changes
        Settings in place of the preset's.

    Returns
    -------
    list of Path
        The movies, in the order of the cells.

    Raises
    ------
    ValueError
        If the folder holds a simulation with other settings or another seed.
    """
    settings, seed = settings_for(preset, **changes), whole_number("seed", seed, 0)
    folder = Path(out)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    said = json.loads(
        json.dumps({"format": FORMAT, "version": VERSION, "seed": int(seed), "settings": asdict(settings)})
    )
    description = folder / "simulation.json"
    if description.exists() and read_json(description) != said:
        raise ValueError(f"{folder} holds a simulation with other settings or another seed; give another folder")
    write_json(description, said)
    movies = [folder / _movie_name(settings, k) for k in range(settings.cells)]
    # The movie is written last: where it is, the cell is complete.
    missing = [k for k, path in enumerate(movies) if not path.exists()]
    done = len(movies) - len(missing)

    def told(further: int, _: int, name: str) -> None:
        if progress is not None:
            progress(done + further, len(movies), name)

    with open_workers(workers) as crew:
        work = partial(_write_cell, settings, seed, str(folder.absolute()))
        for _ in crew.map(work, missing, names=partial(_movie_name, settings), progress=told):
            pass
    return movies


def read_truth(out: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Truth of all cells that `simulate_dataset` has written: canonical table, and table of pits.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    tables = sorted(
        (Path(out) / "truth").glob("cell*.tracks.parquet"), key=lambda path: int(path.name.split(".")[0][4:])
    )
    if not tables:
        raise FileNotFoundError(
            f"{out} holds no truth of simulated cells (truth/cell1.tracks.parquet …); simulate_dataset writes it"
        )
    pits = [read_parquet(path.with_name(path.name.replace(".tracks.", ".pits."))) for path in tables]
    return concat([read_parquet(path) for path in tables]), pd.concat(pits, ignore_index=True)


def _movie_name(settings: Settings, cell: int) -> str:
    return f"cell{cell + 1}_{settings.seconds_per_frame:g}s.ome.tif"


def _write_cell(settings: Settings, seed: int, folder: str, cell: int) -> None:
    path = Path(folder) / _movie_name(settings, cell)
    simulated = simulate_movie(settings, seed=seed, cell=cell)
    truth, name = path.parent / "truth", f"cell{cell + 1}"
    write_parquet(simulated.truth, truth / f"{name}.tracks.parquet")
    make_atomically(truth / f"{name}.pits.parquet", lambda beside: to_parquet(simulated.pits, beside))
    # The same simulation makes the same file, to the byte.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([FORMAT, VERSION, asdict(settings), seed, cell]))
    write_movie(path, simulated.movie, identity=identity)


def _lives(
    settings: Settings, times: Array, stream: Callable[[int], np.random.Generator]
) -> tuple[pd.DataFrame, Array, Rows, Rows, Array]:
    """The pits of a cell, their histories, and which is where in which frame, without the drift."""
    duration = settings.frames * settings.seconds_per_frame
    birth, place = places.births(stream(_PLACES), settings.pits, duration, settings.size)
    pits, history = draw_pits(stream(_LIVES), len(birth), success_share=settings.success_share, law=settings.law)
    pits["birth"] = birth
    pits["lifetime"] = pits["rise_seconds"] + pits["plateau_seconds"] + pits["fall_seconds"]
    kept = places.apart(birth, pits["lifetime"].to_numpy(), place, settings.spacing)
    pits, history = pits[kept].reset_index(drop=True), history[kept]
    rng = stream(_PATHS)
    lifetime = pits["lifetime"].to_numpy()
    pit, frame, position = places.paths(rng, birth[kept], lifetime, place[kept], times, settings.wander)
    pits["crossing"] = places.cross(rng, settings.crossings, pit, frame, position, times, len(pits))
    return pits, history, pit, frame, position


def _between_seconds(history: Array, pit: Rows, age: Array) -> Array:
    """Histories at ages between whole seconds, linearly."""
    second = np.minimum(age.astype(np.int64), LONGEST - 1)
    rest = age - second
    return np.asarray((1 - rest) * history[pit, second] + rest * history[pit, second + 1])


def _measured(pits: pd.DataFrame, movie: RenderedMovie) -> pd.DataFrame:
    """Pits with their signal-to-noise ratio and the largest auxilin amplitude in the movie."""
    drawn = movie.table.groupby("track", observed=True)
    brightest = movie.table.loc[drawn["clathrin_amplitude"].idxmax()]
    noise = movie.camera.noise_sd(brightest["clathrin_background"].to_numpy() - movie.camera.offset)
    snr, peak = brightest["clathrin_amplitude"].to_numpy() / noise, drawn["auxilin_amplitude"].max().to_numpy()
    return pits.assign(snr=snr, peak=peak)


class _Bleaching:
    """The background, which keeps its shape and fades."""

    def __init__(self, images: list[Array], share: Array) -> None:
        self._images, self._share = images, share

    def __call__(self, t: int, c: int) -> Array:
        return np.asarray(self._images[c] * self._share[t])
