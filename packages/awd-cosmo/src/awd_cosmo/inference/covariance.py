"""Covariances of features from few maps: shrunk, and what their inverse is off by."""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice
from awd_core.typing import Array

Shrinkage = Literal["ledoit-wolf", "oas", "none"]


def shrunk_covariance(residuals: npt.ArrayLike, degrees: int, method: Shrinkage = "ledoit-wolf") -> tuple[Array, float]:
    """Covariance of features, its correlations shrunk towards none.

    Parameters
    ----------
    residuals : array_like, shape (n, F)
        Features minus the mean of their group.
    degrees : int
        Degrees of freedom, the number of maps minus the number of means taken out.
    method : {"ledoit-wolf", "oas", "none"}
        How the shrinkage is found (scikit-learn's estimators): Ledoit and Wolf 2004; Chen et al. 2010.

    Returns
    -------
    covariance : ndarray, shape (F, F)
        (1 − δ) S + δ diag(S), in the features' unit squared.
    shrinkage : float
        δ, from 0 to 1.

    Raises
    ------
    ValueError
        If the method is unknown, there are no degrees of freedom, or a feature does not vary.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((500, 3))
    >>> covariance, shrinkage = shrunk_covariance(x - x.mean(axis=0), 499)
    >>> bool(np.allclose(covariance, np.eye(3), atol=0.15)), 0 <= shrinkage <= 1
    (True, True)
    """
    r = np.asarray(residuals, dtype=np.float64)
    check_choice("shrinkage", method, get_args(Shrinkage), required=True)
    if degrees < 1:
        raise ValueError(f"{len(r)} maps leave no degrees of freedom for a covariance; give several a cosmology")
    sd = np.sqrt((r**2).sum(axis=0) / degrees)
    if not (sd > 1e-12 * sd.max(initial=0.0)).all():  # below is what rounding leaves
        raise ValueError(f"feature {int(np.argmin(sd))} does not vary within a cosmology; leave it out")
    r = r / sd
    shrinkage = 0.0
    if method != "none":
        from sklearn.covariance import ledoit_wolf, oas

        shrinkage = float((ledoit_wolf if method == "ledoit-wolf" else oas)(r, assume_centered=True)[1])
    correlation = (1 - shrinkage) * (r.T @ r) / degrees + shrinkage * np.eye(len(sd))
    return correlation * sd[:, None] * sd, shrinkage


def hartlap_factor(degrees: int, features: int) -> float:
    """Expected precision over the inverse of a sample covariance, (ν − F − 1)/ν (Hartlap et al. 2007, eq. 17).

    Parameters
    ----------
    degrees : int
        ν, degrees of freedom of the covariance (number of maps minus number of means).
    features : int
        F.

    Raises
    ------
    ValueError
        If ν ≤ F + 1: the inverse has no expectation.

    Examples
    --------
    >>> hartlap_factor(100, 19)
    0.8
    """
    if degrees <= features + 1:
        raise ValueError(
            f"{features} features need more than {features + 1} degrees of freedom for Hartlap's factor and there are "
            f"{degrees}; give more maps a cosmology, use fewer bins, or shrink the covariance instead"
        )
    return (degrees - features - 1) / degrees
