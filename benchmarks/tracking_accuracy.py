"""How many tracks of simulated movies are found, and how many of the found ones are true, by signal-to-noise ratio.

`python -m benchmarks.tracking_accuracy` simulates movies of the realistic preset at several ratios, tracks them with
the defaults of `awd_cme.tracking.track_movie`, and scores them by the rule of `awd_cme.tracking.evaluate`. `--frames`
and `--size` cut the movies down, with as many pits for a pixel and a frame.
"""

import argparse
import sys
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from awd_cme.simulate import simulate_movie
from awd_cme.simulate.settings import PRESETS, settings_for
from awd_cme.tracking import score_tracks, track_movie
from awd_cme.tracking.evaluate import TrackScores

RATIOS = (3.0, 5.0, 8.0)
GOAL = 0.9
"""Recall and precision of tracks of ten frames and more that are aimed at, at a ratio of 5."""


@dataclass(frozen=True)
class Accuracy:
    """Scores of one movie, and the seconds that tracking took."""

    snr: float
    scores: TrackScores
    seconds: float


def measure(snr: float, *, frames: int, size: int, seed: int) -> Accuracy:
    """Simulate a movie, track it, and score the tracks of ten frames and more.

    Parameters
    ----------
    snr : float
        Signal-to-noise ratio of the median successful pit, as `awd_cme.simulate.simulation` defines it.
    frames, size : int
        Frames, and rows and columns, of the movie.
    seed : int
        Of the simulation.
    """
    whole = PRESETS["realistic"]
    share = frames * size**2 / (whole.frames * whole.size[0] * whole.size[1])
    settings = settings_for(whole, frames=frames, size=(size, size), pits=whole.pits * share, snr=snr)
    simulated = simulate_movie(settings, seed=seed)
    movie = simulated.movie.in_memory()
    start = time.perf_counter()
    table = track_movie(movie)
    return Accuracy(snr, score_tracks(table, simulated.truth), time.perf_counter() - start)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracking_accuracy", description=__doc__)
    parser.add_argument("--frames", type=int, default=100, help="frames of a movie")
    parser.add_argument("--size", type=int, default=256, help="rows and columns of a movie")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")
    parser.add_argument("--snr", type=float, nargs="+", default=list(RATIOS), help="ratios to measure at")
    options = parser.parse_args(arguments)
    table = Table(title=f"Tracks of ≥ 10 frames, {options.frames} frames of {options.size}²")
    for heading in ("SNR", "true", "recall", "found", "precision", "spots found", "px off", "fragments", "seconds"):
        table.add_column(heading, justify="right")
    met = True
    for snr in options.snr:
        found = measure(snr, frames=options.frames, size=options.size, seed=options.seed)
        s = found.scores
        met &= snr != 5.0 or min(s.recall, s.precision) >= GOAL
        figures = (s.recall, s.found_tracks, s.precision, s.spot_recall, s.position_error, s.fragments)
        words = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in figures]
        table.add_row(f"{snr:g}", str(s.true_tracks), *words, f"{found.seconds:.1f}")
    Console().print(table)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
