"""The student's search: its gradient, what it finds where the truth is known, what it keeps and refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from awd_core import StudentDistillation, StudentSearch, StudentWeights, Wavelet, distill_path, distill_student
from awd_core.distill import SearchSettings
from awd_core.distill.descent import all_angles
from awd_core.student import StudentObjective, filter_agreement
from awd_core.student.bands import Layout, banks_of
from awd_core.student.data import sets_of
from awd_core.student.numbers import Numbers
from awd_core.student.search import StudentStart, descend, winner

QUICK = StudentSearch(random_starts=4, descents=2, iterations=15, finalists=1, folds=2)
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 32)).cumsum(1)
FREE = np.array([[0.4, -0.9]])


def answer_of(values, free, levels=2, mode="periodic", numbers=("maximum",)):
    """A combination of numbers of a hidden wavelet."""
    layout = Layout(levels, True, mode, values.ndim - 1)
    found = Numbers(numbers, layout)
    table = found.of(layout.of(torch.from_numpy(values), banks_of(torch.from_numpy(free), levels, False))).numpy()
    weights = np.where(np.arange(table.shape[1]) % 2, -1.0, 1.5)
    return (table - table.mean(0)) / table.std(0) @ weights


OUTPUTS = answer_of(X, FREE)


def objective_of(values, outputs, numbers, *, undecimated=True, weights=None, rows=1, **options):
    sets, _ = sets_of(values, outputs, None, **options)
    layout = Layout(2, undecimated, "symmetric", values[0].ndim if isinstance(values, list) else values.ndim - 1)
    layout = replace(layout, ndim=sets[0].X.ndim - 1)
    return StudentObjective(sets, layout, Numbers(numbers, layout), weights or StudentWeights())


def spread(bands):
    return torch.stack([band.std(1) for band in (bands["A2"], bands["D1"])], 1)


IMAGES = RNG.standard_normal((20, 9, 12))
NOISY = OUTPUTS + RNG.standard_normal(60)


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize("undecimated", [False, True])
@pytest.mark.parametrize(
    ("values", "outputs", "numbers", "options"),
    [
        (X, NOISY, ["maximum", "minimum"], {}),
        (X, np.stack([NOISY, X[:, 3]], 1), ["largest 3", "log energy", "mean absolute"], {}),
        (X, NOISY, ["conditional variance", spread], {"extra": X[:, :1]}),
        (IMAGES, IMAGES.max((1, 2)), ["maximum", "conditional variance"], {}),
        ([X, X[:40, :20]], [NOISY, NOISY[:40]], ["maximum"], {}),
        (X, NOISY, ["maximum"], {"weights": StudentWeights(1.0, 0.5, 0.3), "gradients": X[::-1].copy()}),
    ],
    ids=["extremes", "two outputs", "levels and one's own", "images", "two sets", "with L1 terms"],
)
def test_the_gradient_is_that_of_finite_differences(values, outputs, numbers, options, undecimated, negated):
    objective = objective_of(values, outputs, numbers, undecimated=undecimated, **options)
    _, gradient = objective(FREE, negated)
    step = 1e-6
    for k in range(2):
        turn = step * np.eye(2)[[k]]
        slope = (objective(FREE + turn, negated)[0] - objective(FREE - turn, negated)[0]) / (2 * step)
        assert gradient[0, k] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_a_filter_for_each_level_has_a_gradient_for_each():
    objective = objective_of(X, NOISY, ["maximum"])
    free = np.array([[0.4, -0.9], [1.0, 0.2]])
    value, gradient = objective(free, False)
    shared = objective(FREE, False)
    assert objective(np.repeat(FREE, 2, 0), False)[0] == pytest.approx(shared[0], rel=1e-12)
    np.testing.assert_allclose(objective(np.repeat(FREE, 2, 0), False)[1].sum(0), shared[1][0], rtol=1e-9)
    turn = np.zeros((2, 2))
    turn[1, 0] = 1e-6
    slope = (objective(free + turn, False)[0] - objective(free - turn, False)[0]) / 2e-6
    assert gradient[1, 0] == pytest.approx(slope, rel=1e-5)
    assert value != shared[0]


def test_numbers_without_derivatives_are_searched_by_a_simplex():
    def deepest(bands):
        return bands["D1"].detach().numpy().max(1)

    answer = answer_of(X, FREE, mode="symmetric", numbers=[deepest])
    objective = objective_of(X, answer, [deepest, "position"])
    value, gradient = objective(FREE + 0.1, False)
    assert gradient is None
    start = StudentStart("near", 6, False, value, value, 0, tuple(map(tuple, (FREE + 0.1).tolist())), searched=False)
    assert descend(objective, start, 60).objective < 0.3 * value


def test_a_hidden_wavelet_is_recovered():
    """Six taps of a hidden random wavelet from the answer alone, which they tell to rounding."""
    hidden = np.random.default_rng(3).uniform(-1.5, 1.5, (1, 2))
    values = np.random.default_rng(4).standard_normal((150, 48)).cumsum(1)
    found = distill_student(
        values, answer_of(values, hidden), wavelet="db3", levels=2, mode="periodic",
        search=StudentSearch(random_starts=24, descents=8, folds=2),
    )  # fmt: skip
    truth = Wavelet.from_angles(all_angles(hidden[0]))
    assert not found.negated
    assert np.abs(found.wavelet.taps - truth.taps).max() < 0.001
    assert found.error < 1e-6
    assert found.held_out < 1e-6


def test_few_numbers_choose_the_wavelet_where_all_of_them_cannot():
    """Values of an orthonormal transform tell any linear answer, whatever the wavelet; one of them tells its own."""
    hidden = np.array([[0.7]])
    values = np.random.default_rng(6).standard_normal((80, 16))
    layout = Layout(1, False, "periodization", 1)
    answer = layout.of(torch.from_numpy(values), banks_of(torch.from_numpy(hidden), 1, False))["D1"][:, 3].numpy()
    options = {"wavelet": "db2", "levels": 1, "numbers": ["value"], "undecimated": False, "mode": "periodization"}
    found = distill_student(values, answer, most=1, search=replace(QUICK, iterations=40), **options)
    assert found.columns == ("D1 value 3",)
    assert found.error < 1e-6
    assert np.abs(found.wavelet.taps - Wavelet.from_angles(all_angles(hidden[0])).taps).max() < 1e-3


def test_with_the_l1_terms_alone_it_is_the_path():
    """Both minimise the same sum: the path's terms are over those of its start, ours over those of the Haar wavelet."""
    gradients = RNG.standard_normal(X.shape)
    weights = StudentWeights(outputs=0.0, sparsity=1.0, interpretation=0.5)
    objective = objective_of(X, OUTPUTS, ["maximum"], weights=weights, gradients=gradients)
    path = distill_path(
        X, gradients, wavelet="db3", levels=2, mode="symmetric", shares=(0, 0.5, 1), dtype=torch.float64,
        search=SearchSettings(random_starts=0, iterations=5),
    )  # fmt: skip
    haar = distill_path(
        X, gradients, wavelet="haar", levels=2, mode="symmetric", shares=(0.5,), dtype=torch.float64,
        search=SearchSettings(random_starts=0),
    )  # fmt: skip
    for point in path:
        value, _ = objective(np.array(point.wavelet.angles[1:])[None], False)
        expected = point.sparsity / haar.start_sparsity + 0.5 * point.interpretation / haar.start_interpretation
        assert value == pytest.approx(expected, rel=1e-9)
    found = distill_student(
        X, OUTPUTS, wavelet="db3", levels=2, weights=weights, gradients=gradients, search=QUICK, numbers=["log energy"]
    )
    assert found.held_out is None
    assert min(start.objective for start in found.history) <= objective(np.array(path.start.angles[1:])[None], False)[0]


@pytest.fixture(name="found", scope="module")
def distilled():
    return distill_student(X, NOISY, wavelet="db3", levels=2, search=QUICK, most=2, extra=X[:, :1])


def test_the_same_seed_gives_the_same_result(found):
    again = distill_student(X, NOISY, wavelet="db3", levels=2, search=QUICK, most=2, extra=X[:, :1])
    assert again == found
    assert len(found.columns) == 2
    assert set(found.columns) <= {"A2 maximum", "D2 maximum", "D1 maximum", "extra 0"}


def test_it_comes_back_from_its_file(found, tmp_path):
    found.save(tmp_path / "student.json")
    assert StudentDistillation.load(tmp_path / "student.json") == found


def test_files_of_another_kind_are_refused(found, tmp_path):
    place = tmp_path / "student.json"
    found.save(place)
    values = json.loads(place.read_bytes())
    for changed, match in (
        ({"format": "awd-path"}, 'it has no "format": "awd-student"'),
        ({"version": 2}, "its version is 2 and this awd-core reads version 1"),
        ({"history": [{"name": "x"}]}, "cannot be read as a student's distillation"),
    ):
        place.write_text(json.dumps(values | changed))
        with pytest.raises(ValueError, match=match):
            StudentDistillation.load(place)
    del values["columns"]
    place.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="it lacks columns"):
        StudentDistillation.load(place)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        StudentDistillation.load(tmp_path / "none.json")


def test_lengths_are_compared_and_plain_wavelets_are_candidates():
    haar = answer_of(X, np.empty((1, 0)), mode="symmetric")
    found = distill_student(X, haar, lengths=[2, 4], levels=2, search=QUICK)
    assert (found.wavelet.name, found.wavelet.length) == ("haar", 2)
    assert {start.length for start in found.history} == {2, 4}
    assert any(not start.searched and start.name == "db2" for start in found.history)


def test_groups_are_held_out_together():
    """Two inputs with one answer of their own in each group: what tells groups apart is of no use for others."""
    groups = np.repeat(np.arange(30), 2)
    one, alone = (distill_student(X, NOISY, wavelet="db2", levels=1, search=QUICK, groups=g) for g in (groups, None))
    assert one.held_out != alone.held_out
    assert one.error == pytest.approx(alone.error, rel=1e-6)


def test_the_error_leaves_out_whole_groups():
    """Answers of a group lie about a value of its own, which its inputs give away: of no use for other groups."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(12), 5)
    marked = X + 3 * rng.standard_normal((12, 32))[groups]
    answer = rng.standard_normal(12)[groups] + 0.1 * rng.standard_normal(60)
    options = {"wavelet": "haar", "levels": 2, "numbers": ["value"], "groups": groups, "search": QUICK}
    one, whole = (distill_student(marked, answer, leave_out=by, **options) for by in ("input", "group"))
    assert one.error < 0.4
    assert whole.error > 0.7
    assert (one.settings["leave_out"], whole.settings["leave_out"]) == ("input", "group")


def test_with_two_groups_none_is_held_out_of_one():
    two = np.arange(60) % 2
    found = distill_student(X, NOISY, wavelet="haar", levels=1, search=QUICK, groups=two, leave_out="group", most=1)
    assert found.held_out is None
    assert len(found.columns) == 1


def test_there_may_be_fewer_groups_than_folds():
    search = replace(QUICK, folds=5)
    three = distill_student(X, NOISY, wavelet="haar", levels=1, search=search, groups=np.arange(60) % 3)
    assert three.held_out == pytest.approx(three.error, rel=0.2)
    assert distill_student(X, NOISY, wavelet="haar", levels=1, search=search, groups=np.ones(60)).held_out is None


def test_starts_of_one_name_are_all_searched():
    own = [Wavelet.from_angles([np.pi / 4 - free, free]) for free in (0.3, 0.9)]
    found = distill_student(X, NOISY, wavelet=own, levels=1, search=QUICK)
    plain = {start.name for start in found.history if not start.searched}
    assert {"custom", "custom (2)", "custom reversed (2)", "db2"} <= plain


def test_of_equal_candidates_the_shorter_wins():
    longer = StudentStart("db5", 10, False, 1.0, 0.5, 1, ((0.0,) * 4,), searched=True, held_out=0.5)
    shorter = replace(longer, name="haar", length=2, free_angles=((),), held_out=0.5 + 1e-12)
    worse = replace(shorter, held_out=0.6)
    assert winner([longer, shorter]) is shorter
    assert winner([longer, worse]) is longer


def test_a_longer_wavelet_must_be_told_from_the_shorter():
    longer = StudentStart("db5", 10, False, 1.0, 0.5, 1, ((0.0,) * 4,), searched=True, held_out=0.50)
    shorter = replace(longer, name="haar", length=2, free_angles=((),), held_out=0.54)
    groups = np.arange(20) % 2
    # The shorter is worse by 0.002 a group: for certain, or by twenty times as much to either side.
    steady = [np.full(20, 0.025), np.full(20, 0.027) + 1e-4 * groups]
    noisy = [np.full(20, 0.025), 0.027 + 0.02 * (2 * groups - 1)]
    assert winner([longer, shorter], steady, 1.0) is longer
    assert winner([longer, shorter], noisy, 1.0) is shorter
    assert winner([longer, shorter], noisy, 0.0) is longer
    # Of one length the better wins, told from the other or not.
    assert winner([replace(longer, held_out=0.54), replace(longer, held_out=0.5)], noisy[::-1], 1.0).held_out == 0.5


@pytest.mark.parametrize("most", [None, 1])
def test_groups_that_were_not_searched_on_choose(most):
    labels = np.arange(60) % 12
    search = replace(QUICK, share=0.5, standard_errors=1.0)
    found = distill_student(X, OUTPUTS, wavelet="db3", levels=2, search=search, groups=labels, most=most)
    assert found.settings["search"]["share"] == 0.5
    assert found == distill_student(X, OUTPUTS, wavelet="db3", levels=2, search=search, groups=labels, most=most)
    # Half of the groups choose, and all of them say how large the error is.
    told = [start.held_out for start in found.history if start.held_out is not None]
    assert told
    assert found.held_out in told
    whole = distill_student(X, OUTPUTS, wavelet="db3", levels=2, search=QUICK, groups=labels, most=most)
    assert found.settings["data"] == whole.settings["data"]


def test_too_few_groups_to_be_searched_on_and_chosen_by():
    with pytest.raises(ValueError, match=r"share is 0\.5, and 3 groups of 60 inputs are too few .*; give share=1"):
        distill_student(
            X, OUTPUTS, wavelet="haar", levels=1, search=replace(QUICK, share=0.5), groups=np.arange(60) % 3
        )


def test_agreement_of_filters(found):
    turned = replace(found, negated=not found.negated)
    assert filter_agreement([found, found, found]) == pytest.approx(1.0)
    assert filter_agreement([found, turned]) < 0.9
    moved = Wavelet.from_taps(np.r_[0.0, 0.0, found.wavelet.taps])
    assert filter_agreement([found, replace(found, wavelets=(moved,))]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"results are 1 with \[1\] wavelets each; give two or more"):
        filter_agreement([found])


def test_a_wavelet_for_each_level():
    found = distill_student(X, NOISY, wavelet="db2", levels=2, per_level=True, search=QUICK)
    assert len(found.wavelets) == 2
    with pytest.raises(ValueError, match="every level has a wavelet of its own"):
        _ = found.wavelet


WITH_NAN = np.where(np.arange(32) == 4, np.nan, X)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"outputs": OUTPUTS[:-1]}, ValueError, r"outputs has shape \(59,\) for 60 inputs; give \(n,\) or"),
        ({"outputs": np.ones(60)}, ValueError, "outputs are all alike in column 0"),
        ({"outputs": np.where(OUTPUTS > 0, np.inf, OUTPUTS)}, ValueError, "outputs contains NaN or infinity, in row"),
        ({"X": WITH_NAN}, ValueError, "X contains NaN or infinity, in row 0"),
        ({"X": X[:3], "outputs": OUTPUTS[:3]}, ValueError, r"X has 3 sample\(s\); a leave-one-out error needs 4"),
        ({"X": X[:, 0]}, ValueError, r"X has shape \(60,\); give series \(n, N\) or images"),
        ({"X": [X, X]}, ValueError, "X is a list of 2 sets and outputs is of type ndarray; give a list"),
        ({"X": [X, X], "outputs": [OUTPUTS]}, ValueError, "X is a list of 2 sets and outputs is 1 entries"),
        ({"ndim": 3}, ValueError, "ndim is 3; give 1 for series, 2 for images"),
        ({"extra": X[:5, 0]}, ValueError, "extra has 5 rows for 60 inputs"),
        ({"groups": np.zeros((60, 2))}, ValueError, r"groups has shape \(60, 2\); give one name"),
        (
            {"leave_out": "groups"},
            ValueError,
            "leave_out is .groups. .*mean group.*; choose one of input, group",
        ),
        ({"leave_out": "group"}, ValueError, "leave_out is .group. and groups is not given; give two groups or more"),
        (
            {"leave_out": "group", "groups": np.ones(60)},
            ValueError,
            "leave_out is .group. and groups names one group; .* or leave_out=.input.",
        ),
        ({"gradients": X[:, 1:]}, ValueError, r"gradients have shape \(60, 31\), not that of X, \(60, 32\)"),
        ({"weights": StudentWeights(1, 0, 1)}, ValueError, "interpretation term has the weight 1 and no gradients"),
        ({"weights": 1.0}, TypeError, "weights is a float, 1.0; give a StudentWeights"),
        ({"per_level": True, "weights": StudentWeights(1, 1)}, ValueError, "per_level is True and the L1 terms have"),
        ({"lengths": 3}, ValueError, "lengths is 3; give even numbers of taps from 2 to 76"),
        ({"lengths": []}, ValueError, r"lengths is \[\]; give even numbers"),
        ({"levels": 0}, ValueError, "levels is 0; give a positive whole number"),
        ({"mode": "smooth"}, ValueError, "mode is 'smooth'; choose one of zero, constant"),
        ({"most": 0}, ValueError, "most is 0; give a positive whole number, or None for all"),
        ({"search": {}}, TypeError, "search is a dict, {}; give a StudentSearch"),
        ({"wavelet": "bior2.2"}, ValueError, "'bior2.2' is not an orthogonal wavelet"),
        ({"progress": 2}, TypeError, "progress is 2; give True, or a function"),
        ({"seed": -1}, ValueError, "seed is -1; give a whole number, 0 or more"),
    ],
)
def test_what_is_refused(options, error, match):
    given = {"X": X, "outputs": OUTPUTS, "search": QUICK} | options
    with pytest.raises(error, match=match):
        distill_student(**given)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: StudentWeights(0, 0, 0), "weights are .* one of them above zero"),
        (lambda: StudentWeights(-1), "weights are .* zero or more"),
        (lambda: StudentSearch(folds=1), "folds is 1; give 2 or more, or 0"),
        (lambda: StudentSearch(descents=0), "descents is 0; give a positive whole number"),
        (lambda: StudentSearch(share=0), r"share is 0; give a share of the groups"),
        (lambda: StudentSearch(share=1.5), r"share is 1\.5; give a share of the groups"),
        (lambda: StudentSearch(standard_errors=-1), "standard_errors is -1; give a number of standard errors"),
        (lambda: StudentSearch(folds=0, share=0.5), "folds is 0, so that nothing is held out to choose by"),
    ],
)
def test_settings_that_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
