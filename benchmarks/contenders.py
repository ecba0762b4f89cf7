"""The wavelet transforms that compete, each behind the same four questions.

A contender is prepared for one problem; then it can be asked for its coefficients, for the same as a list of bands in
PyWavelets' order (to be compared), for the signal back, and for the gradient of Σ|coefficients| into its filter.
Everything that a user would do once (building a module, loading a wavelet) is done in the preparation and not timed.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pywt
import torch
from torch import Tensor

from awd_core.transforms import DWT1d, DWT2d
from awd_core.wavelets import Filter, FreeFilter, OrthonormalFilter
from benchmarks.timing import Settings

OURS = "ours"
COPY = "copy"
"""Name of a copy of the input (`x.clone()`), below which no transform can come."""

TAPS = "taps"
ANGLES = "angles"

SEED = 2021


@dataclass(frozen=True)
class Problem:
    """What is to be transformed, and how.

    Parameters
    ----------
    shape : tuple of int
        (batch, N) or (batch, H, W); float32.
    mode : str
        Boundary mode, by PyWavelets' name.
    wavelet : str
        Orthogonal wavelet, by PyWavelets' name.
    levels : int
        Number of levels.
    """

    shape: tuple[int, ...]
    mode: str
    wavelet: str = "db5"
    levels: int = 4

    @property
    def dimensions(self) -> int:
        """Number of transformed axes, 1 or 2."""
        return len(self.shape) - 1

    def signal(self) -> Tensor:
        """White noise, the same in every run."""
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(SEED))

    @property
    def size(self) -> str:
        """The shape, for people: 64 × 256²."""
        batch, *sizes = self.shape
        square = len(sizes) == 2 and sizes[0] == sizes[1]
        return f"{batch} × {sizes[0]}²" if square else " × ".join(map(str, self.shape))

    def __str__(self) -> str:
        return f"{self.size}, {self.wavelet}, {self.levels} levels, {self.mode}"


@dataclass(frozen=True)
class Prepared:
    """A contender, ready for one problem.

    Parameters
    ----------
    forward : callable
        Signal to coefficients, in the contender's own structure, no gradient recorded.
    bands : callable
        That structure as tensors in PyWavelets' order.
    inverse : callable
        Coefficients to signal, no gradient recorded.
    gradients : mapping of str to callable
        Forward and backward, by what the gradient is taken to: `TAPS` (decomposition low-pass taps, in PyWavelets'
        orientation, the high-pass following from them) or `ANGLES`.
    """

    forward: Callable[[], Any]
    bands: Callable[[Any], list[Tensor]]
    inverse: Callable[[Any], Any]
    gradients: Mapping[str, Callable[[], Tensor]] = field(default_factory=dict)


Prepare = Callable[[Problem, Tensor, Settings], Prepared]


def ours(problem: Problem, x: Tensor, settings: Settings) -> Prepared:
    """awd-core: a fixed wavelet for coefficients and inverse, free taps and lattice angles for gradients."""
    module = {1: DWT1d, 2: DWT2d}[problem.dimensions]
    fixed = module(problem.wavelet, problem.levels, problem.mode)

    def forward() -> Any:
        with torch.no_grad():
            return fixed(x)

    def inverse(coefficients: Any) -> Tensor:
        with torch.no_grad():
            return fixed.inverse(coefficients)

    def gradient(filter: Filter) -> Callable[[], Tensor]:
        dwt = module(filter, problem.levels, problem.mode)
        (parameter,) = filter.parameters()
        return lambda: torch.autograd.grad(_l1(dwt(x).tensors()), parameter)[0]

    gradients = {TAPS: gradient(FreeFilter(problem.wavelet)), ANGLES: gradient(OrthonormalFilter(problem.wavelet))}
    return Prepared(forward, lambda coefficients: list(coefficients.tensors()), inverse, gradients)


def toolbox(problem: Problem, x: Tensor, settings: Settings) -> Prepared:
    """PyTorch-Wavelet-Toolbox, its default transforms: one multi-channel convolution per level."""
    ptwt: Any = importlib.import_module("ptwt")
    constants: Any = importlib.import_module("ptwt.constants")
    name = {1: "wavedec", 2: "wavedec2"}[problem.dimensions]
    analyse, synthesise = getattr(ptwt, name), getattr(ptwt, name.replace("dec", "rec"))
    wavelet = pywt.Wavelet(problem.wavelet)
    taps = torch.tensor(wavelet.dec_lo, requires_grad=True)
    sign = torch.tensor([(-1.0) ** (n + 1) for n in range(len(taps))])

    def forward() -> Any:
        with torch.no_grad():
            return analyse(x, wavelet, mode=problem.mode, level=problem.levels)

    def inverse(coefficients: Any) -> Any:
        with torch.no_grad():
            return synthesise(coefficients, wavelet)

    def gradient() -> Tensor:
        # A tuple of tensors passes for a wavelet and keeps its graph. Its four filters would be free of each other;
        # here three follow from the first, as in the other contenders.
        high = sign * taps.flip(0)
        bank = constants.WaveletTensorTuple(taps, high, taps.flip(0), high.flip(0))
        return torch.autograd.grad(_l1(_tree(analyse(x, bank, mode=problem.mode, level=problem.levels))), taps)[0]

    return Prepared(forward, lambda coefficients: list(_tree(coefficients)), inverse, {TAPS: gradient})


def toolbox_separable(problem: Problem, x: Tensor, settings: Settings) -> Prepared:
    """PyTorch-Wavelet-Toolbox, its separable 2-D transform, which costs less than its default for long filters."""
    ptwt: Any = importlib.import_module("ptwt")
    if problem.dimensions != 2:
        raise ValueError("in one dimension it is no other than the default")
    wavelet = pywt.Wavelet(problem.wavelet)

    def forward() -> Any:
        with torch.no_grad():
            return ptwt.fswavedec2(x, wavelet, mode=problem.mode, level=problem.levels)

    def bands(coefficients: Any) -> list[Tensor]:
        approximation, *levels = coefficients
        return [approximation, *(level[key] for level in levels for key in ("da", "ad", "dd"))]

    def inverse(coefficients: Any) -> Any:
        with torch.no_grad():
            # It writes the approximations into the dictionaries that it is given.
            return ptwt.fswaverec2((coefficients[0], *map(dict, coefficients[1:])), wavelet)

    return Prepared(forward, bands, inverse)


def pywavelets(problem: Problem, x: Tensor, settings: Settings) -> Prepared:
    """PyWavelets, on NumPy arrays: compiled C on one thread, without gradients."""
    array = x.numpy()
    name = {1: "wavedec", 2: "wavedec2"}[problem.dimensions]
    analyse, synthesise = getattr(pywt, name), getattr(pywt, name.replace("dec", "rec"))
    wavelet = pywt.Wavelet(problem.wavelet)
    return Prepared(
        lambda: analyse(array, wavelet, mode=problem.mode, level=problem.levels),
        lambda coefficients: list(_tree(coefficients)),
        lambda coefficients: synthesise(coefficients, wavelet, mode=problem.mode),
    )


def compiled_in_rust(problem: Problem, x: Tensor, settings: Settings) -> Prepared:
    """The package ndwt, on NumPy arrays: Rust, the taps compiled in, without gradients."""
    package: Any = importlib.import_module("ndwt")
    if not problem.wavelet.startswith("db"):
        raise ValueError(f"not asked for {problem.wavelet}")
    wavelet = getattr(package.Wavelet, f"Daubechies{problem.wavelet.removeprefix('db')}")
    array, how = x.numpy(), {"axes": tuple(range(1, x.ndim)), "level": problem.levels}
    if problem.mode == "periodization":
        return Prepared(
            lambda: package.dwt_per(wavelet, array, **how),
            lambda coefficients: _blocks(problem, coefficients),
            lambda coefficients: package.idwt_per(wavelet, coefficients, **how),
        )
    how["bc"] = getattr(package.BoundaryCondition, problem.mode.capitalize())
    return Prepared(
        lambda: package.dwt(wavelet, array, **how),
        lambda coefficients: _blocks(problem, coefficients),
        lambda coefficients: package.idwt(wavelet, coefficients, array.shape, **how),
    )


def _blocks(problem: Problem, coefficients: np.ndarray[Any, Any]) -> list[Tensor]:
    """Bands in PyWavelets' order from one array, in which each level's details stand behind all coarser ones."""
    sizes, taps = problem.shape[1:], pywt.Wavelet(problem.wavelet).dec_len
    total, levels = coefficients.shape[1:], []
    for _ in range(problem.levels):
        sizes = tuple(pywt.dwt_coeff_len(size, taps, problem.mode) for size in sizes)
        total = tuple(all_ - size for all_, size in zip(total, sizes, strict=True))
        low, high = (
            tuple(slice(at, at + n) for at, n in zip(begin, sizes, strict=True)) for begin in ([0] * len(sizes), total)
        )
        if len(sizes) == 1:
            levels.append([coefficients[:, high[0]]])
        else:
            pairs = ((high[0], low[1]), (low[0], high[1]), high)
            levels.append([coefficients[:, rows, columns] for rows, columns in pairs])
    approximation = coefficients[(slice(None), *(slice(size) for size in sizes))]
    return [
        torch.from_numpy(band.copy()) for band in (approximation, *(band for level in levels[::-1] for band in level))
    ]


def awave(problem: Problem, x: Tensor, settings: Settings) -> Prepared:
    """The published code of adaptive wavelet distillation, where a checkout of it is given."""
    if settings.awave is None:
        raise ValueError("not given; add `--awave PATH`")
    package: Any = load_awave(settings.awave)
    module = {1: package.DWT1d, 2: package.DWT2d}[problem.dimensions]
    dwt = module(wave=problem.wavelet, mode=problem.mode, J=problem.levels)
    with_channel = x.unsqueeze(1)

    def forward() -> Any:
        with torch.no_grad():
            return dwt(with_channel)

    def bands(coefficients: Any) -> list[Tensor]:
        # From fine to coarse behind the approximation; in two dimensions a level's details are one tensor.
        low, *levels = coefficients
        details = [band for level in levels[::-1] for band in (level.unbind(2) if problem.dimensions == 2 else [level])]
        return [band.squeeze(1) for band in (low, *details)]

    def inverse(coefficients: Any) -> Any:
        with torch.no_grad():
            return dwt.inverse(coefficients).squeeze(1)

    def gradient() -> Tensor:
        # Its parameter holds the taps in the order of a correlation, with two dimensions in front.
        (found,) = torch.autograd.grad(_l1(dwt(with_channel)), dwt.h0)
        taps: Tensor = found.flatten().flip(0)
        return taps

    return Prepared(forward, bands, inverse, {TAPS: gradient})


PEERS: dict[str, Prepare] = {"ptwt": toolbox, "PyWavelets": pywavelets, "ndwt": compiled_in_rust, "awave": awave}
"""Everyone to be compared with in the tables."""

SEPARABLE: dict[str, Prepare] = {"ptwt separable": toolbox_separable}
"""Added where filters get long."""


def load_awave(folder: str) -> ModuleType:
    """Import the package `awave` from a folder that holds it.

    Parameters
    ----------
    folder : str
        A checkout of Yu-Group/adaptive-wavelets.

    Raises
    ------
    FileNotFoundError
        If there is no such package in the folder.
    """
    if not (Path(folder) / "awave" / "__init__.py").is_file():
        raise FileNotFoundError(f"{folder} holds no package awave; give a checkout of Yu-Group/adaptive-wavelets")
    path = list(sys.path)
    sys.path.insert(0, str(Path(folder).resolve()))
    try:
        return importlib.import_module("awave")
    finally:
        sys.path[:] = path  # it appends to the path itself


def reference(problem: Problem, x: Tensor, taps: Sequence[float] | None = None) -> list[Tensor]:
    """Coefficients by PyWavelets in float64, as bands in its order; with other low-pass taps if they are given."""
    wavelet = pywt.Wavelet(problem.wavelet)
    if taps is not None:
        low = list(taps)
        high = [(-1.0) ** (n + 1) * tap for n, tap in enumerate(low[::-1])]
        wavelet = pywt.Wavelet("moved", filter_bank=[low, high, low[::-1], high[::-1]])
    analyse = {1: pywt.wavedec, 2: pywt.wavedec2}[problem.dimensions]
    return list(_tree(analyse(x.double().numpy(), wavelet, mode=problem.mode, level=problem.levels)))


def reference_slope(problem: Problem, x: Tensor, direction: Sequence[float], step: float = 1e-5) -> float:
    """Derivative of Σ|coefficients| along a direction of the taps: a central difference of the reference."""
    taps = pywt.Wavelet(problem.wavelet).dec_lo
    ahead, behind = (
        float(_l1(reference(problem, x, [tap + way * step * d for tap, d in zip(taps, direction, strict=True)])))
        for way in (1, -1)
    )
    return (ahead - behind) / (2 * step)


def _tree(coefficients: Iterable[Any]) -> Iterator[Tensor]:
    for entry in coefficients:
        for band in entry if isinstance(entry, tuple) else (entry,):
            yield torch.from_numpy(band) if isinstance(band, np.ndarray) else band


def _l1(bands: Iterable[Tensor]) -> Tensor:
    return torch.stack([band.abs().sum() for band in bands]).sum()
