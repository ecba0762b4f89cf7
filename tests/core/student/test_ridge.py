"""The ridge: its leave-one-out error against refits, its derivative, its standard errors against least squares."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge

from awd_core.student.ridge import (
    PENALTIES,
    best_penalty,
    fit_ridge,
    forward_selection,
    leave_one_out,
    relative_error,
    standardised,
)


def problem(n=30, k=4, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    F = rng.standard_normal((n, k)) * [1.0, 5.0, 0.1, 2.0][:k] + 3
    Y = F @ rng.standard_normal((k, outputs)) + rng.standard_normal((n, outputs))
    return F, Y


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 300.0])
def test_leave_one_out_is_that_of_refits(penalty):
    F, Y = problem()
    Z, _, _ = standardised(torch.from_numpy(F))
    centred = torch.from_numpy(Y - Y.mean(0))
    found = leave_one_out(Z, centred, penalty).numpy()
    Z, refits = Z.numpy(), np.empty_like(Y)
    for row in range(len(F)):
        others = np.arange(len(F)) != row
        refits[row] = Y[row] - Ridge(alpha=penalty).fit(Z[others], Y[others]).predict(Z[row : row + 1])[0]
    np.testing.assert_allclose(found, refits, rtol=0, atol=1e-10)


def test_the_penalty_has_the_least_error():
    F, Y = (torch.from_numpy(array) for array in problem())
    Z, _, _ = standardised(F)
    centred = Y - Y.mean(0)
    total = centred.square().sum(0)
    errors = {a: float((leave_one_out(Z, centred, a).square().sum(0) / total).mean()) for a in PENALTIES}
    assert best_penalty(Z, centred) == min(errors, key=errors.get)
    assert float(relative_error(F, Y)) == pytest.approx(min(errors.values()), rel=1e-12)


def test_worthless_numbers_get_the_largest_penalty():
    Y = torch.from_numpy(problem()[1])
    flat = torch.zeros(30, 2, dtype=torch.float64)
    assert best_penalty(flat, Y - Y.mean(0)) == PENALTIES[-1]
    assert float(relative_error(flat, Y)) == pytest.approx((30 / 29) ** 2, rel=1e-12)


def test_the_derivative_is_exact():
    F, Y = (torch.from_numpy(array) for array in problem())
    constant = torch.cat([F, torch.full((30, 1), 2.0, dtype=torch.float64)], 1)
    slope = torch.func.grad(lambda numbers: relative_error(numbers, Y))(constant)
    assert not slope[:, -1].any()  # a number that does not vary tells nothing, and divides by nothing
    assert torch.autograd.gradcheck(lambda numbers: relative_error(numbers, Y), (F.requires_grad_(),))


def test_the_head_is_scikit_learns_and_its_errors_those_of_least_squares():
    F, Y = problem(200)
    head = fit_ridge(F, Y, (1e-9,))
    theirs = LinearRegression().fit(F, Y)
    np.testing.assert_allclose(head(F), theirs.predict(F), atol=1e-8)
    np.testing.assert_allclose(head.coefficients, theirs.coef_.T, atol=1e-8)
    design = np.column_stack([np.ones(200), F])
    variance = ((Y - theirs.predict(F)) ** 2).sum(0) / (200 - 5)
    expected = np.sqrt(np.linalg.inv(design.T @ design).diagonal()[:, None] * variance)
    np.testing.assert_allclose(head.standard_errors, expected, rtol=1e-6)


def test_the_head_of_labels_that_are_all_alike_is_their_value():
    head = fit_ridge(problem()[0], np.full((30, 1), 2.5))
    np.testing.assert_allclose(head(problem()[0]), 2.5, atol=1e-12)


def test_forward_selection_takes_what_tells_most():
    F, _ = problem(100)
    Y = 3 * F[:, [0]] / F[:, 0].std() + F[:, [3]] / F[:, 3].std()
    other = F[::-1].copy()
    tables, outputs = (
        [torch.from_numpy(F), torch.from_numpy(other)],
        [torch.from_numpy(Y), torch.from_numpy(Y[::-1].copy())],
    )
    assert forward_selection(tables, outputs, 2) == (0, 3)
    assert forward_selection(tables, outputs, 1) == (0,)
    twice = [torch.cat([table, table], 1) for table in tables]
    assert forward_selection(twice, outputs, 2) == (0, 3)  # of equals the first


GROUPS = np.array([3, 0, 1, 1, 2, 3, 0, 4, 2, 2] * 3)


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 300.0])
def test_a_group_left_out_is_a_refit_without_it(penalty):
    F, Y = problem()
    Z, _, _ = standardised(torch.from_numpy(F))
    centred = torch.from_numpy(Y - Y.mean(0))
    found = leave_one_out(Z, centred, penalty, GROUPS).numpy()
    Z, refits = Z.numpy(), np.empty_like(Y)
    for group in range(5):
        out = group == GROUPS
        refits[out] = (Y - Y.mean(0))[out] - Ridge(alpha=penalty).fit(Z[~out], (Y - Y.mean(0))[~out]).predict(Z[out])
    np.testing.assert_allclose(found, refits, rtol=0, atol=1e-10)


def test_groups_of_one_row_are_rows():
    F, Y = (torch.from_numpy(array) for array in problem())
    rows = np.random.default_rng(1).permutation(30)
    assert float(relative_error(F, Y, groups=rows)) == pytest.approx(float(relative_error(F, Y)), rel=1e-10)


def test_the_penalty_has_the_least_error_without_a_group():
    F, Y = (torch.from_numpy(array) for array in problem())
    Z, _, _ = standardised(F)
    centred = Y - Y.mean(0)
    total = centred.square().sum(0)
    errors = {a: float((leave_one_out(Z, centred, a, GROUPS).square().sum(0) / total).mean()) for a in PENALTIES}
    head = fit_ridge(F.numpy(), Y.numpy(), groups=GROUPS)
    assert best_penalty(Z, centred, groups=GROUPS) == min(errors, key=errors.get) == head.penalty
    assert float(relative_error(F, Y, groups=GROUPS)) == pytest.approx(min(errors.values()), rel=1e-12)
    assert head.error == pytest.approx(min(errors.values()), rel=1e-10)
    assert torch.autograd.gradcheck(lambda numbers: relative_error(numbers, Y, groups=GROUPS), (F.requires_grad_(),))


def test_what_tells_groups_apart_is_of_no_use_for_other_groups():
    """A number that is the group's own, and an answer that goes with the group: rows left out are told, groups not."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(12), 10)
    F = np.column_stack([(groups[:, None] == np.arange(11)), rng.standard_normal(120)])
    Y = rng.standard_normal(12)[groups][:, None] + 0.2 * F[:, 11:]
    F, Y = torch.from_numpy(F), torch.from_numpy(Y)
    assert float(relative_error(F, Y)) < 0.1
    assert float(relative_error(F, Y, groups=groups)) > 0.9
    assert forward_selection([F], [Y], 1) != (11,)
    assert forward_selection([F], [Y], 1, groups=[groups]) == (11,)
