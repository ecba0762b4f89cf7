"""The tables of a cosmological report."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from awd_core.report import Column, Table
from awd_core.run import flat
from awd_cosmo.report.artefacts import PROTOCOL_NAMES, SYMBOLS, Protocol, Row, RunRecord, validation_error
from awd_cosmo.report.bands import BandShare, readable_band
from awd_cosmo.statistics.undecimated import BandScale

PARTS = ("train", "validation", "test")


def row_names(protocols: Sequence[Protocol]) -> dict[tuple[str, str, str], str]:
    """What to call rows: their names, with estimator or statistic added where several rows have the same.

    Examples
    --------
    >>> rows = [Row("raw", "Raw", "classical", 0.1, "peaks", how) for how in ("ridge", "χ²")]
    >>> list(row_names([Protocol("held_out", tuple(rows))]).values())
    ['Raw, ridge', 'Raw, χ²']
    """
    rows = {row.identity: row for protocol in protocols for row in protocol.rows}
    named = Counter(row.name for row in rows.values())
    estimated = Counter((row.name, row.estimator) for row in rows.values())
    measured = Counter((row.name, row.statistic) for row in rows.values())

    def name(row: Row) -> str:
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
    columns = [
        Column("model"),
        Column("RMSE", f"root mean square error of {symbol} on test maps", ".4f"),
        Column("±", "standard error", ".4f"),
        Column("over AWD", "RMSE over AWD's", ".3f"),
        Column("R²", "share of the variance of the truth that is explained", ".3f"),
        Column("bias", "mean of estimate − truth", ".4f"),
        Column("coverage", "share of test maps within the model's own 68 % error bar", ".2f"),
        Column("validation", "RMSE on validation maps", ".4f"),
    ]
    rows = sorted(protocol.rows, key=lambda row: row.rmse)
    mine = protocol.of("awd")
    values = [
        [
            names[row.identity], row.rmse, row.error, None if mine is None else row.rmse / mine.rmse,
            row.r2, row.bias, row.coverage68, row.validation_rmse,
        ]
        for row in rows
    ]  # fmt: skip
    marked = None if mine is None else rows.index(mine)
    return Table(f"rmse-{protocol.name.replace('_', '-')}", columns, values, marked=marked).known()


def ratios_table(record: RunRecord) -> Table:
    """RMSE of one model over another's."""
    columns = [
        Column("protocol"),
        Column("RMSE of"),
        Column("over that of"),
        Column("ratio", "below 1: the first is better", ".3f"),
        Column("95 % from", "of the paired bootstrap", ".3f"),
        Column("to", "of the paired bootstrap", ".3f"),
    ]

    def name(protocol: str, key: str) -> str:
        row = record.protocols[protocol].of(key) if protocol in record.protocols else None
        return key if row is None else row.name

    rows = [
        [
            PROTOCOL_NAMES.get(r.protocol, r.protocol),
            name(r.protocol, r.of),
            name(r.protocol, r.to),
            r.value,
            r.low,
            r.high,
        ]
        for r in record.ratios
    ]
    return Table("ratios-table", columns, rows)


def costs_table(record: RunRecord, names: Mapping[tuple[str, str, str], str]) -> Table | None:
    """What each model is, its parameters and its time per map; None where neither of these is known."""
    times = record.timings.get("ms_per_map") or {}
    rows = record.main.rows
    if not times and all(row.parameters is None for row in rows):
        return None
    network = next((times.get(row.key) for row in rows if row.kind == "network" and times.get(row.key)), None)
    columns = [
        Column("model"),
        Column("parameters", "fitted to training maps"),
        Column("ms per map", "from a map in memory to the estimate", ".3g"),
        Column("speed", "times faster than the teacher", ".3g"),
        Column("RMSE", "", ".4f"),
        Column("estimator"),
        Column("statistic"),
    ]
    values = []
    for row in sorted(rows, key=lambda row: row.rmse):
        time = times.get(row.key)
        faster = network / time if network and time else None
        told = row.estimator or "–", row.statistic or "–"
        values.append([names[row.identity], row.parameters, time, faster, row.rmse, *told])
    marked = [value[0] for value in values].index(names[mine.identity]) if (mine := record.main.of("awd")) else None
    return Table("costs-table", columns, values, marked=marked).known()


def split_table(record: RunRecord) -> Table | None:
    """How many maps, cosmologies and realisations each part has, by protocol."""
    columns = [Column("protocol"), Column("part"), Column("maps"), Column("cosmologies"), Column("realisations")]
    rows: list[list[Any]] = []
    for name, split in record.splits.items():
        counts = split.get("counts", {})
        for part in PARTS:
            there = counts.get(part, {})
            rows.append(
                [
                    PROTOCOL_NAMES.get(name, name), {"train": "training"}.get(part, part),
                    there.get("maps", len(split.get(part, ()))), there.get("cosmologies"), there.get("realisations"),
                ]
            )  # fmt: skip
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
    groups = list(dict.fromkeys(row.get("key") for row in record.selection))
    # AWD first; the rest in the order in which they were tried.
    groups.sort(key=lambda key: key != "awd")
    tried = sorted(record.selection, key=lambda row: (groups.index(row.get("key")), validation_error(row)))
    same = _settled([row["statistic"] for row in tried if isinstance(row.get("statistic"), Mapping)])
    columns = [
        Column("what for", "which choice it was a candidate for"),
        Column("taken"),
        Column("wavelet"),
        Column("share α", "of the attributions; none for wavelets that are not distilled", "g"),
        Column("levels"),
        Column("statistic"),
        Column("estimator"),
        Column("RMSE by folds", "on cosmologies left out of training and validation, fold by fold", ".5f"),
        Column("validation RMSE", "on validation maps", ".5f"),
    ]
    rows = [
        [
            row.get("key"), "✓" if row.get("chosen") else "", row.get("wavelet"), row.get("share"), row.get("levels"),
            _words(_without(row.get("statistic"), same)), _words(row.get("regressor")), row.get("cv_rmse"),
            row.get("validation_rmse"),
        ]
        for row in tried
    ]  # fmt: skip
    marked = next((place for place, row in enumerate(tried) if row is record.taken), None)
    return Table("candidates-table", columns, rows, marked=marked).known()


def scales_table(scales: Sequence[BandScale], shares: Sequence[BandShare], symbol: str) -> Table:
    """Bands with their scales on the sky and what they contribute."""
    known = {share.band: share for share in shares}
    columns = [
        Column("band"),
        Column("what it is"),
        Column("λ, arcmin", "wavelength: median of what the band passes of white noise", ".2f"),
        Column("from", "the central 68 %", ".2f"),
        Column("to", "the central 68 %", ".2f"),
        Column("ℓ", "multipole of the median wavelength", ".0f"),
        Column("weight, %", "share of the estimate's variance over training maps; the shares add up to 100", ".1f"),
        Column("spread", f"standard deviation of the band's part of {symbol} over training maps", ".4f"),
    ]
    rows: list[list[Any]] = []
    for scale in scales:
        mine = known.get(scale.band)
        weight = [None, None] if mine is None else [100 * mine.share, mine.spread]
        rows.append(
            [scale.band, readable_band(scale.band), scale.arcmin, scale.shortest, scale.longest, scale.ell, *weight]
        )
    return Table("bands-table", columns, rows).known()


def teacher_table(record: RunRecord) -> Table | None:
    """What teacher.json says."""
    if not record.teacher:
        return None
    told = flat({key: value for key, value in record.teacher.items() if key != "protocols"})
    for protocol, about in (record.teacher.get("protocols") or {}).items():
        if protocol != record.main.name:
            told |= flat({PROTOCOL_NAMES.get(protocol, protocol): about})
    rows = [[name.replace("_", " ").replace(".", ": "), _words(value)] for name, value in told.items()]
    return Table("teacher-table", [Column("what"), Column("value")], rows)


def observed_table(record: RunRecord) -> Table | None:
    """Estimates of observed maps and how far they lie from the training maps."""
    if not record.observed:
        return None
    columns = [
        Column("map"),
        Column(record.symbol, "", ".4f"),
        Column("± 1σ", "as calibrated on validation maps", ".4f"),
        Column("distance", "Mahalanobis, in feature space, from what maps are like within the training box", ".1f"),
        Column("times", "over the distance beyond which lies one in a hundred maps like those of training", ".2f"),
        Column("tiles", "of the size of the training maps; the estimate is their mean"),
        Column("seen, %", "share of the map's pixels that were observed", ".0f"),
        Column("remark"),
    ]
    keys = ("estimate", "std", "distance", "times", "tiles")
    rows = [
        [
            str(row["file"]).split("/")[-1], *(row.get(key) for key in keys),
            None if row.get("observed") is None else 100 * row["observed"], row.get("warning") or "–",
        ]
        for row in record.observed
    ]  # fmt: skip
    return Table("observed-table", columns, rows).known()


def _settled(statistics: Sequence[Mapping[str, Any]]) -> set[str]:
    """Options of statistics that are nowhere varied, or that other columns tell."""
    values: dict[tuple[str, str], set[str]] = {}
    for statistic in statistics:
        for key, value in statistic.items():
            values.setdefault((str(statistic.get("statistic")), key), set()).add(json.dumps(value, sort_keys=True))
    varied = {key for (_, key), held in values.items() if len(held) > 1}
    return {key for _, key in values if key not in varied or key in ("levels", "wavelet")} - {"statistic", "name"}


def _without(statistic: Any, keys: set[str]) -> Any:
    return {k: v for k, v in statistic.items() if k not in keys} if isinstance(statistic, Mapping) else statistic


def _words(value: Any) -> str:
    """A setting as one reads it: mappings without braces, numbers as they are."""
    if isinstance(value, Mapping):
        shown = {key: held for key, held in value.items() if held is not None and key not in ("array", "wavelet")}
        names = [str(shown.pop(key)) for key in ("statistic", "name") if key in shown]
        return ", ".join([*names, *(f"{key} {_words(held)}" for key, held in shown.items())])
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
