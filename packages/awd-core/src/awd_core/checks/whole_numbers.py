"""Parameters that are whole numbers: Python's and NumPy's alike. Nothing heavy is imported here."""

from numbers import Integral
from typing import Any, TypeGuard


def is_whole_number(value: object) -> TypeGuard[int]:
    """Whether it is a number of any integer type; True and False are none.

    Examples
    --------
    >>> import numpy as np
    >>> [is_whole_number(value) for value in (3, np.int64(3), True, 3.0)]
    [True, True, False, False]
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def whole_number(name: str, value: Any, least: int = 1, *, most: int | None = None, none: str = "") -> int:
    """The value as an int, if it is a whole number and large enough.

    Parameters
    ----------
    name : str
        Of the parameter, for the message.
    value : int or numpy.integer
        What was given: a number of any integer type, as it comes from `numpy.arange`. True and False are none, nor
        is 3.0.
    least : int
        The smallest that will do.
    most : int, optional
        The largest that will do.
    none : str
        What None stands for, such as "as many as fit", where the caller takes it before; for the message.

    Raises
    ------
    ValueError
        If it is something else, or out of bounds.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number("levels", np.arange(4)[3])
    3
    >>> whole_number("levels", True, none="as many as fit")
    Traceback (most recent call last):
    ...
    ValueError: levels is True; give a positive whole number, or None for as many as fit
    """
    if is_whole_number(value) and value >= least and (most is None or value <= most):
        return int(value)
    allowed = "a positive whole number" if least == 1 else f"a whole number, {least} or more"
    allowed = allowed if most is None else f"a whole number from {least} to {most}"
    raise ValueError(f"{name} is {value!r}; give {allowed}" + (f", or None for {none}" if none else ""))
