"""Which numbers a model reads, by names in the plural, and the transform that suits them. NumPy is not needed."""

from collections.abc import Sequence
from typing import Any

from awd_core.checks.choices import check_choice

FEATURES = {
    "maxima": "maximum",
    "minima": "minimum",
    "scale-means": "mean absolute",
    "log-energies": "log energy",
    "values": "value",
    "relative-values": "relative value",
    "positions": "position",
    "conditional-variances": "conditional variance",
}
"""Names of features, and the student's numbers that they are (`awd_core.student.NUMBERS`)."""
SETS = (("maxima", "scale-means", "log-energies"), ("values",), ("relative-values",))
"""What "auto" chooses among: what is the same wherever an event comes, and values at places, as they are or relative to
their band."""
PLACED = ("value", "relative value")
"""Numbers that are of one place: there are as many as the decimated transform has coefficients."""
UNDECIMATED = ("zero", "constant", "symmetric", "periodic", "reflect")
"""Boundary modes of the undecimated transform."""


def features_of(features: Any) -> tuple[str, ...] | None:
    """Names of features as a tuple; None for "auto".

    Raises
    ------
    ValueError
        If there is no such name, or none is given.

    Examples
    --------
    >>> features_of("maxima, log-energies"), features_of("auto")
    (('maxima', 'log-energies'), None)
    """
    given = [part.strip() for part in features.split(",")] if isinstance(features, str) else list(features or ())
    names = tuple(name for name in given if name)
    if names == ("auto",):
        return None
    if not names:
        raise ValueError(f"features is {features!r}; give auto, or names such as maxima,log-energies")
    for name in names:
        check_choice("features", name, ("auto", *FEATURES), required=True)
    return tuple(dict.fromkeys(names))


def transform_of(features: Sequence[str], mode: str) -> dict[str, Any]:
    """Arguments of a student for some features: its numbers, whether its transform is decimated, and its boundary.

    Values at places are coefficients of the decimated transform, which has no more of them than an input has samples;
    what is read over a whole band is read from the undecimated one, where it does not depend on shifts.

    Examples
    --------
    >>> transform_of(["maxima"], "periodization")
    {'numbers': ['maximum'], 'undecimated': True, 'mode': 'periodic'}
    """
    numbers = [FEATURES[name] for name in features]
    near = {"periodization": "periodic"}.get(mode, mode)
    undecimated = not any(number in PLACED for number in numbers) and near in UNDECIMATED
    return {"numbers": numbers, "undecimated": undecimated, "mode": near if undecimated else mode}


def words_of(features: Sequence[str]) -> str:
    """Features in words.

    Examples
    --------
    >>> words_of(["maxima", "log-energies"])
    'maxima and log-energies'
    """
    *first, last = [name.replace("-", " ") if name != "log-energies" else name for name in features]
    return f"{', '.join(first)} and {last}" if first else last
