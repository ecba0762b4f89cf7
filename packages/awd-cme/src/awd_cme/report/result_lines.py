"""The table of results as a few lines of text, for the end of a command."""

from collections.abc import Mapping, Sequence
from typing import Any


def metric_name(metric: str) -> str:
    """Return what people read for the name of a metric in JSON files, which keep to ASCII.

    Examples
    --------
    >>> metric_name("R2"), metric_name("AUC")
    ('R²', 'AUC')
    """
    return {"R2": "R²"}.get(metric, metric)


def result_lines(results: Mapping[str, Any]) -> str:
    """One line a row: name, score on test tracks with its interval.

    Parameters
    ----------
    results : mapping
        Content of results.json.

    Examples
    --------
    >>> row = {"name": "AWD", "score": 0.5, "low": 0.4, "high": 0.6}
    >>> print(result_lines({"metric": "R2", "rows": [row], "train": 70, "test": 30}))
    R² on 30 test tracks (70 to train on), 95 % interval
      AWD   0.500   0.400 to 0.600
    """
    rows: Sequence[Mapping[str, Any]] = results["rows"]
    width = max(len(row["name"]) for row in rows)
    metric = metric_name(results["metric"])
    head = f"{metric} on {results['test']} test tracks ({results['train']} to train on), 95 % interval"
    if "intervals" in results:
        head += f" over {results['intervals']['units']} {results['intervals']['over']}"
    lines = [f"  {row['name']:{width}} {row['score']:7.3f} {_interval(row)}".rstrip() for row in rows]
    return "\n".join([head, *lines])


def _interval(row: Mapping[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:7.3f} to {row['high']:.3f}"
