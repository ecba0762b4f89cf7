"""What a cosmological report says in words: what was found, and what it does not show.

The words follow the numbers: an interval on one side of 1 is a difference, one that holds 1 is none that could
be told.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from awd_core.evidence import Interval
from awd_core.report import counted, interval, number
from awd_cosmo.inference.predict import bins_at
from awd_cosmo.inference.results import ModelRow, Protocol, Ratio
from awd_cosmo.report.artefacts import Predictions, RunRecord, is_outlier
from awd_cosmo.report.bands import BandShare, number_effects, readable_band
from awd_cosmo.statistics.undecimated import BandScale

PAPER = {"network": 0.89, "classical": 0.82}
"""RMSE of AWD over that of the teacher and of the best classical filter, as published (Ha et al. 2021)."""
LEARNT = 0.8
"""A teacher whose RMSE is more than so much of the spread of the truth has learnt little."""
HERE = "for this trained network and this split"
"""What intervals do not reach beyond: they are of other maps, estimated by the same models."""
FEW = 10
"""Fewer test cosmologies than that give rough error bars."""


def with_error(value: float, error: float) -> str:
    """A number with its error, to two digits of that.

    Examples
    --------
    >>> with_error(0.021967, 0.00112), with_error(0.0123, math.nan)
    ('0.0220 ± 0.0011', '0.0123')
    """
    if not (math.isfinite(error) and error > 0):
        return number(value, ".4f")
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{number(value, f'.{digits}f')} ± {error:.{digits}f}"


def compared(ratio: Ratio, other: str) -> str:
    """One clause on AWD against another model.

    Examples
    --------
    >>> compared(Ratio("held_out", "awd", "teacher", 0.9, 0.85, 0.96), "the teacher")
    '10.0 % smaller than that of the teacher (ratio 0.900, 95 %: 0.850 to 0.960)'
    """
    if not math.isfinite(ratio.value):
        return f"not comparable with that of {other}"
    percent = f"{abs(100 * (ratio.value - 1)):.1f} % {'smaller' if ratio.value < 1 else 'larger'} than"
    way = "not distinguishable from" if ratio.verdict == "open" else percent
    return (
        f"{way} that of {other} (ratio {ratio.value:.3f}, {interval(ratio.low, ratio.high) or 'without an error bar'})"
    )


def rivals(record: RunRecord, protocol: Protocol) -> list[tuple[ModelRow, str]]:
    """Teacher and best classical statistic of a protocol, with what to call them in a sentence."""
    teacher, classical = protocol.of("teacher") or protocol.best("network"), record.classical(protocol)
    found = [] if teacher is None else [(teacher, "the teacher")]
    if classical is not None:
        found.append((classical, f"the classical statistic that validation chose, {classical.name}"))
    return found


def verdict(record: RunRecord, protocol: Protocol) -> str:
    """What AWD came to in a protocol, in one or two sentences."""
    mine = protocol.of("awd")
    if mine is None:
        return "AWD is not among the models that were scored."
    error = with_error(mine.rmse, mine.error)
    where = (
        f"On {counted(protocol.test, 'map')} of {counted(protocol.test_cosmologies, 'cosmology', 'cosmologies')} that "
        "no model was trained on"
        if protocol.name == "held_out"
        else "In the published protocol, on new maps of cosmologies that are known from training"
    )
    clauses = [_against(record, protocol, row, name) for row, name in rivals(record, protocol)]
    few, bins = (re.search(words, mine.statistic or "") for words in (r"^\d+ numbers", r"in each of \d+ redshift bins"))
    source = f" from {few[0]} {bins[0] if bins else 'of a map'}" if few else ""
    said = f"{where}, AWD estimates {record.symbol}{source} with an RMSE of {error}"
    return f"{said}: {', and '.join(clauses)}, {HERE}." if clauses else f"{said}."


def _against(record: RunRecord, protocol: Protocol, row: ModelRow, name: str) -> str:
    """One clause on AWD against a rival; a teacher that errs as much as the truths scatter is none."""
    if row.kind == "network" and protocol.spread is not None and row.rmse >= protocol.spread:
        return (
            f"the teacher has learnt nothing (its RMSE is {number(row.rmse, '.4f')}, the spread of the truths "
            f"{number(protocol.spread, '.4f')}), so a ratio to it says nothing"
        )
    return compared(record.results.ratio(protocol.name, row.key), name)


def summary(record: RunRecord) -> str:
    """Summarise the run, for the head of the page."""
    return " ".join(verdict(record, protocol) for protocol in record.ordered)


def caveats(record: RunRecord) -> list[str]:
    """What the reader should beware of; may be empty."""
    notes = []
    protocol = record.main
    mine = protocol.of("awd")
    if mine is not None:
        for row, name in rivals(record, protocol):
            ratio = record.results.ratio(protocol.name, row.key)
            if ratio.verdict == "above" or (ratio.verdict == "unknown" and ratio.value > 1):
                notes.append(
                    f"AWD does worse here than {name}: its RMSE is {ratio.value:.2f} times as large. Where the "
                    "estimate alone counts, take that instead."
                )
            elif ratio.verdict == "open":
                notes.append(f"These test maps do not tell AWD and {name} apart.")
        notes += _like_variants(record, protocol)
        notes += _beaten_by_variants(protocol, mine)
        if protocol.spread is not None and mine.rmse > 0.95 * protocol.spread:
            below, more = ("hardly", "little") if mine.rmse < protocol.spread else ("not", "no")
            notes.append(
                f"AWD's RMSE is {below} below {number(protocol.spread, '.4f')}, the spread of {record.symbol} among "
                f"the test maps: it knows {more} more than their mean."
            )
    teacher = protocol.of("teacher")
    if teacher is not None and protocol.spread is not None and teacher.rmse > LEARNT * protocol.spread:
        notes.append(
            f"The teacher has learnt little: its RMSE is {number(teacher.rmse, '.4f')}, the spread of {record.symbol} "
            f"{number(protocol.spread, '.4f')}. To do better than it means little, and its attributions mean little."
        )
    few = protocol.test_cosmologies
    if protocol.name == "held_out" and few is not None and few < FEW:
        notes.append(f"The test has but {counted(few, 'cosmology', 'cosmologies')}, so all error bars are rough.")
    if record.main.name != "held_out":
        notes.append("No cosmologies were held out, so nothing here says how the models do on a new one.")
    chosen = record.taken
    if chosen is not None and chosen.share is None:
        notes.append(
            f"Cross-validation preferred a wavelet that was not distilled, {chosen.wavelet}: distillation "
            "brought nothing that this data could tell."
        )
    return list(dict.fromkeys(notes))


def _like_variants(record: RunRecord, protocol: Protocol) -> list[str]:
    """Say where adapting the wavelet, or the interpretation term, made no difference that could be told."""
    mine = protocol.of("awd")
    statistic, same = None if mine is None else mine.statistic, []
    taken = []
    for ratio in record.results.ratios:
        row = protocol.of(ratio.to) if (ratio.protocol, ratio.of) == (protocol.name, "awd") else None
        kin = row is not None and row.kind in ("ablation", "wavelet") and row.statistic == statistic
        if row is not None and kin and ratio.low == ratio.value == ratio.high == 1:
            taken.append(row.name.partition(",")[0])
        elif row is not None and kin and ratio.verdict == "open":
            same.append(f"{row.name} ({ratio.value:.3f}, {ratio.low:.3f} to {ratio.high:.3f})")
    notes = [
        f"The student took a plain wavelet, {name}: no other tells the teacher's answers better by more than chance. "
        "What AWD gains over others it owes to the statistic."
        for name in taken
    ]
    if not same:
        return notes
    return [
        *notes,
        f"AWD's error is not distinguishable from that of {' and '.join(same)}, with the same statistic and "
        "estimator: what it gains over others, it owes to these, and not to the distilled wavelet as far as these maps "
        "can tell.",
    ]


def _beaten_by_variants(protocol: Protocol, mine: ModelRow) -> list[str]:
    kin = [row for row in protocol.rows if row.kind in ("ablation", "wavelet") and row.rmse < mine.rmse]
    if not kin:
        return []
    best = min(kin, key=lambda row: row.rmse)
    return [
        f"{best.name} has a smaller RMSE on the test maps than AWD ({number(best.rmse, '.4f')} against "
        f"{number(mine.rmse, '.4f')}). AWD was chosen without a look at the test maps."
    ]


def facts(record: RunRecord) -> list[tuple[str, str, str]]:
    """The numbers to remember."""
    protocol = record.main
    mine = protocol.of("awd")
    found = []
    if mine is not None:
        found.append((f"RMSE of {record.symbol}", number(mine.rmse, ".4f"), _plus_minus(mine)))
        for row, name in rivals(record, protocol):
            ratio = record.results.ratio(protocol.name, row.key)
            ends = interval(ratio.low, ratio.high, ".2f").removeprefix("95 %: ")
            short = "AWD / teacher" if name == "the teacher" else "AWD / classical"
            found.append((short, number(ratio.value, ".3f"), "; ".join(filter(None, [ends, "below 1: AWD is better"]))))
        if math.isfinite(mine.r2):
            found.append(("R²", number(mine.r2, ".2f"), "on test maps"))
        if mine.parameters is not None:
            teacher = protocol.of("teacher")
            beside = "" if teacher is None or teacher.parameters is None else f"the teacher has {teacher.parameters:,}"
            found.append(("Parameters", f"{mine.parameters:,}", beside))
        times = record.timings.get("ms_per_map") or {}
        if times.get("awd"):
            beside = f"the teacher takes {times['teacher']:.2g} ms" if times.get("teacher") else ""
            found.append(("Time per map", f"{times['awd']:.2g} ms", beside))
    return found


def predictive(record: RunRecord) -> dict[str, Interval]:
    """RMSE of AWD and of its rivals on test maps, and the ratios, for the table that judges the interpretation."""
    protocol, found = record.main, {}
    units = protocol.test_cosmologies or 0
    mine = protocol.of("awd")
    others = [] if mine is None else rivals(record, protocol)
    for row in [] if mine is None else [mine, *(row for row, _ in others)]:
        found[f"{row.name}, RMSE of {record.symbol}"] = Interval(row.rmse, row.low, row.high, row.error, units)
    for row, _ in others:
        ratio = record.results.ratio(protocol.name, row.key)
        found[f"RMSE of AWD over {row.name}"] = Interval(ratio.value, ratio.low, ratio.high, ratio.error, units)
    return found


def answer(record: RunRecord, scales: Sequence[BandScale], shares: Sequence[BandShare]) -> str:
    """What the interpretation comes to: the band that the estimate rests on most, or the number that moves it most."""
    known = {scale.band: scale for scale in scales}
    told = [share for share in shares if share.band in known]
    if not told and record.model is not None and (moved := number_effects(record.model)):
        name, effect = max(moved, key=lambda one: abs(one[1]))
        return (
            f"AWD reads {counted(len(moved), 'number')} of a map. At the mean of the training maps, the others held, "
            f"one standard deviation more of “{name}” moves the estimate of {record.symbol} most: by "
            f"{number(effect, '+.3f')}."
        )
    if not told:
        return "What its features weigh cannot be told apart; see the wavelet on the sky."
    first = max(told, key=lambda share: share.share)
    scale = known[first.band]
    return (
        f"The estimate of {record.symbol} rests most on {readable_band(first.band)}, wavelengths of "
        f"{scale.shortest:.2g} to {scale.longest:.2g} arcmin: {100 * first.share:.0f} % of its variance over the "
        "training maps."
    )


def _plus_minus(row: ModelRow) -> str:
    return "AWD, new cosmologies" if math.isnan(row.error) else f"± {number(row.error, '.2g')}, AWD"


def data_sentences(record: RunRecord) -> list[str]:
    """What maps these are."""
    maps = record.maps
    shape, scale = maps.get("shape"), maps.get("arcmin_per_pixel")
    said = f"{maps.get('maps', 0):,} maps of {counted(maps.get('cosmologies'), 'cosmology', 'cosmologies')}"
    if (per := maps.get("realisations_per_cosmology")) is not None:
        said += f", {per[0]} each" if per[0] == per[1] else f", {per[0]} to {per[1]} of each"
    if shape:
        said += f"; {shape[0]} × {shape[1]} pixels"
        if scale:
            said += f" of {scale:.3g} arcmin, {shape[0] * scale / 60:.2g}° × {shape[1] * scale / 60:.2g}°"
    source = maps.get("z_s")
    if bins := maps.get("bins"):
        said += f"; {len(bins)} redshift bins together, {bins_at(bins)}."
    else:
        said += f"; sources at z = {source:g}." if source is not None else "; the redshift of the sources is not known."
    sentences = [said]
    if maps.get("account"):
        told = [" ".join(line.split()) for line in str(maps["account"]).splitlines() if line.strip()]
        sentences.append(f"{'; '.join(told).rstrip('.')}.")
    if simulated := maps.get("simulation"):
        sentences.append(
            f"The maps are simulated: {how_simulated(simulated)} Real surveys have noise, masks and systematic "
            "errors beside."
        )
    return sentences


def how_simulated(simulation: Mapping[str, Any]) -> str:
    """How maps were simulated."""
    setup = simulation.get("setup", simulation)
    setup = setup if isinstance(setup, Mapping) else {}
    if particles := setup.get("particles"):
        return (
            f"{particles['particles']}³ particles in boxes of {particles['box']:g} Mpc, moved by the gravity of a mesh "
            f"and seen along lens planes; {particles['maps_per_box']} maps of a cosmology look at one box, at other "
            "places of it."
        )
    return "lensing power spectra from pyccl, a lognormal convergence field" + (
        " and halos painted on it." if setup.get("halos") else ", no halos."
    )


def split_sentences(record: RunRecord) -> list[str]:
    """Which split, and why."""
    said = []
    if "held_out" in record.results.protocols:
        said.append(
            "Cosmologies held out: whole cosmologies are kept for validation and for the test. A model that merely "
            "recognises the cosmologies of its training fails here. This is the protocol that counts."
        )
    if "published" in record.results.protocols:
        said.append(
            "Published protocol: the realisations of every cosmology are divided, so test maps are new but their "
            "cosmologies are known. It is kept to compare with the paper; its errors are no forecast for a new "
            "cosmology."
        )
    said.append(
        "Wavelet and statistic were chosen by the error on cosmologies left out of training and validation, fold by "
        "fold; bins and penalties come from training maps, error bars from validation maps. Tiles of a map are never "
        "in two parts."
    )
    if len(record.ordered) > 1:
        said.append(
            "The choices are made in the first of these protocols and hold in both. Test maps of the second are kept "
            "out of them."
        )
    seen = (record.splits.get("held_out") or {}).get("counts", {}).get("test_number_seen")
    simulation = record.maps.get("simulation")
    if seen and simulation and not (simulation.get("setup") or {}).get("shared_phases", False):
        said.append(
            "Equal numbers of realisations mean nothing here: every simulated map has random phases of its own."
        )
    elif seen:
        said.append(
            f"{seen} test maps bear a realisation number that occurs in training too. Where equal numbers mean equal "
            "initial phases, as in MassiveNuS, that is a leak."
        )
    return said


def observed_sentence(record: RunRecord) -> str:
    """What to make of the estimates of observed maps."""
    rows = record.observed or ()
    far = sum(map(is_outlier, rows))
    if not far:
        return (
            f"{counted(len(rows), 'map was', 'maps were')} tested for two things: whether features lie where those of "
            "maps from within the training box do, and whether the estimate keeps two error bars from its ends. "
            "Neither speaks against them. That is no proof that they are like the training maps, and says nothing of "
            "systematic errors which these have not."
        )
    these = "The map is" if far == len(rows) == 1 else f"{far} of {counted(len(rows), 'map')} are"
    return (
        f"{these} unlike the training maps, or estimated at the end of the training range. Such estimates may be "
        "extrapolations, and their error bars mean little: noise, smoothing, mask and pixel scale of the training maps "
        "must first be made like theirs, and their cosmologies must surround them."
    )


def calibration_sentence(predictions: Predictions | None, protocol: Protocol) -> str | None:
    """Say how AWD's own error bars did on test maps, and no more than these can tell."""
    mine = protocol.of("awd")
    if mine is None or math.isnan(mine.coverage68) or predictions is None:
        return None
    said = f"AWD's own 68 % error bars hold {100 * mine.coverage68:.0f} % of the test maps"
    low, high = mine.coverage68_low, mine.coverage68_high
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{said}; how sure that is, is not known."
    interval = f"(95 %: {100 * max(low, 0.0):.0f} to {100 * min(high, 1.0):.0f} %)"
    if low <= 0.68 <= high:
        return f"{said} {interval}: nothing speaks against them."
    return f"{said} {interval}: they are too {'small' if high < 0.68 else 'large'}."
