"""The logistic head: against scikit-learn's, its errors against autograd's second derivative, its penalty."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from awd_core.student.card import chosen, probabilities
from awd_core.student.logistic import GRID, fit_logistic


def problem(classes, n=150, seed=0):
    rng = np.random.default_rng(seed)
    F = rng.standard_normal((n, 3)) * [1.0, 5.0, 0.1] + 3
    log_odds = (F - 3) / [1.0, 5.0, 0.1] @ rng.standard_normal((3, classes))
    shares = np.exp(log_odds) / np.exp(log_odds).sum(1, keepdims=True)
    return F, (shares.cumsum(1) < rng.random((n, 1))).sum(1)


def standard(F):
    return (F - F.mean(0)) / F.std(0)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_it_is_scikit_learns(classes, penalty):
    F, y = problem(classes)
    head = fit_logistic(F, y, np.arange(len(y)), (penalty,))
    # Of two classes scikit-learn penalises the difference of the slopes, the softmax both: half as much.
    theirs = LogisticRegression(C=1 / (penalty / 2 if classes == 2 else penalty), tol=1e-10, max_iter=10_000)
    theirs.fit(standard(F), y)
    np.testing.assert_allclose(probabilities(head(F)), theirs.predict_proba(standard(F)), atol=1e-6)
    np.testing.assert_array_equal(chosen(head(F)), theirs.predict(standard(F)))
    slopes = theirs.coef_.T / F.std(0)[:, None]
    np.testing.assert_allclose(head.coefficients, slopes, rtol=1e-4, atol=1e-4 * np.abs(slopes).max())


@pytest.mark.parametrize("classes", [2, 3])
def test_standard_errors_are_those_of_the_second_derivative(classes):
    F, y = problem(classes)
    penalty = 5.0
    head = fit_logistic(F, y, np.arange(len(y)), (penalty,))
    Z = torch.from_numpy(np.column_stack([np.ones(len(y)), standard(F)]))
    mean, sd = F.mean(0), F.std(0)
    # All slopes and intercepts of standardised numbers, of two classes those of the difference.
    raw = head.coefficients * sd[:, None]
    at = torch.from_numpy(np.vstack([head.intercept + mean @ head.coefficients, raw]))

    def loss(B):
        log_odds = torch.hstack([torch.zeros_like(Z[:, :1]), Z @ B]) if classes == 2 else Z @ B
        return torch.nn.functional.cross_entropy(log_odds, torch.from_numpy(y), reduction="sum")

    size = at.numel()
    information = torch.func.hessian(loss)(at).reshape(size, size).numpy()
    penalties = np.repeat([0.0, 1.0, 1.0, 1.0], at.shape[1]) * penalty / (2 if classes == 2 else 1)
    inverse = np.linalg.pinv(information + np.diag(penalties), rcond=1e-10, hermitian=True)
    spread = inverse @ information @ inverse
    expected = np.sqrt(spread.diagonal().reshape(at.shape))
    np.testing.assert_allclose(head.standard_errors[1:], expected[1:] / sd[:, None], rtol=1e-5)


def test_the_penalty_is_chosen_on_groups_held_out():
    F, y = problem(3, n=60)
    groups = np.random.default_rng(3).integers(0, 9, 60)
    head = fit_logistic(F, y, groups)
    losses = []
    for penalty in GRID:
        told = np.empty((60, 3))
        for train, test in GroupKFold(5).split(F, groups=groups):
            one = fit_logistic(F[train], y[train], np.zeros(len(train)), (penalty,))
            assert np.isnan(one.error)  # one group: nothing can be held out
            told[test] = probabilities(one(F[test]))
        losses.append(log_loss(y, told))
    assert head.penalty == GRID[int(np.argmin(losses))]
    frequencies = np.bincount(y) / 60
    assert head.error == pytest.approx(min(losses) / -(frequencies @ np.log(frequencies)), rel=1e-6)


def test_worthless_numbers_get_a_large_penalty_and_separable_classes_finite_coefficients():
    rng = np.random.default_rng(4)
    y = np.arange(80) % 2
    worthless = fit_logistic(rng.standard_normal((80, 2)), y, np.arange(80))
    assert worthless.error == pytest.approx(1, abs=0.1)
    assert worthless.penalty > 10
    apart = fit_logistic(y[:, None] + 0.01 * rng.standard_normal((80, 1)), y, np.arange(80))
    assert np.isfinite(apart.coefficients).all()
    assert apart.error < 0.01


def test_a_class_that_a_fold_lacks_does_no_harm():
    F, y = problem(3, n=60)
    head = fit_logistic(F, y, y)  # every fold of groups lacks a class
    assert np.isfinite(head.coefficients).all()
    assert np.isfinite(head.error)
