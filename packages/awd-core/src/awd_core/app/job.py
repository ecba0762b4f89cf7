"""What `awd distill` is asked for: a job, checked before any work is done. Nothing heavy is imported for `--help`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from awd_core.distill.settings import SHARES, SearchSettings
from awd_core.readable.axis import Axis, parse_axis
from awd_core.readable.features import features_of
from awd_core.run.settings import (
    ARGUMENTS,
    RUN,
    AtLeast,
    Fields,
    OneOf,
    Overwrite,
    Panel,
    Quality,
    Question,
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
DATA, LEARNING, MODEL, SEARCH = (
    Panel("Data", 1),
    Panel("Distillation", 2),
    Panel("Readable model", 3),
    Panel("Search", 4),
)


def _target(text: str) -> int | tuple[int, ...]:
    try:
        target = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SettingError(
            "{target} is {text!r}; give the index of one prediction, such as 0, or 2,1 where predictions have two axes",
            text=text,
        ) from error
    return target[0] if len(target) == 1 else target


def _axis(text: str) -> Axis:
    try:
        return parse_axis(text)
    except ValueError as error:
        raise SettingError("{axis}: {told}", told=error) from error


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
        Which of the shares becomes wavelet.json; the one that cross-validation takes with truths, else the middle one.
    channels
        Where X has an axis of channels: first, (n, C, N), or last, (n, N, C).
    y
        Truths for the inputs, numbers or classes: the run then ends with model.json, a model that one can read, and
        with the table "Was it worth it?".
    groups
        What belongs together, a number or name for each input, such as that of its cell: whole groups are held out, and
        are the units of intervals.
    outputs
        The network's answers to X, where it is not given itself: they choose the model's wavelet and numbers.
    test_X
        Inputs that nothing has seen, for the table; a quarter of X is held out if they are not given.
    test_y
        Their truths.
    test_outputs
        The network's answers to them, where it is not given itself.
    test_groups
        What of them belongs together.
    task
        Whether truths are numbers or classes; told by what they look like if not given.
    numbers
        How many numbers the model may read.
    features
        Which kinds of numbers: auto, or some of maxima, minima, scale-means, log-energies, values, relative-values,
        positions, conditional-variances, with commas.
    axis
        What the samples stand for: name or unit, and the first and the last sample's, such as nm:850:1048.
    per_channel
        A wavelet for each channel in the model, in place of one for all.
    predictor
        What predicts the truths from the coefficients. Ridge regression hardly cares in which orthonormal basis its
        inputs are given, so it can hardly tell wavelets apart; the lasso does better where few coefficients matter.
    quality
        Whether to check, if there is a teacher, that its attributions deserve trust.
    checks
        What these checks may cost.
    question
        What the user wants to know of the model, for the report.
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
    channels: Annotated[Literal["first", "last"] | None, DATA] = None
    y: Annotated[PathLike | None, MODEL, Typed("Y")] = None
    groups: Annotated[PathLike | None, MODEL, Typed("GROUPS")] = None
    outputs: Annotated[PathLike | None, MODEL, Typed("ANSWERS")] = None
    test_X: Annotated[PathLike | None, MODEL, Typed("X")] = None  # noqa: N815 - beside X
    test_y: Annotated[PathLike | None, MODEL, Typed("Y")] = None
    test_outputs: Annotated[PathLike | None, MODEL, Typed("ANSWERS")] = None
    test_groups: Annotated[PathLike | None, MODEL, Typed("GROUPS")] = None
    task: Annotated[Literal["auto", "regression", "classification"], MODEL] = "auto"
    numbers: Annotated[int, MODEL, AtLeast(1)] = 10
    features: Annotated[str, MODEL, Typed("NAMES")] = "auto"
    axis: Annotated[Axis | None, MODEL, Typed("NAME:LOW:HIGH", _axis)] = None
    per_channel: Annotated[bool, MODEL] = False
    predictor: Annotated[Literal["lasso", "ridge"], LEARNING] = "lasso"
    quality: Quality = True
    question: Question = None
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
        check_settings(self)
        self._check_model()
        if self.baseline is not None and self.method in ("saliency", "input_x_gradient"):
            raise SettingError(
                "{baseline} is for integrated_gradients and gradient_shap; {method} has none", method=self.method
            )
        from awd_core.checks.device import check_device

        check_device(self.device)
        self.index  # noqa: B018 - raises if the share is not on the path

    def _check_model(self) -> None:
        of_truths = ("groups", "outputs", "test_X", "test_y", "axis")
        if self.y is None and (alone := [name for name in of_truths if getattr(self, name) is not None]):
            raise SettingError(f"{{{alone[0]}}} is for the model that predicts {{y}}, which is not given")
        if (self.test_X is None) != (self.test_y is None):
            there, missing = ("test_X", "test_y") if self.test_y is None else ("test_y", "test_X")
            raise SettingError(f"{{{there}}} needs {{{missing}}}, which is not given")
        if self.test_X is None and (
            alone := [n for n in ("test_outputs", "test_groups") if getattr(self, n) is not None]
        ):
            raise SettingError(f"{{{alone[0]}}} needs {{test_X}}, which is not given")
        if self.outputs is not None and self.teacher is not None:
            raise SettingError("{outputs} and a {teacher} to ask for them are both given; leave one of them out")
        if self.groups is not None and self.test_X is not None and self.test_groups is None:
            raise SettingError(
                "{groups} and {test_X} are given; give {test_groups} too, or intervals would be too short"
            )
        if self.per_channel and self.channels is None:
            raise SettingError("{per_channel} needs {channels}, which says where they are")
        try:
            features_of(self.features)
        except ValueError as error:
            told = str(error).removeprefix("features")
            raise SettingError("{features}{told}", told=told) from None

    @property
    def index(self) -> int:
        """Which point of the path is taken, unless truths choose it and no share is given."""
        if self.share is None:
            return len(self.shares) // 2
        for index, share in enumerate(self.shares):
            if abs(share - self.share) < 1e-9:
                return index
        raise SettingError(
            "{share} is {value:g}, which is not on the path; choose one of {there}, or put it among the shares",
            value=self.share, there=", ".join(f"{share:g}" for share in self.shares),
        )  # fmt: skip
