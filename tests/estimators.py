"""The public estimators of the three packages, each small enough to be fitted hundreds of times, and data for them."""

import inspect

import numpy as np
import pandas as pd
from sklearn import base
from torch import nn

import awd_cme
import awd_core
import awd_cosmo

PACKAGES = (awd_core, awd_cosmo, awd_cme)


class Linear(nn.Module):
    """One layer, for as many features as come first."""

    def __init__(self, outputs=1):
        super().__init__()
        self.layer = nn.LazyLinear(outputs)

    def forward(self, x):
        return self.layer(x)


def public_estimators():
    """Classes that have `fit`, by name."""
    named = {name: getattr(package, name) for package in PACKAGES for name in package.__all__}
    return {name: kind for name, kind in named.items() if isinstance(kind, type) and hasattr(kind, "fit")}


NETWORK = {"factory": Linear, "max_epochs": 4, "learning_rate": 0.3, "accelerator": "cpu"}
SERIES = NETWORK | {"scale_inputs": "global"}
SEARCH = awd_core.SearchSettings(random_starts=1, iterations=20)
STUDENT = {"levels": 1, "search": awd_core.StudentSearch(random_starts=1, descents=1, finalists=1, folds=2)}
SMALL = {
    "ConvolutionTeacher": awd_cme.ConvolutionTeacher(20),
    "ConvolutionTeacherClassifier": awd_cme.ConvolutionTeacherClassifier(20),
    "CountRidge": awd_cosmo.CountRidge(),
    "EmulatorPosterior": awd_cosmo.EmulatorPosterior("linear", points=10),
    "JointStatistic": awd_cosmo.JointStatistic([awd_cosmo.PixelDistribution(4)]),
    "MapTeacher": awd_cosmo.MapTeacher(width=1, max_epochs=1, accelerator="cpu"),
    "MaxCoefficients": awd_cme.MaxCoefficients("haar", 1, most=2),
    "MinkowskiFunctionals": awd_cosmo.MinkowskiFunctionals(3),
    "NearestCosmology": awd_cosmo.NearestCosmology(),
    "NeuralPosterior": awd_cosmo.NeuralPosterior(members=1, components=1, width=4, epochs=3),
    "PeakCountRegressor": awd_cosmo.PeakCountRegressor("ridge"),
    "PeakCounts": awd_cosmo.PeakCounts("db2", bins=4, range=(0, 0.03)),
    "PeaksAbove": awd_cosmo.PeaksAbove("db2", heights=4),
    "PixelDistribution": awd_cosmo.PixelDistribution(4),
    "PowerSpectrum": awd_cosmo.PowerSpectrum(0.4, bins=4),
    "ScaleCounts": awd_cosmo.ScaleCounts("haar", 1, bins=4),
    "ScatteringCoefficients": awd_cosmo.ScatteringCoefficients(2, 2),
    "ShiftedLognormal": awd_cosmo.ShiftedLognormal("haar", 1),
    "SeriesEnsemble": awd_cme.SeriesEnsemble(awd_cme.SeriesTeacher(**SERIES), members=2),
    "SeriesLogistic": awd_cme.SeriesLogistic(alphas=(0.1, 1.0), folds=2),
    "SeriesRidge": awd_cme.SeriesRidge(),
    "SeriesTeacher": awd_cme.SeriesTeacher(**SERIES),
    "SeriesTeacherClassifier": awd_cme.SeriesTeacherClassifier(**SERIES),
    "StarletCounts": awd_cosmo.StarletCounts(1, bins=4),
    "StarletNorm": awd_cosmo.StarletNorm(1, bins=4),
    "Teacher": awd_core.Teacher(**NETWORK),
    "TeacherClassifier": awd_core.TeacherClassifier(**NETWORK),
    "WaveletDistiller": awd_core.WaveletDistiller("haar", 1, share=0.0, search=SEARCH),
    "WaveletStudent": awd_core.WaveletStudent("haar", **STUDENT),
    "WaveletStudentClassifier": awd_core.WaveletStudentClassifier("haar", **STUDENT),
    "WaveletTransformer": awd_core.WaveletTransformer("haar", 1),
}
OF_MAPS = [
    name for name, estimator in SMALL.items() if isinstance(estimator, awd_cosmo.MapTeacher | awd_cosmo.Statistic)
]
OF_TABLES = [name for name in SMALL if name not in OF_MAPS]

RNG = np.random.default_rng(0)
TRUTH = np.repeat([0.2, 0.25, 0.3, 0.35, 0.4], 12)
"""Of twelve samples each, as several maps are of one cosmology."""
COUNTS = RNG.poisson(1000 * TRUTH[:, None] * np.linspace(0.5, 1, 8)).astype(float)
TABLE = pd.DataFrame(COUNTS, columns=list("abcdefgh"))
MAPS = RNG.normal(0, 0.02, (60, 16, 16)) * (1 + TRUTH[:, None, None])


def data_for(name):
    """X and y: a table with names, or maps; labels for a classifier."""
    return (MAPS if name in OF_MAPS else TABLE), (TRUTH > 0.3 if is_classifier(name) else TRUTH)


def is_classifier(name):
    """Whether the estimator of that name is one."""
    return base.is_classifier(SMALL[name])


def methods_of(estimator):
    """Public methods of an estimator that is fitted first, by name: all but those that set or tell its parameters."""
    kind, found = type(estimator), []
    for name in dir(kind):
        static = inspect.getattr_static(kind, name)
        own = not name.startswith(("_", "fit", "set_", "get_params", "get_metadata"))
        if own and inspect.isfunction(getattr(kind, name)) and not isinstance(static, staticmethod):
            found.append(name)
    return found


def called(method, **given):
    """The method's answer, of as many of the given arguments as it must have; likelihoods are asked at one point."""
    given = {"parameters": [[0.3]]} | given
    needed = [p.name for p in inspect.signature(method).parameters.values() if p.default is p.empty]
    if "y" in inspect.signature(method).parameters:
        needed.append("y")
    return method(**{name: given[name] for name in dict.fromkeys(needed)})
