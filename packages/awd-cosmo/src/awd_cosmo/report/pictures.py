"""Which pictures a cosmological report has, and how they are drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from awd_core.report import Draw, PlannedFigure, error_curve_figure
from awd_core.student import CurvePoint, ErrorCurve
from awd_cosmo.inference.results import ModelRow
from awd_cosmo.report import map_figures, posteriors, result_figures, run_figures, sentences, tables
from awd_cosmo.report.artefacts import SYMBOLS, RunRecord
from awd_cosmo.report.bands import BandShare, band_shares, model_levels, scales_of
from awd_cosmo.statistics.undecimated import BandScale

SHAPE_LEVEL = 3
"""Coarsest level whose filters are drawn: beyond it their shapes no longer change, only their size."""
MOST_BANDS = 15
"""Panels of wavelet attributions, at most."""


def plan(record: RunRecord) -> list[PlannedFigure]:
    """All pictures for which there are data."""
    return [
        *_of_results(record),
        *_of_posteriors(record),
        *_of_data(record),
        *_of_wavelet(record),
        *_of_attributions(record),
    ]


def _of_results(record: RunRecord) -> list[PlannedFigure]:
    protocols = record.ordered
    names = tables.row_names(protocols)
    planned = [] if not record.main.curve else [_curve(record.main.curve)]
    planned += [
        PlannedFigure(
            "rmse",
            f"RMSE of {record.symbol} with error bars for each model and protocol; the tables have the numbers.",
            lambda narrow: result_figures.rmse_figure(protocols, names, record.results.target, narrow=narrow),
        )
    ]
    for protocol in protocols:
        predictions = record.predictions.get(protocol.name)
        wanted = [protocol.of("awd"), *(row for row, _ in sentences.rivals(record, protocol))]
        shown = [
            row for row in wanted if row is not None and predictions is not None and row.key in predictions.estimates
        ]
        if predictions is not None and shown:
            planned.append(
                PlannedFigure(
                    f"predictions-{protocol.name.replace('_', '-')}",
                    f"Estimated against true {record.symbol} for {', '.join(row.name for row in shown)}, with the line "
                    "of perfect estimates.",
                    _predicted(predictions, shown, {row.key: row.name for row in shown}, record.results.target),
                )
            )
    if record.history:
        planned.append(
            PlannedFigure(
                "teacher-history",
                "Loss of the teacher on training and validation maps by epoch.",
                lambda narrow: run_figures.history_figure(record.history, narrow=narrow),
            )
        )
    if observed := record.observed:
        trained = (record.maps.get("parameters") or {}).get(record.results.target)
        planned.append(
            PlannedFigure(
                "observed",
                f"Estimates of {record.symbol} for the observed maps with error bars; the table has the numbers.",
                lambda narrow: run_figures.observed_figure(
                    observed, record.results.target, None if trained is None else tuple(trained), narrow=narrow
                ),
            )
        )
    return planned


def _of_posteriors(record: RunRecord) -> list[PlannedFigure]:
    found, chains = record.posteriors, record.chains
    if found is None:
        return []
    planned = [
        PlannedFigure(
            "coverage",
            "How often random regions of the posteriors hold the truth, against their credibility.",
            lambda narrow: posteriors.coverage_figure(found, narrow=narrow),
        )
    ]
    if len(found.shown) < 2 or not all(("awd", one.row) in chains for one in found.maps):
        return planned
    names = {row.key: row.name for row in found.rows}
    both = " and ".join(SYMBOLS.get(name, name) for name in found.shown[:2])
    return [
        *planned,
        PlannedFigure(
            "contours",
            f"Contours of the posterior of {both} for some test maps, with their truth; the chains have the numbers.",
            lambda narrow: posteriors.contours_figure(found, chains, names, narrow=narrow),
        ),
    ]


def _curve(rows: Sequence[Mapping[str, Any]]) -> PlannedFigure:
    curve = ErrorCurve(tuple(CurvePoint(**row) for row in rows))
    return PlannedFigure(
        "numbers",
        "R² on test maps by how many of the numbers are read, for AWD's wavelet and plain ones, and the teacher's.",
        lambda narrow: error_curve_figure(curve, narrow=narrow),
        vector=True,
    )


def _predicted(predictions: Any, shown: Sequence[ModelRow], names: Mapping[str, str], target: str) -> Draw:
    return lambda narrow: result_figures.predictions_figure(predictions, shown, names, target, narrow=narrow)


def _of_data(record: RunRecord) -> list[PlannedFigure]:
    table = record.maps.get("table") or []
    varying = [name for name in SYMBOLS if len({row[name] for row in table if row.get(name) is not None}) > 1]
    axes = [
        record.results.target,
        *(n for n in ("sigma8", "A_s", "M_nu", *varying) if n in varying and n != record.results.target),
    ]
    if len(axes) < 2 or record.results.target not in varying:
        return []
    held_out = record.predictions.get("held_out")
    test = [] if held_out is None else sorted(set(held_out.cosmology.tolist()))
    complete = [row for row in table if all(row.get(name) is not None for name in axes[:2])]
    return [
        PlannedFigure(
            "cosmologies",
            f"The cosmologies in the plane of {SYMBOLS.get(axes[0], axes[0])} and {SYMBOLS.get(axes[1], axes[1])}.",
            lambda narrow: run_figures.cosmologies_figure(complete, test, axes[0], axes[1], narrow=narrow),
        )
    ]


def _of_wavelet(record: RunRecord) -> list[PlannedFigure]:
    wavelet, path, pixel = record.wavelet, record.path, record.pixel_arcmin
    if wavelet is None or pixel is None:
        return []
    planned = []
    if path is not None:
        start, level = path.start, shape_level(record)
        planned += [
            PlannedFigure(
                "shapes",
                f"The filters LL, LH, HL and HH of level {level} as images: {start.name} and the distilled wavelet.",
                lambda narrow: map_figures.shapes_figure(wavelet, start, level, pixel, narrow=narrow),
            ),
            PlannedFigure(
                "kernels",
                "The four kernels of three by three pixels, with their numbers, before and after.",
                lambda narrow: map_figures.kernels_figure(wavelet, start, narrow=narrow),
            ),
        ]
    scales, shares = bands(record)
    if scales:
        planned.append(
            PlannedFigure(
                "bands",
                "Wavelengths that each band passes, and its share of the estimate; the table has the numbers.",
                lambda narrow: run_figures.bands_figure(scales, shares, narrow=narrow),
            )
        )
    return planned


def _of_attributions(record: RunRecord) -> list[PlannedFigure]:
    held, pixel = record.attributions, record.pixel_arcmin
    if held is None or pixel is None:
        return []
    planned = [
        PlannedFigure(
            "attribution-pixels",
            f"Test maps, and below them the gradient of the teacher's {record.symbol} by the convergence of pixels.",
            lambda narrow: map_figures.pixel_attributions_figure(
                held, pixel, result_figures.written(record.results.target).removesuffix(" (eV)"), narrow=narrow
            ),
        )
    ]
    if held.bands:
        few = held.first_bands(MOST_BANDS)
        planned.append(
            PlannedFigure(
                "attribution-bands",
                "One test map, and the magnitudes of its attributions in each band of the wavelet.",
                lambda narrow: map_figures.band_attributions_figure(few, 0, pixel, narrow=narrow),
            )
        )
    return planned


def bands(record: RunRecord) -> tuple[list[BandScale], list[BandShare]]:
    """Scales of the bands, and their shares of the estimate where these can be told."""
    wavelet, pixel = record.wavelet, record.pixel_arcmin
    levels = model_levels(record.model) or (None if record.taken is None else record.taken.levels)
    if levels is None and record.path is not None:
        levels = record.path.settings["levels"]
    if wavelet is None or pixel is None or levels is None:
        return [], []
    shares = [] if record.model is None else band_shares(record.model)
    used: Any = wavelet if record.model is None or record.model.wavelet is None else record.model.wavelet
    scales = scales_of(used, int(levels), pixel, [share.band for share in shares] or None)
    return (scales, shares) if scales else (scales_of(used, int(levels), pixel), [])


def shape_level(record: RunRecord) -> int:
    """Level whose filters are drawn: the coarsest that the model uses, `SHAPE_LEVEL` at most."""
    levels = model_levels(record.model) or (record.path.settings["levels"] if record.path is not None else SHAPE_LEVEL)
    return min(int(levels), SHAPE_LEVEL)
