"""The scikit-learn face: coefficients as PyWavelets gives them, estimators as scikit-learn wants them."""

import numpy as np
import pytest
import pywt
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from awd_core.attribution.gradients import input_gradients
from awd_core.distill.distill import SearchSettings, distill_path
from awd_core.distill.objective import DistillationObjective
from awd_core.features.distiller import WaveletDistiller, WaveletTransformer, compare_lengths
from awd_core.published.grid import distill_penalised
from awd_core.wavelets.wavelet import Wavelet

QUICK = SearchSettings(random_starts=0, iterations=4)


@pytest.fixture(name="rng")
def generator():
    return np.random.default_rng(0)


@pytest.fixture(name="teacher")
def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 6), nn.Tanh(), nn.Linear(6, 2)).double()


@pytest.fixture(name="X")
def inputs(rng):
    return rng.standard_normal((40, 32)).cumsum(1)


def ravel(coefficients, n):
    bands = [band for entry in coefficients for band in (entry if isinstance(entry, tuple) else (entry,))]
    return np.concatenate([band.reshape(n, -1) for band in bands], axis=1)


@pytest.mark.parametrize("mode", ["zero", "symmetric", "periodization"])
@pytest.mark.parametrize("size", [32, 33])
def test_series_as_pywavelets(rng, mode, size):
    X = rng.standard_normal((5, size))
    transformer = WaveletTransformer("db2", 2, mode).fit(X)
    rows = transformer.transform(X)
    theirs = pywt.wavedec(X, "db2", mode, 2)
    np.testing.assert_allclose(rows, ravel(theirs, 5), atol=1e-12)
    np.testing.assert_allclose(transformer.inverse_transform(rows), X, atol=1e-11)
    names = [f"{band}[{k}]" for band, c in zip(("cA2", "cD2", "cD1"), theirs, strict=True) for k in range(c.shape[1])]
    assert transformer.get_feature_names_out().tolist() == names


def test_maps_as_pywavelets(rng):
    X = rng.standard_normal((3, 17, 20))
    transformer = WaveletTransformer("db2", 2, "symmetric", ndim=2).fit(X)
    rows = transformer.transform(X)
    theirs = pywt.wavedec2(X, "db2", "symmetric", 2)
    np.testing.assert_allclose(rows, ravel(theirs, 3), atol=1e-12)
    np.testing.assert_allclose(transformer.inverse_transform(rows), X, atol=1e-11)
    names = transformer.get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == rows.shape[1]
    assert rows[1, names.index("cH2[1,5]")] == pytest.approx(theirs[1][0][1, 1, 5], abs=1e-12)
    assert rows[2, names.index("cV1[3,0]")] == pytest.approx(theirs[2][1][2, 3, 0], abs=1e-12)
    assert rows[0, names.index("cD1[0,7]")] == pytest.approx(theirs[2][2][0, 0, 7], abs=1e-12)
    assert rows[0, names.index("cA2[4,2]")] == pytest.approx(theirs[0][0, 4, 2], abs=1e-12)


def test_channels_tensors_types_and_all_levels(rng):
    X = torch.from_numpy(rng.standard_normal((4, 2, 16)).astype(np.float32))
    transformer = WaveletTransformer("db2", None, ndim=1).fit(X)
    rows = transformer.transform(X)
    assert rows.dtype == np.float32
    theirs = pywt.wavedec(X.double().numpy(), "db2", "zero")
    names = transformer.get_feature_names_out().tolist()
    assert names[0] == f"cA{len(theirs) - 1}[0,0]"
    assert rows[3, names.index("cD1[1,5]")] == pytest.approx(theirs[-1][3, 1, 5], abs=1e-6)
    assert transformer.inverse_transform(rows) == pytest.approx(X.numpy(), abs=1e-5)
    assert transformer.inverse_transform(rows).shape == (4, 2, 16)


def test_a_wavelet_that_is_not_orthonormal_is_transformed_as_it_is(rng):
    X = rng.standard_normal((4, 16))
    wavelet = Wavelet.from_taps(Wavelet.from_name("db2").taps * 1.01, tolerance=0.1)
    rows = WaveletTransformer(wavelet, 1).fit_transform(X)
    assert rows == pytest.approx(1.01 * WaveletTransformer("db2", 1).fit_transform(X), abs=1e-12)


def test_transformer_errors(rng):
    X = rng.standard_normal((4, 16))
    fitted = WaveletTransformer("db2", 1).fit(X)
    with pytest.raises(ValueError, match="15 features, but WaveletTransformer is expecting 16 features as input"):
        fitted.transform(X[:, :-1])
    maps = WaveletTransformer("db2", 1).fit(X.reshape(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"samples of X have shape \(1, 4, 8\); fit saw \(1, 8, 8\)"):
        maps.transform(X.reshape(2, 1, 4, 8))
    with pytest.raises(ValueError, match=r"X has 17 coefficients per sample; samples of shape \(16,\) have 18"):
        fitted.inverse_transform(np.zeros((2, 17)))
    with pytest.raises(ValueError, match="length equal to number of features"):
        fitted.get_feature_names_out(["a"])
    with pytest.raises(ValueError, match="may be series with channels or images; give ndim=1 or ndim=2"):
        WaveletTransformer("db2", 1).fit(X[:, None])
    with pytest.raises(ValueError, match="db0"):
        WaveletTransformer("db0", 1).fit(X)
    with pytest.warns(UserWarning, match="boundary effects"):
        deep = WaveletTransformer("db2", 4).fit(X)
    deep.inverse_transform(deep.transform(X))
    deep.get_feature_names_out()  # said once: warnings are errors here


@parametrize_with_checks(
    [
        WaveletTransformer("db2", 1),
        WaveletDistiller("db2", 1, share=0.0, search=SearchSettings(random_starts=0, iterations=1)),
    ]
)
@pytest.mark.filterwarnings("ignore:.*boundary effects:UserWarning")  # samples of one or two values
def test_scikit_learns_own_checks(estimator, check):
    """All that scikit-learn holds for transformers, none left out."""
    check(estimator)


def test_set_output(X, rng):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"t{k}" for k in range(32)])
    transformer = WaveletTransformer("db2", 1).set_output(transform="pandas").fit(frame)
    table = transformer.transform(frame)
    assert list(table.columns[:2]) == ["cA1[0]", "cA1[1]"]
    assert list(transformer.feature_names_in_[:1]) == ["t0"]
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        transformer.get_feature_names_out(frame.columns[::-1])


def test_distils_what_distill_path_does(X, teacher):
    G = input_gradients(teacher, X, 1)
    distiller = WaveletDistiller("db2", 2, share=0.3, search=QUICK, seed=4).fit(X, gradients=G)
    path = distill_path(X, G, wavelet="db2", levels=2, shares=(0.3,), search=QUICK, seed=4, dtype=torch.float64)
    assert distiller.wavelet_ == path[0].wavelet
    assert [point.share for point in distiller.path_] == [0.3]
    assert distiller.path_[0].interpretation == path[0].interpretation
    assert distiller.penalised_ is None
    expected = pywt.wavedec(X, distiller.wavelet_.to_pywt(), "zero", 2)
    np.testing.assert_allclose(distiller.transform(X), ravel(expected, 40), atol=1e-12)
    np.testing.assert_allclose(distiller.inverse_transform(distiller.transform(X)), X, atol=1e-11)

    # The teacher may be asked instead, single precision too.
    asked = WaveletDistiller("db2", 2, share=0.3, search=QUICK, seed=4, teacher=teacher, target=1).fit(X)
    assert asked.wavelet_ == distiller.wavelet_
    single = clone(asked).set_params(teacher=teacher.float()).fit(X)
    G = input_gradients(teacher.float(), X.astype(np.float32), 1).astype(np.float64)
    assert single.wavelet_ == clone(distiller).fit(X, gradients=G).wavelet_


def test_other_methods_pass_their_baseline(X, teacher):
    options = {"method": "integrated_gradients", "baseline": 0.5}
    G = input_gradients(teacher, X, 0, **options)
    given = WaveletDistiller("db2", 2, share=1.0, search=QUICK, **options).fit(X, gradients=G)
    asked = WaveletDistiller("db2", 2, share=1.0, search=QUICK, teacher=teacher, target=0, **options).fit(X)
    other = WaveletDistiller("db2", 2, share=1.0, search=QUICK, method="integrated_gradients").fit(X, gradients=G)
    assert given.wavelet_ == asked.wavelet_ != other.wavelet_


def test_share_zero_needs_no_teacher_and_says_nothing_of_it(X, rng):
    distiller = WaveletDistiller("db2", 2, share=0, search=QUICK).fit(X)
    G = rng.standard_normal(X.shape)
    assert distiller.wavelet_ == WaveletDistiller("db2", 2, share=0, search=QUICK).fit(X, gradients=G).wavelet_
    assert np.isnan(distiller.path_[0].interpretation)
    assert np.isnan(distiller.path_.start_interpretation)
    assert distiller.path_.settings["gradients"] is None
    assert distiller.wavelet_.metadata["settings"]["gradients"] is None


def test_penalised_form(X, teacher):
    options = {"weights": (0.02, 0.1), "epochs": 2, "batch_size": 20, "noise": 0.01, "seed": 3, "target": 1}
    distiller = WaveletDistiller("db2", 2, form="penalised", teacher=teacher, **options).fit(X)
    fit = distill_penalised(X, teacher, wavelet="db2", levels=2, **options)
    assert distiller.wavelet_ == fit.wavelet
    assert distiller.penalised_.history == fit.history
    assert distiller.path_ is None
    expected = pywt.wavedec(X, fit.wavelet.to_pywt(), "zero", 2)
    np.testing.assert_allclose(distiller.transform(X), ravel(expected, 40), atol=1e-12)


def test_in_a_pipeline(X, teacher):
    G = input_gradients(teacher, X, 0)
    y = X[:, 5] - X[:, 4]
    pipe = make_pipeline(WaveletDistiller("db2", 2, search=QUICK), StandardScaler(), Ridge())
    pipe.fit(X, y, waveletdistiller__gradients=G)
    assert pipe[0].wavelet_ == WaveletDistiller("db2", 2, search=QUICK).fit(X, gradients=G).wavelet_
    assert pipe.score(X, y) > 0.5
    assert pipe[:-1].get_feature_names_out()[0] == "cA2[0]"
    # Gradients are split with the samples.
    scores = cross_val_score(pipe, X, y, cv=2, params={"waveletdistiller__gradients": G})
    fold = clone(pipe).fit(X[20:], y[20:], waveletdistiller__gradients=G[20:])
    # The folds are copies there and views here, and a search carries the last bits on.
    assert scores[0] == pytest.approx(fold.score(X[:20], y[:20]), abs=1e-6)
    with pytest.raises(ValueError, match=r"nothing is known of the teacher: give fit\(X, gradients=G\)"):
        pipe.fit(X, y)


def test_clone_and_parameters():
    distiller = WaveletDistiller("db3", 3, share=0.2, search=QUICK, teacher=nn.Linear(3, 1), weights=(0.1, 0.2))
    copy = clone(distiller)
    parameters = copy.get_params()
    assert parameters["search"] == QUICK
    assert parameters["weights"] == (0.1, 0.2)
    assert torch.equal(parameters["teacher"].weight, distiller.teacher.weight)
    assert copy.set_params(share=0.4).share == 0.4
    assert not hasattr(copy, "wavelet_")


def test_distiller_errors(X):
    G = np.ones_like(X)
    with pytest.raises(ValueError, match="form is 'free'; it is 'orthonormal' or 'penalised'"):
        WaveletDistiller(form="free").fit(X, gradients=G)
    with pytest.raises(ValueError, match="the penalised form asks the teacher itself"):
        WaveletDistiller(form="penalised").fit(X, gradients=G)
    with pytest.raises(ValueError, match=r"the weight interpretation is 1\.0 but there is no model"):
        WaveletDistiller(form="penalised").fit(X)
    with pytest.raises(ValueError, match="levels is None; a distilled wavelet needs their number"):
        WaveletDistiller(levels=None).fit(X, gradients=G)
    with pytest.raises(ValueError, match=r"gradients must have the shape \(40, 32\) of X"):
        WaveletDistiller().fit(X, gradients=G[:, 1:])
    with pytest.raises(ValueError, match=r"the shares are \[1.5\]; they must lie between 0 and 1"):
        WaveletDistiller(share=1.5).fit(X, gradients=G)


def test_lengths_are_scored_alike(X, rng):
    G = rng.standard_normal((40, 32))
    seen = []
    search = SearchSettings(random_starts=1, iterations=40)
    options = {"share": 0.3, "levels": 2, "dtype": torch.float64, "search": search}
    scores = compare_lengths(X, G, (2, 4, 6), progress=lambda *step: seen.append(step), **options)
    assert seen == [(0, 3, "2 taps"), (1, 3, "4 taps"), (2, 3, "6 taps")]
    haar = scores[0]
    assert (haar.sparsity, haar.interpretation, haar.score) == pytest.approx((1, 1, 1), abs=1e-12)
    assert [score.wavelet.length for score in scores] == [2, 4, 6]
    reference = {}
    for score in scores:
        objective = DistillationObjective(X, G, length=score.length, levels=2, mode="zero", ndim=1, dtype=torch.float64)
        _, _, terms = objective(np.array(score.wavelet.angles[1:]), 1.0, 1.0)
        reference = reference or {"S": terms.sparsity, "A": terms.interpretation}
        assert score.sparsity == pytest.approx(terms.sparsity / reference["S"], rel=1e-12)
        assert score.interpretation == pytest.approx(terms.interpretation / reference["A"], rel=1e-12)
        assert score.score == pytest.approx(0.7 * score.sparsity + 0.3 * score.interpretation, rel=1e-12)
        # The same γ/λ for all, so what was minimised is the score.
        assert score.path[0].ratio == pytest.approx(0.3 / 0.7 * reference["S"] / reference["A"], rel=1e-9)
        factor = terms.sparsity / reference["S"] * 0.7 / ((1 - score.path[0].share) * terms.sparsity)
        assert score.path[0].objective * factor * score.path.start_sparsity == pytest.approx(score.score, rel=1e-9)
    # A shorter filter is a longer one with two zeros, so a longer one can do no worse but for the boundary.
    assert scores[2].score < scores[1].score + 0.01
    assert compare_lengths(X, G, (6,), **options)[0].score == scores[2].score


def test_lengths_errors(X):
    G = np.ones_like(X)
    for lengths in ((), (3,), (0,), (78,)):
        with pytest.raises(ValueError, match=r"lengths is .*; give even numbers of taps from 2 to 76"):
            compare_lengths(X, G, lengths)
    with pytest.raises(ValueError, match="share is 2; give a number from 0 to 1"):
        compare_lengths(X, G, (4,), share=2)
    with pytest.raises(ValueError, match="every gradient is zero"):
        compare_lengths(X, 0 * G, (4,))
