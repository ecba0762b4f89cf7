"""The file of a wavelet: one JSON object.

    {"format": "awd-wavelet", "version": 1, "name": "db5", "tolerance": 1e-08, "taps": [L numbers],
     "angles": [L/2 numbers, radians] or null, "metadata": {any JSON}}

Numbers are written with the digits that give the same double back. `tolerance` is the one that the taps were accepted
with: 1e-8 for an orthonormal wavelet; larger for PyWavelets' dmey, which is orthonormal to 2e-3 only, and for free taps
that were learnt with penalties. `angles` is null where the taps are not orthonormal to 1e-8.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from awd_core.wavelets.lattice import TOLERANCE, checked_angles, taps_from_angles

Array = npt.NDArray[np.float64]

FORMAT, VERSION = "awd-wavelet", 1


class WaveletRecord(NamedTuple):
    """What a wavelet file says.

    Attributes
    ----------
    name : str
        Name of the wavelet.
    tolerance : float
        Distance from orthonormality that the taps were accepted with.
    taps : ndarray, shape (L,)
        Low-pass analysis taps.
    angles : ndarray, shape (L/2,), or None
        Lattice angles in radians.
    metadata : mapping
        JSON values.
    """

    name: str
    tolerance: float
    taps: Array
    angles: Array | None
    metadata: Mapping[str, Any]


def to_json(record: WaveletRecord) -> bytes:
    """Content of the file: from it, `from_json` gives every number back bit for bit.

    Examples
    --------
    >>> haar = WaveletRecord("haar", 1e-8, np.sqrt([0.5, 0.5]), np.array([np.pi / 4]), {})
    >>> from_json(to_json(haar)).taps == haar.taps
    array([ True,  True])
    """
    values = {
        "format": FORMAT,
        "version": VERSION,
        "name": record.name,
        "tolerance": record.tolerance,
        "taps": record.taps.tolist(),
        "angles": None if record.angles is None else record.angles.tolist(),
        "metadata": dict(record.metadata),
    }
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def from_json(content: bytes) -> WaveletRecord:
    """Read the content of a wavelet file.

    Raises
    ------
    ValueError
        If it is not a wavelet file, was written by a later version, lacks something, or its angles are not those of
        its taps. Whether the taps are a wavelet's and whether name, tolerance and metadata are valid is left to
        `awd_core.wavelets.Wavelet`, which is the same for wavelets of any origin.
    """
    try:
        values = json.loads(content)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"; files like this are written by Wavelet.save')
    if values.get("version") != VERSION:
        raise ValueError(
            f"its version is {values.get('version')!r} and this awd-core reads version {VERSION}; "
            "a later awd-core may have written it: update"
        )
    missing = [key for key in ("name", "tolerance", "taps", "metadata") if values.get(key) is None]
    missing += [] if "angles" in values else ["angles"]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    taps = _numbers(values["taps"], "taps")
    angles = None if values["angles"] is None else _numbers(values["angles"], "angles")
    if angles is not None:
        _check_that_they_agree(taps, angles)
    return WaveletRecord(values["name"], values["tolerance"], taps, angles, values["metadata"])


def json_text(metadata: object) -> str:
    """Metadata as JSON text, which nobody can alter from outside, however deep the mapping is.

    Raises
    ------
    TypeError
        If they are not a mapping from strings to JSON values.
    """
    if not (isinstance(metadata, Mapping) and all(isinstance(key, str) for key in metadata)):
        raise TypeError(f"metadata must be a mapping with strings as keys, got {metadata!r}")
    try:
        return json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"metadata must hold JSON values only (strings, finite numbers, booleans, None, lists, mappings): {error}"
        ) from error


def _check_that_they_agree(taps: Array, angles: Array) -> None:
    if 2 * len(angles) != len(taps):
        raise ValueError(f"{len(taps)} taps need {len(taps) // 2} angles, it has {len(angles)}")
    checked_angles(angles)
    gap = np.abs(taps_from_angles(angles) - taps).max()
    if gap > TOLERANCE:
        raise ValueError(f"its taps and angles disagree: the taps of the angles are {gap:.1e} off")


def _numbers(values: object, what: str) -> Array:
    # bool is an int to Python, but not a tap.
    if not (isinstance(values, list) and values and all(type(value) in (int, float) for value in values)):
        raise ValueError(f"its {what} are not a list of numbers")
    try:
        numbers = np.array([float(value) for value in values])
    except OverflowError:
        numbers = np.array([math.inf])
    if not np.isfinite(numbers).all():
        raise ValueError(f"its {what} are not all finite")
    return numbers
