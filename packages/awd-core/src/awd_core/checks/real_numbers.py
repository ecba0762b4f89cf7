"""Whatever a caller has as a numpy array of real numbers, or a message that says what it is instead.

NumPy alone is imported here: estimators that predict with it alone read their features with this.
"""

import math
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

from awd_core.typing import AnyArray


def is_real_number(value: object) -> TypeGuard[float]:
    """Whether it is one finite number, of any real type of Python or NumPy; True, False and texts are none.

    Examples
    --------
    >>> [is_real_number(value) for value in (2, np.float32(0.5), True, "0.5", math.nan, None)]
    [True, True, False, False, False, False]
    """
    return _is_real(value) and math.isfinite(value)


def real_number(
    name: str,
    value: Any,
    what: str = "a number",
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
    none: str = "",
) -> float:
    """The value as a float, if it is a finite number within bounds; numbers as of `is_real_number`.

    Parameters
    ----------
    name, what : str
        What the parameter is called, and what it is, for the message.
    value : float
        What was given.
    least, above, most, below : float
        Bounds, the first and the third included.
    none : str
        What None stands for, where the caller takes it before; for the message.

    Raises
    ------
    ValueError
        If it is something else, or out of bounds.

    Examples
    --------
    >>> real_number("gain", 2, "counts per photon", above=0)
    2.0
    >>> real_number("level", 1.5, above=0, below=1)
    Traceback (most recent call last):
    ...
    ValueError: level is 1.5; give a number above 0 and below 1
    """
    if is_real_number(value) and least <= value <= most and above < value < below:
        return float(value)
    low = f"above {above:g}" if math.isfinite(above) else f"from {least:g} on" if math.isfinite(least) else ""
    high = f"below {below:g}" if math.isfinite(below) else f"up to {most:g}" if math.isfinite(most) else ""
    allowed = " and ".join(filter(None, (low, high))).replace(" on and up to ", " to ").replace(" on and ", " to ")
    raise ValueError(f"{name} is {value!r}; give {what} {allowed}".rstrip() + (f", or None for {none}" if none else ""))


def real_list(name: str, values: Any) -> list[float]:
    """Several numbers, where one alone, a text or texts are easily given by mistake.

    Parameters
    ----------
    name : str
        Of the parameter, for the message.
    values : iterable of float
        What was given.

    Raises
    ------
    TypeError
        If it is something else.

    Examples
    --------
    >>> real_list("shares", 0.5)
    Traceback (most recent call last):
    ...
    TypeError: shares is 0.5; give a list of numbers, such as [0.5]
    """
    try:
        listed = list(values)
    except TypeError:
        listed = [None]
    if all(map(_is_real, listed)):
        return [float(value) for value in listed]
    raise TypeError(
        f"{name} is {values!r}; give a list of numbers, such as [{values if is_real_number(values) else 0.5}]"
    )


def _is_real(value: object) -> TypeGuard[float]:
    return not isinstance(value, bool) and isinstance(value, Real)


def refuse_masked(values: Any, name: str) -> None:
    """Refuse an array with masked elements, which would be taken for what lies beneath the mask.

    Raises
    ------
    ValueError
        If elements are masked.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked elements. Leave such samples out, or fill them in.")


def plain_array(values: Any, name: str) -> AnyArray:
    """Anything array-like as a numpy array of any type, without a copy where there need not be one.

    Raises
    ------
    TypeError
        If it is sparse.
    ValueError
        If elements are masked.
    """
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is sparse ({type(values).__name__}), which is not supported: give {name}.toarray().")
    refuse_masked(values, name)
    return np.asarray(values)


def real_array(values: Any, name: str = "X") -> AnyArray:
    """Anything array-like as a numpy array of real numbers, in the type that they have.

    Parameters
    ----------
    values : array_like
        Numbers. Objects that are numbers, as a table with columns of several types has them, become float64.
    name : str
        What messages call it.

    Raises
    ------
    TypeError
        If it is sparse, or its elements are texts, times or other objects.
    ValueError
        If the numbers are complex, or elements are masked.

    Examples
    --------
    >>> real_array(np.array([[1, 2.5]], dtype=object))
    array([[1. , 2.5]])
    """
    array = plain_array(values, name)
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} has to hold real numbers; got objects that are none: {error}.") from error
    if array.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} has to hold real numbers; got elements of type {array.dtype}. Give "
            "real and imaginary part as features of their own."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has to hold real numbers; got elements of type {array.dtype}.")
    return array
