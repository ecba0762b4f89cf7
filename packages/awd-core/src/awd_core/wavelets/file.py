"""The file of a wavelet: one JSON object.

    {"format": "awd-wavelet", "version": 1, "name": "db5", "tolerance": 1e-08, "taps": [L numbers],
     "angles": [L/2 numbers, radians] or null, "metadata": {any JSON}}

Numbers are written with the digits that give the same double back. `tolerance` is the one that the taps were accepted
with: 1e-8 for an orthonormal wavelet; larger for PyWavelets' dmey, which is orthonormal to 2e-3 only, and for free taps
that were learnt with penalties. `angles` is null where the taps are not orthonormal to 1e-8.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from awd_core.files.record import Record
from awd_core.typing import Array
from awd_core.wavelets.lattice import TOLERANCE, checked_angles, taps_from_angles


@dataclass(frozen=True, eq=False)
class WaveletRecord(Record, format="awd-wavelet", what="a wavelet", writer="Wavelet.save"):
    """What a wavelet file says. Whether that is a wavelet, `awd_core.wavelets.Wavelet` finds out, as for any other.

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

    Raises
    ------
    ValueError
        If the angles are not those of the taps.
    """

    name: str
    tolerance: float
    taps: Array
    angles: Array | None
    metadata: dict[str, Any]

    def __post_init__(self) -> None:
        if self.angles is None:
            return
        if 2 * len(self.angles) != len(self.taps):
            raise ValueError(f"{len(self.taps)} taps need {len(self.taps) // 2} angles, it has {len(self.angles)}")
        gap = np.abs(taps_from_angles(checked_angles(self.angles)) - self.taps).max()
        if gap > TOLERANCE:
            raise ValueError(f"its taps and angles disagree: the taps of the angles are {gap:.1e} off")


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
