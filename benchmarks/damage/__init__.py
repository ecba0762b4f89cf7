"""Files that are damaged by a seed, read under limits of memory and time, and judged: `python -m benchmarks.damage`."""
