"""The wavelet as a value: taps, angles and a name that do not change, and every way in and out of them.

Filters are in PyWavelets' orientation and normalisation: `dec_lo` is the low-pass analysis filter with Σh = √2,
`dec_hi[n] = (−1)ⁿ⁺¹ dec_lo[L − 1 − n]` its mirror, and the synthesis filters are the analysis filters reversed. That
rule reproduces all 76 orthogonal wavelets of PyWavelets bit for bit, so the taps say everything.

The file format (`Wavelet.save`) is one JSON object:

    {"format": "awd-wavelet", "version": 1, "name": "db5", "tolerance": 1e-08, "taps": [L numbers],
     "angles": [L/2 numbers, radians] or null, "metadata": {any JSON}}

Numbers are written with the digits that give the same double back. `tolerance` is the one that the taps were accepted
with: 1e-8 for an orthonormal wavelet; larger for PyWavelets' dmey, which is orthonormal to 2e-3 only, and for free taps
that were learnt with penalties. `angles` is null where the taps are not orthonormal to 1e-8.
"""

import difflib
import json
import math
import operator
import os
import secrets
from collections.abc import Mapping
from functools import cache, cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, Self, final

import numpy as np
import numpy.typing as npt
import pywt

from awd_core import certificate as measure
from awd_core.certificate import Certificate
from awd_core.lattice import QUARTER_PI, angles_from_taps, taps_from_angles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-8
"""How far from orthonormal taps may be before they are refused, unless the caller says otherwise."""

FORMAT, VERSION = "awd-wavelet", 1

# PyWavelets calls dmey orthogonal, but its taps were cut from an infinite filter.
_NAMED_TOLERANCE = {"dmey": 1e-2}


class WaveletFunctions(NamedTuple):
    """Samples of the scaling function φ and the wavelet function ψ at the places x, arrays of one length."""

    x: Array
    phi: Array
    psi: Array


@final
class Wavelet:
    """An orthogonal wavelet: immutable, hashable, equal to another when their taps are, bit for bit.

    Make one with `from_name`, `from_taps`, `from_angles`, `from_pywt`, `load`, or `of`, which takes whatever a
    function was given.

    Parameters
    ----------
    taps, name, tolerance, metadata
        See `from_taps`.

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
        accepted = _checked_tolerance(tolerance)
        vars(self).update(
            _taps=_read_only(measure.checked_taps(taps, accepted)),
            _name=name or "custom",
            _tolerance=accepted,
            # Text cannot be altered from outside, however deep the user's mapping is.
            _metadata=_json_text({} if metadata is None else metadata),
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
        if not isinstance(name, str):
            raise TypeError(f"the name of a wavelet must be a string, got {type(name).__name__}")
        key = name.lower()
        if key not in orthogonal_names():
            raise ValueError(_about_name(name))
        return cls(pywt.Wavelet(key).dec_lo, name=key, tolerance=_NAMED_TOLERANCE.get(key, TOLERANCE))

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
            Rotation angles in radians with sum π/4 (mod 2π) within 1e-8, in the order of `awd_core.lattice`. They
            are kept in the representative that is described there; the first makes up for what the sum lacks.
        name, metadata
            As for `from_taps`.

        Raises
        ------
        ValueError
            If the angles are not finite numbers in one dimension, or their sum is another one.
        """
        canonical = _canonical_angles(angles)
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
        if not isinstance(wavelet, pywt.Wavelet):
            raise TypeError(f"from_pywt takes a pywt.Wavelet, got {type(wavelet).__name__}")
        if tolerance is None:
            named = wavelet.name.lower() in orthogonal_names()
            tolerance = _NAMED_TOLERANCE.get(wavelet.name.lower(), TOLERANCE) if named else TOLERANCE
        low = np.asarray(wavelet.dec_lo)
        high = measure.mirror(low)
        expected = (low, high, low[::-1], high[::-1])
        bank = [np.asarray(taps) for taps in wavelet.filter_bank]
        if any(np.abs(given - wanted).max() > tolerance for given, wanted in zip(bank, expected, strict=True)):
            raise ValueError(
                f"the filter bank of {wavelet.name or 'this wavelet'!r} is not one orthogonal filter and its mirrors "
                "(dec_hi[n] = (-1)**(n+1) * dec_lo[L-1-n], rec_lo and rec_hi the two reversed); biorthogonal "
                "wavelets cannot be used. If only a sign or a shift of the high-pass filters differs, take "
                "Wavelet.from_taps(wavelet.dec_lo)"
            )
        return cls(low, name=wavelet.name or None, tolerance=tolerance)

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
        return _restored(
            self._taps, self._name, self._tolerance, {**self.metadata, **metadata}, vars(self).get("angles")
        )

    @property
    def taps(self) -> Array:
        """Low-pass analysis taps, shape (L,), read-only; the same as `dec_lo`."""
        return self._taps

    @property
    def dec_lo(self) -> Array:
        """Low-pass analysis filter, shape (L,), read-only."""
        return self._taps

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

    @cached_property
    def angles(self) -> Array:
        """Lattice angles in radians, shape (L/2,), read-only: those it was made from, else recovered from the taps.

        Raises
        ------
        ValueError
            If the taps are not orthonormal to 1e-8, since the lattice can make no others.
        """
        error = max(measure.orthonormality_error(self._taps), abs(self._taps.sum() - math.sqrt(2)))
        if error > TOLERANCE:
            raise ValueError(
                f"{self._name!r} has no lattice angles: its taps are orthonormal to {error:.1e} only, above "
                f"{TOLERANCE:.0e}, and angles make filters that are orthonormal to rounding. Start from another "
                "wavelet, such as 'db5', or use the taps as they are"
            )
        angles = angles_from_taps(self._taps)
        residual = np.abs(taps_from_angles(angles) - self._taps).max()
        if residual > TOLERANCE:
            raise ValueError(
                f"the lattice angles of {self._name!r} could not be recovered: the taps that they give are "
                f"{residual:.1e} off ({TOLERANCE:.0e} is allowed). Build it with Wavelet.from_angles to keep the angles"
            )
        return _read_only(angles)

    def to_pywt(self) -> pywt.Wavelet:
        """Return it as a `pywt.Wavelet`, flagged orthogonal and biorthogonal, for PyWavelets and ptwt.

        Notes
        -----
        The built-in object is returned where the taps are a built-in wavelet's own under its name. The flags are set
        for taps that were accepted with a larger tolerance too, as PyWavelets sets them for dmey.

        scikit-image takes names only: `skimage.restoration.denoise_wavelet` passes its argument to `pywt.Wavelet`,
        which refuses objects, so that a learnt wavelet cannot be handed to it. Its default method for a grey image,
        BayesShrink with a known noise σ, is this::

            coefficients = pywt.wavedecn(image, wavelet.to_pywt(), level=levels)
            for details in coefficients[1:]:
                for key, d in details.items():
                    spread = max(np.mean(d * d) - sigma**2, np.finfo(d.dtype).eps)
                    details[key] = pywt.threshold(d, sigma**2 / np.sqrt(spread), mode="soft")
            denoised = pywt.waverecn(coefficients, wavelet.to_pywt())[tuple(slice(n) for n in image.shape)]
        """
        if self._name in orthogonal_names():
            built_in = pywt.Wavelet(self._name)
            if np.asarray(built_in.dec_lo).tobytes() == self._taps.tobytes():
                return built_in
        bank = [taps.tolist() for taps in (self.dec_lo, self.dec_hi, self.rec_lo, self.rec_hi)]
        wavelet = pywt.Wavelet(self._name, filter_bank=bank)
        wavelet.orthogonal = wavelet.biorthogonal = True
        return wavelet

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
        phi, psi, x = self.to_pywt().wavefun(level=_checked_level(level))
        return WaveletFunctions(x, phi, psi)

    def distance(
        self, other: "Wavelet | str | pywt.Wavelet", *, of: Literal["taps", "function"] = "taps", level: int = 6
    ) -> float:
        """Distance to another wavelet that a shift or a reversal in time does not change.

        Parameters
        ----------
        other : Wavelet, str or pywt.Wavelet
            The other wavelet; its length may differ.
        of : {"taps", "function"}
            "taps": least ‖h₁ − h₂‖ over integer shifts, zeros around, and reversal. A metric between filters up to
            these. "function": least L2 norm of ψ₁ − ψ₂ over circular shifts, reversal and sign, the shorter function
            continued by zeros; a metric between wavelets of one length.
        level : int
            For "function": samples 2^−level apart stand for the integral.

        Returns
        -------
        float
            From 0 to √2, since both have norm 1.

        Notes
        -----
        "function" is the measure of the paper's simulations (Ha et al. 2021, section 4). Its code takes `level` 5, does
        not try the other sign and sums the samples without their spacing: its numbers are 2^2.5 times as large.
        """
        that = Wavelet.of(other)
        if of == "taps":
            total = self.length + that.length
            return _least_distance(_padded(self._taps, total), _padded(that._taps, total), either_sign=False)
        if of == "function":
            level = _checked_level(level)
            psi, psi_other = self.functions(level).psi, that.functions(level).psi
            total = max(len(psi), len(psi_other))
            least = _least_distance(_padded(psi, total), _padded(psi_other, total), either_sign=True)
            return least * math.sqrt(math.ldexp(1.0, -level))
        raise ValueError(f"of must be 'taps' or 'function', got {of!r}")

    @cached_property
    def vanishing_moments(self) -> int:
        """Number of vanishing moments of the wavelet function; see `awd_core.certificate.vanishing_moments`."""
        return measure.vanishing_moments(self._taps)

    def frequency_response(self, n: int = 512) -> tuple[Array, Array, Array]:
        """Magnitude responses: ω (radians per sample, `n` from 0 to π with both ends), |H(ω)| and |G(ω)|."""
        if operator.index(n) < 2:
            raise ValueError(f"n must be 2 or more frequencies, got {n}")
        return measure.frequency_response(self._taps, n)

    def certificate(self) -> Certificate:
        """Measure how far the taps are from an orthonormal wavelet."""
        return measure.certify(self._taps, self._name)

    def plot(self, *, before: "Wavelet | str | pywt.Wavelet | None" = None, level: int = 8) -> "Figure":
        """Draw it; see `awd_core.plot.plot_wavelet`."""
        from awd_core.plot import plot_wavelet

        return plot_wavelet(self, before=before, level=level)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file, from which `load` gives taps, angles, name and metadata back bit for bit.

        The file is written beside its place and renamed: it is there whole or, after a failure, as it was before.
        """
        try:
            angles = self.angles.tolist()
        except ValueError:
            angles = None
        record = {
            "format": FORMAT,
            "version": VERSION,
            "name": self._name,
            "tolerance": self._tolerance,
            "taps": self._taps.tolist(),
            "angles": angles,
            "metadata": self.metadata,
        }
        write_atomically(path, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())

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
        try:
            return _from_json(Path(path).read_bytes())
        except (ValueError, TypeError) as error:
            raise ValueError(f"{os.fspath(path)} cannot be read as a wavelet: {error}") from error

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


@cache
def orthogonal_names() -> tuple[str, ...]:
    """Names of the orthogonal wavelets of the installed PyWavelets."""
    return tuple(name for name in pywt.wavelist(kind="discrete") if pywt.Wavelet(name).orthogonal)


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file beside its place and rename it, so that nobody ever sees a part of it.

    Parameters
    ----------
    path : str or path
        The file; its folder must exist. A link is followed.
    content : bytes
        All that the file shall hold.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist") from error
    finally:
        beside.unlink(missing_ok=True)


def _restored(
    taps: npt.ArrayLike, name: str, tolerance: float, metadata: Mapping[str, Any], angles: npt.ArrayLike | None
) -> Wavelet:
    wavelet = Wavelet(taps, name=name, tolerance=tolerance, metadata=metadata)
    if angles is not None:
        vars(wavelet)["angles"] = _read_only(np.asarray(angles, dtype=np.float64))
    return wavelet


def _from_json(content: bytes) -> Wavelet:
    try:
        record = json.loads(content)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"; files like this are written by Wavelet.save')
    if record.get("version") != VERSION:
        raise ValueError(
            f"its version is {record.get('version')!r} and this awd-core reads version {VERSION}; "
            "a later awd-core may have written it: update"
        )
    missing = [key for key in ("name", "tolerance", "taps", "metadata") if record.get(key) is None]
    missing += [] if "angles" in record else ["angles"]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    taps = _numbers(record["taps"], "taps")
    if record["angles"] is None:
        angles = None
    else:
        angles = _numbers(record["angles"], "angles")
        if 2 * len(angles) != len(taps):
            raise ValueError(f"{len(taps)} taps need {len(taps) // 2} angles, it has {len(angles)}")
        _canonical_angles(angles)  # their sum
        gap = np.abs(taps_from_angles(angles) - taps).max()
        if gap > TOLERANCE:
            raise ValueError(f"its taps and angles disagree: the taps of the angles are {gap:.1e} off")
    return _restored(taps, record["name"], record["tolerance"], record["metadata"], angles)


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


def _json_text(metadata: object) -> str:
    if not (isinstance(metadata, Mapping) and all(isinstance(key, str) for key in metadata)):
        raise TypeError("metadata must be a mapping with strings as keys")
    try:
        return json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"metadata must hold JSON values only (strings, finite numbers, booleans, None, lists, mappings): {error}"
        ) from error


def _canonical_angles(angles: npt.ArrayLike) -> Array:
    """Angles in the representative of `awd_core.lattice`; those that are in range already keep every bit."""
    try:
        theta = np.array(angles, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"angles must be one list of real numbers: {error}") from error
    if theta.ndim != 1 or len(theta) == 0:
        raise ValueError(f"angles must have one dimension and at least one entry, got the shape {theta.shape}")
    if not np.isfinite(theta).all():
        raise ValueError(f"angles must be finite, got {theta[~np.isfinite(theta)][0]} among them")
    excess = math.remainder(math.fsum(theta) - QUARTER_PI, 2 * math.pi)
    if abs(excess) > TOLERANCE:
        raise ValueError(
            f"the angles must add up to π/4 (mod 2π) for Σh = √2; their sum is {excess:.3g} rad off. "
            "Take π/4 minus the sum of the others as the first"
        )
    rest = theta[1:]  # a view: theta changes with it
    outside = (rest <= -math.pi / 2) | (rest > math.pi / 2)
    rest[outside] -= math.pi * np.round(rest[outside] / math.pi)
    # Rounding can leave a value on the wrong side of the half-open range by one place.
    rest[rest <= -math.pi / 2] += math.pi
    rest[rest > math.pi / 2] -= math.pi
    theta[0] = QUARTER_PI - rest.sum()
    return theta


def _checked_tolerance(tolerance: object) -> float:
    if not (isinstance(tolerance, Real) and math.isfinite(tolerance) and float(tolerance) >= 0):
        raise ValueError(f"tolerance must be a finite number, 0 or larger, got {tolerance!r}")
    return float(tolerance)


def _checked_level(level: int) -> int:
    if operator.index(level) < 1:
        raise ValueError(f"level must be an integer, 1 or larger, got {level}")
    return operator.index(level)


def _about_name(name: str) -> str:
    if name.lower() in pywt.wavelist():
        problem = f"{name!r} is not an orthogonal wavelet"
    else:
        close = difflib.get_close_matches(name.lower(), orthogonal_names(), n=3)
        meant = f" (did you mean {', '.join(close)}?)" if close else ""
        problem = f"there is no wavelet {name!r}{meant}"
    return f"{problem}; allowed are haar, db1–db38, sym2–sym20, coif1–coif17 and dmey"


def _read_only(values: Array) -> Array:
    """Copy that cannot be made writable again: NumPy does not own its memory."""
    return np.frombuffer(np.ascontiguousarray(values, dtype=np.float64).tobytes(), dtype=np.float64)


def _padded(values: Array, length: int) -> Array:
    return np.append(values, np.zeros(length - len(values)))


def _least_distance(a: Array, b: Array, *, either_sign: bool) -> float:
    """Least ‖a − b′‖ over the circular shifts b′ of b and of b reversed."""
    best = math.inf
    for candidate in (b, b[::-1]):
        # ‖a − b′‖² = ‖a‖² + ‖b‖² − 2⟨a, b′⟩, so the shift with the largest product is the nearest. The norm is then
        # taken anew: the difference of squares would turn an exact zero into 1e-8.
        products = np.fft.irfft(np.fft.rfft(a) * np.fft.rfft(candidate).conj(), len(a))
        shift = int(np.argmax(np.abs(products) if either_sign else products))
        sign = -1.0 if products[shift] < 0 and either_sign else 1.0
        best = min(best, float(np.linalg.norm(a - sign * np.roll(candidate, shift))))
    return best
