"""Headers of many maps, read where the work is done: of some maps of each model, or of all of them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from awd_core.workers import Lost, OnDemand, Workers
from awd_cosmo.formats.archives import BadMap
from awd_cosmo.formats.fits import read_header
from awd_cosmo.formats.headers import MapHeader
from awd_cosmo.formats.suite_models import Found, Model

SAMPLE = 3
"""Maps of the only model of a suite that are asked: its first may be the odd one."""
TOGETHER = 64
"""Files that a worker is given at a time."""

File = tuple[str, int]
"""Path relative to the root, and number of the HDU, −1 for the first image."""
Ask = Callable[[list[File]], list[Any]]
"""Gives a `MapHeader` for each file, or the reason why it has none."""


def read_headers(
    root: str,
    pixel_scale: Any,
    source_redshift: float | None,
    hdu: int | str | None,
    files: Sequence[File],
    **options: Any,
) -> list[MapHeader | str]:
    """Headers of files, or the reasons why they cannot be read; parameters as of `awd_cosmo.formats.fits`."""
    found: list[MapHeader | str] = []
    for file, number in files:
        try:
            # not joined by a Path, which would keep every name among the interned strings
            place = os.path.join(root, file)  # noqa: PTH118
            asked = hdu if number < 0 else number
            told = {"pixel_scale": pixel_scale, "source_redshift": source_redshift, **options}
            found.append(read_header(place, asked, **told))
        except BadMap as error:
            found.append(error.bad[0][1])
        except OSError as error:
            found.append(f"unreadable: {error.strerror or error}")
        except MemoryError:
            found.append("too large for the memory that there is")
    return found


def asked_headers(models: Sequence[Model], ask: Ask, workers: Workers) -> list[list[MapHeader | str]]:
    """What headers say, or why they cannot be read: for each model, of its first files, in their order.

    Parameters
    ----------
    models : sequence of Model
        Of one with `ask_all` all maps are asked; of others the first, or, where that is bad, as many of the next as it
        takes to find a good one. Of a model that is the only one three are.
    ask : callable
        `read_headers` for the root of these models.
    workers : Workers
        Who reads.

    Returns
    -------
    list of list
        Of each model those that were asked, the first files first. Headers that say the
        same are one object, with the name of the first file: most maps of a suite are alike.
    """
    answers: list[list[MapHeader | str]] = [[] for _ in models]
    known: dict[str, MapHeader] = {}
    first = SAMPLE if len(models) == 1 else 1
    wanted = [(m, model.files if model.ask_all else model.files[:first]) for m, model in enumerate(models)]
    while any(some for _, some in wanted):
        files = [file for _, some in wanted for file in some]
        owners = [m for m, some in wanted for _ in some]
        items = OnDemand(partial(_item, files), range(len(files)))
        for m, found in zip(owners, workers.map_blocks(ask, items, TOGETHER, names=_name), strict=True):
            if isinstance(found, MapHeader):
                answers[m].append(known.setdefault(repr(replace(found, file="")), found))
            else:
                answers[m].append(found.reason if isinstance(found, Lost) else found)
        # Twice as many each time, so that a model of which all maps are bad takes few rounds.
        wanted = [
            (m, models[m].files[len(answers[m]) : 2 * len(answers[m])])
            for m, some in wanted
            if some and all(isinstance(one, str) for one in answers[m])
        ]
    return answers


def _item(files: Sequence[Found], number: int) -> File:
    return files[number].file, files[number].hdu


def _name(file: File) -> str:
    return file[0]
