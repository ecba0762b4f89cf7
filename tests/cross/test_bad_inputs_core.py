"""Bad inputs to awd_core's public functions: each is refused in words that say what was given and what is allowed."""

import functools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from bad_inputs import Bad, Legitimate, each, folder_to_come, there
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from torch import nn

import awd_core
from awd_core import (
    MLP,
    DWT1d,
    DWT2d,
    FourierTransform,
    FreeFilter,
    LinearDictionary,
    LossWeights,
    OrthonormalFilter,
    QualitySettings,
    SearchSettings,
    Teacher,
    TeacherClassifier,
    TrimModel,
    Wavelet,
    WaveletDistiller,
    WaveletTransformer,
)
from awd_core.evidence.randomised import reinitialised

X = np.random.default_rng(0).standard_normal((12, 16)).astype(np.float32)
G = np.random.default_rng(1).standard_normal((12, 16)).astype(np.float32)
Y = X[:, 3]
MASKED = np.ma.masked_array(X, X > 1)
WITH_NAN = np.where(np.arange(16) == 4, np.nan, X).astype(np.float32)
x, g = torch.from_numpy(X), torch.from_numpy(G)
DB2 = Wavelet.from_name("db2")
DWT = DWT1d("db2", 2, "zero")
BANDS = DWT(x)
SHOWN = awd_core.coefficient_attributions(DWT, x, g)
ONE, TWO = nn.Linear(16, 1), nn.Linear(16, 2)
SEARCH = SearchSettings(random_starts=1, finalists=1, iterations=2, small_batch=4, medium_batch=4, large_batch=4)
NOWHERE, FOLDER = "/no/such/place", folder_to_come()

products = functools.partial(awd_core.coefficient_attributions, DWT, x, g, "integrated_gradients")
path = functools.partial(awd_core.distill_path, X, G, wavelet="db2", levels=2, shares=(0.5,), search=SEARCH)
penalised = functools.partial(awd_core.distill_penalised, X, ONE, wavelet="db2", levels=2, epochs=1)
grid = functools.partial(awd_core.distill_grid, X, ONE, wavelet="db2", levels=2, epochs=1)
slopes = functools.partial(awd_core.input_gradients, ONE, X)
scores = functools.partial(awd_core.coefficient_scores, "db2", X, G, levels=2)
lengths = functools.partial(awd_core.compare_lengths, X, G, levels=2, search=SEARCH)
truth = functools.partial(awd_core.simulate_known_truth, seed=0, samples=20, shape=(16,), levels=2, active=2)
curves = functools.partial(awd_core.insertion_deletion, ONE, DWT, x, SHOWN)
quality = functools.partial(awd_core.attribution_quality, ONE, X, G, DB2, levels=2)
small = functools.partial(Teacher, MLP, {"n_in": 16, "hidden": (4,)}, max_epochs=1, patience=None)


@functools.cache
def found():
    """A path of one point."""
    return path()


def selected(*, points=None, of=X, y=Y, estimator=Ridge, **options):
    """`select_point` on the path."""
    return awd_core.select_point(found() if points is None else points, of, y, estimator, **options)


# fmt: off
BAD = [
    # wavelets
    Bad("a name misspelt", lambda: Wavelet.from_name("bd5"),
        ValueError, r"no wavelet 'bd5' \(did you mean db5\?\); allowed are haar, db1"),
    Bad("a biorthogonal name", lambda: DWT1d("bior2.2"),
        ValueError, "'bior2.2' is not an orthogonal wavelet; allowed are haar"),
    Bad("a network of seed -1 to compare", lambda: reinitialised(ONE, seed=-1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("a number for a name", lambda: Wavelet.from_name(5), TypeError, "must be a string, got int"),
    Bad("no wavelet", lambda: DWT1d(None),
        TypeError, "must be an awd_core.Wavelet, a name such as 'db5'.*got NoneType"),
    Bad("taps for a wavelet", lambda: DWT1d(DB2.taps),
        TypeError, "got ndarray; make one from taps with Wavelet.from_taps"),
    Bad("a text for PyWavelets' object", lambda: Wavelet.from_pywt("db2"), TypeError, "takes a pywt.Wavelet, got str"),
    Bad("three taps", lambda: Wavelet([0.5] * 3), ValueError, "must be even and at least 2, got 3"),
    Bad("taps in two dimensions", lambda: Wavelet(np.eye(2)), ValueError, r"one dimension, got the shape \(2, 2\)"),
    Bad("taps that are not finite", lambda: Wavelet([math.nan, 1.0]), ValueError, "finite, got nan"),
    Bad("complex taps", lambda: Wavelet([1j, 1.0]), TypeError, "real numbers, got the type complex128"),
    Bad("taps as text", lambda: Wavelet(["0.7", "0.7"]), TypeError, "real numbers, got the type <U3"),
    Bad("taps that are not orthonormal", lambda: Wavelet([1.0, 1.0]),
        ValueError, "the sum is 2 instead of √2.*Divide them by √2"),
    Bad("taps of float16", lambda: Wavelet(DB2.taps.astype(np.float16)),
        ValueError, "They are float16: compute them in float64"),
    Bad("masked taps", lambda: Wavelet(np.ma.masked_array(DB2.taps, [0, 0, 1, 0])),
        ValueError, "taps has masked elements. Leave"),
    Bad("masked angles", lambda: Wavelet.from_angles(np.ma.masked_array([0.5], [1])),
        ValueError, "angles has masked elements. Leave"),
    Bad("angles of another sum", lambda: Wavelet.from_angles([1, 2]),
        ValueError, "must add up to π/4.*their sum is 2.21 rad off"),
    Bad("a negative tolerance", lambda: Wavelet(DB2.taps, tolerance=-1),
        ValueError, "tolerance is -1; give a number from 0 on"),
    Bad("a tolerance as text", lambda: Wavelet(DB2.taps, tolerance="1e-8"),
        ValueError, "tolerance is '1e-8'; give a number from 0 on"),
    Bad("metadata to add as None", lambda: DB2.with_metadata(None),
        TypeError, "metadata is a NoneType, None; give a Mapping"),
    Bad("level 0", lambda: DB2.functions(0), ValueError, "level is 0; give a positive whole number"),
    Bad("level True", lambda: DB2.functions(True), ValueError, "level is True; give a positive whole number"),
    Bad("half a level", lambda: DB2.distance("db3", of="function", level=1.5),
        ValueError, "level is 1.5; give a positive whole number"),
    Bad("distance of a typo", lambda: DB2.distance("db3", of="tap"),
        ValueError, r"of is 'tap' \(did you mean taps\?\); choose one of taps, function"),
    Bad("frequencies as text", lambda: DB2.frequency_response("512"), ValueError, "n is '512'; give a whole"),
    Bad("no wavelet file", lambda: Wavelet.load(f"{NOWHERE}.json"),
        FileNotFoundError, "no file /no/such/place.json; check the name"),
    Bad("a folder for a wavelet file", lambda: Wavelet.load("/"),
        FileNotFoundError, "no file /, but a folder; check the name"),
    Bad("a wavelet into a folder", lambda: DB2.save(FOLDER),
        IsADirectoryError, "cannot write .*: it is a folder; give the name of a file"),
    Bad("a wavelet into a missing folder", lambda: DB2.save(f"{NOWHERE}/w.json"),
        FileNotFoundError, "the folder /no/such/place does not exist"),
    # filters and transforms
    Bad("moments 1.0", lambda: OrthonormalFilter("db2", vanishing_moments=1.0),
        ValueError, "is 1.0; 4 taps can hold 1 to 2"),
    Bad("moments as text", lambda: OrthonormalFilter("db2", vanishing_moments="2"),
        ValueError, "is '2'; 4 taps can hold 1 to 2"),
    Bad("noise as text", lambda: FreeFilter("db2", noise="0.1", seed=0),
        ValueError, "noise is '0.1'; give a standard deviation from 0 on"),
    Bad("noise without a seed", lambda: FreeFilter("db2", noise=0.1),
        ValueError, "noise is 0.1 but no seed is given; give seed="),
    Bad("a negative seed of a filter", lambda: FreeFilter("db2", noise=0.1, seed=-1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("NumPy's type for torch's", lambda: FreeFilter("db2", dtype=np.float32),
        TypeError, "numpy.float32.*a filter is float32 or"),
    Bad("a filter on a gpu", lambda: FreeFilter("db2", device="gpu"),
        ValueError, "torch knows no device 'gpu'; choose cpu, cuda"),
    Bad("levels 0", lambda: DWT1d("db2", 0), ValueError, "levels is 0; give a positive whole number, or None"),
    Bad("levels 2.0", lambda: DWT1d("db2", 2.0), ValueError, "levels is 2.0; give a positive whole number, or None"),
    Bad("a mode misspelt", lambda: DWT1d("db2", 2, "symetric"),
        ValueError, "mode is 'symetric'.*; choose one of zero, constant"),
    Bad("PyWavelets' short mode", lambda: DWT1d("db2", 2, "per"),
        ValueError, "mode is 'per'.*; choose one of .*periodization"),
    Bad("no mode", lambda: DWT1d("db2", 2, None), ValueError, "mode is None.*; choose one of zero, constant"),
    Bad("a NumPy signal", lambda: DWT(X), TypeError, "the signal is ndarray; give a torch tensor"),
    Bad("a DataFrame as signal", lambda: DWT(pd.DataFrame(X)),
        TypeError, "the signal is DataFrame; give a torch tensor"),
    Bad("an integer signal", lambda: DWT(x.long()), TypeError, "the signal is torch.int64; give float32 or float64"),
    Bad("a half signal", lambda: DWT(x.half()), TypeError, "the signal is torch.float16; give float32 or float64"),
    Bad("a sparse signal", lambda: DWT(x.to_sparse()), TypeError, "the signal is sparse.*give a dense tensor"),
    Bad("a signal with NaN", lambda: DWT(torch.from_numpy(WITH_NAN)),
        ValueError, r"shape \(12, 16\), holds 12 NaN.*mask or fill"),
    Bad("an empty signal", lambda: DWT(x[:, :0]), ValueError, r"shape \(12, 0\): no samples along a transformed axis"),
    Bad("a series for an image", lambda: DWT2d("db2", 1)(x[0]),
        ValueError, r"has 1 dimension\(s\).*at least 2 are needed"),
    Bad("a tensor for coefficients", lambda: DWT.inverse(x),
        TypeError, "coefficients are Tensor; give Coefficients, or a list"),
    Bad("no coefficients", lambda: DWT.inverse(None),
        TypeError, "coefficients are NoneType; give Coefficients, or a list"),
    Bad("bands of other batches", lambda: DWT.inverse([BANDS[0], BANDS[1][:3], BANDS[2]]),
        ValueError, r"\(3,\) in front.*\(12,\); give the coefficients of one"),
    Bad("bands of other types", lambda: DWT.inverse([BANDS[0], BANDS[1].double(), BANDS[2]]),
        ValueError, "is torch.float64.*torch.float32 with"),
    Bad("a float for a shape", lambda: DWT.inverse(list(BANDS), 16.0),
        ValueError, r"shape is 16.0; this transform needs 1 number\(s\), which"),
    Bad("sizes as text", lambda: FourierTransform("16"),
        ValueError, "one positive size for each axis to transform, got '16'"),
    Bad("a size that is no integer", lambda: FourierTransform(16.0),
        ValueError, "one positive size for each axis.*got 16.0"),
    Bad("two and a half bands", lambda: FourierTransform(16).band_masks(2.5),
        ValueError, "at least 1, or a sequence of edges, got 2.5"),
    Bad("edges that fall", lambda: FourierTransform(16).band_masks([0.5, 0]),
        ValueError, r"two or more rising frequencies.*got \[0.5, 0\]"),
    Bad("complex atoms", lambda: LinearDictionary(np.eye(3) * 1j),
        ValueError, "atoms has to hold real numbers; got.*complex128"),
    Bad("masked atoms", lambda: LinearDictionary(np.ma.masked_array(np.eye(3), np.eye(3))),
        ValueError, "atoms has masked elements. Leave"),
    Bad("a dictionary's name", lambda: LinearDictionary("pca"),
        TypeError, "atoms has to hold real numbers; got elements of type <U3"),
    Bad("an estimator without atoms", lambda: LinearDictionary.from_sklearn(Ridge().fit(X, Y)),
        TypeError, "Ridge has no matrix components_; give a fitted PCA"),
    Bad("another shape of atoms", lambda: LinearDictionary.from_sklearn(PCA(2).fit(X), shape=(3, 3)),
        ValueError, r"shape \(3, 3\) has 9 values.*has 16"),
    Bad("hidden layers as a number", lambda: MLP(16, 64),
        ValueError, "hidden=64, n_out=1; give whole numbers, and hidden as a list"),
    Bad("inputs as text", lambda: MLP("16"), ValueError, "got n_in='16'.*give whole numbers"),
    Bad("an activation misspelt", lambda: MLP(16, activation="rlu"), ValueError, "one of relu, gelu, tanh; got 'rlu'"),
    # settings
    Bad("a weight as text", lambda: LossWeights("1"),
        ValueError, "sparsity is '1'; give a weight from 0 on"),
    Bad("a negative weight", lambda: LossWeights(1, -1),
        ValueError, "interpretation is -1; give a weight from 0 on"),
    Bad("starts as a float", lambda: SearchSettings(random_starts=1.5),
        ValueError, "random_starts is 1.5; it must be 0 or more, a whole number"),
    Bad("a share as text", lambda: QualitySettings(top="0.1"),
        ValueError, "top is '0.1'; give a share of the coefficients above 0 and up to 1"),
    Bad("a dict for a search", lambda: QualitySettings(search={}),
        TypeError, r"search is a dict, \{\}; give a SearchSettings"),
    # attributions
    Bad("no model", lambda: TrimModel(None, DWT),
        TypeError, "must be a torch Module or callable, got <class 'NoneType'>"),
    Bad("model and transform swapped", lambda: TrimModel.at(DWT, ONE, x),
        TypeError, "the methods forward and inverse, got .*Linear"),
    Bad("a residual of NumPy", lambda: TrimModel(ONE, DWT, X),
        TypeError, r"residual must be a tensor.*got <class 'numpy.ndarray'>"),
    Bad("a name for a transform", lambda: awd_core.coefficient_attributions("db2", x, g),
        TypeError, "dwt is str; give a transform, such as"),
    Bad("gradients of NumPy", lambda: awd_core.coefficient_attributions(DWT, x, G),
        TypeError, "gradients is ndarray; give a torch tensor"),
    Bad("gradients of few", lambda: awd_core.coefficient_attributions(DWT, x, g[:3]),
        ValueError, r"shape \(12, 16\) and its gradients \(3, 16\)"),
    Bad("a method misspelt", lambda: awd_core.coefficient_attributions(DWT, x, g, "saliancy"),
        ValueError, "method is 'saliancy'.*; choose one of saliency"),
    Bad("a baseline that does not fit", lambda: products(baseline=np.ones(5)),
        ValueError, r"shape \(5,\); give a number, or an array of the shape \(16,\)"),
    Bad("a name for arrays", lambda: awd_core.check_gradients("X.npy", G),
        TypeError, "a NumPy array, a torch tensor or a Zarr array, got <class 'str'>"),
    Bad("masked inputs", lambda: awd_core.check_gradients(MASKED, G),
        ValueError, "X has masked elements. Leave such samples out"),
    Bad("a negative batch", lambda: awd_core.check_gradients(X, G, batch_size=-1),
        ValueError, "batch_size is -1; give a positive whole number"),
    Bad("a class for a model", lambda: awd_core.input_gradients("m", X),
        TypeError, "must be a torch Module or callable, got <class 'str'>"),
    Bad("masked samples", lambda: awd_core.input_gradients(ONE, MASKED),
        ValueError, "X has masked elements. Leave such samples out"),
    Bad("inputs in float64", lambda: awd_core.input_gradients(ONE, X.astype(float)),
        ValueError, "torch.float64 but the model's weights are torch.float32"),
    Bad("one target of two", lambda: awd_core.input_gradients(TWO, X),
        ValueError, r"predicts 2 numbers per sample.*give target=an index"),
    Bad("a target out of range", lambda: awd_core.input_gradients(TWO, X, 5),
        ValueError, r"target=5 is no index from 0 into predictions of shape \(2,\)"),
    Bad("a target 1.0", lambda: awd_core.input_gradients(TWO, X, 1.0),
        TypeError, 'an index, a tuple of them, "all" or None, got 1.0'),
    Bad("a target True", lambda: awd_core.input_gradients(TWO, X, True),
        TypeError, 'an index, a tuple of them, "all" or None, got True'),
    Bad("batches as text", lambda: slopes(batch_size="64"),
        ValueError, "batch_size is '64'; give a positive whole number"),
    Bad("steps 1.5", lambda: slopes(method="integrated_gradients", n_steps=1.5),
        ValueError, "n_steps is 1.5; give a positive whole number"),
    Bad("a seed of -1", lambda: slopes(method="gradient_shap", seed=-1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("noise where there is none", lambda: slopes(noise=0.5),
        ValueError, 'noise is 0.5, but it is for "gradient_shap"'),
    Bad("a baseline where there is none", lambda: slopes(baseline=1.0),
        ValueError, 'baseline is for "integrated_gradients"'),
    Bad("a device misspelt", lambda: slopes(device="gpu"), ValueError, "torch knows no device 'gpu'; choose cpu, cuda"),
    Bad("workers None", lambda: slopes(workers=None),
        ValueError, "workers is None; at least one process is needed: give a whole number"),
    Bad("workers 2.0", lambda: slopes(workers=2.0),
        ValueError, "workers is 2.0; at least one process is needed: give a whole number"),
    Bad("a step and a half", lambda: curves(steps=1.5),
        ValueError, "steps is 1.5; give a positive whole number"),
    Bad("a random order without seed", lambda: curves(order="random"), ValueError, "draws at random: give seed="),
    Bad("a random order of seed -1", lambda: curves(order="random", seed=-1),
        ValueError, "seed is -1; give a whole number, 0 or more"),
    Bad("a list of bands", lambda: awd_core.insertion_deletion(ONE, DWT, x, list(SHOWN)),
        TypeError, "attributions are list; give Coefficients, a tensor"),
    Bad("agreement of one", lambda: awd_core.seed_agreement([SHOWN]),
        ValueError, r"of 1 teacher\(s\).*give those of two or more"),
    Bad("completeness of saliency", lambda: awd_core.completeness_gap(ONE, DWT, X, G, "saliency"),
        ValueError, '"saliency" promises no sum; take'),
    Bad("a batch of none", lambda: awd_core.completeness_gap(ONE, DWT, X, G, batch_size=0),
        ValueError, "batch_size is 0; give a positive whole number"),
    Bad("settings as a dict", lambda: quality(settings={}),
        TypeError, r"settings is a dict, \{\}; give a QualitySettings"),
    Bad("a teacher's name", lambda: awd_core.attribution_quality("m", X, G, DB2, levels=2),
        TypeError, "model is a str, 'm'; give a Module"),
    Bad("a function for a network", lambda: awd_core.randomised_teacher_check(len, X, seed=0, levels=2),
        TypeError, "model is a builtin.*give a Module"),
    Bad("NumPy through a teacher", lambda: awd_core.trim_attributions(ONE, DWT, X),
        TypeError, "x is ndarray; give a torch tensor"),
    # distillation
    Bad("a share alone", lambda: path(shares=0.5),
        TypeError, r"shares is 0.5; give a list of numbers, such as \[0.5\]"),
    Bad("shares as text", lambda: path(shares="0.5"), TypeError, "shares is '0.5'; give a list of numbers"),
    Bad("shares that fall", lambda: path(shares=(0.5, 0.2)),
        ValueError, r"\[0.5, 0.2\]; they must lie between 0 and 1 and increase"),
    Bad("no levels", lambda: path(levels=None), ValueError, "levels is None; give a positive whole number"),
    Bad("axes 1.0", lambda: path(ndim=1.0), ValueError, r"ndim is 1.0; X is \(m, …, N\) with ndim=1"),
    Bad("no seed", lambda: path(seed=None), ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("a search as a dict", lambda: path(search={"iterations": 2}),
        TypeError, "search is a dict.*give a SearchSettings"),
    Bad("a baseline of NaN", lambda: path(method="integrated_gradients", baseline=math.nan),
        ValueError, "baseline holds NaN.*give finite numbers"),
    Bad("a path on a gpu", lambda: path(device="gpu"), ValueError, "torch knows no device 'gpu'; choose cpu, cuda"),
    Bad("progress 2", lambda: path(progress=2),
        TypeError, r"progress is 2; give True, or a function of \(done, in all"),
    Bad("a folder for a checkpoint", lambda: path(checkpoint="/"),
        FileNotFoundError, "no file /, but a folder; check the name"),
    Bad("weights as text", lambda: penalised(weights="a"), TypeError, "weights is 'a'; give a list of numbers"),
    Bad("three weights", lambda: penalised(weights=(1, 1, 1)),
        ValueError, "3 weights are given; there are 8.*Give the first two"),
    Bad("a rate as text", lambda: penalised(learning_rate="1e-3"),
        ValueError, "learning_rate is '1e-3'; give a number above 0"),
    Bad("a grid of one number", lambda: grid(sparsity=0.1),
        TypeError, r"sparsity is 0.1; give a list of numbers, such as \[0.1\]"),
    Bad("a grid of a text", lambda: grid(interpretation="0"),
        TypeError, "interpretation is '0'; give a list of numbers"),
    Bad("a grid of a dict", lambda: grid(weights={}), TypeError, r"weights is a dict, \{\}; give a LossWeights"),
    Bad("weights as a tuple", lambda: awd_core.distillation_loss(x[0], x, x, BANDS, SHOWN, (1,) * 8),
        TypeError, "weights is a tuple.*give a LossWeights"),
    Bad("odd taps of a loss", lambda: awd_core.distillation_loss(x[0, :3], x, x, BANDS, SHOWN, LossWeights()),
        ValueError, r"shape \(3,\); give one dimension and an even"),
    Bad("a tensor of coefficients", lambda: awd_core.distillation_loss(x[0], x, x, x, SHOWN, LossWeights()),
        TypeError, r"one tensor, of shape \(12, 16\); give Coefficients"),
    Bad("an odd length", lambda: lengths((3,)),
        ValueError, r"lengths is \[3\]; give even numbers of taps from 2 to 76"),
    Bad("a length alone", lambda: lengths(4), TypeError, r"lengths is 4; give a list of numbers, such as \[4\]"),
    Bad("a share of two", lambda: lengths((4,), share=2), ValueError, "share is 2; give a number from 0 to"),
    Bad("a top alone", lambda: scores(top=0.1), TypeError, r"top is 0.1; give a list of numbers, such as \[0.1\]"),
    Bad("a threshold as text", lambda: scores(coefficient_threshold="a"),
        ValueError, "coefficient_threshold is 'a'; give a number from 0 on"),
    Bad("scores of None", lambda: awd_core.compare_scores(scores(), None),
        TypeError, "second is a NoneType, None; give a CoefficientScores"),
    Bad("a path for a point", lambda: awd_core.local_minima(found()),
        TypeError, r"point is DistillationPath; give one point of a path, such as"),
    Bad("a negative distance", lambda: awd_core.local_minima(found()[0], tolerance=-1),
        ValueError, "tolerance is -1; give a distance of taps"),
    Bad("a class for an estimator", lambda: selected(), TypeError, r"Ridge.*give one to be fitted, such as Ridge\(\)"),
    Bad("names for a path", lambda: selected(points=["db2"], estimator=Ridge()),
        TypeError, "'db2'; give a DistillationPath or fits"),
    Bad("one fold", lambda: selected(estimator=Ridge(), cv=1),
        ValueError, "cv is 1; cross-validation needs two folds or more"),
    Bad("folds of no seed", lambda: selected(estimator=Ridge(), seed=None),
        ValueError, "seed is None; give a whole number, 0 or more"),
    Bad("labels of a few", lambda: selected(estimator=Ridge(), y=Y[:3]),
        ValueError, "y has 3 entries for 12 samples; give one for each"),
    Bad("masked labels", lambda: selected(estimator=Ridge(), y=np.ma.masked_array(Y, Y > 0)),
        ValueError, "y has masked elements. Leave"),
    # simulation, estimators, teachers
    Bad("no levels hidden", lambda: truth(levels=0), ValueError, "levels is 0; give a positive whole number"),
    Bad("a random wavelet of 3 taps", lambda: truth(wavelet="random", taps=3),
        ValueError, "taps is 3; a random wavelet needs an even number"),
    Bad("a masked table", lambda: WaveletTransformer("db2", 2).fit(MASKED),
        ValueError, "X has masked elements. Leave such samples out"),
    Bad("a table of texts", lambda: WaveletTransformer("db2", 2).fit(X.astype(str)),
        TypeError, "X has to hold real numbers; got elements of type <U"),
    Bad("other columns", lambda: WaveletTransformer("db2", 2).fit(X).transform(X[:, :5]),
        ValueError, "X has 5 features, but WaveletTransformer is expecting 16"),
    Bad("masked gradients", lambda: WaveletDistiller("db2", 2).fit(X, gradients=np.ma.masked_array(G, G > 0)),
        ValueError, "gradients has masked elements"),
    Bad("a form misspelt", lambda: WaveletDistiller("db2", 2, form="ortho").fit(X),
        ValueError, "form is 'ortho'; it is 'orthonormal' or 'penalised'"),
    Bad("a network for a factory", lambda: Teacher(ONE).fit(X, Y), TypeError, "a module class, a function.*got Linear"),
    Bad("a rate of a teacher as text", lambda: small(learning_rate="1e-3").fit(X, Y),
        TypeError, "learning_rate is a positive number; got '1e-3'"),
    Bad("an augmentation's name", lambda: small(augment="flip").fit(X, Y),
        TypeError, "augment is 'flip'; give a function"),
    Bad("an accelerator misspelt", lambda: small(accelerator="gpux").fit(X, Y),
        ValueError, "accelerator='gpux'.*accelerator='cpu' and devices=1 always work"),
    Bad("no devices", lambda: small(accelerator="cpu", devices=0).fit(X, Y),
        ValueError, "devices=0.*accelerator='cpu' and devices=1 always work"),
    Bad("a fraction of two", lambda: small().fit(X, Y, validation=2.0),
        ValueError, "as a fraction lies between 0 and 1; got 2.0"),
    Bad("one class", lambda: TeacherClassifier(MLP, {"n_in": 16, "n_out": 2}).fit(X, ["a"] * 12),
        ValueError, "y has 1 class.*nothing to tell apart"),
    Bad("a class for a factory's name", lambda: awd_core.load_module(MLP, weights="w"),
        TypeError, "named 'package.module:name'.*no text"),
    Bad("a record of None", lambda: awd_core.AttributionQuality.from_dict(None),
        ValueError, 'it has no "format": "awd-quality"'),
]

LEGITIMATE = [
    Legitimate("a name in capitals is PyWavelets' own habit", lambda: Wavelet.from_name("DB2"), lambda: DB2),
    Legitimate("taps that a filter still learns are numbers",
        lambda: Wavelet(torch.tensor(DB2.taps, requires_grad=True)), lambda: DB2),
    Legitimate("a Series of taps is a list of numbers", lambda: Wavelet(pd.Series(DB2.taps)), lambda: DB2),
    Legitimate("levels of numpy.arange are whole numbers",
        lambda: DWT1d("db2", np.arange(3)[2], "zero")(x)[0].numpy(), lambda: BANDS[0].numpy()),
    Legitimate("a shape of NumPy's integer is a size",
        lambda: DWT.inverse(list(BANDS), np.int64(16)).numpy(), lambda: DWT.inverse(BANDS).numpy()),
    Legitimate("one size is a shape", lambda: truth(shape=16).X, lambda: truth().X),
    Legitimate("a baseline of NumPy is taken into the tensors' type",
        lambda: products(baseline=np.ones(16)).numpy()[0],
        lambda: products(baseline=torch.ones(16)).numpy()[0]),
    Legitimate("NumPy's target is an index",
        lambda: awd_core.input_gradients(TWO, X, np.int64(1)), lambda: awd_core.input_gradients(TWO, X, 1)),
    Legitimate("integers of a table become float64",
        lambda: WaveletTransformer("db2", 2).fit_transform(X.astype(int)),
        lambda: WaveletTransformer("db2", 2).fit_transform(X.astype(int).astype(float))),
    Legitimate("gradients as a list are an array to be",
        lambda: WaveletDistiller("db2", 2, search=SEARCH).fit(X, gradients=G.tolist()).wavelet_,
        lambda: WaveletDistiller("db2", 2, search=SEARCH).fit(X, gradients=G).wavelet_),
]
# fmt: on


@pytest.fixture(scope="module", autouse=True)
def folder():
    """The folder comes before the tests, and goes in the end."""
    with there(FOLDER):
        yield


@each(BAD)
def test_it_is_refused(row):
    with pytest.raises(row.error, match=row.match):
        row.call()


@each(LEGITIMATE)
def test_it_is_right(row):
    given, proper = row.call(), row.proper()
    if isinstance(given, np.ndarray):
        np.testing.assert_array_equal(given, proper)
    else:
        assert given == proper
