"""Columns of the table that an estimator was fitted to: kept, and others refused.

scikit-learn's `n_features_in_` and `feature_names_in_`, in its words, for estimators of ours that read more than
tables, and for those that predict without it. A message adds what was given and what was expected.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from awd_core.checks.warning import warn

SHOWN = 8
"""Columns that a message lists, at most."""


@dataclass(frozen=True)
class Columns:
    """Names and number of a table's columns.

    Attributes
    ----------
    names : tuple of str or None
        None where there are none: of an array, or of a table whose columns are not named by texts.
    number : int or None
        Size of axis 1, whatever the number of axes; None where there is no such axis.

    Examples
    --------
    >>> x = np.zeros((5, 2))
    >>> Columns.of(x, x.shape)
    Columns(names=None, number=2)
    """

    names: tuple[str, ...] | None
    number: int | None

    @classmethod
    def of(cls, X: Any, shape: tuple[int, ...]) -> Self:
        """Columns of samples as the caller gave them, and the shape (n, …) that they have as an array.

        Raises
        ------
        TypeError
            If some columns are named by texts and others are not.
        """
        return cls(_names(X), shape[1] if len(shape) > 1 else None)

    @classmethod
    def kept_by(cls, estimator: Any) -> Self:
        """Columns that a fitted estimator has seen."""
        names = getattr(estimator, "feature_names_in_", None)
        return cls(None if names is None else tuple(names), getattr(estimator, "n_features_in_", None))

    def keep(self, estimator: Any) -> None:
        """Set `n_features_in_` and `feature_names_in_`, and delete what an earlier fit left where there are none."""
        names = None if self.names is None else np.array(self.names, dtype=object)
        for attribute, value in (("n_features_in_", self.number), ("feature_names_in_", names)):
            if value is not None:
                setattr(estimator, attribute, value)
            elif attribute in vars(estimator):
                delattr(estimator, attribute)

    def check(self, X: Any, shape: tuple[int, ...], estimator: Any, name: str = "X") -> None:
        """Refuse samples with other columns than these, which the estimator was fitted to.

        Parameters
        ----------
        X : array_like
            Samples as the caller gave them.
        shape : tuple of int
            (n, …), which they have as an array. The number of columns is looked at where it is (n, columns).
        estimator : object
            Whose class the message names.
        name : str
            What the message calls the samples.

        Raises
        ------
        ValueError
            If names, their order, or the number of columns differ.
        TypeError
            If some columns are named by texts and others are not.

        Warns
        -----
        UserWarning
            If one of both has names and the other has none, as an array has: their order can't be told then.
        """
        given, kind = _names(X), type(estimator).__name__
        if given is not None and self.names is not None:
            if given != self.names:
                raise ValueError(_differing(given, self.names, kind, name))
        elif given is not None:
            warn(f"{name} has feature names, but {kind} was fitted without feature names")
        elif self.names is not None:
            warn(f"{name} does not have valid feature names, but {kind} was fitted with feature names")
        if len(shape) == 2 and shape[1] != self.number:
            raise ValueError(
                f"{name} has {shape[1]} features, but {kind} is expecting {self.number} features as input."
            )


def _names(X: Any) -> tuple[str, ...] | None:
    """Names of a table's columns (of pandas, polars or pyarrow), if they are texts."""
    names = getattr(X, "column_names", getattr(X, "columns", ()))
    told = list(names) if isinstance(names, Iterable) else []
    texts = [isinstance(name, str) for name in told]
    if not any(texts):
        return None
    if not all(texts):
        kinds = ", ".join(sorted({type(name).__name__ for name in told}))
        raise TypeError(
            f"Feature names are only supported if all input features have string names, but X has columns named by "
            f"{kinds}. Make them all texts, X.columns = X.columns.astype(str), or give X.to_numpy() without names."
        )
    return tuple(map(str, told))


def _differing(given: Sequence[str], expected: Sequence[str], kind: str, name: str) -> str:
    """What is wrong with the names, in scikit-learn's words and order, and then both in full."""
    lines = ["The feature names should match those that were passed during fit."]
    strange, missing = sorted(set(given) - set(expected)), sorted(set(expected) - set(given))
    for what, names in (("unseen at fit time:", strange), ("seen at fit time, yet now missing:", missing)):
        if names:
            lines += [f"Feature names {what}", *(f"- {one}" for one in names[:5]), *(["- ..."] if names[5:] else [])]
    if not strange and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    lines.append(
        f"{name} has the columns {_listed(given)}; {kind} was fitted to {_listed(expected)}: give those, in that "
        "order, as X[list(feature_names_in_)] does."
    )
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
