"""An emulator of mean counts: how a statistic's mean moves with the cosmological parameters, and how sure that is.

The features of a map, x (F numbers), scatter about the mean of their cosmology with the covariance C, taken as the same
everywhere (square roots of counts make it nearly so). Few directions of feature space tell cosmologies apart. So x is
compressed once, linearly, to K numbers t whose scatter is 1:

1. whiten with C, shrunk or with Hartlap's factor (`awd_cosmo.inference.covariance`): noise I;
2. keep the principal components of the cosmologies' means that stand above what noise alone would give
   (Marchenko and Pastur's edge);
3. fit curves t(θ) through the means; what they miss beyond noise, M (K × K, parameters that are not in θ, shapes that
   the curves cannot follow), counts as noise as well: whiten with I + M.

Then the likelihood of a map is a product of K normal densities, Π_k N(t_k | μ_k(θ), 1 + v_k(θ)), where v is the
curves' own variance. Means and variances come from a polynomial or from a Gaussian process for each component.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_choice, whole_number
from awd_core.files import Record
from awd_core.typing import Array

Kind = Literal["gp", "linear", "quadratic"]

_BROAD = 100.0  # prior variance of a Gaussian process' straight part, in units of the component's variance
_DEGREES = {"linear": 1, "quadratic": 2}


@dataclass(frozen=True)
class CountEmulator(Record):
    """Compressed features as functions of the parameters. Made by `fit_emulator`.

    Attributes
    ----------
    kind : {"gp", "linear", "quadratic"}
        What the curves are.
    low, high : ndarray, shape (p,)
        The box of the training parameters.
    centre : ndarray, shape (F,)
        What is subtracted from features.
    projection : ndarray, shape (K, F)
        What they are multiplied with.
    curves : tuple of mappings
        One a component. Polynomial: `weights` (q,) and `covariance` (q, q). Gaussian process: `nodes` (C, p),
        `values` (C,), `noise` (C,), `scale`, `amplitude`, `lengths` (p,).
    common : ndarray, shape (K, K), optional
        What of the scatter, whose covariance is the identity, all maps of a cosmology have in common: M above. It does
        not average out over the maps of a survey.
    """

    kind: Kind
    low: Array
    high: Array
    centre: Array
    projection: Array
    curves: tuple[Mapping[str, Array], ...]
    common: Array | None = None

    def compress(self, features: Array) -> Array:
        """Compressed features, (n, F) → (n, K), with a scatter of 1 about the curves."""
        return np.asarray((features - self.centre) @ self.projection.T)

    def predict(self, parameters: npt.ArrayLike) -> tuple[Array, Array]:
        """Means of the compressed features and the curves' own variances, both (G, K), at parameters (G, p)."""
        x = in_box(np.asarray(parameters, dtype=np.float64), self.low, self.high)
        # All polynomials have the same terms.
        basis = x if self.kind == "gp" else polynomial_basis(x, _DEGREES[self.kind])
        found = [_gp(curve, x) if self.kind == "gp" else _polynomial(curve, basis) for curve in self.curves]
        return np.column_stack([mean for mean, _ in found]), np.column_stack([variance for _, variance in found])


def log_density(t: Array, mean: Array, variance: Array) -> Array:
    """Logarithm of Π_k N(t_k | μ_k, 1 + v_k) of maps (n, K) at grid points with means and variances (G, K): (n, G)."""
    precision = 1 / (1 + variance)
    # Σ_k (t − μ)² / s, multiplied out: one product of matrices instead of n · G · K differences.
    rest = (mean**2 * precision).sum(axis=1) + np.log(2 * math.pi / precision).sum(axis=1)
    of_grid = np.column_stack([-0.5 * precision, mean * precision, -0.5 * rest])
    return np.asarray(np.column_stack([t**2, t, np.ones(len(t))]) @ of_grid.T)


def log_density_each(t: Array, mean: Array, variance: Array) -> Array:
    """The same of maps (n, K), each at grid points of its own, whose means and variances are (n, w, K): (n, w)."""
    total = 1 + variance
    return np.asarray(-0.5 * ((t[:, None] - mean) ** 2 / total + np.log(2 * math.pi * total)).sum(axis=2))


def log_density_together(t: Array, mean: Array, variance: Array, common: Array | None, effective: float) -> Array:
    """The same of the mean of maps of one cosmology, (n, K), as good as `effective` independent ones: (G,).

    Its covariance is (1 − M)/n + M + diag v: what curves miss and do not know is the same for all maps.
    """
    shared = np.zeros((t.shape[1],) * 2) if common is None else common
    fixed = (np.eye(t.shape[1]) - shared) / effective + shared
    root = np.linalg.cholesky(fixed + variance[:, :, None] * np.eye(t.shape[1]))
    scaled = np.linalg.solve(root, (t.mean(axis=0) - mean)[:, :, None])[:, :, 0]
    determinant = np.log(2 * math.pi * np.einsum("gkk->gk", root) ** 2).sum(axis=1)
    return np.asarray(-0.5 * ((scaled**2).sum(axis=1) + determinant))


def fit_emulator(
    parameters: npt.ArrayLike,
    means: npt.ArrayLike,
    maps: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    kind: Kind = "gp",
    components: int | None = None,
) -> CountEmulator:
    """Fit an emulator to the mean features of cosmologies.

    Parameters
    ----------
    parameters : array_like, shape (C, p)
        Parameters of each cosmology.
    means : array_like, shape (C, F)
        Its mean features.
    maps : array_like of int, shape (C,)
        How many maps each mean is of.
    covariance : array_like, shape (F, F)
        Covariance of the features of one map within a cosmology, positive definite.
    kind : {"gp", "linear", "quadratic"}
        Curves: a Gaussian process for each component (a straight line and a smooth remainder, a length a parameter),
        or a polynomial of degree 1 or 2 with all products.
    components : int, optional
        Number K of components; if not given, as many as stand above noise, and at least as many as parameters.

    Returns
    -------
    CountEmulator

    Raises
    ------
    ValueError
        If there are too few cosmologies for the curves, or a parameter does not vary.
    """
    theta, z, n = (np.asarray(values, dtype=np.float64) for values in (parameters, means, maps))
    count = len(theta)
    check_choice("emulator", kind, get_args(Kind), required=True)
    low, high = theta.min(axis=0), theta.max(axis=0)
    if not (high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high))).all():
        raise ValueError(f"parameter {int(np.argmin(high - low))} is the same in all {count} cosmologies; leave it out")
    terms = polynomial_basis(np.zeros((1, theta.shape[1])), _DEGREES.get(kind, 1)).shape[1]
    if count < terms + 2:
        raise ValueError(
            f"{count} cosmologies are too few for a {kind} emulator of {theta.shape[1]} parameters: it has {terms} "
            f"coefficients a component and needs {terms + 2} cosmologies; use a simpler one, or fewer parameters"
        )
    x = in_box(theta, low, high)
    centre = np.average(z, axis=0, weights=n)
    whitener = np.linalg.inv(np.linalg.cholesky(np.asarray(covariance, dtype=np.float64)))
    projection = _principal((z - centre) @ whitener.T, n, components, theta.shape[1]) @ whitener

    # What simple curves through the means miss, beyond noise, is noise for what follows.
    missed = _missed((z - centre) @ projection.T, x, n, kind)
    size, axes = np.linalg.eigh(np.eye(len(projection)) + missed)
    turn = axes.T / np.sqrt(size)[:, None]
    _, _, rotation = np.linalg.svd((z - centre) @ projection.T @ turn.T, full_matrices=False)
    turn = rotation @ turn
    projection = turn @ projection
    t = (z - centre) @ projection.T
    noise = np.einsum("ki,ij,kj->k", turn, missed, turn) + (turn**2).sum(axis=1) / n[:, None]
    fit = _fit_gp if kind == "gp" else _fit_polynomial
    curves = tuple(fit(x, t[:, k], noise[:, k], kind) for k in range(t.shape[1]))
    return CountEmulator(kind, low, high, centre, projection, curves, turn @ missed @ turn.T)


def _principal(z: Array, n: Array, components: int | None, least: int) -> Array:
    """Principal axes (K, F) of whitened means, of which noise has the variance 1/n in every direction."""
    count, features = z.shape
    _, size, axes = np.linalg.svd(z * np.sqrt(n / n.mean())[:, None], full_matrices=False)
    most = min(features, count - 1)
    if components is None:
        edge = (1 + math.sqrt(features / count)) ** 2 / n.mean()
        components = max(int((size**2 / count > edge).sum()), least)
    return np.asarray(axes[: min(whole_number("components", components), most)])


def _missed(t: Array, x: Array, n: Array, kind: Kind) -> Array:
    """Covariance (K, K) of what curves miss of the means beyond their noise, no direction below 0."""
    if kind == "gp":
        fits = [_fit_gp(x, column, 1 / n, kind, white=True) for column in t.T]
        hats = np.array([_gp_hat(curve, x) for curve in fits])
    else:
        basis = polynomial_basis(x, _DEGREES[kind])
        root = np.sqrt(n)[:, None]
        hats = np.broadcast_to(basis @ np.linalg.pinv(basis * root) * root.T, (t.shape[1], len(x), len(x)))
    rest = np.eye(len(x)) - hats
    residuals = np.einsum("kij,jk->ik", rest, t)
    # Independent noise of variance 1 in the means would leave tr(AₖᵀAₗ) in the products of residuals k and l.
    degrees = np.einsum("kij,lij->kl", rest, rest)
    weighted = np.einsum("kij,lij,j->kl", rest, rest, 1 / n)
    excess = (residuals.T @ residuals - np.eye(t.shape[1]) * weighted) / np.maximum(degrees, 1.0)
    size, axes = np.linalg.eigh((excess + excess.T) / 2)
    return np.asarray((axes * np.maximum(size, 0)) @ axes.T)


def in_box(theta: Array, low: Array, high: Array) -> Array:
    """Parameters with the training box at −1…1."""
    if theta.ndim != 2 or theta.shape[1] != len(low):
        raise ValueError(f"parameters must have the shape (n, {len(low)}), as in training; got {theta.shape}")
    return np.asarray((2 * theta - low - high) / (high - low))


def polynomial_basis(x: Array, degree: int) -> Array:
    """All products of up to `degree` coordinates, (n, q)."""
    columns = [np.ones(len(x))]
    for order in range(1, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(x.shape[1]), order):
            columns.append(x[:, chosen].prod(axis=1))
    return np.column_stack(columns)


def _fit_polynomial(x: Array, values: Array, noise: Array, kind: Kind) -> dict[str, Any]:
    basis = polynomial_basis(x, _DEGREES[kind])
    information = (basis / noise[:, None]).T @ basis
    covariance = np.linalg.pinv(information, hermitian=True)
    return {"weights": covariance @ (basis / noise[:, None]).T @ values, "covariance": covariance}


def _polynomial(curve: Mapping[str, Any], basis: Array) -> tuple[Array, Array]:
    return basis @ curve["weights"], ((basis @ np.asarray(curve["covariance"])) * basis).sum(axis=1)


def _fit_gp(x: Array, values: Array, noise: Array, kind: Kind, *, white: bool = False) -> dict[str, Any]:
    """Gaussian process with the amplitude and lengths of highest marginal likelihood (and white noise, if asked)."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    spread = float(values.std())
    scale = spread if spread > 1e-9 * float(np.sqrt(noise.max())) else 1.0
    kernel = ConstantKernel(_BROAD, "fixed") * DotProduct(1.0, "fixed")
    kernel += ConstantKernel(0.1, (1e-5, 1e2)) * RBF(np.full(x.shape[1], 1.5), (0.3, 30.0))
    if white:
        kernel += WhiteKernel(1e-2, (1e-7, 1e1))
    process = GaussianProcessRegressor(kernel, alpha=noise / scale**2)
    with warnings.catch_warnings():
        # An amplitude or a length at its bound only says that the curve is straight, or flat in that parameter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(x, values / scale)
    found = process.kernel_.get_params()
    smooth = found["k1__k2"] if white else found["k2"]
    lengths = np.broadcast_to(smooth.k2.length_scale, x.shape[1])
    more = found["k2"].noise_level * scale**2 if white else 0.0
    return {
        "nodes": x,
        "values": values,
        "noise": noise + more,
        "scale": scale,
        "amplitude": smooth.k1.constant_value,
        "lengths": np.array(lengths),
    }


def _kernel(curve: Mapping[str, Any], a: Array, b: Array) -> Array:
    distance = (((a[:, None] - b) / curve["lengths"]) ** 2).sum(axis=2)
    smooth = curve["amplitude"] * np.exp(-0.5 * distance)
    return np.asarray(curve["scale"] ** 2 * (_BROAD * (1 + a @ b.T) + smooth))


def _gp(curve: Mapping[str, Any], x: Array) -> tuple[Array, Array]:
    nodes = curve["nodes"]
    root = np.linalg.cholesky(_kernel(curve, nodes, nodes) + np.diag(curve["noise"]))
    inverse = np.linalg.inv(root)
    weights = inverse.T @ (inverse @ curve["values"])
    mean, variance = np.empty(len(x)), np.empty(len(x))
    prior = curve["scale"] ** 2 * (_BROAD * (1 + (x**2).sum(axis=1)) + curve["amplitude"])
    for start in range(0, len(x), 4096):  # a grid of three parameters has 30,000 points
        rows = slice(start, start + 4096)
        cross = _kernel(curve, x[rows], nodes)
        mean[rows] = cross @ weights
        variance[rows] = prior[rows] - ((cross @ inverse.T) ** 2).sum(axis=1)
    return mean, np.maximum(variance, 0.0)


def _gp_hat(curve: Mapping[str, Any], x: Array) -> Array:
    """Matrix (C, C) that takes values at the nodes to the curve there."""
    kernel = _kernel(curve, x, x)
    return np.asarray(np.linalg.solve(kernel + np.diag(curve["noise"]), kernel).T)
