"""What a run did, in sentences for a Methods section; `awd_core.report.methods_part` makes a paragraph of them."""

import math
from collections.abc import Mapping
from typing import Any

from awd_core.report import counted, number
from awd_cosmo.report import sentences
from awd_cosmo.report.artefacts import RunRecord

ESTIMATORS = {
    "ridge": "a ridge regression on them and their products",
    "emulator": "the posterior mean under a Gaussian likelihood, whose mean and covariance are quadratic in the "
    "parameters "
    "[@hartlap2007why]",
}
"""How few numbers become an estimate."""


def methods(record: RunRecord, config: Mapping[str, Any], uses: Mapping[str, bool]) -> list[str]:
    """Sentences on data, split, network, model and errors of a run: its config.json, and what it must cite."""
    versions = config["versions"]
    return [
        f"{record.symbol} was estimated from weak-lensing convergence maps by adaptive wavelet distillation "
        f"[@ha2021adaptive] with awd-cosmo {versions.get('awd-cosmo', '')} and PyTorch {versions.get('torch', '')} "
        "[@paszke2019pytorch].",
        *_data(record, uses),
        *_split(record),
        *_network(record),
        *_model(record),
        f"All random draws follow from the seed {config['settings'].get('job', {}).get('seed')}.",
    ]


def _data(record: RunRecord, uses: Mapping[str, bool]) -> list[str]:
    maps = record.maps
    said = [f"The data are {sentences.data_sentences(record)[0]}"]
    if processing := maps.get("processing"):
        said.append(f"Maps were {', '.join(processing)}.")
    if simulated := maps.get("simulation"):
        theory = " [@chisari2019core]" if uses["pyccl"] else ""
        said.append(f"They were simulated: {sentences.how_simulated(simulated).rstrip('.')}{theory}.")
    elif uses["massivenus"]:
        said.append("They are of the MassiveNuS suite [@liu2018massivenus].")
    return said


def _split(record: RunRecord) -> list[str]:
    main = record.main
    if main.name != "held_out" or not main.test:
        return []
    return [
        f"Whole cosmologies were held out: {counted(main.train, 'map')} trained all models, "
        f"{counted(main.validation, 'map')} of other cosmologies validated them, and {counted(main.test, 'map')} of "
        f"{counted(main.test_cosmologies, 'further cosmology', 'further cosmologies')} were looked at once, for "
        "the test."
    ]


def _network(record: RunRecord) -> list[str]:
    told, row = record.teacher, record.main.of("teacher")
    if not told:
        return [] if row is None else [f"The network that was distilled, {row.name}, was given."]
    return [
        f"A residual network [@he2016deep] ({told['architecture']}, {told['parameters']:,} weights) learnt "
        f"{', '.join(told['targets'])} from {counted(told['training_maps'], 'map')} in {told['epochs']} epochs "
        f"(AdamW, one cycle of the learning rate), of which the {_ordinal(told['best_epoch'])} had the least "
        "validation "
        "loss and was kept; its predictions are means over all orientations of a map."
    ]


def _model(record: RunRecord) -> list[str]:
    main = record.main
    mine = main.of("awd")
    if mine is None:
        return []
    answers = "the network's answers to other maps than it was trained on" if record.teacher else "the labels"
    said = [
        f"The distilled model reads {mine.statistic}; the wavelet in them is that from which they tell most of "
        f"{answers}. "
        f"It estimates {record.symbol} by {ESTIMATORS.get(mine.estimator, mine.estimator)}, fitted to the "
        "training maps.",
        f"On the test maps its root mean square error is {sentences.with_error(mine.rmse, mine.error)}"
        + (f" (R² {number(mine.r2, '.2f')})" if math.isfinite(mine.r2) else "")
        + "".join(
            f", {sentences.compared(record.results.ratio(main.name, row.key), name)}"
            for row, name in sentences.rivals(record, main)
        )
        + ".",
    ]
    if main.units:
        said.append(
            f"Errors and 95 % intervals are those of a jackknife over {main.units} with Student's t "
            "[@efron1993introduction]; they hold for this trained network and this split."
        )
    return said


def _ordinal(value: int) -> str:
    """A place in words or figures.

    Examples
    --------
    >>> _ordinal(1), _ordinal(12), _ordinal(23)
    ('1st', '12th', '23rd')
    """
    ending = "th" if 10 <= value % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"
