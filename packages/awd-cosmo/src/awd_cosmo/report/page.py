"""The report of `awd-cosmo run`: one HTML file that an astronomer can send to a colleague.

It only reads the run's folder; see `awd_cosmo.report.artefacts` for what lies there. Figures go to figures/*.png as
well.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from awd_core.report import save_run_report
from awd_core.run import RunFolder, check_run
from awd_cosmo.report import posteriors, sentences, tables
from awd_cosmo.report.artefacts import SYMBOLS, RunRecord, read_record
from awd_cosmo.report.methods import methods
from awd_cosmo.report.pictures import bands, plan, shape_level

OFF_PATH = "wavelet.json holds none of this path's wavelets. Shown is the point at α = {:g}."


def write_report(
    run: RunFolder,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Path:
    """Write figures and report.html into the folder of a run.

    Parameters
    ----------
    run : RunFolder
        An open run of `awd-cosmo run`. maps.json and results.json must be there; the report says what else is missing.
    progress : callable, optional
        Called with (pictures done, pictures in all).

    Returns
    -------
    Path
        The file report.html.

    Raises
    ------
    FileNotFoundError
        If the run has not come to its results yet.
    TypeError
        If `run` is no open run.
    ValueError
        If an artefact is damaged; the message names it.
    """
    check_run(run, "awd-cosmo report FOLDER makes it")
    record = read_record(run)
    point, uses = record.shown, _uses(record)
    return save_run_report(
        run, "awd_cosmo.report/run.html.j2", plan(record), progress, path=record.path, point=point,
        scores=record.scores, quality=record.quality,
        scored="test maps" if record.teacher else "the maps that there are gradients of",
        path_notes=[OFF_PATH.format(point.share)] if point is not None and record.chosen is None else [],
        methods=methods(record, run.config, uses),
        made_with=("awd-cosmo", "awd-core", "python", "torch"),
        title=f"{record.symbol} from convergence maps, with a distilled wavelet",
        summary=sentences.summary(record),
        facts=sentences.facts(record),
        predictive=sentences.predictive(record),
        answer=sentences.answer(record, *bands(record)),
        record=record,
        notes=sentences.caveats(record),
        paper=sentences.PAPER,
        data_sentences=sentences.data_sentences(record),
        split_sentences=sentences.split_sentences(record),
        observed_sentence=sentences.observed_sentence(record),
        calibration=sentences.calibration_sentence(record.predictions.get(record.main.name), record.main),
        rivals=[name for _, name in sentences.rivals(record, record.main)],
        tables=_tables(record),
        split_warnings=list(dict.fromkeys(w for split in record.splits.values() for w in split.get("warnings", ()))),
        shape_level=shape_level(record),
        snippet=snippet(record),
        uses=uses,
        posteriors_sentence=record.posteriors and posteriors.posteriors_sentence(record.posteriors, SYMBOLS),
    )  # fmt: skip


def snippet(record: RunRecord) -> str:
    """How to use the model in Python."""
    scale = "" if record.model is None else f", pixel_scale={record.model.pixel_scale:.6g}"
    return (
        "from awd_cosmo.inference import Model\n"
        f'model = Model.load("{(record.folder / "model.json").as_posix()}")\n'
        f"estimate, std, distance, percentile = model.predict(maps{scale})"
        "  # maps: κ of shape (n, ny, nx), NaN where not observed; arcmin per pixel"
    )


def _tables(record: RunRecord) -> dict[str, Any]:
    names = tables.row_names(record.ordered)
    scales, shares = bands(record)
    found = record.posteriors
    return {
        "results": [(one, tables.results_table(one, names, record.symbol)) for one in record.ordered],
        "ratios": tables.ratios_table(record) if record.results.ratios else None,
        "costs": tables.costs_table(record, names),
        "split": tables.split_table(record),
        "cosmologies": tables.cosmologies_table(record),
        "skipped": tables.skipped_table(record),
        "candidates": tables.candidates_table(record),
        "bands": tables.scales_table(scales, shares, record.symbol) if scales else None,
        "weighed": bool(shares),
        "teacher": tables.teacher_table(record),
        "observed": tables.observed_table(record),
        "posteriors": None if found is None else posteriors.posteriors_table(found, SYMBOLS),
    }


def _uses(record: RunRecord) -> dict[str, bool]:
    """What must be cited beside the method."""
    rows = [row for protocol in record.ordered for row in protocol.rows]
    layout = f"{record.maps.get('layout', '')} {record.maps.get('account', '')}".lower()
    simulated = bool(record.maps.get("simulation"))
    return {
        "pyccl": simulated,
        "massivenus": not simulated and ("massivenus" in layout or "columbia" in layout or "model%03d" in layout),
        "filters": any(row.key.startswith(("laplace", "roberts")) for row in rows),
        "starlet": any(row.key.startswith("starlet") for row in rows),
        "emulator": any(row.estimator == "emulator" for row in rows),
    }
