"""A small neural likelihood of compressed features, and the posterior under it.

Neural likelihood estimation (Papamakarios, Sterratt and Murray 2019; for cosmology Alsing et al. 2019). Features of a
map are compressed to as many numbers t as there are parameters, by a ridge. Small networks learn p(t | θ), a mixture
of normal densities whose weights, means and covariances depend on θ (Bishop 1994). A posterior is that likelihood with
a flat prior.

Why the likelihood, and not the posterior itself: a suite has few cosmologies with many maps each. A network for
p(θ | t) sees these few θ again and again and learns that the truth is one of them; one for p(t | θ) sees t that are all
different. The prior is ours to choose then, and maps of a survey are put together by a product. Why our own: two layers
are all that is needed, they are saved as numbers in JSON, and NumPy alone asks them. (The library sbi needs torch to be
asked, and keeps its posteriors as pickles, which nothing here loads.)
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from awd_core.checks import real_number, varying, whole_number
from awd_core.typing import AnyArray, Array, Rows
from awd_cosmo.inference.emulator import in_box
from awd_cosmo.inference.estimators import CountRidge
from awd_cosmo.inference.regressor import CountRegressor, Transform
from awd_cosmo.posterior.sampling import spread_points

if TYPE_CHECKING:
    from torch import Tensor

FEW = 24
"""Features up to which the ridge has their squares and products as well."""
POINTS = 16384
"""Points of the box over which means and deviations of the posterior are taken."""
BLOCK = 2_000_000
"""Densities that are held at a time."""


class NeuralPosterior(CountRegressor):
    """Posterior mean and standard deviation under a small neural likelihood.

    Parameters other than the targets are marginalised over, with a flat prior; where `fit` is given the targets alone,
    what the others do is learnt as scatter.

    Parameters
    ----------
    transform : {"sqrt", "log", "none"}
        Applied to features first.
    members : int
        Networks, trained from different starts, whose likelihoods are averaged. What they do not agree on widens the
        posterior, of many maps together above all.
    components : int
        Normal densities in each mixture.
    width : int
        Units of each of the two layers.
    epochs : int
        Passes over the training maps, at most.
    patience : int
        Passes without a better likelihood of the maps of held-out cosmologies that end the training.
    batch_size : int
        Maps a step.
    learning_rate : float
        Of Adam.
    held_out : float
        Share of the cosmologies that say when to stop.
    seed : int
        Of everything random.

    Attributes
    ----------
    ridge_ : CountRidge
        What compresses features.
    low_, high_ : ndarray, shape (p,)
        Box of the training parameters.
    history_ : list of list of float
        Of each member, minus the mean log-likelihood of the held-out maps after each pass; not saved.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> omega = np.repeat(np.linspace(0.2, 0.4, 12), 40)
    >>> counts = rng.poisson(1000 * omega[:, None] * [1.0, 0.5, 0.2])
    >>> posterior = NeuralPosterior("sqrt", members=1, components=1, epochs=40).fit(counts, omega)
    >>> estimate, std = posterior.predict([[312, 155, 61]], return_std=True)
    >>> print(f"{estimate[0]:.2f} ± {std[0]:.2f}")
    0.31 ± 0.01
    """

    _arrays = (
        "low_", "high_", "centre_", "whitener_", "own_", "w1_", "b1_", "w2_", "b2_", "w3_", "b3_",
    )  # fmt: skip
    ridge_: CountRidge
    low_: Array
    high_: Array
    centre_: Array
    whitener_: Array
    own_: Array
    w1_: Array
    b1_: Array
    w2_: Array
    b2_: Array
    w3_: Array
    b3_: Array
    history_: list[list[float]]

    def __init__(
        self,
        transform: Transform = "none",
        *,
        members: int = 3,
        components: int = 3,
        width: int = 32,
        epochs: int = 300,
        patience: int = 30,
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        held_out: float = 0.15,
        seed: int = 0,
    ) -> None:
        self.transform = transform
        self.members = members
        self.components = components
        self.width = width
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.held_out = held_out
        self.seed = seed

    def box(self) -> tuple[Array, Array]:
        """Ends of the prior, both (p,): the targets first, then what is marginalised over."""
        self._check_fitted()
        return self.low_, self.high_

    def log_likelihood(self, X: npt.ArrayLike, parameters: npt.ArrayLike) -> Array:
        """Logarithm of the likelihood of each map (n, F), at points (G, p) or (n, w, p): (n, G) or (n, w)."""
        found = self._by_member(self._compressed(self._checked(X)), np.asarray(parameters, dtype=np.float64))
        return np.asarray(np.logaddexp.reduce(found, axis=0) - math.log(len(found)))

    def log_likelihood_together(
        self, X: npt.ArrayLike, parameters: npt.ArrayLike, effective: float | None = None
    ) -> Array:
        """Logarithm of the likelihood of maps of one cosmology together, (G,), at points (G, p).

        Each member's product over the maps is averaged: where members differ, they do so for all maps alike.

        Parameters
        ----------
        X : array_like, shape (n, F)
            Features of maps.
        parameters : array_like, shape (G, p)
            Points within `box`.
        effective : float, optional
            How many independent maps they are worth; n if not given.
        """
        t, theta = self._compressed(self._checked(X)), np.asarray(parameters, dtype=np.float64)
        rows = max(1, BLOCK // (len(theta) * self.components * self.members))
        parts = [self._by_member(t[k : k + rows], theta).sum(axis=1) for k in range(0, len(t), rows)]
        product = np.sum(parts, axis=0) * ((effective or len(t)) / len(t))
        return np.asarray(np.logaddexp.reduce(product, axis=0) - math.log(len(product)))

    def scatter(self, X: npt.ArrayLike) -> tuple[float, int]:
        """χ² of maps about their mean, and its degrees of freedom; alike for independent maps of one cosmology."""
        t = self._compressed(self._checked(X))
        rest = t - t.mean(axis=0)
        return float(np.einsum("nk,kl,nl->", rest, self.own_, rest)), rest[1:].size

    def to_dict(self) -> dict[str, Any]:
        """JSON values; see `CountRegressor.to_dict`."""
        return super().to_dict() | {"ridge": self.ridge_.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fitted estimator from what `to_dict` gave."""
        made = super().from_dict(values)
        if "ridge" not in values:
            raise ValueError("the values of NeuralPosterior lack ridge")
        made.ridge_ = CountRidge.from_dict(values["ridge"])
        return made

    def _fit(self, features: Array, theta: Array, ids: Rows, phases: AnyArray | None) -> None:
        for name in ("members", "components", "width", "epochs", "patience", "batch_size"):
            whole_number(name, getattr(self, name))
        share = real_number("held_out", self.held_out, "a share", above=0, below=1)
        real_number("learning_rate", self.learning_rate, "a step", above=0)
        cosmologies = int(ids.max()) + 1
        if cosmologies < 4:
            raise ValueError(f"{cosmologies} cosmologies are too few to learn a likelihood from; give 4 or more")
        low, high = theta.min(axis=0), theta.max(axis=0)
        if not (high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high))).all():
            raise ValueError(f"parameter {int(np.argmin(high - low))} is the same in all maps; leave it out")
        self.low_, self.high_ = low, high
        few = features.shape[1] <= FEW
        self.ridge_ = CountRidge(
            transform=self.transform, degree=2 if few else 1, seed=whole_number("seed", self.seed, 0)
        )
        self.ridge_.fit(features, theta, cosmology=ids, realisation=phases)
        answers = self.ridge_.predict(features).reshape(len(features), -1)
        self.centre_ = answers.mean(axis=0)
        self.whitener_ = _whitener(answers - self.centre_)
        t = (answers - self.centre_) @ self.whitener_.T
        means = np.array([t[ids == c].mean(axis=0) for c in range(cosmologies)])
        rest = t - means[ids]
        self.own_ = np.linalg.pinv(rest.T @ rest / max(len(t) - cosmologies, 1), hermitian=True)

        rng = np.random.default_rng([self.seed, 0x3E7])
        held = rng.permutation(cosmologies)[: max(1, round(share * cosmologies))]
        test = np.isin(ids, held)
        x = in_box(theta, low, high)
        trained = [self._member([self.seed, 0x3E7, k], x, t, test) for k in range(self.members)]
        self.history_ = [history for _, history in trained]
        for name, values in zip(self._arrays[5:], zip(*(arrays for arrays, _ in trained), strict=True), strict=True):
            setattr(self, name, np.stack(values))

    def _member(self, seed: list[int], x: Array, t: Array, test: AnyArray) -> tuple[list[Array], list[float]]:
        """Train one network: its arrays after the best pass, and what the held-out maps said after each."""
        import torch

        rng = np.random.default_rng(seed)
        k, outputs = t.shape[1], self.components * _numbers(t.shape[1])
        sizes = [(x.shape[1], self.width), (self.width, self.width), (self.width, outputs)]
        starts: list[Array] = []
        for rows, columns in sizes:
            starts += [rng.normal(0, 1 / math.sqrt(rows), (rows, columns)), np.zeros(columns)]
        starts[-2] *= 0.1
        # Means of components begin apart, or they would stay one.
        places = np.arange(outputs).reshape(self.components, -1)
        starts[-1][places[:, 1 : 1 + k]] = rng.normal(0, 0.5, (self.components, k))
        arrays = [torch.tensor(one, requires_grad=True) for one in starts]
        inputs, answers = torch.from_numpy(x), torch.from_numpy(t)
        train, held = torch.from_numpy(np.flatnonzero(~test)), torch.from_numpy(np.flatnonzero(test))
        optimiser = torch.optim.Adam(arrays, lr=self.learning_rate)
        best, kept, history = math.inf, [one.detach().clone() for one in arrays], []
        for _ in range(self.epochs):
            order = rng.permutation(len(train))
            for start in range(0, len(order), self.batch_size):
                chosen = train[order[start : start + self.batch_size]]
                loss = -_torch_log_density(arrays, inputs[chosen], answers[chosen], self.components).mean()
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(arrays, 5.0)
                optimiser.step()
            with torch.no_grad():
                history.append(float(-_torch_log_density(arrays, inputs[held], answers[held], self.components).mean()))
            if history[-1] < best:
                best, kept = history[-1], [one.detach().clone() for one in arrays]
            elif len(history) - 1 - int(np.argmin(history)) >= self.patience:
                break
        return [one.numpy() for one in kept], history

    def _compressed(self, features: Array) -> Array:
        answers = self.ridge_.predict(features).reshape(len(features), -1)
        return np.asarray((answers - self.centre_) @ self.whitener_.T)

    def _by_member(self, t: Array, theta: Array) -> Array:
        """Log-likelihoods (members, n, G or w) of compressed maps (n, K)."""
        flat = in_box(theta.reshape(-1, theta.shape[-1]), self.low_, self.high_)
        found = []
        for e in range(len(self.w1_)):
            hidden = np.tanh(np.tanh(flat @ self.w1_[e] + self.b1_[e]) @ self.w2_[e] + self.b2_[e])
            mixture = _mixture(hidden @ self.w3_[e] + self.b3_[e], self.components, t.shape[1])
            if theta.ndim == 2:
                found.append(_log_density(mixture, t[:, None]))
            else:
                own = _Mixture(*(part.reshape(*theta.shape[:2], *part.shape[1:]) for part in mixture))
                found.append(_log_density(own, t[:, None]))
        return np.array(found)

    def _estimate(self, features: Array) -> tuple[Array, Array | None]:
        k = self.n_targets_
        points = self.low_ + (self.high_ - self.low_) * spread_points(POINTS, len(self.low_))
        t = self._compressed(features)
        rows = max(1, BLOCK // (POINTS * self.components))
        estimates, stds = [], []
        for start in range(0, max(len(t), 1), rows):
            log = np.logaddexp.reduce(self._by_member(t[start : start + rows], points), axis=0)
            weights = np.exp(log - log.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            mean = weights @ points[:, :k]
            middle = points[:, :k].mean(axis=0)
            estimates.append(mean)
            variance = weights @ (points[:, :k] - middle) ** 2 - (mean - middle) ** 2
            # Points cannot tell what lies between them.
            cell = ((self.high_ - self.low_)[:k] * POINTS ** (-1 / len(self.low_))) ** 2
            stds.append(np.sqrt(np.maximum(variance, 0) + cell / 12))
        return np.concatenate(estimates), np.concatenate(stds)


class _Mixture(NamedTuple):
    """Normal densities: logarithms of weights (…, C), means (…, C, K), inverse roots of covariances (…, C, K, K)."""

    log_weights: Any
    means: Any
    roots: Any


def _numbers(k: int) -> int:
    """Outputs of a component in k dimensions: a weight, a mean, a triangle."""
    return 1 + k + k * (k + 1) // 2


def _mixture(outputs: Array, components: int, k: int) -> _Mixture:
    """Mixtures (G, …) of outputs (G, C · numbers)."""
    parts = outputs.reshape(len(outputs), components, -1)
    log = parts[:, :, 0] - np.logaddexp.reduce(parts[:, :, 0], axis=1)[:, None]
    roots = np.zeros((*parts.shape[:2], k, k))
    below = np.tril_indices(k, -1)
    roots[:, :, below[0], below[1]] = parts[:, :, 1 + 2 * k :]
    roots[:, :, range(k), range(k)] = np.exp(np.clip(parts[:, :, 1 + k : 1 + 2 * k], -12, 12))
    return _Mixture(log, parts[:, :, 1 : 1 + k], roots)


def _log_density(mixture: _Mixture, t: Array) -> Array:
    """Log-density at t (n, 1, K) under mixtures (G, …) or (n, w, …): (n, G) or (n, w)."""
    k = t.shape[-1]
    terms = []
    for c in range(mixture.log_weights.shape[-1]):
        root = mixture.roots[..., c, :, :]
        scaled = np.einsum("...kl,...l->...k", root, t - mixture.means[..., c, :])
        determinant = np.log(np.einsum("...kk->...k", root)).sum(axis=-1)
        terms.append(
            mixture.log_weights[..., c] + determinant - 0.5 * (scaled**2).sum(axis=-1) - 0.5 * k * math.log(2 * math.pi)
        )
    return np.asarray(np.logaddexp.reduce(terms, axis=0))


def _torch_log_density(arrays: "list[Tensor]", x: "Tensor", t: "Tensor", components: int) -> "Tensor":
    """The same in torch, of maps (n, K) each under its own mixture: (n,)."""
    import torch

    w1, b1, w2, b2, w3, b3 = arrays
    k = t.shape[1]
    parts = (torch.tanh(torch.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3).reshape(len(x), components, -1)
    log = torch.log_softmax(parts[:, :, 0], dim=1)
    diagonal = parts[:, :, 1 + k : 1 + 2 * k].clamp(-12, 12)
    below = torch.tril_indices(k, k, -1)
    root = torch.diag_embed(diagonal.exp())
    root[:, :, below[0], below[1]] = parts[:, :, 1 + 2 * k :]
    scaled = (root @ (t[:, None] - parts[:, :, 1 : 1 + k])[..., None])[..., 0]
    each = log + diagonal.sum(dim=2) - 0.5 * (scaled**2).sum(dim=2) - 0.5 * k * math.log(2 * math.pi)
    return torch.logsumexp(each, dim=1)


def _whitener(rest: Array) -> Array:
    """Rows that make of centred answers (n, p) uncorrelated numbers of variance 1; what does not vary is dropped."""
    if not varying(rest).any():
        raise ValueError("no parameter follows from the features: the ridge answers the same for all maps")
    size, axes = np.linalg.eigh(rest.T @ rest / len(rest))
    scale = np.sqrt(np.diag(rest.T @ rest / len(rest)).max())
    kept = size > (1e-6 * scale) ** 2
    return np.asarray(axes[:, kept].T / np.sqrt(size[kept])[:, None])
