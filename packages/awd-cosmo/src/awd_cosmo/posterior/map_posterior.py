"""The posterior of maps by a saved model: its features, its likelihood, and the parameters that follow from others."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from awd_core.checks import check_kind
from awd_core.files import Record
from awd_cosmo.inference.model import Model
from awd_cosmo.posterior.derived import Derived, with_derived
from awd_cosmo.posterior.samples import PosteriorSamples
from awd_cosmo.posterior.sampling import sample_posterior

KEY = "posterior"
"""Of a model's provenance, under which its posterior is described."""


@dataclass(frozen=True)
class PosteriorSettings(Record):
    """What a model's posterior needs beside its likelihood.

    Attributes
    ----------
    names : tuple of str
        All parameters that are sampled, in the order of the likelihood's box.
    shown : tuple of str
        Those that were asked for, sampled or derived.
    derived : tuple of Derived
        Parameters that follow from those.
    widening : float
        By how much errors were found to be too small on validation maps.
    """

    names: tuple[str, ...]
    shown: tuple[str, ...]
    derived: tuple[Derived, ...] = ()
    widening: float = 1.0


@dataclass(frozen=True)
class MapPosterior:
    """A model from maps to samples of the posterior.

    Attributes
    ----------
    model : Model
        Its regressor has a likelihood.
    settings : PosteriorSettings
        Names, derived parameters, widening.
    """

    model: Model
    settings: PosteriorSettings

    @classmethod
    def of(cls, model: Model) -> "MapPosterior":
        """The posterior that a model has.

        Raises
        ------
        ValueError
            If its regressor has no likelihood.
        """
        check_kind("model", model, Model)
        likelihood = likelihood_of(model)
        told = model.provenance.get(KEY)
        if told is not None:
            return cls(model, PosteriorSettings.from_dict(told))
        if len(likelihood.box()[0]) > len(model.parameters):
            raise ValueError(
                "the model does not name the parameters that it marginalises over; fit it with them as targets, or "
                "take the posterior.json of a run"
            )
        return cls(model, PosteriorSettings(tuple(model.parameters), tuple(model.parameters)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "MapPosterior":
        """The posterior of a model's file, or of a run's folder: its posterior.json, else its model.json.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no model, or one without a likelihood.
        """
        place = Path(path)
        if place.is_dir():
            place /= "posterior.json" if (place / "posterior.json").exists() else "model.json"
        try:
            return cls.of(Model.load(place))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error

    def sample(
        self, features: npt.ArrayLike, *, together: bool = False, effective: float | None = None, samples: int = 1000,
        seed: int = 0,
    ) -> list[PosteriorSamples]:  # fmt: skip
        """Samples for features (n, F), of all parameters, the derived ones last; see `sample_posterior`."""
        found = sample_posterior(
            likelihood_of(self.model), features, self.settings.names, together=together, effective=effective,
            widening=self.settings.widening, samples=samples, seed=seed,
        )  # fmt: skip
        return [with_derived(one, list(self.settings.derived)) for one in found]


def likelihood_of(model: Model) -> Any:
    """The likelihood of a model's regressor.

    Raises
    ------
    ValueError
        If it has none, as a ridge.
    """
    regressor: Any = getattr(model.regressor, "regressor_", model.regressor)
    if not hasattr(regressor, "log_likelihood"):
        raise ValueError(
            f"a {type(regressor).__name__} has estimates and error bars, but no likelihood, and so no posterior to "
            "draw from; run with several targets (--also S8), which writes posterior.json, or fit EmulatorPosterior or "
            "NeuralPosterior"
        )
    return regressor


def joint_widening(samples: Sequence[PosteriorSamples], truth: npt.ArrayLike, names: Sequence[str]) -> float:
    """By how much posteriors are too narrow: √ of the mean of (θ − mean)ᵀ C⁻¹ (θ − mean) / k over maps.

    Parameters
    ----------
    samples : sequence of PosteriorSamples
        Of validation maps.
    truth : array_like, shape (n, k)
        Their parameters.
    names : sequence of str
        Of these.
    """
    y = np.asarray(truth, dtype=np.float64)
    squared = []
    for one, true in zip(samples, y, strict=True):
        values = one.of(*names)
        rest = true - values.mean(axis=0)
        squared.append(rest @ np.linalg.solve(np.atleast_2d(np.cov(values, rowvar=False)), rest))
    return float(np.sqrt(np.mean(squared) / y.shape[1]))
