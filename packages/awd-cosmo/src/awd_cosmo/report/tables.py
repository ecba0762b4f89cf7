"""The tables of a cosmological report."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awd_core.report import Column, Table
from awd_core.run import flat
from awd_cosmo.inference.results import ModelRow, Protocol
from awd_cosmo.report.artefacts import PROTOCOL_NAMES, SYMBOLS, RunRecord
from awd_cosmo.report.bands import BandShare, readable_band
from awd_cosmo.statistics.undecimated import BandScale

PARTS = {"train": "training", "validation": "validation", "test": "test"}


def row_names(protocols: Sequence[Protocol]) -> dict[tuple[str, str, str], str]:
    """What to call rows: their names, with estimator or statistic added where several rows have the same.

    Examples
    --------
    >>> rows = [ModelRow("raw", "Raw", "classical", "peaks", how, 0.1) for how in ("ridge", "χ²")]
    >>> list(row_names([Protocol(rows)]).values())
    ['Raw, ridge', 'Raw, χ²']
    """
    rows = {row.identity: row for protocol in protocols for row in protocol.rows}
    named = Counter(row.name for row in rows.values())
    estimated = Counter((row.name, row.estimator) for row in rows.values())
    measured = Counter((row.name, row.statistic) for row in rows.values())

    def name(row: ModelRow) -> str:
        if named[row.name] == 1:
            return row.name
        if estimated[row.name, row.estimator] == 1:
            return f"{row.name}, {row.estimator}"
        if measured[row.name, row.statistic] == 1:
            return f"{row.name}, {row.statistic}"
        return f"{row.name}, {row.statistic}, {row.estimator}"

    return {identity: name(row) for identity, row in rows.items()}


def results_table(protocol: Protocol, names: Mapping[tuple[str, str, str], str], symbol: str) -> Table:
    """RMSE and other scores of all rows of a protocol, the best first."""
    rows = sorted(protocol.rows, key=lambda row: row.rmse)
    mine = protocol.of("awd")
    return Table.of(f"rmse-{protocol.name.replace('_', '-')}", rows, [
        (Column("model"), lambda row: names[row.identity]),
        (Column("RMSE", f"root mean square error of {symbol} on test maps", ".4f"), "rmse"),
        (Column("±", "standard error", ".4f"), "error"),
        (Column("over AWD", "RMSE over AWD's", ".3f"), lambda row: None if mine is None else row.rmse / mine.rmse),
        (Column("R²", "share of the variance of the truth that is explained", ".3f"), "r2"),
        (Column("bias", "mean of estimate − truth", ".4f"), "bias"),
        (Column("coverage", "share of test maps within the model's own 68 % error bar", ".2f"), "coverage68"),
        (Column("validation", "RMSE on validation maps", ".4f"), "validation_rmse"),
    ], marked=None if mine is None else rows.index(mine)).known()  # fmt: skip


def ratios_table(record: RunRecord) -> Table:
    """RMSE of one model over another's."""

    def name(protocol: str, key: str) -> str:
        row = record.results.protocols[protocol].of(key) if protocol in record.results.protocols else None
        return key if row is None else row.name

    return Table.of("ratios-table", record.results.ratios, [
        (Column("protocol"), lambda one: PROTOCOL_NAMES.get(one.protocol, one.protocol)),
        (Column("RMSE of"), lambda one: name(one.protocol, one.of)),
        (Column("over that of"), lambda one: name(one.protocol, one.to)),
        (Column("ratio", "below 1: the first is better", ".3f"), "value"),
        (Column("95 % from", "by the jackknife", ".3f"), "low"),
        (Column("to", "by the jackknife", ".3f"), "high"),
    ])  # fmt: skip


def costs_table(record: RunRecord, names: Mapping[tuple[str, str, str], str]) -> Table | None:
    """What each model is, its parameters and its time per map; None where neither of these is known."""
    times = record.timings.get("ms_per_map") or {}
    rows = sorted(record.main.rows, key=lambda row: row.rmse)
    if not times and all(row.parameters is None for row in rows):
        return None
    network = next((times.get(row.key) for row in record.main.rows if row.kind == "network" and times.get(row.key)), 0)
    mine = record.main.of("awd")
    return Table.of("costs-table", rows, [
        (Column("model"), lambda row: names[row.identity]),
        (Column("parameters", "fitted to training maps"), "parameters"),
        (Column("ms per map", "from a map in memory to the estimate", ".3g"), lambda row: times.get(row.key)),
        (
            Column("speed", "times faster than the teacher", ".3g"),
            lambda row: network / times[row.key] if network and times.get(row.key) else None,
        ),
        (Column("RMSE", "", ".4f"), "rmse"),
        (Column("estimator"), lambda row: row.estimator or "–"),
        (Column("statistic"), lambda row: row.statistic or "–"),
    ], marked=None if mine is None else rows.index(mine)).known()  # fmt: skip


def split_table(record: RunRecord) -> Table | None:
    """How many maps, cosmologies and realisations each part has, by protocol."""
    columns = [Column("protocol"), Column("part"), Column("maps"), Column("cosmologies"), Column("realisations")]
    rows: list[list[Any]] = []
    for name, split in record.splits.items():
        counts = split.get("counts", {})
        for part, called in PARTS.items():
            there = counts.get(part, {})
            maps = there.get("maps", len(split.get(part, ())))
            found = [there.get("cosmologies"), there.get("realisations")]
            rows.append([PROTOCOL_NAMES.get(name, name), called, maps, *found])
        if counts.get("left_out"):
            rows.append([PROTOCOL_NAMES.get(name, name), "left out", counts["left_out"], None, None])
    return Table("split-table", columns, rows) if rows else None


def cosmologies_table(record: RunRecord) -> Table | None:
    """The cosmologies with their parameters and numbers of maps."""
    table = record.maps.get("table") or []
    names = [name for name in SYMBOLS if any(row.get(name) is not None for row in table)]
    names += [name for name in table[0] if name not in (*names, *SYMBOLS, "cosmology", "maps")] if table else []
    columns = [
        Column("cosmology"),
        *(Column(SYMBOLS.get(n, n), "eV" if n == "M_nu" else "", ".4f") for n in names),
        Column("maps"),
    ]
    rows = [[row["cosmology"], *(row.get(name) for name in names), row.get("maps")] for row in table]
    return Table("cosmologies-table", columns, rows) if rows else None


def skipped_table(record: RunRecord) -> Table | None:
    """Files that were left out, with the reason."""
    rows = [[str(file), str(reason)] for file, reason in record.maps.get("skipped") or ()]
    return Table("skipped-table", [Column("file"), Column("why it was left out")], rows) if rows else None


def candidates_table(record: RunRecord) -> Table | None:
    """Every candidate that was tried, the best on cosmologies left out first."""
    if not record.selection:
        return None
    groups = list(dict.fromkeys(row.key for row in record.selection))
    # AWD first; the rest in the order in which they were tried.
    groups.sort(key=lambda key: key != "awd")
    tried = sorted(record.selection, key=lambda row: (groups.index(row.key), row.cv_rmse))
    same = _settled([row.statistic for row in tried])
    by_folds = "on cosmologies left out of training and validation, fold by fold"
    return Table.of("candidates-table", tried, [
        (Column("what for", "which choice it was a candidate for"), "key"),
        (Column("taken"), lambda row: "✓" if row.chosen else ""),
        (Column("wavelet"), "wavelet"),
        (Column("share α", "of the attributions; none for wavelets that are not distilled", "g"), "share"),
        (Column("levels"), "levels"),
        (Column("statistic"), lambda row: _setting_text({k: v for k, v in row.statistic.items() if k not in same})),
        (Column("estimator"), "regressor"),
        (Column("RMSE by folds", by_folds, ".5f"), "cv_rmse"),
        (Column("validation RMSE", "on validation maps", ".5f"), "validation_rmse"),
    ], marked=next((place for place, row in enumerate(tried) if row is record.taken), None)).known()  # fmt: skip


def scales_table(scales: Sequence[BandScale], shares: Sequence[BandShare], symbol: str) -> Table:
    """Bands with their scales on the sky and what they contribute."""
    known = {share.band: share for share in shares}
    weight = "share of the estimate's variance over training maps; the shares add up to 100"

    def of(read: Callable[[BandShare], float]) -> Callable[[BandScale], float | None]:
        return lambda scale: read(known[scale.band]) if scale.band in known else None

    return Table.of("bands-table", scales, [
        (Column("band"), "band"),
        (Column("what it is"), lambda scale: readable_band(scale.band)),
        (Column("λ, arcmin", "wavelength: median of what the band passes of white noise", ".2f"), "arcmin"),
        (Column("from", "the central 68 %", ".2f"), "shortest"),
        (Column("to", "the central 68 %", ".2f"), "longest"),
        (Column("ℓ", "multipole of the median wavelength", ".0f"), "ell"),
        (Column("weight, %", weight, ".1f"), of(lambda share: 100 * share.share)),
        (
            Column("spread", f"standard deviation of the band's part of {symbol} over training maps", ".4f"),
            of(lambda share: share.spread),
        ),
    ]).known()  # fmt: skip


def teacher_table(record: RunRecord) -> Table | None:
    """What teacher.json says."""
    if not record.teacher:
        return None
    told = flat(record.teacher)
    rows = [[name.replace("_", " ").replace(".", ": "), _setting_text(value)] for name, value in told.items()]
    return Table("teacher-table", [Column("what"), Column("value")], rows)


def observed_table(record: RunRecord) -> Table | None:
    """Estimates of observed maps and how far they lie from the training maps."""
    if not record.observed:
        return None
    far = "Mahalanobis, in feature space, from what maps are like within the training box"
    times = "over the distance beyond which lies one in a hundred maps like those of training"
    return Table.of("observed-table", record.observed, [
        (Column("map"), lambda row: str(row["file"]).split("/")[-1]),
        (Column(record.symbol, "", ".4f"), _get("estimate")),
        (Column("± 1σ", "as calibrated on validation maps", ".4f"), _get("std")),
        (Column("distance", far, ".1f"), _get("distance")),
        (Column("times", times, ".2f"), _get("times")),
        (Column("tiles", "of the size of the training maps; the estimate is their mean"), _get("tiles")),
        (
            Column("seen, %", "share of the map's pixels that were observed", ".0f"),
            lambda row: None if row.get("observed") is None else 100 * row["observed"],
        ),
        (Column("remark"), lambda row: row.get("warning") or "–"),
    ]).known()  # fmt: skip


def _get(key: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row.get(key)


def _settled(statistics: Sequence[Mapping[str, Any]]) -> set[str]:
    """Options of statistics that are nowhere varied, or that other columns tell."""
    values: dict[tuple[str, str], set[str]] = {}
    for statistic in statistics:
        for key, value in statistic.items():
            values.setdefault((str(statistic.get("statistic")), key), set()).add(json.dumps(value, sort_keys=True))
    varied = {key for (_, key), held in values.items() if len(held) > 1}
    return {key for _, key in values if key not in varied or key in ("levels", "wavelet")} - {"statistic", "name"}


def _setting_text(value: Any) -> str:
    """A setting as one reads it: mappings without braces, numbers as they are."""
    if isinstance(value, Mapping):
        shown = {key: held for key, held in value.items() if held is not None and key not in ("array", "wavelet")}
        names = [str(shown.pop(key)) for key in ("statistic", "name") if key in shown]
        return ", ".join([*names, *(f"{key} {_setting_text(held)}" for key, held in shown.items())])
    if isinstance(value, list):
        return ", ".join(map(_setting_text, value))
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
