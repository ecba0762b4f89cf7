"""The student as an estimator: what it chooses by, tells and refuses. scikit-learn's checks are elsewhere."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from awd_core import StudentSearch, Wavelet, WaveletStudent, WaveletStudentClassifier, distill_student
from awd_core.student.bands import Layout
from awd_core.student.numbers import Numbers
from awd_core.student.objective import number_table

SEARCH = StudentSearch(random_starts=8, descents=3, iterations=30, folds=2)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 32)).cumsum(1)
AGE = RNG.standard_normal(120)
HIDDEN = Wavelet.from_angles([np.pi / 4 - 0.7, 0.7])


def numbers_of(values, wavelet=HIDDEN, levels=2):
    import torch

    layout = Layout(levels, True, "symmetric", 1)
    return number_table(torch.from_numpy(values), layout, Numbers(["maximum"], layout), [wavelet], False)


TABLE = numbers_of(X)
SIGNAL = TABLE @ [0.2, 1.0, -2.0] + AGE
Y = SIGNAL + SIGNAL.std() * RNG.standard_normal(120)
STUDENT = WaveletStudent("db2", levels=2, search=SEARCH)


def test_the_wavelet_is_chosen_by_outputs_and_the_head_fitted_to_labels():
    taught = clone(STUDENT).fit(X, Y, outputs=SIGNAL, extra=AGE)
    assert np.abs(taught.wavelets_[0].taps - HIDDEN.taps).max() < 1e-3
    by_labels = clone(STUDENT).fit(X, Y, extra=AGE)
    assert np.abs(by_labels.wavelets_[0].taps - HIDDEN.taps).max() > 1e-3
    head = taught.head_
    # The head is the labels' own ridge: it is off from them by their noise, and no further.
    assert 0.3 < head.error < 0.7
    np.testing.assert_allclose(taught.predict(X, AGE), np.clip(head(taught.transform(X, AGE))[:, 0], *taught.limits_))


def test_the_table_is_the_model():
    student = clone(STUDENT).fit(X, Y, outputs=SIGNAL, extra=pd.DataFrame({"age": AGE}))
    table = pd.DataFrame(student.coefficients_)
    assert table.name.tolist() == ["intercept", "A2 maximum", "D2 maximum", "D1 maximum", "age"]
    assert table.unit.tolist() == ["", "x", "x", "x", ""]
    assert student.get_feature_names_out().tolist() == table.name.tolist()[1:]
    by_hand = table.estimate[0] + student.transform(X, pd.DataFrame({"age": AGE})) @ table.estimate[1:]
    unlimited = clone(student).set_params(clip=False).fit(X, Y, outputs=SIGNAL, extra=pd.DataFrame({"age": AGE}))
    np.testing.assert_allclose(unlimited.predict(X, pd.DataFrame({"age": AGE})), by_hand)
    # The truth lies within a few standard errors: sixteen in a million draws lie beyond 4.3 of one.
    truth = np.array([0.2, 1.0, -2.0, 1.0])
    assert (np.abs(table.estimate[1:] - truth) < 4.3 * table.standard_error[1:]).all()


def test_inputs_without_labels_help_to_choose():
    further = RNG.standard_normal((200, 32)).cumsum(1)
    answers = numbers_of(further) @ [0.2, 1.0, -2.0]
    few = np.arange(12)
    alone = clone(STUDENT).fit(X[few], Y[few], outputs=SIGNAL[few] - AGE[few])
    helped = clone(STUDENT).fit(X[few], Y[few], outputs=SIGNAL[few] - AGE[few], unlabelled=(further, answers))
    assert np.abs(helped.wavelets_[0].taps - HIDDEN.taps).max() < 1e-3
    assert helped.head_.coefficients.shape == alone.head_.coefficients.shape


def test_a_wavelet_that_stays_as_it_is():
    student = WaveletStudent("db2", levels=2, learn=False).fit(X, Y)
    assert student.wavelets_ == [Wavelet.from_name("db2")]
    np.testing.assert_allclose(student.transform(X), numbers_of(X, Wavelet.from_name("db2")), atol=1e-12)
    several = WaveletStudent(["db2", "sym2"], levels=2, learn=False, most=2).fit(X, Y)
    assert len(several.wavelets_) == 2
    assert several.transform(X).shape == (120, 2)


def test_a_distillation_of_several_sets_is_taken_as_it_is():
    shared = distill_student([X[:60], X[60:]], [SIGNAL[:60], SIGNAL[60:]], wavelet="db2", levels=2, search=SEARCH)
    student = WaveletStudent(shared, levels=2).fit(X[:60], Y[:60])
    assert student.wavelets_ == list(shared.wavelets)
    assert student.negated_ == shared.negated
    with pytest.raises(ValueError, match=r"of other settings: levels \(2 there, 3 here\); give the same"):
        WaveletStudent(shared, levels=3).fit(X, Y)


def test_tables_are_set_as_output():
    found = clone(STUDENT).set_output(transform="pandas").fit(X, Y)
    assert found.transform(X).columns.tolist() == ["A2 maximum", "D2 maximum", "D1 maximum"]
    assert found.predict(X).shape == (120,)


@pytest.mark.parametrize("classes", [2, 3])
def test_classes(classes):
    edges = np.quantile(SIGNAL - AGE, np.linspace(0, 1, classes + 1)[1:-1])
    y = np.array(["low", "mid", "top"])[np.searchsorted(edges, SIGNAL - AGE)]
    student = WaveletStudentClassifier("db2", levels=2, search=SEARCH).fit(X, y, outputs=SIGNAL - AGE)
    assert student.score(X, y) > (0.9 if classes == 2 else 0.6)
    values = student.decision_function(X)
    assert values.shape == ((120,) if classes == 2 else (120, 3))
    targets = pd.DataFrame(student.coefficients_).target.unique().tolist()
    assert targets == (["mid"] if classes == 2 else ["low", "mid", "top"])


def test_images():
    rng = np.random.default_rng(1)
    maps = np.exp(rng.standard_normal((40, 16, 16)))
    student = WaveletStudent("haar", ["conditional variance", "log energy"], 2, most=3, learn=False)
    student.fit(maps, np.log(maps.std((1, 2))))
    assert student.transform(maps).shape[1] <= 3
    assert student.score(maps, np.log(maps.std((1, 2)))) > 0.7


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: clone(STUDENT).fit(X, Y[:-1]), "inconsistent numbers of samples"),
        (lambda: clone(STUDENT).fit(X, Y, unlabelled=(X, Y)), "give outputs= for X as well"),
        (lambda: clone(STUDENT).fit(X, Y, outputs=Y, unlabelled=X), r"unlabelled is a pair \(X, outputs\)"),
        (lambda: clone(STUDENT).fit(X, Y, outputs=Y, unlabelled=(X, Y, AGE)), "the labelled inputs have"),
        (lambda: clone(STUDENT).fit(X, Y, outputs=Y, unlabelled=(X[:, :9], Y)), "X has 9 features, but WaveletStudent"),
        (
            lambda: clone(STUDENT).fit(X, Y, extra=AGE).predict(X),
            r"columns \[\]; .* fitted to \['extra 0'\]",
        ),
        (lambda: clone(STUDENT).fit(X, Y, extra=AGE).predict(X, AGE[:5]), "extra has 5 rows for 120 inputs"),
        (lambda: WaveletStudent(["db2", "db3"], levels=2, learn=False).fit(X, Y), "differ in length"),
        (lambda: WaveletStudent(["db2"] * 3, levels=2, learn=False).fit(X, Y), "3 entries for 2 levels"),
        (lambda: WaveletStudentClassifier().fit(X, ["a"] * 120), "y has one class, .*'a'.*; give samples of two"),
    ],
)
def test_what_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
