"""Gradients of any function by differences, and gradients held against the function that they should be of."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from awd_core import attribute_function, check_gradients, input_gradients

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 6))


def bent(x):
    return np.tanh(x[:, 0] - x[:, 1]) + x[:, 2] * x[:, 3]


def slopes(x):
    inner = 1 - np.tanh(x[:, 0] - x[:, 1]) ** 2
    return np.column_stack([inner, -inner, x[:, 3], x[:, 2], 0 * inner, 0 * inner])


# --- differences ------------------------------------------------------------------------------------------------------


def test_the_gradient_of_a_smooth_function():
    assert attribute_function(bent, X) == pytest.approx(slopes(X), abs=1e-5)
    assert attribute_function(bent, X, eps=1e-4) == pytest.approx(slopes(X), abs=1e-7)


def test_single_precision_takes_a_larger_step():
    gradients = attribute_function(lambda x: bent(x).astype(np.float32), X.astype(np.float32))
    assert gradients.dtype == np.float32
    assert gradients == pytest.approx(slopes(X), abs=5e-3)


def test_a_function_of_a_maximum_is_no_function_of_steps():
    # Each input moves one of 40 values alone: most differences are zero, and right so.
    series = RNG.standard_normal((30, 40))
    gradients = attribute_function(lambda x: x.max(axis=1), series)
    assert np.array_equal(gradients.argmax(axis=1), series.argmax(axis=1))
    assert gradients.sum() == pytest.approx(30)


@pytest.mark.parametrize("model", [DecisionTreeRegressor(random_state=0), GradientBoostingRegressor(random_state=0)])
def test_steps_that_are_too_small_for_trees_are_warned_of(model):
    model.fit(X, bent(X))
    with (
        pytest.warns(UserWarning, match=r"eps is 1e-05: .*the function is made of steps, as a tree is"),
        suppress(ValueError),
    ):
        # A ValueError, where not one of all differences is another one than zero.
        attribute_function(model.predict, X, eps=1e-5)


def test_a_step_that_is_too_large_is_warned_of():
    with pytest.warns(UserWarning, match="eps is 5: half the step gives another gradient"):
        attribute_function(lambda x: np.sin(2 * x[:, 0]), X, eps=5)


def test_a_step_below_the_rounding_is_warned_of():
    with pytest.warns(UserWarning, match=r"rounding of the predictions makes .* a step of .* does better"):
        attribute_function(lambda x: (1e3 + bent(x)).astype(np.float32), X, eps=1e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_networks_of_scikit_learn_are_differentiated_exactly(activation):
    model = MLPRegressor(hidden_layer_sizes=(7, 5), activation=activation, max_iter=2000, tol=1e-2, random_state=0)
    model.fit(X, bent(X))
    exact = attribute_function(model.predict, X)
    assert np.array_equal(attribute_function(model, X), exact)
    rough = attribute_function(lambda x: model.predict(x), X, eps=1e-6)
    assert np.median(np.abs(exact - rough)) < 1e-6


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers_of_scikit_learn_too(classes):
    y = np.arange(60) % classes
    model = MLPClassifier(hidden_layer_sizes=(6,), activation="tanh", max_iter=2000, tol=1e-2, random_state=0).fit(X, y)
    own = attribute_function(model.predict_proba, X, target=y)
    for place in range(classes):
        all_of_it = attribute_function(lambda x: model.predict_proba(x), X, target=place, eps=1e-5)
        assert own[y == place] == pytest.approx(all_of_it[y == place], abs=1e-6)


@pytest.mark.parametrize(
    ("predict", "given", "message"),
    [
        (bent, {"eps": 0}, "eps is 0; give a step in the unit of X above 0"),
        (lambda x: x, {}, "predict gives 6 numbers for each input; give target="),
        (lambda x: x, {"target": 6}, "target is 6, and predict gives 6 numbers"),
        (lambda x: x, {"target": np.arange(3)}, r"target has shape \(3,\).*one index for each of 60 inputs"),
        (lambda x: x.sum(), {}, r"predict gave the shape \(\) for"),
        (lambda x: np.full(len(x), np.nan), {}, "predict gave NaN or infinity"),
    ],
)
def test_what_will_not_do_is_refused(predict, given, message):
    with pytest.raises(ValueError, match=message):
        attribute_function(predict, X, **given)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"give a function from inputs to predictions, such as model\.predict"):
        attribute_function("model", X)


# --- each sample's own target -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, list])
def test_each_sample_has_its_own_target(kind, tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()
    target = np.arange(60) % 3
    own = input_gradients(model, X, kind(target), batch_size=7)
    every = input_gradients(model, X, "all")
    assert own == pytest.approx(every[np.arange(60), target])
    stored = input_gradients(model, X, kind(target), batch_size=7, out=tmp_path / "own")
    assert np.array_equal(stored[:], own)
    with pytest.raises(ValueError, match="These differ: targets"):
        input_gradients(model, X, kind(target[::-1].copy()), batch_size=7, out=tmp_path / "own")
    with pytest.raises(ValueError, match=r"target has shape \(2,\).*one index for each of the 60 samples"):
        input_gradients(model, X, kind(target[:2]))
    with pytest.raises(ValueError, match=r"targets go from 0 to 3, and the model predicts"):
        input_gradients(model, X, kind(np.arange(60) % 4))


# --- gradients against their function ---------------------------------------------------------------------------------


def test_right_gradients_pass():
    check_gradients(X, slopes(X), predict=bent)
    check_gradients(X.astype("f4"), slopes(X).astype("f4"), predict=lambda x: bent(x.astype("f8")))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda g: g[::-1].copy(), "gradients are not those of predict"),
        (lambda g: np.roll(g, 1, axis=0), "gradients are not those of predict"),
        (lambda g: -g, "They are -1 times the gradient"),
        (lambda g: 3 * g, "They are 3 times the gradient: multiply them by 0.333"),
        (lambda g: g[:, ::-1].copy(), "gradients are not those of predict"),
        (lambda g: g * X, "gradients are not those of predict"),
    ],
)
def test_other_gradients_do_not(wrong, message):
    check_gradients(X, wrong(slopes(X)))
    with pytest.raises(ValueError, match=message):
        check_gradients(X, wrong(slopes(X)), predict=bent)


def test_a_network_is_asked_as_it_is():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(16, 2))
    single = X.astype("f4")
    gradients = input_gradients(model, single, 1)
    check_gradients(single, gradients, predict=model, target=1)
    with pytest.raises(ValueError, match="gradients are not those of predict"):
        check_gradients(single, gradients, predict=model, target=0)


# --- inputs that are no arrays of floats ------------------------------------------------------------------------------


def test_lists_tables_and_whole_numbers_are_inputs():
    pandas = pytest.importorskip("pandas")
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    whole = RNG.integers(-50, 50, (9, 6))
    expected = input_gradients(model, whole.astype("f4"))
    assert np.array_equal(input_gradients(model, whole), expected)
    assert np.array_equal(input_gradients(model, whole.tolist()), expected)
    assert np.array_equal(input_gradients(model, pandas.DataFrame(whole)), expected)
