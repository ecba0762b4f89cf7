"""Scores against plain loops over PyWavelets' coefficients, and wavelets compared by them."""

import json
import math

import numpy as np
import pytest
import pywt
import torch
import zarr

from awd_core.evidence.score_records import CoefficientScores, compare_scores
from awd_core.evidence.scores import coefficient_scores
from awd_core.wavelets.wavelet import Wavelet

RNG = np.random.default_rng(5)
X = RNG.standard_normal((30, 24))
G = RNG.standard_normal((30, 24)) * (RNG.random((30, 24)) < 0.3)
IMAGES = RNG.standard_normal((12, 12, 13))
SLOPES = RNG.standard_normal((12, 12, 13))


def scales_by_pywavelets(values, mode="zero", wavelet="db2", levels=2):
    """Per input and scale, all coefficients in one row."""
    if values.ndim == 2:
        return [np.abs(band) for band in pywt.wavedec(values, wavelet, mode, levels, axis=1)]
    approximation, *details = pywt.wavedec2(values, wavelet, mode, levels, axes=(1, 2))
    flat = [approximation.reshape(len(values), -1)]
    return [
        np.abs(s)
        for s in flat + [np.concatenate([b.reshape(len(values), -1) for b in bands], axis=1) for bands in details]
    ]


def plain(coefficients, attributions, thresholds):
    """What one scale scores, with loops."""
    n, size = coefficients.shape
    l1 = attribution_l1 = 0.0
    present = attributed = both = 0
    for i in range(n):
        for k in range(size):
            l1 += coefficients[i, k] / n
            attribution_l1 += attributions[i, k] / n
            here, there = coefficients[i, k] > thresholds[0], attributions[i, k] > thresholds[1]
            present, attributed, both = present + here, attributed + there, both + (here and there)
    return [size, l1, attribution_l1, present / (n * size), attributed / (n * size), both / (n * size)]


def gini_by_pairs(values):
    """Mean absolute difference of all pairs over twice the mean: the definition."""
    return np.mean([np.abs(row[:, None] - row[None]).mean() / (2 * row.mean()) for row in values])


def kept_by_loops(values, k):
    return np.mean([sum(sorted(row, reverse=True)[:k]) / sum(row) for row in values])


@pytest.mark.parametrize(("x", "g"), [(X, G), (IMAGES, SLOPES)], ids=["series", "images"])
def test_scores_are_what_plain_loops_find(x, g):
    thresholds = 0.3, 0.2
    scores = coefficient_scores(
        "db2",
        x,
        g,
        levels=2,
        mode="symmetric",
        ndim=x.ndim - 1,
        coefficient_threshold=thresholds[0],
        attribution_threshold=thresholds[1],
        top=(0.1, 0.5),
        batch_size=7,
    )
    # Attributions are those of the adjoint of the synthesis, which extends by zeros whatever the mode.
    coefficients, attributions = scales_by_pywavelets(x, "symmetric"), scales_by_pywavelets(g, "zero")
    everything = [np.concatenate(bands, axis=1) for bands in (coefficients, attributions)]
    expected = [plain(s, a, thresholds) for s, a in zip(coefficients, attributions, strict=True)]
    expected.append(plain(*everything, thresholds))
    totals = expected[-1]
    assert [row["name"] for row in scores.rows()] == ["approximation 2", "details 2", "details 1", "all"]
    for row, (size, l1, attribution_l1, present, attributed, both) in zip(scores.rows(), expected, strict=True):
        assert row["coefficients"] == size
        # Sums of a few hundred numbers in float64, in another order.
        assert row["coefficient_l1"] == pytest.approx(l1, rel=1e-12)
        assert row["attribution_l1"] == pytest.approx(attribution_l1, rel=1e-12)
        assert row["coefficient_share"] == pytest.approx(l1 / totals[1], rel=1e-12)
        assert row["attribution_share"] == pytest.approx(attribution_l1 / totals[2], rel=1e-12)
        assert row["present_coefficients"] == pytest.approx(present, rel=1e-12)
        assert row["present_attributions"] == pytest.approx(attributed, rel=1e-12)
        assert row["compression"] == pytest.approx(both, rel=1e-12)
    assert scores.compression == totals[-1]
    assert scores.gini_coefficients == pytest.approx(gini_by_pairs(everything[0]), rel=1e-10)
    assert scores.gini_attributions == pytest.approx(gini_by_pairs(everything[1]), rel=1e-10)
    for share, kept in scores.kept:
        assert kept == pytest.approx(kept_by_loops(everything[1], math.ceil(share * totals[0])), rel=1e-12)
    for k, kept in zip(scores.curve_k[::5], scores.curve_kept[::5], strict=True):
        assert kept == pytest.approx(kept_by_loops(everything[1], k), rel=1e-12)


def test_the_curve_rises_from_the_largest_to_all():
    scores = coefficient_scores("db2", X, G, levels=2)
    assert scores.curve_k[0] == 1
    assert scores.curve_k[-1] == scores.total.coefficients
    assert (np.diff(scores.curve_kept) >= 0).all()
    assert scores.curve_kept[-1] == pytest.approx(1.0, abs=1e-14)


def test_input_x_gradient_scores_the_products():
    scores = coefficient_scores("db2", X, G, levels=2, method="input_x_gradient")
    products = [s * a for s, a in zip(scales_by_pywavelets(X), scales_by_pywavelets(G), strict=True)]
    assert scores.total.attribution_l1 == pytest.approx(sum(p.sum() for p in products) / len(X), rel=1e-12)


def test_integrated_gradients_score_differences_from_the_baseline():
    baseline = np.linspace(-1, 1, 24)
    scores = coefficient_scores("db2", X, G, levels=2, method="integrated_gradients", baseline=baseline)
    products = [s * a for s, a in zip(scales_by_pywavelets(X - baseline), scales_by_pywavelets(G), strict=True)]
    assert scores.total.attribution_l1 == pytest.approx(sum(p.sum() for p in products) / len(X), rel=1e-12)


def test_channels_are_coefficients_of_the_same_input():
    x, g = IMAGES[:, :3], SLOPES[:, :3]
    channels = coefficient_scores("db2", x, g, levels=2, ndim=1)
    apart = [coefficient_scores("db2", x[:, c], g[:, c], levels=2) for c in range(3)]
    assert channels.total.coefficients == sum(scores.total.coefficients for scores in apart)
    assert channels.total.coefficient_l1 == pytest.approx(sum(scores.total.coefficient_l1 for scores in apart))
    assert channels.compression == pytest.approx(np.mean([scores.compression for scores in apart]))


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_batches_and_storage_make_no_difference(tmp_path, batch_size):
    whole = coefficient_scores("db2", X, G, levels=2)
    stored = [zarr.create_array(tmp_path / name, data=data, chunks=(8, 24)) for name, data in (("x", X), ("g", G))]
    for x, g in ((X, G), stored, (torch.from_numpy(X), torch.from_numpy(G))):
        other = coefficient_scores("db2", x, g, levels=2, batch_size=batch_size)
        assert other.settings == whole.settings
        # Sums over batches, in float64 and another order.
        assert other.total.attribution_l1 == pytest.approx(whole.total.attribution_l1, rel=1e-13)
        assert other.gini_coefficients == pytest.approx(whole.gini_coefficients, rel=1e-13)
        assert other.compression == whole.compression


def test_inputs_without_attribution_have_no_share():
    g = G.copy()
    g[:4] = 0.0
    scores = coefficient_scores("db2", X, g, levels=2)
    rest = coefficient_scores("db2", X[4:], g[4:], levels=2)
    assert (scores.without_attribution, rest.without_attribution) == (4, 0)
    assert scores.curve_kept == pytest.approx(rest.curve_kept)
    assert scores.gini_attributions == pytest.approx(rest.gini_attributions)
    assert scores.total.attribution_l1 == pytest.approx(rest.total.attribution_l1 * 26 / 30)


def test_one_coefficient_that_holds_everything():
    # With periodization an orthonormal transform of one of its own waves is a single coefficient.
    bands = pywt.wavedec(np.zeros(32), "db2", "periodization", level=2)
    bands[1][3] = 2.0
    wave = np.tile(pywt.waverec(bands, "db2", "periodization"), (5, 1))
    scores = coefficient_scores("db2", wave, wave, levels=2, mode="periodization")
    # The taps are orthonormal to 1e-12, so what is left elsewhere stays far below the threshold.
    assert scores.compression == pytest.approx(1 / 32)
    assert [scale.compression for scale in scores.scales] == pytest.approx([0, 1 / 8, 0])
    assert scores.gini_attributions == pytest.approx(1 - 1 / 32, abs=1e-10)
    assert dict(scores.kept)[0.01] == pytest.approx(1.0, abs=1e-10)
    other = coefficient_scores("db3", wave, wave, levels=2, mode="periodization")
    assert other.compression > 0.1


def test_comparison_tells_ratios_and_needs_the_same_problem():
    first = coefficient_scores("db2", X, G, levels=2)
    second = coefficient_scores(Wavelet.from_name("db4"), X, G, levels=2)
    rows = compare_scores(first, second).rows()
    (row,) = (r for r in rows if (r["scale"], r["quantity"]) == ("all", "attribution_l1"))
    assert row["first"] == first.total.attribution_l1
    assert row["ratio"] == second.total.attribution_l1 / first.total.attribution_l1
    assert {"kept by 0.05", "gini_attributions"} <= {r["quantity"] for r in rows}
    for other in ({"levels": 3}, {"levels": 2, "attribution_threshold": 0.1}):
        with pytest.raises(ValueError, match=r"cannot be compared: (levels|attribution_threshold) differ\(s\)"):
            compare_scores(first, coefficient_scores("db2", X, G, **other))
    with pytest.raises(ValueError, match=r"cannot be compared: X, gradients differ\(s\); score both wavelets on the"):
        compare_scores(first, coefficient_scores("db2", X + 1, 2 * G, levels=2))


def test_records_are_json():
    scores = coefficient_scores("db2", X, G, levels=2)
    for record in (scores.to_dict(), compare_scores(scores, scores).to_dict()):
        assert json.loads(json.dumps(record, allow_nan=False)) == record
    undefined = CoefficientScores(**{**vars(scores), "gini_attributions": math.nan})
    assert undefined.to_dict()["gini_attributions"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, r"levels is 0; give a positive whole number"),
        ({"mode": "mirror"}, r"mode is 'mirror'"),
        ({"method": "lime"}, r"method is 'lime'"),
        ({"attribution_threshold": -1.0}, r"attribution_threshold is -1.0; give a number from 0 on"),
        ({"coefficient_threshold": math.nan}, r"coefficient_threshold is nan"),
        ({"top": (0.0,)}, r"top is \[0.0\]; give shares of the coefficients above 0 and up to 1"),
        ({"batch_size": 0}, r"batch_size is 0; give a positive whole number"),
        ({"curve_points": 0}, r"curve_points is 0; give a positive whole number"),
        ({"baseline": np.zeros(5)}, r"shape mismatch|baseline has shape \(5,\); give a number or an array of shape"),
        ({"gradients": G[:, :20]}, r"gradients must have the shape \(30, 24\) of X, got \(30, 20\)"),
        ({"gradients": 0 * G}, r"There is nothing to distil|all"),
        ({"X": IMAGES, "gradients": SLOPES}, r"give ndim=1 or ndim=2"),
    ],
)
def test_bad_input_is_refused(options, message):
    arguments = {"X": X, "gradients": G, "levels": 2} | options
    with pytest.raises(ValueError, match=message):
        coefficient_scores("db2", **arguments)
