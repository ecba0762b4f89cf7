"""What `awd distill` is asked for: a job, checked before any work is done. Nothing heavy is imported for `--help`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from awd_core.distill.settings import SHARES, SearchSettings
from awd_core.run.settings import (
    ARGUMENTS,
    RUN,
    AtLeast,
    Fields,
    OneOf,
    Overwrite,
    Panel,
    Quality,
    Quiet,
    Scheduler,
    SettingError,
    Typed,
    Workers,
    check_settings,
    parse_shares,
)

if TYPE_CHECKING:
    from awd_core.attribution.points import Method
    from awd_core.evidence.quality_record import QualitySettings
    from awd_core.wavelets.wavelet import Wavelet

PathLike = str | os.PathLike[str]
DATA, LEARNING, SEARCH = Panel("Data", 1), Panel("Distillation", 2), Panel("Search", 3)


def _target(text: str) -> int | tuple[int, ...]:
    try:
        target = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SettingError(
            "{target} is {text!r}; give the index of one prediction, such as 0, or 2,1 where predictions have two axes",
            text=text,
        ) from error
    return target[0] if len(target) == 1 else target


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _wavelet(text: str = "db5") -> "Wavelet":
    from awd_core.wavelets.argument import named_or_loaded

    return named_or_loaded(text)


def _checks() -> "QualitySettings":
    from awd_core.evidence.quality_record import QualitySettings

    return QualitySettings()


@dataclass(frozen=True)
class TeacherFile:
    """A network of the user's: what builds it, its weights, and which prediction is explained.

    Attributes
    ----------
    factory
        Or, in place of gradients: what builds the network that is asked for them.
    weights
        Its weights, .safetensors.
    arguments
        Arguments of the factory: {"n_in": 64}.
    target
        Which prediction: 0, or 2,1 where predictions have two axes.
    batch_size
        Inputs per pass.
    other_weights
        Weights of a network that differs in the seed of its training alone, to see whether it says the same; may be
        given again.
    """

    factory: Annotated[str, DATA, Typed("PKG.MODULE:FACTORY", name="--teacher")]
    weights: Annotated[PathLike, DATA, Typed("FILE")]
    arguments: Annotated[Mapping[str, Any], DATA, Typed("JSON", name="--factory-args", default="{}")] = field(
        default_factory=dict
    )
    target: Annotated[int | tuple[int, ...] | None, DATA, Typed("INDEX", _target)] = None
    batch_size: Annotated[int, DATA, AtLeast(1)] = 64
    other_weights: Annotated[Sequence[PathLike], DATA, Typed("FILE")] = ()

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class DistillJob:
    """What is to be distilled, and how.

    Attributes
    ----------
    X
        Inputs: FILE.npy, FILE.npz:NAME or FOLDER.zarr:NAME.
    out
        Folder of the run.
    gradients
        Gradients, one for each value of X.
    teacher
        The network to ask for them; either this or `gradients` is needed.
    wavelet
        Where to start, a name or a file; its length stays.
    levels
        Levels of the transform.
    mode
        Boundary mode.
    ndim
        Axes to transform, 1 or 2; needed if X has three.
    shares
        Shares of the attributions, 0 to 1, such as 0,0.5,1; or how many, evenly spaced.
    method
        saliency, input_x_gradient, integrated_gradients or gradient_shap: what is asked of the teacher, or what the
        given gradients are for.
    baseline
        Of the last two methods, a number or an array with the shape of one input; 0 if not given.
    seed
        Of all that is random.
    search
        How hard to search.
    device
        cpu, cuda, cuda:1, mps.
    dtype
        What is computed with.
    share
        Which of the shares becomes wavelet.json; the middle one if not given.
    y
        Or: truths for the inputs, to choose it by cross-validation.
    groups
        What belongs together, a number for each input, such as that of its cell: cross-validation holds out whole
        groups.
    predictor
        What predicts the truths from the coefficients. Ridge regression hardly cares in which orthonormal basis its
        inputs are given, so it can hardly tell wavelets apart; the lasso does better where few coefficients matter.
    quality
        Whether to check, if there is a teacher, that its attributions deserve trust.
    checks
        What these checks may cost.
    report
        Whether to make figures and report.
    quiet, overwrite
        Whether to show no progress; to delete an earlier run.
    workers
        Processes that ask the teacher and search; the result has the same bits.
    scheduler
        Or the address of a scheduler of Dask, whose workers do it (see `awd_core.workers.open`).
    """

    X: Annotated[PathLike, ARGUMENTS]
    out: Annotated[PathLike, RUN, Typed("RUN")]
    gradients: Annotated[PathLike | None, DATA, Typed("G")] = None
    teacher: Annotated[TeacherFile | None, Fields()] = None
    wavelet: Annotated["Wavelet", LEARNING, Typed("NAME|JSON", _wavelet, default="db5")] = field(
        default_factory=_wavelet
    )
    levels: Annotated[int, LEARNING, AtLeast(1)] = 4
    mode: Annotated[str, LEARNING, OneOf("awd_core.transforms.boundary:MODES")] = "zero"
    ndim: Annotated[int | None, LEARNING, AtLeast(1, 2)] = None
    shares: Annotated[tuple[float, ...], LEARNING, Typed("LIST|COUNT", parse_shares)] = SHARES
    method: Annotated["Method", DATA, OneOf("awd_core.attribution.points:METHODS")] = "saliency"
    baseline: Annotated[float | str | None, DATA, Typed("NUMBER|ARRAY", _number_or_name)] = None
    seed: Annotated[int, SEARCH, AtLeast(0)] = 0
    search: Annotated[SearchSettings, SEARCH, Fields("random_starts small_batch large_batch")] = field(
        default_factory=SearchSettings
    )
    device: Annotated[str, SEARCH] = "cpu"
    dtype: Annotated[Literal["float32", "float64"], SEARCH] = "float32"
    share: Annotated[float | None, LEARNING] = None
    y: Annotated[PathLike | None, LEARNING, Typed("Y")] = None
    groups: Annotated[PathLike | None, LEARNING, Typed("GROUPS")] = None
    predictor: Annotated[Literal["lasso", "ridge"], LEARNING] = "lasso"
    quality: Quality = True
    checks: "QualitySettings" = field(default_factory=_checks)
    report: Annotated[bool, RUN, "No figures."] = True
    quiet: Quiet = False
    overwrite: Overwrite = False
    workers: Workers = 1
    scheduler: Scheduler = None

    def __post_init__(self) -> None:
        if self.gradients is None and self.teacher is None:
            raise SettingError("give {gradients} of a network, or the network itself as {teacher} to ask for them")
        if self.gradients is not None and self.teacher is not None:
            raise SettingError("{gradients} and a {teacher} to ask for them are both given; leave one of them out")
        if self.share is not None and self.y is not None:
            raise SettingError("{share} and {y} both choose the point of the path; give one of them")
        if self.groups is not None and self.y is None:
            raise SettingError("{groups} are for the cross-validation by {y}, which is not given")
        check_settings(self)
        if self.baseline is not None and self.method in ("saliency", "input_x_gradient"):
            raise SettingError(
                "{baseline} is for integrated_gradients and gradient_shap; {method} has none", method=self.method
            )
        from awd_core.checks.device import check_device

        check_device(self.device)
        self.index  # noqa: B018 - raises if the share is not on the path

    @property
    def index(self) -> int:
        """Which point of the path is taken, unless truths choose it."""
        if self.share is None:
            return len(self.shares) // 2
        for index, share in enumerate(self.shares):
            if abs(share - self.share) < 1e-9:
                return index
        raise SettingError(
            "{share} is {value:g}, which is not on the path; choose one of {there}, or put it among the shares",
            value=self.share, there=", ".join(f"{share:g}" for share in self.shares),
        )  # fmt: skip
