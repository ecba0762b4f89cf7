"""The rows of the table of results: every model fitted to the training tracks, asked about the test tracks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from awd_cme.model.features import MaxCoefficients
from awd_cme.model.folds import ScaledFold
from awd_cme.model.regression import fit_predictor
from awd_cme.model.student_card import StudentCard
from awd_cme.run.candidates import Candidate, candidates_of, choose
from awd_cme.run.job import RunJob
from awd_cme.run.readable import Predictor, predictor_of, transformer
from awd_cme.run.series import Problem
from awd_cme.run.student import read_arrays
from awd_cme.run.teach import Taught
from awd_cme.teacher.convolutions import ConvolutionTeacher
from awd_core.distill import DistillationPath
from awd_core.run import RunFolder
from awd_core.typing import Array
from awd_core.wavelets import Wavelet

OTHERS = ("haar", "db2", "db3", "db5", "sym5")
"""Wavelets that nobody fitted, with the same features and regression."""

ROUNDS = (10, 20, 40, 80, 160, 320)
"""Numbers of trees that cross-validation chooses from."""


@dataclass(frozen=True)
class Fitted:
    """A model and its predictions; `key` to `estimator` as a row of results.json has them."""

    key: str
    name: str
    kind: str
    features: str
    estimator: str
    prediction: Array  # (test tracks,), in the partner's unit, or a rating that rises with success
    cv_score: float | None  # cross-validated, on training tracks
    # Numbers that were fitted: coefficients that are not zero and the intercept, the free angles of a distilled
    # wavelet, the values of all leaves and thresholds of all splits of trees, the weights of a network.
    parameters: int
    candidate: Candidate | None = None  # the wavelet
    transformer: MaxCoefficients | None = None  # fitted, of models on wavelet coefficients; so is the predictor
    predictor: Predictor | None = field(default=None, repr=False)


def fit_all(
    job: RunJob, problem: Problem, paths: dict[str, DistillationPath], chosen: Candidate, score: float,
    taught: Taught | None,
) -> list[Fitted]:  # fmt: skip
    """Every row, AWD first: on the wavelet that was chosen, with its cross-validated score."""
    rows = [on_wavelet(job, problem, "awd", f"AWD ({chosen.name})", "awd", chosen, score=score)]
    plain = next(c for c in candidates_of(paths) if c.start == chosen.start and c.share == 0)
    rows.append(
        on_wavelet(job, problem, "awd_no_interpretation", f"AWD without attributions ({plain.name})", "ablation", plain)
    )
    if taught is not None:
        rows.append(teacher_row(problem, taught))
    for name in ("db5", *(other for other in OTHERS if other != "db5")):
        candidate = Candidate(Wavelet.from_name(name), name)
        rows.append(on_wavelet(job, problem, name, name, "wavelet", candidate))
    last = "db5" if "db5" in paths else job.starts[-1]
    old = choose(job, problem, candidates_of({last: paths[last]})[1:], features="published", published=True)
    for key, name, kind, candidate, known in (
        ("published_awd", "AWD", "awd", old.chosen, float(old.search.pooled[old.index])),
        ("published_db5", "db5", "wavelet", Candidate(Wavelet.from_name("db5"), "db5"), None),
    ):
        form: Any = {"features": "published", "published": True, "score": known}
        rows.append(on_wavelet(job, problem, key, f"{name}, published form", kind, candidate, **form))
    return [*rows, on_series(job, problem), boosted(job, problem), mean_row(problem)]


def on_wavelet(
    job: RunJob, problem: Problem, key: str, name: str, kind: str, candidate: Candidate,
    *, features: str | None = None, published: bool = False, score: float | None = None,
) -> Fitted:  # fmt: skip
    """A row of a model on wavelet coefficients; the published one is fitted by least squares. A score may be known."""
    chosen = features or job.features
    training = problem.training
    made = transformer(job, problem.known, candidate.wavelet, chosen).fit(training.X)
    model = predictor_of(training, job.seed, published=published)
    if score is None:
        alone = choose(job, problem, [candidate], features=chosen, published=published)
        score = float(alone.search.pooled[0])
    fit_predictor(model, made.transform(training.X), training.y, problem.groups)
    found = model_output(model, made.transform(problem.held_out.X))
    parameters = int(np.count_nonzero(model.coef_)) + 1 + candidate.free
    estimator = "logistic" if problem.classification else "ols" if published else "ridge"
    return Fitted(
        key, name, kind, chosen, estimator, problem.restored(found), score, parameters, candidate, made, model
    )


def on_series(job: RunJob, problem: Problem) -> Fitted:
    """Ridge (logistic) regression on the samples of the series themselves."""
    training = problem.training

    def ask(fold: ScaledFold) -> Array:
        own = fold.training
        return model_output(fit_predictor(predictor_of(own, job.seed), own.X, own.y, fold.groups), fold.held_out.X)

    score = problem.score_of_training(problem.held_out_of_folds(job.folds, job.seed, ask))
    model = fit_predictor(predictor_of(training, job.seed), training.X, training.y, problem.groups)
    estimator = "logistic" if problem.classification else "ridge"
    found = problem.restored(model_output(model, problem.held_out.X))
    name = f"{estimator} on the raw series"
    return Fitted("raw_ridge", name, "series", "samples", estimator, found, score, len(model.coef_) + 1)


def boosted(job: RunJob, problem: Problem) -> Fitted:
    """Gradient boosting on the samples and the lifetime; as many trees as cross-validation says."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind: Any = HistGradientBoostingClassifier if problem.classification else HistGradientBoostingRegressor
    training = problem.training

    def inputs(series: Any) -> Array:
        # A lifetime that is known of no track is no input: the trees could not bin it.
        known = np.isfinite(training.lifetime).any()
        columns = (series.X, series.lifetime[:, None]) if known else (series.X,)
        return np.concatenate(columns, axis=1)

    def fitted(series: Any, trees: int) -> Any:
        return kind(
            learning_rate=0.05, max_iter=trees, max_leaf_nodes=8, min_samples_leaf=10, l2_regularization=1.0,
            early_stopping=False, random_state=job.seed,
        ).fit(inputs(series), series.y)  # fmt: skip

    def ask(fold: ScaledFold) -> Array:
        model, X = fitted(fold.training, ROUNDS[-1]), inputs(fold.held_out)
        staged = model.staged_predict_proba(X) if problem.classification else model.staged_predict(X)
        rounds = [found for trees, found in enumerate(staged, 1) if trees in ROUNDS]
        return np.array([found[:, 1] if problem.classification else found for found in rounds])

    held = problem.held_out_of_folds(job.folds, job.seed, ask)
    scores = [problem.score_of_training(row) for row in held]
    best = int(np.argmax(scores))
    model = fitted(training, ROUNDS[best])
    found = problem.restored(model_output(model, inputs(problem.held_out)))
    numbers = sum(len(tree.nodes) for trees in model._predictors for tree in trees)
    name = f"gradient boosting, {ROUNDS[best]} trees"
    features = "samples and lifetime" if inputs(training).shape[1] > training.X.shape[1] else "samples"
    return Fitted("boosting", name, "series", features, "boosting", found, scores[best], numbers)


def headline_row(run: RunFolder, problem: Problem) -> Fitted:
    """The model of at most ten numbers, by its card."""
    card, held = StudentCard.load(run / "student_card.json"), problem.held_out
    found = card.predict(problem.raw.X[problem.test], cell=held.cell, frames=held.frames)
    name = f"AWD, {len(card.numbers)} number{'' if len(card.numbers) == 1 else 's'}"
    estimator, free = "logistic" if problem.classification else "ridge", card.notes["free"]
    size, score = len(card.numbers) + 1 + free, card.notes["cv_score"]
    return Fitted("student", name, "awd", "few numbers", estimator, found, score, size)


def convolutions_row(run: RunFolder, problem: Problem) -> Fitted:
    """Random convolutions, of the teachers whose answers the small model was chosen by."""
    said, size = read_arrays(run, "convolutions.npz"), 3 * ConvolutionTeacher().kernels + 2
    found, score = problem.restored(said["test"]), float(said["score"])
    return Fitted("convolutions", "random convolutions", "series", "samples and frames", "ridge", found, score, size)


def teacher_row(problem: Problem, taught: Taught) -> Fitted:
    """The network itself."""
    found = problem.restored(taught.predict(problem.held_out.X))
    name = "teacher (LSTM)" if "LSTM" in str(taught.teacher.factory) else "teacher"
    return Fitted("teacher", name, "network", "samples", "network", found, taught.cv_score, taught.parameters)


def mean_row(problem: Problem) -> Fitted:
    """The mean of the training tracks, whatever the series."""
    level = float(problem.training.y.mean())
    found = problem.restored(np.full(len(problem.test), level))
    return Fitted("mean", "mean of the training tracks", "trivial", "none", "mean", found, None, 1)


def model_output(model: Any, features: Array) -> Array:
    """Predictions of a regression, or the probability of success."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(features)[:, 1], dtype=np.float64)
    return np.asarray(model.predict(features), dtype=np.float64)
