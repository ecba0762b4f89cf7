"""The folder of a simulated suite: where its maps lie, and the file that says how it was simulated."""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from awd_core.files import from_json, read_json, write_json
from awd_cosmo.simulate.setup import Setup

Values = dict[str, float]

DESCRIPTION = "suite.json"
"""File at the root of a suite that says how it was simulated."""


RECIPE = 2
"""Raised with every change of the program that changes maps, so that no suite is half of one kind."""


def begin_suite(root: Path, seed: int, cosmologies: list[Values], realisations: int, setup: Setup) -> None:
    """Describe a suite at its root, or see that the one that is there is the same but for its number of maps.

    Raises
    ------
    ValueError
        If the folder holds another suite, or something else.
    """
    wanted = {"recipe": RECIPE, "seed": seed, "setup": asdict(setup), "cosmologies": cosmologies}
    if (root / DESCRIPTION).exists():
        there = suite_description(root)
        # One that is older than a part of the setup has that as it always was.
        there["setup"] = json.loads(json.dumps(asdict(from_json(Setup, there.get("setup")))))
        for name, value in wanted.items():
            if there.get(name) != json.loads(json.dumps(value)):
                raise ValueError(
                    f"{root} holds a suite with another {name}; simulate into another folder, or with what "
                    f"{root / DESCRIPTION} tells"
                )
        realisations = max(realisations, int(there["realisations"]))
    elif root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir()):
        raise ValueError(f"{root} is not empty and holds no suite of simulated maps; simulate into a folder of its own")
    root.mkdir(parents=True, exist_ok=True)
    told = {
        "what": "convergence maps simulated by awd-cosmo",
        **wanted,
        "realisations": realisations,
        "versions": {name: version(name) for name in ("awd-cosmo", "pyccl", "numpy", "scipy")},
    }
    write_json(root / DESCRIPTION, told)


def suite_description(root: Path) -> dict[str, Any]:
    """What the suite's own file tells: seed, setup, cosmologies, realisations, versions.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    path = root / DESCRIPTION
    if not path.exists():
        raise FileNotFoundError(f"{root} holds no suite of simulated maps: there is no {DESCRIPTION}")
    told: dict[str, Any] = read_json(path, "simulate into another folder, or delete this one")
    return told
