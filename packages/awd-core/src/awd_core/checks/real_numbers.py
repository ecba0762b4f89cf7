"""Whatever a caller has as a numpy array of real numbers, or a message that says what it is instead.

NumPy alone is imported here: estimators that predict with it alone read their features with this.
"""

import math
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def is_real_number(value: object) -> TypeGuard[float]:
    """Whether it is one finite number, of any real type of Python or NumPy; True, False and texts are none.

    Examples
    --------
    >>> [is_real_number(value) for value in (2, np.float32(0.5), True, "0.5", math.nan, None)]
    [True, True, False, False, False, False]
    """
    return _is_real(value) and math.isfinite(value)


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


def plain_array(values: Any, name: str) -> Array:
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


def real_array(values: Any, name: str = "X") -> Array:
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
