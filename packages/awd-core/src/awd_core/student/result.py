"""What distillation by the student finds, and how far two such findings agree."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from awd_core.files.record import Record
from awd_core.student.search import StudentStart
from awd_core.wavelets.wavelet import Wavelet


@dataclass(frozen=True, repr=False)
class StudentDistillation(
    Record, format="awd-student", what="a student's distillation", writer="StudentDistillation.save"
):
    """The wavelet from which few numbers tell most of the outputs; made by `distill_student`.

    Its file has the attributes, a wavelet as {"name", "taps", "angles"}, and comes back bit for bit. Functions of one's
    own stand there by their names: whoever reads numbers with them gives them again.

    Attributes
    ----------
    wavelets : tuple of Wavelet
        One for all levels, or one for each, the finest first.
    negated : bool
        Whether details are read with the other sign.
    columns : tuple of str
        Numbers and extra columns that were kept.
    error : float
        Leave-one-out error of the ridge from these to the outputs, relative to their variance, mean over outputs and
        sets. The wavelet was chosen by it: on new data it is larger.
    held_out : float or None
        The same on groups held out, of the candidate that won; None where nothing was held out.
    history : tuple of StudentStart
        Everything that was searched from, and plain wavelets as they are, the best first within each length.
    settings : dict
        What determines the result, as JSON values; digests of the data included.
    """

    wavelets: tuple[Wavelet, ...]
    negated: bool
    columns: tuple[str, ...]
    error: float
    held_out: float | None
    history: tuple[StudentStart, ...]
    settings: dict[str, Any]

    def __repr__(self) -> str:
        return f"<StudentDistillation: {len(self.columns)} numbers, error {self.error:.3g}, {len(self.history)} starts>"

    @property
    def wavelet(self) -> Wavelet:
        """The wavelet, if all levels share one.

        Raises
        ------
        ValueError
            If every level has its own.
        """
        if len(self.wavelets) > 1:
            raise ValueError("every level has a wavelet of its own; see wavelets, the finest level first")
        return self.wavelets[0]


def filter_agreement(results: Sequence[StudentDistillation]) -> float:
    """How far wavelets that were found on several splits agree: mean over pairs of the best correlation over shifts.

    The correlation is of the high-pass filters with their signs, which have norm 1; a filter reversed is another one.
    With one wavelet for each level, the mean over levels.

    Parameters
    ----------
    results : sequence of StudentDistillation
        Two or more.

    Returns
    -------
    float
        1 where all are one filter up to a shift.

    Raises
    ------
    ValueError
        If there are fewer than two, or some have a wavelet for each level and others have not.

    Examples
    --------
    >>> haar, db2 = (Wavelet.from_name(name) for name in ("haar", "db2"))
    >>> one = StudentDistillation((db2,), False, (), 0.0, None, (), {})
    >>> filter_agreement([one, one]) > 1 - 1e-6
    True
    """
    if len(results) < 2 or len({len(result.wavelets) for result in results}) > 1:
        raise ValueError(
            f"results are {len(results)} with {sorted({len(result.wavelets) for result in results})} wavelets each; "
            "give two or more of a kind"
        )
    pairs = [
        float(np.correlate(_high(one, level), _high(other, level), "full").max())
        for one, other in itertools.combinations(results, 2)
        for level in range(len(one.wavelets))
    ]
    return float(np.mean(pairs))


def _high(result: StudentDistillation, level: int) -> Any:
    high = result.wavelets[level].dec_hi
    return -high if result.negated else high
