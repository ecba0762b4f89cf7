"""The wavelet as a value: taps, angles and a name that do not change, and every way in and out of them.

Filters are in PyWavelets' orientation and normalisation: `dec_lo` is the low-pass analysis filter with Σh = √2,
`dec_hi[n] = (−1)ⁿ⁺¹ dec_lo[L − 1 − n]` its mirror, and the synthesis filters are the analysis filters reversed. That
rule reproduces all 76 orthogonal wavelets of PyWavelets bit for bit, so the taps say everything. The file format is
described in `awd_core.wavelets.file`.
"""

import json
import math
import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, final

import numpy as np
import numpy.typing as npt
import pywt

from awd_core.checks.choices import check_choice, check_kind
from awd_core.checks.real_numbers import real_number
from awd_core.checks.whole_numbers import whole_number
from awd_core.files.record import reading
from awd_core.typing import Array
from awd_core.wavelets import certificate as measure
from awd_core.wavelets import file, pywavelets
from awd_core.wavelets.certificate import Certificate
from awd_core.wavelets.distance import function_distance, taps_distance
from awd_core.wavelets.lattice import TOLERANCE as TOLERANCE
from awd_core.wavelets.lattice import checked_angles, recovered_angles, taps_from_angles
from awd_core.wavelets.pywavelets import WaveletFunctions as WaveletFunctions
from awd_core.wavelets.pywavelets import orthogonal_names as orthogonal_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
class Wavelet:
    """An orthogonal wavelet: immutable, hashable, equal to another when their taps are, bit for bit.

    Make one with `from_name`, `from_taps`, `from_angles`, `from_pywt`, `load`, or `of`, which takes whatever a
    function was given.

    Examples
    --------
    >>> wavelet = Wavelet.from_name("db2")
    >>> wavelet.dec_lo.round(4)
    array([-0.1294,  0.2241,  0.8365,  0.483 ])
    >>> Wavelet.from_angles(wavelet.angles).distance(wavelet) < 1e-15
    True
    """

    _taps: Array
    _name: str
    _tolerance: float
    _metadata: str

    def __init__(
        self,
        taps: npt.ArrayLike,
        *,
        name: str | None = None,
        tolerance: float = TOLERANCE,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not (name is None or (isinstance(name, str) and name)):
            raise TypeError(f"name must be a non-empty string or None, got {name!r}")
        accepted = real_number("tolerance", tolerance, least=0)
        vars(self).update(
            _taps=_read_only(measure.checked_taps(taps, accepted)),
            _name=name or "custom",
            _tolerance=accepted,
            _metadata=file.json_text({} if metadata is None else metadata),
        )

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Wavelet of PyWavelets by its name, in upper or lower case.

        Parameters
        ----------
        name : str
            haar, db1–db38, sym2–sym20, coif1–coif17 or dmey.

        Raises
        ------
        ValueError
            For an unknown name, and for wavelets that are not orthogonal.
        """
        taps, key, tolerance = pywavelets.filter_of_name(name)
        return cls(taps, name=key, tolerance=tolerance)

    @classmethod
    def from_taps(
        cls,
        taps: npt.ArrayLike,
        *,
        name: str | None = None,
        tolerance: float = TOLERANCE,
        metadata: Mapping[str, Any] | None = None,
    ) -> Self:
        """Wavelet with the given low-pass analysis taps.

        Parameters
        ----------
        taps : array_like, shape (L,)
            PyWavelets' `dec_lo`: real, finite, L even, orthonormal under even shifts, Σ = √2.
        name : str, optional
            What to call it; "custom" if not given.
        tolerance : float
            Largest accepted value of max |Σ h(n) h(n + 2k) − δ(k)| and of |Σ h − √2|. It is kept, and saved, with the
            wavelet. Taps stay as they are: nothing is projected or normalised.
        metadata : mapping, optional
            JSON values to keep with the wavelet, such as how it was learnt. Tuples come back as lists.

        Raises
        ------
        TypeError
            If the taps are not real numbers or the metadata are not JSON values.
        ValueError
            If the taps are not as described; the message says how far off they are and what to do.
        """
        return cls(taps, name=name, tolerance=tolerance, metadata=metadata)

    @classmethod
    def from_angles(
        cls,
        angles: npt.ArrayLike,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Self:
        """Wavelet with the given lattice angles, orthonormal to rounding.

        Parameters
        ----------
        angles : array_like, shape (K,)
            Rotation angles in radians with sum π/4 (mod 2π) within 1e-8, in the order of `awd_core.wavelets.lattice`.
            They are kept in the representative that is described there; the first makes up for what the sum lacks.
        name, metadata
            As for `from_taps`.

        Raises
        ------
        ValueError
            If the angles are not finite numbers in one dimension, or their sum is another one.
        """
        canonical = checked_angles(angles)
        wavelet = cls(taps_from_angles(canonical), name=name, metadata=metadata)
        vars(wavelet)["angles"] = _read_only(canonical)
        return wavelet

    @classmethod
    def from_pywt(cls, wavelet: pywt.Wavelet, *, tolerance: float | None = None) -> Self:
        """Wavelet with the filters of a `pywt.Wavelet`, built in or made from a filter bank.

        Raises
        ------
        ValueError
            If the four filters are not one low-pass filter and its mirrors (to `tolerance`), as in a biorthogonal
            wavelet, or the taps are refused by `from_taps`.
        """
        taps, name, accepted = pywavelets.filter_of_object(wavelet, tolerance)
        return cls(taps, name=name, tolerance=accepted)

    @classmethod
    def of(cls, wavelet: "Wavelet | str | pywt.Wavelet") -> "Wavelet":
        """Wavelet from what a function was given: a `Wavelet`, the name of one, or a `pywt.Wavelet`."""
        if isinstance(wavelet, Wavelet):
            return wavelet
        if isinstance(wavelet, str):
            return cls.from_name(wavelet)
        if isinstance(wavelet, pywt.Wavelet):
            return cls.from_pywt(wavelet)
        raise TypeError(
            f"a wavelet must be an awd_core.Wavelet, a name such as 'db5' or a pywt.Wavelet, got "
            f"{type(wavelet).__name__}; make one from taps with Wavelet.from_taps, from a file with Wavelet.load"
        )

    @property
    def name(self) -> str:
        """Name of the wavelet, for people: it takes no part in equality."""
        return self._name

    @property
    def tolerance(self) -> float:
        """Distance from orthonormality that the taps were accepted with."""
        return self._tolerance

    @property
    def metadata(self) -> dict[str, Any]:
        """A fresh copy of the metadata."""
        values: dict[str, Any] = json.loads(self._metadata)
        return values

    def with_metadata(self, metadata: Mapping[str, Any]) -> "Wavelet":
        """Return the same wavelet with these entries added to its metadata; entries of the same key are replaced."""
        check_kind("metadata", metadata, Mapping)
        return _restored(
            self._taps, self._name, self._tolerance, {**self.metadata, **metadata}, vars(self).get("angles")
        )

    @property
    def taps(self) -> Array:
        """Low-pass analysis filter, shape (L,), read-only."""
        return self._taps

    dec_lo = taps

    @cached_property
    def dec_hi(self) -> Array:
        """High-pass analysis filter, shape (L,), read-only."""
        return _read_only(measure.mirror(self._taps))

    @cached_property
    def rec_lo(self) -> Array:
        """Low-pass synthesis filter, shape (L,), read-only."""
        return _read_only(self._taps[::-1])

    @cached_property
    def rec_hi(self) -> Array:
        """High-pass synthesis filter, shape (L,), read-only."""
        return _read_only(self.dec_hi[::-1])

    @property
    def length(self) -> int:
        """Number L of taps."""
        return len(self._taps)

    @property
    def free_angle_count(self) -> int:
        """How many of its L/2 angles may be chosen: their sum binds one of them."""
        return self.length // 2 - 1

    @cached_property
    def angles(self) -> Array:
        """Lattice angles in radians, shape (L/2,), read-only: those it was made from, else recovered from the taps.

        Raises
        ------
        ValueError
            If the taps are not orthonormal to 1e-8, since the lattice can make no others.
        """
        return _read_only(recovered_angles(self._taps, self._name))

    def to_pywt(self) -> pywt.Wavelet:
        """Return it as a `pywt.Wavelet`, for PyWavelets and ptwt; see `awd_core.wavelets.pywavelets`."""
        return pywavelets.object_of_filter(self._taps, self._name)

    def functions(self, level: int = 8) -> WaveletFunctions:
        """Scaling and wavelet function by PyWavelets' cascade (`pywt.Wavelet.wavefun`).

        Parameters
        ----------
        level : int
            Number of refinements, 1 or more: the samples lie 2^−level apart on [0, L − 1].

        Returns
        -------
        WaveletFunctions
            x, in samples of the signal that the scaling function stands for, φ(x) and ψ(x).
        """
        return pywavelets.cascade(self.to_pywt(), level)

    def distance(
        self, other: "Wavelet | str | pywt.Wavelet", *, of: Literal["taps", "function"] = "taps", level: int = 6
    ) -> float:
        """Distance to another wavelet that a shift or a reversal in time does not change.

        Parameters
        ----------
        other : Wavelet, str or pywt.Wavelet
            The other wavelet; its length may differ.
        of : {"taps", "function"}
            "taps": of the filters, `awd_core.wavelets.distance.taps_distance`. "function": of the wavelet functions,
            `awd_core.wavelets.distance.function_distance`, which is the measure of the paper's simulations.
        level : int
            For "function": samples 2^−level apart stand for the integral.

        Returns
        -------
        float
            From 0 to √2, since both have norm 1.
        """
        check_choice("of", of, ("taps", "function"), required=True)
        that = Wavelet.of(other)
        if of == "taps":
            return taps_distance(self._taps, that._taps)
        psi, other_psi = self.functions(level).psi, that.functions(level).psi
        return function_distance(psi, other_psi, math.ldexp(1.0, -level))

    @cached_property
    def vanishing_moments(self) -> int:
        """Number of vanishing moments of the wavelet function; see `awd_core.wavelets.certificate`."""
        return measure.vanishing_moments(self._taps)

    def frequency_response(self, n: int = 512) -> tuple[Array, Array, Array]:
        """Magnitude responses: ω (radians per sample, `n` from 0 to π with both ends), |H(ω)| and |G(ω)|."""
        return measure.frequency_response(self._taps, whole_number("n", n, 2))

    def certificate(self) -> Certificate:
        """Measure how far the taps are from an orthonormal wavelet."""
        return measure.certify(self._taps, self._name)

    def plot(self, *, before: "Wavelet | str | pywt.Wavelet | None" = None, level: int = 8) -> "Figure":
        """Draw it; see `awd_core.wavelets.plot_wavelet`."""
        from awd_core.wavelets.figure import draw_wavelet

        return draw_wavelet(self, None if before is None else Wavelet.of(before), level)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file, whole or not at all; `load` gives taps, angles and all else back bit for bit."""
        try:
            angles = self.angles
        except ValueError:
            angles = None
        file.WaveletRecord(self._name, self._tolerance, self._taps, angles, self.metadata).save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Wavelet":
        """Read a file that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a wavelet file, was written by a later version, or contradicts itself.
        """
        with reading(path, "a wavelet") as values:
            record = file.WaveletRecord.from_dict(values)
            return _restored(record.taps, record.name, record.tolerance, record.metadata, record.angles)

    def _to_json(self) -> dict[str, Any]:
        """JSON values within another file."""
        return {"name": self._name, "taps": self._taps.tolist(), "angles": self.angles.tolist()}

    @classmethod
    def _from_json(cls, values: Mapping[str, Any]) -> "Wavelet":
        wavelet = cls.from_angles(values["angles"], name=values["name"])
        # A wavelet of PyWavelets, say, has taps that are not those of its angles to the last bit.
        return wavelet if wavelet.taps.tolist() == values["taps"] else cls(values["taps"], name=values["name"])

    def __len__(self) -> int:
        return len(self._taps)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wavelet):
            return NotImplemented
        return self._taps.tobytes() == other._taps.tobytes()

    def __hash__(self) -> int:
        return hash(self._taps.tobytes())

    def __repr__(self) -> str:
        shown = [f"{tap:.4g}" for tap in self._taps[:4]] + (["…"] if self.length > 4 else [])
        return f"Wavelet({self._name!r}, {self.length} taps: {', '.join(shown)})"

    def __setattr__(self, attribute: str, value: object) -> NoReturn:
        raise AttributeError(f"a Wavelet does not change: {attribute!r} cannot be set; make a new one")

    def __delattr__(self, attribute: str) -> NoReturn:
        raise AttributeError(f"a Wavelet does not change: {attribute!r} cannot be deleted")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # For processes that work side by side: arrays that travel as they are would arrive writable.
        angles = vars(self).get("angles")
        known = None if angles is None else angles.tolist()
        return _restored, (self._taps.tolist(), self._name, self._tolerance, self.metadata, known)


def _restored(
    taps: npt.ArrayLike, name: str, tolerance: float, metadata: Mapping[str, Any], angles: npt.ArrayLike | None
) -> Wavelet:
    wavelet = Wavelet(taps, name=name, tolerance=tolerance, metadata=metadata)
    if angles is not None:
        vars(wavelet)["angles"] = _read_only(np.asarray(angles, dtype=np.float64))
    return wavelet


def _read_only(values: Array) -> Array:
    """Copy that cannot be made writable again: NumPy does not own its memory."""
    return np.frombuffer(np.ascontiguousarray(values, dtype=np.float64).tobytes(), dtype=np.float64)
