"""What `awd distill` is asked for: a job, checked before any work is done."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from awd_core.attribution.points import METHODS, Method
from awd_core.distill.distill import SHARES, SearchSettings
from awd_core.evidence.quality_record import QualitySettings
from awd_core.run.device import check_device
from awd_core.transforms.boundary import MODES
from awd_core.wavelets.wavelet import Wavelet

PathLike = str | os.PathLike[str]
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class TeacherFile:
    """A network of the user's: what builds it, its weights, and which prediction is explained.

    Attributes
    ----------
    factory, weights, arguments
        As for `awd_core.teacher.load_module`.
    target : int or tuple of int, optional
        Which prediction, as for `awd_core.attribution.input_gradients`.
    batch_size : int
        Inputs per pass.
    other_weights : sequence of str or path
        Weights of networks that differ in the seed of their training alone, to see whether they say the same.
    """

    factory: str
    weights: PathLike
    arguments: Mapping[str, Any] = field(default_factory=dict)
    target: int | tuple[int, ...] | None = None
    batch_size: int = 64
    other_weights: Sequence[PathLike] = ()


@dataclass(frozen=True)
class DistillJob:
    """What is to be distilled, and how.

    Attributes
    ----------
    X : str or path
        Inputs, named as for `awd_core.files.read_array`.
    out : str or path
        The run folder.
    gradients : str or path, optional
        Gradients of the shape of X.
    teacher : TeacherFile, optional
        The network to ask for them; either this or `gradients` is needed.
    wavelet : Wavelet
        Where to start.
    levels, mode, ndim, shares, method, seed, search : optional
        As for `awd_core.distill.distill_path`.
    baseline : float or str, optional
        A number, or the name of an array with the shape of one input.
    device, dtype : str
        As torch names them.
    share : float, optional
        Which point becomes wavelet.json; by default the middle one of the path.
    y : str or path, optional
        Truths for the inputs: then cross-validation chooses the point.
    predictor : {"lasso", "ridge"}
        What predicts the truths from the coefficients. Ridge regression hardly cares in which orthonormal basis its
        inputs are given, so it can hardly tell wavelets apart; the lasso does better where few coefficients matter.
    quality : bool
        Whether to check, if there is a teacher, that its attributions deserve trust.
    checks : QualitySettings
        What the checks may cost.
    report, quiet, overwrite : bool
        Whether to make figures and report, to show no progress, to delete an earlier run.
    workers : int
        Processes that ask the teacher and search; the result has the same bits.
    scheduler : str, optional
        Or the address of a scheduler of Dask, whose workers do it (see `awd_core.workers.open`).
    """

    X: PathLike
    out: PathLike
    gradients: PathLike | None = None
    teacher: TeacherFile | None = None
    wavelet: Wavelet = field(default_factory=lambda: Wavelet.from_name("db5"))
    levels: int = 4
    mode: str = "zero"
    ndim: int | None = None
    shares: tuple[float, ...] = SHARES
    method: Method = "saliency"
    baseline: float | str | None = None
    seed: int = 0
    search: SearchSettings = field(default_factory=SearchSettings)
    device: str = "cpu"
    dtype: str = "float32"
    share: float | None = None
    y: PathLike | None = None
    predictor: str = "lasso"
    quality: bool = True
    checks: QualitySettings = field(default_factory=QualitySettings)
    report: bool = True
    quiet: bool = False
    overwrite: bool = False
    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.gradients is None and self.teacher is None:
            raise ValueError("give gradients of a network, or the network itself as teacher to ask for them")
        if self.gradients is not None and self.teacher is not None:
            raise ValueError("gradients and a teacher to ask for them are both given; leave one of them out")
        if self.share is not None and self.y is not None:
            raise ValueError("share and y both choose the point of the path; give one of them")
        for name, value, allowed in (
            ("method", self.method, METHODS),
            ("mode", self.mode, MODES),
            ("dtype", self.dtype, tuple(DTYPES)),
            ("predictor", self.predictor, ("lasso", "ridge")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; choose one of {', '.join(allowed)}")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; at least one process is needed")
        if self.levels < 1:
            raise ValueError(f"levels is {self.levels}; it must be 1 or more")
        if self.baseline is not None and self.method in ("saliency", "input_x_gradient"):
            raise ValueError(f"baseline is for integrated_gradients and gradient_shap; {self.method} has none")
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
        raise ValueError(
            f"share is {self.share:g}, which is not on the path; choose one of "
            f"{', '.join(f'{share:g}' for share in self.shares)}, or put it among the shares"
        )
