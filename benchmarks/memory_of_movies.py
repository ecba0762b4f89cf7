"""Peak memory of `awd-cme tracks` on a large movie, watched from outside. Linux only.

`python -m benchmarks.memory_of_movies` makes a two-channel OME-TIFF of 2 GB with moving spots, one frame at a time,
tracks it and measures both channels, in a process of its own, and prints the most memory that it and its children took
together. The movie is deleted afterwards.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.watch import watch

MOST = 400
"""MiB that it may take."""
SPOTS = 40


def write_large(path: Path, gigabytes: float, side: int, seed: int) -> int:
    """Write frames with spots on noise until the file is so large; returns how many frames it has.

    One noisy background in eight is drawn anew: noise is what takes time, and tracking does not know it again.
    """
    frames = max(int(gigabytes * 1e9 / (side * side * 2 * 2)), 4)
    rng = np.random.default_rng(seed)
    place, birth = rng.uniform(12, side - 12, (SPOTS, 2)), rng.integers(0, frames, SPOTS)
    noise = [rng.normal(200, 8, (2, side, side)).astype(np.float32) for _ in range(8)]
    y, x = np.indices((13, 13)) - 6.0
    spot = np.exp(-(y**2 + x**2) / (2 * 1.4**2)).astype(np.float32)

    def planes():
        for t in range(frames):
            image = np.roll(noise[t % 8], rng.integers(side), axis=2)
            for k in np.flatnonzero((birth <= t) & (t < birth + 30)):
                row, column = place[k].astype(int)
                image[:, row - 6 : row + 7, column - 6 : column + 7] += 120 * spot
            yield from np.clip(image, 0, 65535).astype(np.uint16)

    metadata = {"axes": "TCYX", "TimeIncrement": 1.0, "TimeIncrementUnit": "s", "PhysicalSizeX": 0.108,
                "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["clathrin", "auxilin"]}}  # fmt: skip
    tifffile.imwrite(
        path, planes(), shape=(frames, 2, side, side), dtype=np.uint16, metadata=metadata, ome=True, bigtiff=True
    )
    return frames


def main(arguments: list[str] | None = None) -> int:
    """Measure, and say whether it stays below `MOST`."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the movie (default: 2)")
    parser.add_argument("--side", type=int, default=1024, help="rows and columns of a frame (default: 1024)")
    parser.add_argument("--threads", type=int, default=1, help="of the command (default: 1)")
    parser.add_argument("--folder", type=Path, help="where the movie is made; default: the system's")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        movie, out = Path(folder) / "large.ome.tif", Path(folder) / "tracks.parquet"
        frames = write_large(movie, options.gigabytes, options.side, 0)
        size = movie.stat().st_size / 1e9
        command = [
            sys.executable,
            "-c",
            "from awd_cme.app.main import app; app()",
            "tracks",
            str(movie),
            "--out",
            str(out),
        ]
        seen = watch([*command, "--threads", str(options.threads), "--sigma", "1.4", "--quiet"])
        written = out.stat().st_size
    print(f"{size:.2f} GB, {frames} frames of {options.side}², 2 channels: {seen.together:.0f} MiB at most "
          f"({seen.processes} processes; tracks of {written:,} bytes)")  # fmt: skip
    return int(seen.together > MOST)


if __name__ == "__main__":
    sys.exit(main())
