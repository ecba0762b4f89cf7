"""Attributions of some test maps, in pixels and in the chosen wavelet's bands."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from awd_core.attribution import coefficient_attributions, input_gradients
from awd_core.distill import SearchSettings
from awd_core.evidence import QualitySettings
from awd_core.files import make_atomically
from awd_core.run import RunFolder
from awd_core.transforms import DWT2d
from awd_core.typing import Rows
from awd_core.wavelets import Wavelet
from awd_cosmo.maps.bins import as_channels
from awd_cosmo.run.job import Job
from awd_cosmo.run.prepare import Prepared
from awd_cosmo.run.teach import Taught

Floats = npt.NDArray[np.float32]

MODE = "zero"
"""Boundary mode of the transform in which inputs and attributions shall be sparse, as published."""
QUALITY = QualitySettings(
    inputs=8, least=8, steps=8, repeats=5,
    search=SearchSettings(random_starts=2, small_batch=1 << 14, large_batch=1 << 16, finalists=1),
)  # fmt: skip
"""A teacher in eight orientations takes its time: these checks take some ten seconds for maps of 64²."""


EXAMPLES = 4
"""Maps that are looked at, or redshift bins of maps."""


def example_rows(prepared: Prepared, number: int = EXAMPLES) -> Rows:
    """Test maps at evenly spaced ranks of the target."""
    test = prepared.splits["held_out"].test
    order = test[np.argsort(prepared.target[test], kind="stable")]
    places = np.round((np.arange(number) + 0.5) / number * len(order) - 0.5).astype(int)
    return np.asarray(order[places], np.int64)


def write_attributions(run: RunFolder, job: Job, prepared: Prepared, taught: Taught, wavelet: Wavelet) -> None:
    """Write attributions.npz: maps, gradients, and for each band the magnitude of its attributions, as large as maps.

    Attributions are Ψ₀∇f(x), the gradient with respect to the wavelet's coefficients (saliency).
    """
    bins = prepared.maps.bins
    rows = example_rows(prepared, max(1, EXAMPLES // bins))
    X, asked = as_channels(prepared.filled(rows)), prepared.inputs(rows)
    gradients = np.asarray(input_gradients(taught.module, asked, taught.target(asked)))[:, :bins]
    if prepared.masked:
        gradients = np.where(np.isfinite(as_channels(prepared.maps.read(rows))), gradients, 0)
    # Every redshift bin of a map is shown for itself.
    maps, slopes, rows = X.reshape(-1, *X.shape[2:]), gradients.reshape(-1, *X.shape[2:]), rows.repeat(bins)
    more = {"bin": np.tile(np.arange(bins), len(X))} if bins > 1 else {}
    bands = band_magnitudes(wavelet, maps, slopes, job.path_levels)
    arrays = {f"wavelet_{name}": image for name, image in bands.items()}
    held: dict[str, Any] = {
        "maps": maps, "gradients": slopes, "rows": rows, "truth": prepared.target[rows],
        "bands": np.array(list(bands)), **arrays, **more,
    }  # fmt: skip
    make_atomically(run / "attributions.npz", lambda place: np.savez(place, **held))


def levels_for(shape: tuple[int, ...], wanted: int) -> int:
    """No more levels than leave four coefficients a side of maps (…, ny, nx)."""
    return max(1, min(wanted, int(np.log2(min(shape[-2:]))) - 2))


def band_magnitudes(wavelet: Wavelet, maps: Floats, gradients: Floats, levels: int) -> dict[str, Floats]:
    """Magnitudes of attributions by band, "a3", "h3", … "d1", each brought to the size of the maps (n, ny, nx).

    Examples
    --------
    >>> maps = np.random.default_rng(0).normal(size=(1, 16, 16)).astype(np.float32)
    >>> images = band_magnitudes(Wavelet.from_name("haar"), maps, np.ones_like(maps), 1)
    >>> {name: image.shape for name, image in images.items()}
    {'a1': (1, 16, 16), 'h1': (1, 16, 16), 'v1': (1, 16, 16), 'd1': (1, 16, 16)}
    """
    levels = levels_for(maps.shape, levels)
    dwt = DWT2d(wavelet, levels=levels, mode=MODE)
    with warnings.catch_warnings():
        # On small maps a long filter meets the border at every place; the levels are those that were distilled with.
        warnings.filterwarnings("ignore", "levels is", UserWarning)
        found = coefficient_attributions(dwt, torch.from_numpy(maps), gradients=torch.from_numpy(gradients))
    images = {f"a{levels}": _as_large(found[0].abs().numpy(), maps.shape[1:], levels, wavelet.length)}
    for depth, details in enumerate(found[1:]):
        level = levels - depth
        for letter, band in zip("hvd", details, strict=True):
            images[f"{letter}{level}"] = _as_large(band.abs().numpy(), maps.shape[1:], level, wavelet.length)
    return images


def _as_large(band: Floats, shape: tuple[int, ...], level: int, taps: int) -> Floats:
    """Each pixel takes the coefficient whose filter is centred nearest to it."""
    step = 1 << level
    # With zeros beyond the border, coefficient k of level j is centred on about 2^j k − (L/2 − 1)(2^j − 1).
    offset = (taps // 2 - 1) * (step - 1)
    places = [np.clip((np.arange(n) + offset) // step, 0, band.shape[axis + 1] - 1) for axis, n in enumerate(shape)]
    return np.asarray(band[:, places[0][:, None], places[1][None, :]], np.float32)
