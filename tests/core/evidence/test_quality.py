"""Quality of attributions: exact where the model is linear and the truth is known, and able to say no."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from awd_core.attribution.coefficients import coefficient_attributions
from awd_core.attribution.gradients import input_gradients
from awd_core.distill.distill import SearchSettings
from awd_core.evidence.checks import (
    compare_orders,
    completeness_gap,
    insertion_deletion,
    rank_correlation,
    seed_agreement,
)
from awd_core.evidence.jackknife import Interval
from awd_core.evidence.known_truth import simulate_known_truth
from awd_core.evidence.quality import (
    COEFFICIENTS,
    UNTRAINED,
    AttributionQuality,
    Completeness,
    PerturbationCurves,
    RandomisedTeacher,
    RivalOrder,
    SeedAgreement,
)
from awd_core.evidence.quality_record import CheckedQuality
from awd_core.evidence.randomised import randomised_teacher_check, reinitialised
from awd_core.teacher.networks import MLP
from awd_core.transforms.dwt import Coefficients, DWT1d, DWT2d
from awd_core.wavelets.filters import FreeFilter

LEVELS = 2
SEARCH = SearchSettings(random_starts=2, small_batch=1 << 12, large_batch=1 << 13, finalists=1)


def linear_problem(m=40, n=24, seed=0, positive=True):
    """A linear model of the coefficients, its inputs, and the contribution of each coefficient to each prediction.

    With periodization the transform is orthonormal, so the coefficients of an input can be chosen.
    """
    rng = np.random.default_rng(seed)
    dwt = DWT1d("db2", LEVELS, "periodization")
    template = dwt(torch.zeros(m, n, dtype=torch.float64))
    weights = rng.uniform(0.1, 1, n) if positive else rng.standard_normal(n)
    sizes = [band.shape[1] for band in template]
    values = np.abs(rng.standard_normal((m, n))) if positive else rng.standard_normal((m, n))

    def bands(rows):
        return Coefficients(torch.from_numpy(np.atleast_2d(rows)).split(sizes, dim=1), (n,))

    x, slope = dwt.inverse(bands(values)), dwt.inverse(bands(weights))[0]
    model = nn.Linear(n, 1).double()
    with torch.no_grad():
        model.weight.copy_(slope[None])
    return model, dwt, x, bands(values * weights), values * weights


def network(seed, n=24, activation="tanh"):
    torch.manual_seed(seed)
    return MLP(n, hidden=(16,), activation=activation).double()


# --- insertion and deletion -------------------------------------------------------------------------------------------


def test_curves_of_a_linear_model_are_the_sums_of_what_is_left():
    model, dwt, x, attributions, contributions = linear_problem(positive=False)
    curves = insertion_deletion(model, dwt, x, attributions, steps=8, batch_size=7)
    falling = np.take_along_axis(contributions, np.argsort(-np.abs(contributions), axis=1), axis=1)
    whole = (falling.sum(axis=1) ** 2).sum()
    for step, (insertion, deletion) in enumerate(zip(curves.insertion, curves.deletion, strict=True)):
        k = 3 * step
        # Taps of db2 are orthonormal to 1e-12.
        assert insertion == pytest.approx(1 - (falling[:, k:].sum(axis=1) ** 2).sum() / whole, abs=1e-9)
        assert deletion == pytest.approx(1 - (falling[:, :k].sum(axis=1) ** 2).sum() / whole, abs=1e-9)
    middle = [(a + b) / 2 for a, b in zip(curves.insertion, curves.insertion[1:], strict=False)]
    assert curves.insertion_area == pytest.approx(np.mean(middle))
    assert curves.fractions == tuple(np.arange(9) / 8)


def test_curves_are_monotone_where_all_contributions_are_positive():
    model, dwt, x, attributions, _ = linear_problem()
    curves = insertion_deletion(model, dwt, x, attributions)
    assert curves.insertion[0] == pytest.approx(0, abs=1e-12)
    assert curves.insertion[-1] == pytest.approx(1, abs=1e-12)
    assert (np.diff(curves.insertion) > 0).all()
    assert (np.diff(curves.deletion) < 0).all()
    assert math.isnan(curves.insertion_area_error)


def test_the_right_order_beats_chance_and_the_wrong_one_does_not():
    model, dwt, x, attributions, _ = linear_problem()
    random = insertion_deletion(model, dwt, x, attributions, order="random", seed=1, repeats=6)
    right = insertion_deletion(model, dwt, x, attributions)
    wrong = insertion_deletion(model, dwt, x, attributions.map(torch.reciprocal))
    assert random.insertion_area_error > 0
    assert right.insertion_area > random.insertion_area + 10 * random.insertion_area_error
    assert right.deletion_area < random.deletion_area - 10 * random.deletion_area_error
    assert wrong.insertion_area < random.insertion_area - 10 * random.insertion_area_error
    (unfinished, *_), (failed, *_) = (AttributionQuality(curves, random).verdict() for curves in (right, wrong))
    assert unfinished.outcome == "open"  # nobody looked whether the largest coefficients do as well
    assert failed.outcome == "warn"


def test_attributions_must_beat_the_largest_coefficients_and_a_network_without_training():
    model, dwt, x, attributions, contributions = linear_problem(m=60)
    sizes = dwt(x)
    random = insertion_deletion(model, dwt, x, attributions, order="random", seed=1, repeats=6)
    rivals = compare_orders(model, dwt, x, attributions, {COEFFICIENTS: sizes})
    (rival,) = rivals
    curves = insertion_deletion(model, dwt, x, attributions)
    theirs = insertion_deletion(model, dwt, x, sizes)
    assert rival.insertion_area == pytest.approx(theirs.insertion_area)
    assert rival.insertion_gain.value == pytest.approx(curves.insertion_area - theirs.insertion_area)
    assert rival.deletion_gain.value == pytest.approx(theirs.deletion_area - curves.deletion_area)
    assert rival.insertion_gain.units == 60
    # What each coefficient adds to the prediction is known here, and is not its size.
    assert rival.beaten
    assert AttributionQuality(curves, random, rivals=rivals).verdict()[0].outcome == "pass"
    # The sizes themselves beat chance, and must not pass.
    same = compare_orders(model, dwt, x, sizes, {COEFFICIENTS: sizes})
    verdict = AttributionQuality(theirs, random, rivals=same).verdict()[0]
    assert theirs.insertion_area > random.insertion_area + 3 * random.insertion_area_error
    assert verdict.outcome == "warn"
    assert "not clearly better than the largest coefficients" in verdict.sentence
    record = json.loads(json.dumps(AttributionQuality(curves, random, rivals=rivals).to_dict(), allow_nan=False))
    assert AttributionQuality.from_dict(record).rivals == rivals
    old = {key: value for key, value in record.items() if key != "rivals"}
    assert AttributionQuality.from_dict(old).verdict()[0].outcome == "open"
    with pytest.raises(ValueError, match=r"the shapes .* when flattened; they must be the same"):
        compare_orders(model, dwt, x, attributions, {"others": contributions[:, :3]})
    with pytest.raises(ValueError, match="needs two independent units or more; there is 1"):
        compare_orders(model, dwt, x[:1], contributions[:1], {COEFFICIENTS: contributions[:1]})


def test_random_orders_follow_their_seed():
    model, dwt, x, attributions, _ = linear_problem()
    one, same, other = (
        insertion_deletion(model, dwt, x, attributions, order="random", seed=seed, repeats=2, steps=4)
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_single_precision_random_order_has_no_error_bar():
    model, dwt, x, attributions, _ = linear_problem()
    single = insertion_deletion(model.float(), dwt, x.float(), attributions, order="random", seed=1, repeats=1)
    assert math.isnan(single.insertion_area_error)


def test_a_baseline_takes_the_place_of_what_is_removed():
    model, dwt, x, attributions, contributions = linear_problem()
    baseline = x.mean(dim=0)
    curves = insertion_deletion(model, dwt, x, attributions, baseline=baseline, steps=24)
    order = np.argsort(-np.abs(contributions), axis=1)
    gained = np.take_along_axis(contributions - contributions.mean(axis=0), order, axis=1)
    left = [(gained[:, k:].sum(axis=1) ** 2).sum() for k in range(25)]
    np.testing.assert_allclose(curves.insertion, 1 - np.array(left) / left[0], atol=1e-9)


def test_the_residual_is_kept_where_the_filter_is_no_wavelet():
    class Sum(nn.Module):
        def forward(self, x):
            return (x**2).sum(dim=(1, 2))

    x = torch.randn(6, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dwt = DWT2d(FreeFilter("db2", noise=0.1, seed=0, dtype=torch.float64), 1, "symmetric")
    with torch.no_grad():
        assert float((dwt.inverse(dwt(x)) - x).abs().max()) > 0.1
        curves = insertion_deletion(Sum(), dwt, x, dwt(x), steps=3)
    assert curves.insertion[-1] == pytest.approx(1, abs=1e-12)
    assert curves.deletion[0] == pytest.approx(1, abs=1e-12)


def test_the_model_is_asked_in_evaluation_mode_and_left_alone():
    model, dwt, x, attributions, _ = linear_problem()
    noisy = nn.Sequential(nn.Dropout(0.5), model)
    assert noisy.training
    found, expected = (insertion_deletion(teacher, dwt, x, attributions, steps=3) for teacher in (noisy, model))
    assert found.insertion == expected.insertion
    assert noisy.training
    assert noisy[0].training


def test_one_of_several_predictions_is_watched():
    model, dwt, x, attributions, _ = linear_problem()

    class Pair(nn.Module):
        def forward(self, x):
            return torch.cat([torch.zeros(len(x), 1).double(), model(x)], dim=1)

    found = insertion_deletion(Pair(), dwt, x, attributions, target=1, steps=3)
    assert found.deletion == insertion_deletion(model, dwt, x, attributions, steps=3).deletion
    with pytest.raises(ValueError, match=r"predicts \(2,\) numbers per input; give target="):
        insertion_deletion(Pair(), dwt, x, attributions)
    with pytest.raises(ValueError, match=r"target=2 is no index of one prediction; .* shape \(2,\)"):
        insertion_deletion(Pair(), dwt, x, attributions, target=2)
    with pytest.raises(ValueError, match=r"the same when all coefficients are removed"):
        insertion_deletion(Pair(), dwt, x, attributions, target=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "falling"}, "order is 'falling'; choose one of attribution, random"),
        ({"order": "random"}, r"give seed=, a number"),
        ({"steps": 0}, r"steps is 0; give a positive whole number"),
        ({"repeats": 0}, r"repeats is 0; give a positive whole number"),
        ({"attributions": np.ones((40, 23))}, r"have shape \(40, 23\) when flattened; 40 inputs have 24 coefficients"),
        ({"attributions": np.ones((39, 24))}, r"have shape \(39, 24\) when flattened; 40 inputs have 24 coefficients"),
        ({"attributions": np.full((40, 24), np.nan)}, r"and be finite"),
    ],
)
def test_bad_perturbations_are_refused(options, message):
    model, dwt, x, attributions, _ = linear_problem()
    with pytest.raises(ValueError, match=message):
        insertion_deletion(model, dwt, x, **({"attributions": attributions} | options))


# --- completeness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["zero", "symmetric", "periodization"])
def test_a_linear_model_is_complete(mode):
    model = nn.Linear(24, 1).double()
    x = np.random.default_rng(0).standard_normal((30, 24))
    dwt = DWT1d("db3", LEVELS, mode)
    g = input_gradients(model, x)
    zero = completeness_gap(model, dwt, x, g, "input_x_gradient")
    shifted = completeness_gap(model, dwt, x, g, "integrated_gradients", baseline=np.linspace(-1, 1, 24))
    # db3's taps are orthonormal to 1e-11.
    assert max(zero.relative, zero.worst, shifted.relative, shifted.worst) < 1e-9


def test_integrated_gradients_of_a_smooth_network_are_complete_and_input_x_gradient_is_not():
    model = network(1)
    x = 2 * np.random.default_rng(1).standard_normal((30, 24))
    dwt = DWT1d("db2", LEVELS, "zero")
    fine = completeness_gap(model, dwt, x, input_gradients(model, x, method="integrated_gradients"))
    coarse = completeness_gap(model, dwt, x, input_gradients(model, x, method="integrated_gradients", n_steps=1))
    local = completeness_gap(model, dwt, x, input_gradients(model, x), "input_x_gradient")
    assert fine.relative < 1e-8  # quadrature with 50 points of a smooth function, and db2's orthonormality of 1e-12
    assert 1e-8 < coarse.relative < local.relative
    assert local.relative > 0.1
    outcomes = [AttributionQuality(completeness=gap).verdict()[1].outcome for gap in (fine, local)]
    assert outcomes == ["pass", "warn"]


def test_completeness_refuses_what_promises_no_sum():
    model, dwt, x, _, _ = linear_problem()
    with pytest.raises(ValueError, match=r'"saliency" promises no sum; take "integrated_gradients"'):
        completeness_gap(model, dwt, x, x, "saliency")
    with pytest.raises(ValueError, match=r"the predictions for inputs and baseline are all the same"):
        completeness_gap(model, dwt, 0 * x, x, "integrated_gradients")


# --- agreement --------------------------------------------------------------------------------------------------------


def test_agreement_of_what_is_known():
    one = np.array([[8.0, -4.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    backwards = 1 / one
    half = np.array([[8.0, 1.0, 4.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    same, opposite = seed_agreement([one, -3 * one, one**3], top=0.5), seed_agreement([one, backwards], top=0.5)
    assert same == SeedAgreement(pytest.approx(1.0), 1.0, 1.0, 0.5, 3)
    assert opposite == SeedAgreement(pytest.approx(-1.0), 0.0, 0.0, 0.5, 2)
    mixed = seed_agreement([one, half], top=0.5)
    # First input: one of the largest two in common, ranks (4, 3, 2, 1) against (4, 1, 3, 2): 1 − 6·6/(4·15) = 0.4.
    assert mixed.overlap == 0.75
    assert mixed.spearman == pytest.approx((0.4 + 1.0) / 2)
    three = seed_agreement([one, one, backwards], top=0.5)
    assert (three.overlap, three.worst_overlap) == (pytest.approx(1 / 3), 0.0)


def test_bands_tensors_and_arrays_are_the_same_attributions():
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    bands = DWT1d("db2", LEVELS)(x)
    flat = torch.cat(list(bands), dim=1)
    other = flat.roll(1, dims=1)
    expected = seed_agreement([flat.numpy(), other.numpy()])
    assert seed_agreement([bands, other]) == seed_agreement([bands.numpy(), other]) == expected
    assert rank_correlation(bands, flat) == pytest.approx(1.0)


def test_unrelated_attributions_agree_by_chance():
    rng = np.random.default_rng(0)
    chance = seed_agreement([rng.standard_normal((300, 100)) for _ in range(2)], top=0.1)
    # Standard errors: 0.1/√300 of the correlation, some 0.005 of the overlap.
    assert abs(chance.spearman) < 0.03
    assert chance.overlap == pytest.approx(0.1, abs=0.02)
    assert AttributionQuality(agreement=chance).verdict()[2].outcome == "warn"


@pytest.mark.parametrize(
    ("attributions", "options", "message"),
    [
        ([np.ones((2, 3))], {}, r"there are attributions of 1 teacher\(s\)"),
        ([np.ones((2, 3)), np.ones((2, 4))], {}, r"of shapes \[\(2, 3\), \(2, 4\)\] when flattened"),
        ([np.ones((2, 3)), np.ones((2, 3))], {}, r"are constant, so that there are no ranks"),
        ([np.ones((2, 3)), np.ones((2, 3))], {"top": 0.0}, r"top is 0.0; give a share"),
        ([np.ones(3), np.ones(3)], {}, r"they must have a row for each input"),
    ],
)
def test_bad_agreements_are_refused(attributions, options, message):
    with pytest.raises(ValueError, match=message):
        seed_agreement(attributions, **options)


# --- randomised teachers ----------------------------------------------------------------------------------------------


def test_a_reinitialised_network_differs_follows_its_seed_and_leaves_the_rest_alone():
    model = network(1)
    state = torch.get_rng_state()
    before = [p.clone() for p in model.parameters()]
    one, same, other = (reinitialised(model, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    for mine, fresh, again, third in zip(*(m.parameters() for m in (model, one, same, other)), strict=True):
        assert torch.equal(fresh, again)
        assert not torch.equal(fresh, mine)
        assert not torch.equal(fresh, third)
    x = torch.ones(1, 24).double()
    assert float((model(x) - one(x)).detach().abs()) > 1e-3


def test_batch_statistics_are_forgotten_too():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    model(torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) + 7)
    assert float(model[1].running_mean.abs().max()) > 0.1
    fresh = reinitialised(model, seed=0)
    assert float(fresh[1].running_mean.abs().max()) == 0


def test_a_factory_serves_networks_that_cannot_reset_themselves():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.randn(3))

        def forward(self, x):
            return (x * self.scale).sum(dim=1)

    with pytest.raises(ValueError, match=r"the model \(Scaled\) has parameters but no reset_parameters\(\); give fact"):
        reinitialised(Scaled(), seed=0)
    with pytest.raises(ValueError, match=r"^0 \(Scaled\) has parameters but no reset_parameters"):
        reinitialised(nn.Sequential(Scaled()), seed=0)
    model = Scaled()
    assert not torch.equal(reinitialised(model, seed=0, factory=Scaled).scale, model.scale)
    with pytest.raises(ValueError, match=r"the network is the same as before; the factory must draw other weights"):
        reinitialised(model, seed=0, factory=lambda: model)


@pytest.fixture(scope="module")
def checked():
    truth = simulate_known_truth(seed=1, wavelet="db2", samples=3000, shape=(32,), levels=LEVELS, active=10)
    teachers = [truth.teacher(seed=seed, max_epochs=10, batch_size=64).teacher.as_torch() for seed in (1, 2)]
    X = truth.X[:400]
    return X, teachers


def check(X, teachers, **options):
    return randomised_teacher_check(
        teachers[0],
        X,
        levels=LEVELS,
        wavelet="sym2",
        **({"seed": 0, "trained": teachers[1:], "search": SEARCH} | options),
    )


def test_a_network_without_training_gives_other_attributions_and_another_wavelet(checked):
    X, teachers = checked
    found = check(X, teachers)
    assert found == check(X, teachers)
    assert found.trained_cosine > 0.98  # both have learnt the one slope that there is
    assert abs(found.cosine) < 0.5
    assert found.spearman < 0.5 * found.trained_spearman
    assert found.trained_distance < 0.02 < found.distance
    alone = check(X, teachers, trained=())
    assert (alone.spearman, alone.distance) == (found.spearman, found.distance)
    assert math.isnan(alone.trained_spearman)


def test_a_whole_verdict(checked):
    X, teachers = checked
    dwt = DWT1d("db2", LEVELS, "zero")
    x = torch.from_numpy(X)
    paths = [input_gradients(teacher, X, method="integrated_gradients") for teacher in teachers]
    attributions = [coefficient_attributions(dwt, x, torch.from_numpy(g), "integrated_gradients") for g in paths]
    blank = input_gradients(reinitialised(teachers[0], seed=0), X, method="integrated_gradients")
    rivals = {
        COEFFICIENTS: dwt(x),
        UNTRAINED: coefficient_attributions(dwt, x, torch.from_numpy(blank), "integrated_gradients"),
    }
    quality = AttributionQuality(
        curves=insertion_deletion(teachers[0], dwt, x, attributions[0], steps=10),
        random_curves=insertion_deletion(teachers[0], dwt, x, attributions[0], steps=10, order="random", seed=0),
        completeness=completeness_gap(teachers[0], dwt, X, paths[0]),
        agreement=seed_agreement(attributions),
        randomised=check(X, teachers),
        rivals=compare_orders(teachers[0], dwt, x, attributions[0], rivals, steps=10),
    )
    assert [finding.outcome for finding in quality.verdict()] == ["pass"] * 4
    record = quality.to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["curves"]["insertion_area_error"] is None
    # The truth has 10 active coefficients of some 40: of the 10 steps the first two hold nearly all.
    assert quality.curves.insertion[2] > 0.9


def test_what_was_not_checked_is_said():
    nothing = AttributionQuality(reasons={"agreement": "there was but one teacher."})
    findings = nothing.verdict()
    assert [finding.outcome for finding in findings] == ["open"] * 4
    assert all("was not checked" in finding.sentence for finding in findings)
    assert findings[2].sentence.endswith("give the same attributions: there was but one teacher.")
    assert nothing.headline == "That is not known: none of the checks was made."


def test_the_headline_follows_the_findings():
    agreement, whole = SeedAgreement(0.9, 0.9, 0.9, 0.1, 2), Completeness(0.01, 0.1)
    for quality, said in (
        (
            AttributionQuality(completeness=whole),
            "As far as is known: of 4 checks, 1 was made, and it speaks for them.",
        ),
        (AttributionQuality(completeness=whole, agreement=agreement), "2 were made, and they speak for them."),
        (
            AttributionQuality(completeness=Completeness(1.0, 1.0), agreement=agreement),
            "of 2 checks that were made, 1 ",
        ),
    ):
        assert said in quality.headline


def test_a_record_comes_back():
    curves = PerturbationCurves("random", (0.0, 1.0), (0.0, 1.0), (1.0, 0.0), (math.nan,) * 2, (0.1, 0.2),
                                0.5, 0.5, math.nan, 0.1)  # fmt: skip
    quality = AttributionQuality(
        curves=curves,
        completeness=Completeness(0.1, 0.2, "gradient_shap"),
        randomised=RandomisedTeacher(0.4, 0.1, 0.0, math.nan, math.nan, math.nan),
        reasons={"agreement": "why"},
    )
    record = json.loads(json.dumps(quality.to_dict(), allow_nan=False))
    back = AttributionQuality.from_dict(record)
    assert back.to_dict() == record
    assert math.isnan(back.curves.insertion_error[0])
    assert (back.completeness, back.agreement, back.reasons) == (quality.completeness, None, {"agreement": "why"})
    with pytest.raises(ValueError, match='it has no "format": "awd-quality"'):
        AttributionQuality.from_dict({})
    with pytest.raises(ValueError, match="it lacks asked"):
        CheckedQuality.from_dict(record)
    with pytest.raises(ValueError, match="lacks relative, worst; completeness has relatively, which this awd-core"):
        AttributionQuality.from_dict(record | {"completeness": {"relatively": 1.0}})


def test_what_does_not_add_up_is_told_by_its_method():
    for method, word in (("input_x_gradient", "linear in their inputs"), ("gradient_shap", "take more n_samples")):
        finding = AttributionQuality(completeness=Completeness(0.5, 1.0, method)).verdict()[1]
        assert finding.outcome == "warn"
        assert word in finding.sentence


def test_gradients_that_are_known_are_not_asked_for(checked):
    X, teachers = checked
    gradients = [input_gradients(teacher, X) for teacher in teachers]
    assert check(X, teachers, known=gradients[:1]) == check(X, teachers)
    assert check(X, teachers, known=[gradients[0], -gradients[0]]).trained_spearman == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("known", "outcome", "word"),
    [
        (RandomisedTeacher(0.4, 0.1, 0.3, 0.9, 0.9, 0.01), "pass", "other attributions"),
        (RandomisedTeacher(0.5, 0.1, 0.3, 0.9, 0.9, 0.01), "warn", "the same attributions"),
        (RandomisedTeacher(0.1, 0.1, 0.01, 0.9, 0.9, 0.01), "warn", "the same wavelet"),
        (RandomisedTeacher(0.4, 0.1, 0.0, math.nan, math.nan, math.nan), "pass", "other attributions"),
        (RandomisedTeacher(0.6, 0.1, 0.9, math.nan, math.nan, math.nan), "warn", "the same attributions"),
    ],
)
def test_verdicts_on_randomised_teachers_follow_the_thresholds(known, outcome, word):
    finding = AttributionQuality(randomised=known).verdict()[3]
    assert finding.outcome == outcome
    assert word in finding.sentence


def test_verdicts_on_curves_need_both_areas():
    def curves(insertion, deletion, error):
        return PerturbationCurves("random", (0.0, 1.0), (0.0, 1.0), (1.0, 0.0), (error,) * 2, (error,) * 2,
                                  insertion, deletion, error, error)  # fmt: skip

    def rival(back, away):
        gains = [Interval(low + 0.1, low, low + 0.2, 0.05, 30) for low in (back, away)]
        return RivalOrder(COEFFICIENTS, 0.6, 0.4, *gains)

    chance = curves(0.5, 0.5, 0.05)
    for insertion, deletion, outcome in ((0.7, 0.3, "pass"), (0.7, 0.4, "warn"), (0.6, 0.3, "warn")):
        verdict = AttributionQuality(
            curves(insertion, deletion, math.nan), chance, rivals=(rival(0.01, 0.01),)
        ).verdict()
        assert verdict[0].outcome == outcome
    for back, away, outcome in ((0.01, 0.01, "pass"), (-0.01, 0.01, "warn"), (0.01, -0.01, "warn")):
        quality = AttributionQuality(curves(0.7, 0.3, math.nan), chance, rivals=(rival(back, away),))
        assert quality.verdict()[0].outcome == outcome
    assert AttributionQuality(completeness=Completeness(0.0501, 0.1)).verdict()[1].outcome == "warn"
