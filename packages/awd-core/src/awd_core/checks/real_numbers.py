"""Whatever a caller has as a numpy array of real numbers, or a message that says what it is instead.

NumPy alone is imported here: estimators that predict with it alone read their features with this.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


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
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked elements. Leave such samples out, or fill them in.")
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
