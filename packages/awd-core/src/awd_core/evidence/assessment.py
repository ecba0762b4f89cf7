"""The checks of `awd_core.evidence.quality`, made for a distilled wavelet on some of the inputs.

Any pipeline that has a network, its inputs and their gradients calls `attribution_quality`. What it costs is bounded by
`awd_core.evidence.QualitySettings`, whatever the number of inputs.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from awd_core.attribution.coefficients import coefficient_attributions
from awd_core.attribution.gradients import input_gradients
from awd_core.attribution.model_gradients import Target, evaluation_mode
from awd_core.attribution.points import METHODS, Method
from awd_core.attribution.store import model_digest
from awd_core.checks.choices import check_choice, check_kind
from awd_core.checks.whole_numbers import whole_number
from awd_core.evidence.checks import compare_orders, completeness_gap, insertion_deletion, predicted, seed_agreement
from awd_core.evidence.faithfulness import signed_faithfulness
from awd_core.evidence.quality import (
    COEFFICIENTS,
    UNTRAINED,
    AttributionQuality,
    Completeness,
    PerturbationCurves,
    RandomisedTeacher,
    RivalOrder,
    SeedAgreement,
    SignedFaithfulness,
)
from awd_core.evidence.quality_record import CheckedQuality, QualitySettings, stored_quality
from awd_core.evidence.randomised import randomised_teacher_check, reinitialised
from awd_core.files.arrays import SampleArray, as_samples, digest, read_block
from awd_core.files.atomic import write_json
from awd_core.transforms.boundary import without_boundary_warnings
from awd_core.transforms.dwt import DWT1d, DWT2d, transformed_axes
from awd_core.typing import AnyArray
from awd_core.wavelets.wavelet import Wavelet
from awd_core.workers.mapping import Progress

SUBSET, ORDERS, BLANK = 10, 11, 12
"""Streams of random numbers: which inputs, the random orders, the network without training."""


def attribution_quality(
    model: nn.Module,
    X: Any,
    gradients: Any,
    wavelet: Wavelet,
    *,
    levels: int,
    mode: str = "zero",
    ndim: int | None = None,
    target: Target = None,
    method: Method = "saliency",
    baseline: float | AnyArray = 0.0,
    seed: int = 0,
    others: Sequence[nn.Module] = (),
    factory: Callable[[], nn.Module] | None = None,
    settings: QualitySettings | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> CheckedQuality:
    """Make all checks that can be made for the attributions of a wavelet's coefficients.

    A check that cannot be made, since predictions do not change or a network cannot be built anew, is left open, with
    the reason: nobody should lose a distillation to it.

    Parameters
    ----------
    model : Module
        The teacher.
    X, gradients : ndarray, Tensor or zarr array, shape (m, …, N) or (m, …, H, W)
        Its inputs, and what `input_gradients` returned for them, the method, the target and the baseline.
    wavelet : Wavelet
        In which the attributions are looked at.
    levels, mode, ndim : optional
        The transform, as for `awd_core.distill.distill_path`.
    target : int, tuple of int or None
        Which prediction.
    method, baseline : optional
        Attribution method, and the baseline of integrated gradients and gradient SHAP.
    seed : int, optional
        Of all that is random.
    others : sequence of Module, optional
        Teachers that differ in the seed of their training alone.
    factory : callable, optional
        Builds the network, for those that have parameters without `reset_parameters`.
    settings : QualitySettings, optional
        What it may cost.
    batch_size : int, optional
        Inputs per pass where a gradient is asked for. Predictions alone need less memory: four times as many, unless
        it is 1.
    device : str or device, optional
        Where to compute; by default where the model is.
    store : path, optional
        A JSON file for what was found. If it is there and answers the same question, it is read instead.
    progress : callable, optional
        Called with (checks done, checks in all, what is next).

    Returns
    -------
    CheckedQuality

    Raises
    ------
    ValueError
        If shapes disagree, the target does not fit the prediction, or another teacher is the same network.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Linear(32, 1)
    >>> X = np.random.default_rng(0).standard_normal((200, 32), dtype=np.float32)
    >>> g = input_gradients(model, X, method="input_x_gradient")
    >>> found = attribution_quality(model, X, g, Wavelet.from_name("db2"), levels=2, method="input_x_gradient")
    >>> [finding.outcome for finding in found.quality.verdict()[:3]]
    ['pass', 'pass', 'open']
    """
    settings = check_kind("settings", QualitySettings() if settings is None else settings, QualitySettings)
    wavelet = Wavelet.of(wavelet)
    for teacher in (model, *others):
        check_kind("model", teacher, nn.Module)
    levels, seed = whole_number("levels", levels), whole_number("seed", seed, 0)
    batch_size = whole_number("batch_size", batch_size)
    samples, slopes = as_samples(X, "X"), as_samples(gradients, "gradients")
    if tuple(samples.shape) != tuple(slopes.shape):
        raise ValueError(f"gradients must have the shape {tuple(samples.shape)} of X, got {tuple(slopes.shape)}")
    check_choice("method", method, METHODS, required=True)
    ndim = transformed_axes(samples.shape, ndim)
    x, g = _drawn(samples, slopes, settings.count(samples.shape), seed)
    question = {
        "teachers": [model_digest(teacher) for teacher in (model, *others)],
        "X": digest(x),
        "gradients": digest(g),
        "inputs": len(x),
        "of": samples.shape[0],
        "taps": wavelet.taps.tolist(),
        "levels": levels,
        "mode": mode,
        "ndim": ndim,
        "target": target,
        "method": method,
        "baseline": digest(np.atleast_1d(np.asarray(baseline, dtype=np.float64))),
        "seed": seed,
        "batch_size": batch_size,
        "settings": asdict(settings),
        "device": str(device or "the model's"),
        "rivals": [COEFFICIENTS, UNTRAINED],
    }
    question = json.loads(json.dumps(question, allow_nan=False))
    if len(set(question["teachers"])) < len(question["teachers"]):
        raise ValueError(
            "two of the teachers are the same network; give those that were trained with other seeds, each once"
        )
    stored = stored_quality(store, question)
    if stored is not None:
        return stored
    teachers = [_moved(teacher, device) for teacher in (model, *others)]
    job = _Job(
        teachers, x, g, wavelet, levels, mode, ndim, target, method, baseline, seed, factory, settings, batch_size
    )
    with _quiet():
        found = CheckedQuality(job.made(progress or (lambda done, total, what: None)), question)
    if store is not None:
        write_json(store, found.to_dict())
    return found


@dataclass
class _Job:
    teachers: list[nn.Module]
    x: AnyArray
    g: AnyArray
    wavelet: Wavelet
    levels: int
    mode: str
    ndim: int
    target: Target
    method: Method
    baseline: float | AnyArray
    seed: int
    factory: Callable[[], nn.Module] | None
    settings: QualitySettings
    batch_size: int

    def made(self, progress: Progress) -> AttributionQuality:
        """One check after the other."""
        with evaluation_mode(self.teachers[0], None) as (model, where), torch.no_grad():
            predicted(model, torch.as_tensor(self.x[:1]).to(where), self.target)  # raises if the target does not fit
        self.dwt = (DWT1d if self.ndim == 1 else DWT2d)(self.wavelet, self.levels, self.mode).to(where)
        self.inputs, self.where = torch.as_tensor(self.x).to(where), where
        # The other methods refuse one.
        self.start = self.baseline if self.method in ("integrated_gradients", "gradient_shap") else None
        # Some networks take a batch for a sample: they are asked for one at a time.
        self.forward = 1 if self.batch_size == 1 else 4 * self.batch_size
        self.known = [self.g]
        reasons: dict[str, str] = {}
        found: dict[str, Any] = {}
        checks = {
            "order": self._order,
            "completeness": self._completeness,
            "agreement": self._agreement,
            "randomised": self._randomised,
            "signed": self._signed,
        }
        for done, (name, check) in enumerate(checks.items()):
            progress(done, len(checks), name)
            try:
                found[name] = check()
            except ValueError as error:
                reasons[name] = f"{' '.join(str(error).split()).rstrip('.')}."
        progress(len(checks), len(checks), "")
        curves, random_curves, rivals = found.get("order", (None, None, ()))
        return AttributionQuality(
            curves, random_curves, found.get("completeness"), found.get("agreement"), found.get("randomised"), rivals,
            reasons, found.get("signed"),
        )  # fmt: skip

    def _order(self) -> tuple[PerturbationCurves, PerturbationCurves, tuple[RivalOrder, ...]]:
        attributions = self._attributions(self.g)
        mine, chance = (
            insertion_deletion(
                self.teachers[0], self.dwt, self.x, attributions, target=self.target, steps=self.settings.steps,
                order=order, seed=_seed(self.seed, ORDERS), repeats=self.settings.repeats,
                baseline=self.baseline, batch_size=self.forward,
            )
            for order in ("attribution", "random")
        )  # fmt: skip
        with torch.no_grad():
            rivals = {COEFFICIENTS: self.dwt(self.inputs)}
        # Where the network cannot be built anew, the check of that kind says so.
        with suppress(ValueError):
            blank = reinitialised(self.teachers[0], seed=_seed(self.seed, BLANK), factory=self._factory())
            slopes = input_gradients(
                blank, self.x, self.target, method=self.method, baseline=self.start, seed=self.seed,
                batch_size=self.batch_size,
            )  # fmt: skip
            rivals[UNTRAINED] = self._attributions(slopes)
        found = compare_orders(
            self.teachers[0], self.dwt, self.x, attributions, rivals, target=self.target, steps=self.settings.steps,
            baseline=self.baseline, batch_size=self.forward,
        )  # fmt: skip
        return mine, chance, found

    def _completeness(self) -> Completeness:
        if self.method == "saliency":
            raise ValueError("saliency promises no sum, integrated gradients do")
        return completeness_gap(
            self.teachers[0], self.dwt, self.x, self.g, self.method, target=self.target, baseline=self.baseline,
            batch_size=self.forward,
        )  # fmt: skip

    def _agreement(self) -> SeedAgreement:
        if len(self.teachers) < 2:
            raise ValueError("there was but one teacher")
        for teacher in self.teachers[1:]:
            self.known.append(
                input_gradients(
                    teacher, self.x, self.target, method=self.method, baseline=self.start, seed=self.seed,
                    batch_size=self.batch_size,
                )
            )  # fmt: skip
        return seed_agreement([self._attributions(slopes) for slopes in self.known], top=self.settings.top)

    def _randomised(self) -> RandomisedTeacher:
        return randomised_teacher_check(
            self.teachers[0], self.x, seed=_seed(self.seed, BLANK), levels=self.levels, wavelet=self.wavelet,
            mode=self.mode, ndim=self.ndim, target=self.target, method=self.method, baseline=self.start,
            trained=self.teachers[1:], factory=self._factory(), search=self.settings.search,
            batch_size=self.batch_size, known=self.known,
        )  # fmt: skip

    def _signed(self) -> SignedFaithfulness:
        if self.method == "saliency":
            raise ValueError("saliency's signs are those of slopes, not of what speaks for a prediction")
        return signed_faithfulness(
            self.teachers[0], self.dwt, self.x, self._attributions(self.g), target=self.target,
            steps=self.settings.steps, baseline=self.baseline, batch_size=self.forward,
        )  # fmt: skip

    def _factory(self) -> Callable[[], nn.Module] | None:
        """What builds the network without training, where its modules cannot be reset."""
        # Scales of inputs that the network has learnt stay where it can be reset; a factory knows nothing of them.
        resettable = all(
            callable(getattr(module, "reset_parameters", None))
            for module in self.teachers[0].modules()
            if any(True for _ in module.parameters(recurse=False))
        )
        build = self.factory
        if resettable or build is None:
            return None
        like = next(self.teachers[0].parameters())
        return lambda: build().to(like.device, like.dtype)

    def _attributions(self, slopes: AnyArray) -> Any:
        baseline = torch.as_tensor(self.baseline).to(self.inputs)
        with torch.no_grad():
            return coefficient_attributions(
                self.dwt, self.inputs, torch.as_tensor(slopes).to(self.inputs), self.method, baseline=baseline
            )


def _drawn(samples: SampleArray, slopes: SampleArray, count: int, seed: int) -> tuple[AnyArray, AnyArray]:
    """Inputs drawn without replacement, in their order, and their gradients."""
    chosen = np.arange(samples.shape[0])
    if count < len(chosen):
        chosen = np.sort(np.random.default_rng([seed, SUBSET]).choice(len(chosen), count, replace=False))
    x, g = (np.concatenate([read_block(array, i, i + 1) for i in chosen.tolist()]) for array in (samples, slopes))
    return x, g


def _moved(model: nn.Module, device: str | torch.device | None) -> nn.Module:
    """The model, or a copy of it on the device; Apple's GPUs have no float64, in which predictions are compared."""
    if device is None or torch.device(device).type == "mps":
        return model
    state = next(iter([*model.parameters(), *model.buffers()]), None)
    if state is None or state.device == torch.device(device):
        return model
    return copy.deepcopy(model).to(device)


def _seed(seed: int, stream: int) -> int:
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint32)[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """More levels than fit are told once, by the report."""
    with without_boundary_warnings():
        yield
