"""What a run did, in sentences for a Methods section; `awd_core.report.methods_part` makes a paragraph of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from awd_cme.report import summary
from awd_cme.report.artefacts import Artefacts
from awd_core.report import counted, interval, number

PROGRAMS = {
    "cmeAnalysis": "cmeAnalysis [@aguet2013advances]",
    "TrackMate": "TrackMate [@ershov2022trackmate]",
    "laptrack": "laptrack [@fukai2023laptrack]",
    "yeast": "the published yeast tracks [@pedersen2020spatial]",
}
"""What is cited, by its name in `awd_cme.report.page.CITATIONS`."""
RESAMPLINGS = {
    "published": "longer ones subsampled by index, shorter ones padded with zeros",
    "pad": "longer ones subsampled by index, shorter ones padded with zeros, which scaling leaves zero",
    "interpolate": "by linear interpolation",
}


def methods(found: Artefacts, config: Mapping[str, Any], citations: Sequence[str]) -> list[str]:
    """Sentences on tracks, split, networks, model and errors of a run: its config.json, and what it must cite."""
    settings, versions, seen = config["settings"], config["versions"], found.data["channels"][0]
    what = summary.target(found)
    return [
        f"{what[:1].upper()}{what[1:]} was predicted from the {seen} series of tracks by adaptive wavelet distillation "
        f"[@ha2021adaptive] with awd-cme {versions.get('awd-cme', '')} and PyTorch {versions.get('torch', '')} "
        "[@paszke2019pytorch].",
        *_tracks(found, citations),
        *_networks(found),
        *_model(found),
        f"All random draws follow from the seed {settings.get('seed')}.",
    ]


def _tracks(found: Artefacts, citations: Sequence[str]) -> list[str]:
    data, results = found.data, found.results
    said = [] if not data.get("account") else [f"The data: {str(data['account']).rstrip('.')}."]
    if used := [PROGRAMS[name] for name in citations]:
        said.append(f"The tracks are of {' and '.join(used)}.")
    settings = data.get("settings") or {}
    frame = f", one frame each {data['seconds_per_frame']:g} s" if data.get("seconds_per_frame") else ""
    length = f" of more than {settings['longer_than']:g} s" if settings.get("longer_than") else ""
    how = RESAMPLINGS[settings.get("resampling", "published")]
    said.append(
        f"{counted(data.get('series'), 'track')}{length} were used{frame}; series were brought to "
        f"{data.get('length')} samples ({how})."
    )
    said.append(summary.scaling_sentence(found))
    if results.train is not None and results.test is not None:
        whole = (found.split or {}).get("rule") == "cells"
        train, test = counted(results.train, "track"), counted(results.test, "track")
        if whole and results.cells_test:
            train, test = (
                f"{tracks} of {counted(cells, 'cell')}"
                for tracks, cells in ((train, results.cells_train), (test, results.cells_test))
            )
        said.append(f"{train} trained all models, and {test} were looked at once, for the test.")
    return list(filter(None, said))


def _networks(found: Artefacts) -> list[str]:
    told, said = found.teacher, []
    if told and told.get("epochs"):
        name = str(told["network"]).strip("<>'").rpartition(".")[2]
        kind = "a recurrent network [@hochreiter1997long]" if "LSTM" in name else "a network"
        said.append(
            f"{kind[:1].upper()}{kind[1:]} ({name}, {told['parameters']:,} weights) was trained for "
            f"{told['epochs']} epochs."
        )
    if found.results.row("convolutions") is not None:
        said.append("A ridge regression on random convolutions [@dempster2020rocket] is a second teacher.")
    return said


def _model(found: Artefacts) -> list[str]:
    said, results = [], found.results
    if found.student is not None and (row := results.row("student")) is not None:
        count = counted(len(found.student.numbers), "number")
        said.append(
            f"The distilled model is linear in {count} of the series' undecimated wavelet bands; wavelet and "
            "numbers are those "
            "that tell most of the teachers' answers to tracks that they were not trained on, and its weights "
            "are fitted to "
            "the training tracks."
        )
        ends = interval(row.low, row.high)
        said.append(
            f"On the test tracks {found.metric} is {number(row.score, '.3f')}"
            + (f" ({ends})" if ends else "")
            + "".join(
                f", that of {other.name} {number(other.score, '.3f')}"
                for key in ("teacher", "db5")
                if (other := results.row(key)) is not None
            )
            + "."
        )
    if results.over:
        said.append(
            f"Intervals are those of a jackknife over {results.over} with Student's t [@efron1993introduction]."
        )
    return said
