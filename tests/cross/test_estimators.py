"""Every public estimator keeps scikit-learn's contract; what can't hold is listed here, with the reason."""

import inspect
import json
import re
import warnings
from functools import cache, partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks as checks

import awd_cme
import awd_core
from awd_core.teacher.estimator import KIND
from awd_core.teacher.weights import load_tensors, save_tensors
from estimators import MAPS, OF_MAPS, OF_TABLES, SMALL, TABLE, TRUTH, Linear, called, data_for, methods_of
from estimators import public_estimators as public

OLD = not hasattr(checks, "estimator_checks_generator")
needs_exceptions = pytest.mark.skipif(OLD, reason="scikit-learn's checks take a list of exceptions from 1.6 on")
ABSTRACT = {"Statistic"}

# --- scikit-learn's checks --------------------------------------------------------------------------------------------

BATCHES = {
    "check_sample_weight_equivalence_on_dense_data": "batches and the held-out part are drawn by sample, whatever it "
    "weighs, so that one of weight 0 changes which come together"
}
WIDTH = {"check_regressor_multioutput": "targets are as many as the network's outputs; this one has one output"}
LABELS = {
    "check_supervised_y_2d": "labels (n, 1) are refused, not taken for (n,) with a warning",
    "check_classifier_not_supporting_multiclass": "classes are as many as the network's logits; this one has one logit",
}
SEVERAL = "a cosmology needs several maps for its covariance; the targets here all differ"
EXPECTED = {
    "Teacher": BATCHES | WIDTH,
    "TeacherClassifier": BATCHES | LABELS,
    "SeriesTeacher": BATCHES | WIDTH,
    "SeriesTeacherClassifier": BATCHES | LABELS,
    "SeriesEnsemble": WIDTH,
    "NearestCosmology": dict.fromkeys(
        (
            "check_n_features_in_after_fitting", "check_regressors_train", "check_regressor_data_not_an_array",
            "check_regressor_multioutput", "check_regressors_no_decision_function", "check_fit_idempotent",
            "check_fit_check_is_fitted", "check_n_features_in",
        ),
        SEVERAL,
    ),
}  # fmt: skip
WITHOUT_DATA = dict.fromkeys(OF_MAPS, "X is maps (n, ny, nx), and the data of the checks are tables") | {
    "EmulatorPosterior": "several maps of each of four cosmologies are needed",
    "NeuralPosterior": "several maps of each of four cosmologies are needed",
    "CountRidge": "its parameter `transform`, a text, is taken for a method; PeakCountRegressor is checked",
}
"""Estimators that are never fitted by the checks, and why."""
CHECKS_WITHOUT_DATA = (
    "check_do_not_raise_errors_in_init_or_set_params", "check_estimator_cloneable", "check_estimator_repr",
    "check_estimator_tags_renamed", "check_get_params_invariance", "check_mixin_order",
    "check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_set_params",
    "check_valid_tag_types",
)  # fmt: skip


class OneLogit:
    """A teacher for as many classes as its network has: two."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class TwoClasses(OneLogit, awd_core.TeacherClassifier): ...


class TwoClassesOfSeries(OneLogit, awd_cme.SeriesTeacherClassifier): ...


CHECKED = SMALL | {
    "TeacherClassifier": TwoClasses(**SMALL["TeacherClassifier"].get_params()),
    "SeriesTeacherClassifier": TwoClassesOfSeries(**SMALL["SeriesTeacherClassifier"].get_params()),
}


def with_data():
    if OLD:
        return []
    with warnings.catch_warnings():
        # Estimators that predict with NumPy alone inherit nothing from scikit-learn.
        warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEstimator`")
        return [
            pair
            for name, estimator in CHECKED.items()
            if name not in WITHOUT_DATA
            for pair in checks.estimator_checks_generator(
                estimator, expected_failed_checks=EXPECTED.get(name), mark="xfail"
            )
        ]


def told(value):
    if not isinstance(value, partial):
        return getattr(value, "__name__", type(value).__name__)
    return "-".join([told(value.func), *(f"{name}={option}" for name, option in value.keywords.items())])


def test_every_public_estimator_is_here():
    assert set(public()) - ABSTRACT == set(SMALL)
    assert {name: type(estimator) for name, estimator in SMALL.items()}.items() <= public().items()


@needs_exceptions
@pytest.mark.parametrize(("estimator", "check"), with_data(), ids=told)
def test_checks(estimator, check):
    check(estimator)


@needs_exceptions
@pytest.mark.parametrize("check", CHECKS_WITHOUT_DATA)
@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_checks_without_data(name, check):
    getattr(checks, check)(name, SMALL[name])


# --- before fit -------------------------------------------------------------------------------------------------------


UNFITTED = {"scales"}
"""Methods that tell what follows from the parameters alone."""


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name, one in SMALL.items() for method in methods_of(one) if method not in UNFITTED],
)
def test_before_fit_every_method_says_so(name, method, tmp_path):
    X, y = data_for(name)
    asked = getattr(clone(SMALL[name]), method)
    with pytest.raises(NotFittedError, match=f"[Tt]his {name} .*not fitted"):
        called(asked, X=X, y=y, path=tmp_path / "file", folder=tmp_path)


# --- columns ----------------------------------------------------------------------------------------------------------


VALIDATED = [name for name in OF_TABLES if "validation" in inspect.signature(public()[name].fit).parameters]


@cache
def fitted(name):
    X, y = data_for(name)
    return clone(SMALL[name]).fit(X, y)


def answer(estimator, X):
    return estimator.transform(X) if hasattr(type(estimator), "transform") else estimator.predict(X)


def asked_of_tables(name):
    """Methods that take what `fit` has taken."""
    found = [getattr(fitted(name), method) for method in methods_of(SMALL[name]) if method != "inverse_transform"]
    return [method for method in found if "X" in inspect.signature(method).parameters]


def refused(name, X, message):
    _, y = data_for(name)
    for method in asked_of_tables(name):
        with pytest.raises(ValueError, match=message):
            called(method, X=X, y=y)


@pytest.mark.parametrize("name", OF_TABLES)
def test_columns_in_another_order_are_refused(name):
    refused(name, TABLE[TABLE.columns[::-1]], r"same order.*\nX has the columns h, g, f.*; \w+ was fitted to a, b, c.*")


@pytest.mark.parametrize("name", OF_TABLES)
def test_columns_of_other_names_are_refused(name):
    other = TABLE.rename(columns={"b": "beta"})
    refused(name, other, r"unseen at fit time:\n- beta\n.*yet now missing:\n- b\nX has the columns a, beta.*to a, b, c")


@pytest.mark.parametrize("name", OF_TABLES)
def test_another_number_of_columns_is_refused(name):
    X, y = data_for(name)
    unnamed = clone(SMALL[name]).fit(X.to_numpy(), y)
    assert unnamed.n_features_in_ == 8
    assert not hasattr(unnamed, "feature_names_in_")
    for method in (getattr(unnamed, method.__name__) for method in asked_of_tables(name)):
        with pytest.raises(ValueError, match=r"X has 7 features, but \w+ is expecting 8 features"):
            called(method, X=X.to_numpy()[:, :7], y=y)


@pytest.mark.parametrize("name", OF_TABLES)
def test_without_names_on_one_side_there_is_a_warning(name):
    X, y = data_for(name)
    with pytest.warns(UserWarning, match=r"X does not have valid feature names, but \w+ was fitted with"):
        answer(fitted(name), X.to_numpy())
    unnamed = clone(SMALL[name]).fit(X.to_numpy(), y)
    with pytest.warns(UserWarning, match=r"X has feature names, but \w+ was fitted without"):
        answer(unnamed, X)


@pytest.mark.parametrize("name", OF_TABLES)
def test_names_are_those_of_the_last_fit(name):
    X, y = data_for(name)
    again = clone(SMALL[name]).fit(X, y)
    assert again.feature_names_in_.tolist() == list("abcdefgh")
    again.fit(X.to_numpy(), y)
    assert not hasattr(again, "feature_names_in_")


@pytest.mark.parametrize("name", VALIDATED)
def test_a_validation_table_has_the_columns_of_the_training_table(name):
    X, y = data_for(name)
    turned = X.iloc[:20, ::-1]
    with pytest.raises(ValueError, match=r"same order.*\nvalidation X has the columns h, g, f.* was fitted to a, b"):
        clone(SMALL[name]).fit(X, y, validation=(turned, y[:20]))


def test_names_that_are_partly_texts_are_refused():
    with pytest.raises(TypeError, match=r"columns named by int, str\. Make them all texts"):
        clone(SMALL["Teacher"]).fit(TABLE.rename(columns={"a": 1}), TRUTH)


def test_maps_of_another_size_are_refused():
    teacher = fitted("MapTeacher")
    assert (teacher.n_features_in_, teacher.input_shape_) == (16, (16, 16))
    with pytest.raises(ValueError, match=r"shape \(16, 12\); the teacher was trained on \(16, 16\)"):
        teacher.predict(MAPS[:, :, :12])


# --- saved and loaded -------------------------------------------------------------------------------------------------


def reread(estimator, folder):
    kind = type(estimator)
    if hasattr(kind, "to_dict"):
        return kind.from_dict(json.loads(json.dumps(estimator.to_dict())))
    estimator.save(folder / "saved")
    needed = {"factory": Linear} if "factory" in inspect.signature(kind.load).parameters else {}
    return kind.load(folder / "saved", **needed)


SAVED = [name for name in OF_TABLES if {"save", "to_dict"} & set(methods_of(SMALL[name]))]


@pytest.mark.parametrize("name", SAVED)
def test_saved_estimators_keep_their_columns(name, tmp_path):
    before = fitted(name)
    after = reread(before, tmp_path)
    assert after.n_features_in_ == 8
    assert after.feature_names_in_.tolist() == list("abcdefgh")
    np.testing.assert_array_equal(after.predict(TABLE), before.predict(TABLE))
    with pytest.raises(ValueError, match="same order as they were in fit"):
        after.predict(TABLE[TABLE.columns[::-1]])


@pytest.mark.parametrize("name", ["Teacher", "TeacherClassifier", "SeriesTeacher"])
def test_a_file_that_knows_no_names_is_read(name, tmp_path):
    before = fitted(name)
    before.save(tmp_path / "file")
    tensors, document = load_tensors(tmp_path / "file", KIND)
    del document["feature_names"]
    save_tensors(tmp_path / "file", tensors, document, KIND)
    after = type(before).load(tmp_path / "file", factory=Linear)
    assert after.n_features_in_ == 8
    assert not hasattr(after, "feature_names_in_")
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        np.testing.assert_array_equal(after.predict(TABLE), before.predict(TABLE))


# --- whole numbers ----------------------------------------------------------------------------------------------------

WHERE_NONE = {"components": 1, "most": 2, "ndim": 1, "patience": 2, "workers": 2}
"""Values of parameters that are None by default."""


def total(x):
    return x.sum(dim=1)


PENALISED = {"form": "penalised", "teacher": total, "epochs": 1}
ONLY_PENALISED = {"epochs", "batch_size"}
WHOLE_PARAMETERS = [
    (name, parameter.name)
    for name, estimator in SMALL.items()
    for parameter in inspect.signature(type(estimator)).parameters.values()
    if parameter.annotation in (int, int | None)
]


@pytest.mark.parametrize(("name", "parameter"), WHOLE_PARAMETERS)
def test_whole_numbers_of_numpy(name, parameter, tmp_path):
    X, y = data_for(name)
    estimator = clone(SMALL[name])
    if name == "WaveletDistiller" and parameter in ONLY_PENALISED:
        estimator.set_params(**PENALISED)
    value = WHERE_NONE[parameter] if getattr(estimator, parameter) is None else getattr(estimator, parameter)
    plain, numpy = (
        clone(estimator).set_params(**{parameter: one}).fit(X, y) for one in (value, np.arange(value + 1)[-1])
    )
    np.testing.assert_array_equal(answer(numpy, X), answer(plain, X))
    if name in SAVED:
        np.testing.assert_array_equal(answer(reread(numpy, tmp_path), X), answer(plain, X))
    if (name, parameter) != ("WaveletDistiller", "workers"):  # True is one process
        for bad in (True, 2.5):
            with pytest.raises((ValueError, TypeError), match=f"{parameter} is .*{re.escape(repr(bad))}"):
                answer(clone(estimator).set_params(**{parameter: bad}).fit(X, y), X)


@pytest.mark.parametrize(
    ("estimator", "parameter"),
    [
        (make_pipeline(SMALL["WaveletTransformer"], Ridge()), "wavelettransformer__levels"),
        (make_pipeline(SMALL["MaxCoefficients"], Ridge()), "maxcoefficients__levels"),
        (make_pipeline(SMALL["ScaleCounts"], Ridge()), "scalecounts__levels"),
        (SMALL["CountRidge"], "n_folds"),
    ],
)
def test_a_search_over_arange(estimator, parameter):
    X = MAPS if "scale" in parameter else TABLE
    search = GridSearchCV(estimator, {parameter: np.arange(2, 4)}, cv=2, error_score="raise").fit(X, TRUTH)
    assert search.best_params_[parameter] in (2, 3)
