"""Headers of many maps, read where the work is done: of some maps of each model, or of all of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from awd_core.worker_map import Lost, Workers
from awd_cosmo.archives import BadMap
from awd_cosmo.fits import read_header
from awd_cosmo.headers import MapHeader
from awd_cosmo.suite_models import Model

TRIES = 3
"""Maps of a model that are asked, one after the other, until one has a header that can be read."""
TOGETHER = 64
"""Files that a worker is given at a time."""

File = tuple[str, int]
"""Path relative to the root, and number of the HDU, −1 for the first image."""
Ask = Callable[[list[File]], list[Any]]
"""Gives a `MapHeader` for each file, or the reason why it has none."""


def read_headers(
    root: str, pixel_scale: Any, source_redshift: float | None, hdu: int | None, files: Sequence[File]
) -> list[MapHeader | str]:
    """Headers of files, or the reasons why they cannot be read; parameters as of `awd_cosmo.fits.read_header`."""
    found: list[MapHeader | str] = []
    for file, number in files:
        try:
            place = str(Path(root) / file)
            asked = hdu if number < 0 else number
            found.append(read_header(place, asked, pixel_scale=pixel_scale, source_redshift=source_redshift))
        except BadMap as error:
            found.append(error.bad[0][1])
        except OSError as error:
            found.append(f"unreadable: {error}")
        except MemoryError:
            found.append("too large for the memory that there is")
    return found


def asked_headers(models: Sequence[Model], ask: Ask, workers: Workers) -> dict[tuple[int, int], MapHeader | str]:
    """What headers say, or why they cannot be read: by number of the model and number of its file.

    Parameters
    ----------
    models : sequence of Model
        Of one with `ask_all` all maps are asked; of others the first, or, where that is bad, some of the next.
    ask : callable
        `read_headers` for the root of these models.
    workers : Workers
        Who reads.
    """
    answers: dict[tuple[int, int], MapHeader | str] = {}
    wanted = [
        (m, i) for m, model in enumerate(models) for i in range(len(model.files) if model.ask_all else 1) if model.files
    ]
    for _ in range(TRIES):
        files = [models[m].files[i] for m, i in wanted]
        items = [(one.file, one.hdu) for one in files]
        for place, found in zip(wanted, workers.map_blocks(ask, items, TOGETHER, names=_name), strict=True):
            answers[place] = found.reason if isinstance(found, Lost) else found
        wanted = [
            (m, i + 1)
            for m, i in wanted
            if isinstance(answers[m, i], str) and not models[m].ask_all and i + 1 < len(models[m].files)
        ]
        if not wanted:
            break
    return answers


def _name(file: File) -> str:
    return file[0]
