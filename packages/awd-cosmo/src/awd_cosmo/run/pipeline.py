"""From a folder of maps to a report: read, split, teacher, gradients, paths, selection, comparison, report.

What `awd-cosmo run` does, for Python: `run_pipeline("maps", "run")`. Each step's artefacts lie in the run's folder, and
a step whose artefacts are there is not done again: an interrupted run goes on, and every single step can be asked for.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from awd_core.checks import check_kind
from awd_core.files import read_json
from awd_core.run import RunFolder, check_device, stored_run
from awd_core.workers import Workers, open_workers
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.run.job import SIMULATED, Job
from awd_cosmo.run.prepare import Prepared, data_identity, open_data, prepare, simulate_first

PathLike = str | os.PathLike[str]

PROGRAM = "awd-cosmo run"
STEPS = ("prepare", "teach", "distill", "evaluate", "report")
"""The steps, each of which needs those before it."""
PACKAGES = ("awd-cosmo", "astropy", "scikit-learn", "lightning", "pyccl")
ARTEFACTS = {
    "report.html": "the report",
    "results.json": "the comparison of all models on test maps, in both protocols",
    "model.json": "the readable model; `awd-cosmo predict` and awd_cosmo.inference.Model.load read it",
    "wavelet.json": "the wavelet that was distilled",
    "wavelets": "the wavelet of each share of its path",
    "wavelet.gif": "the wavelet on its way there",
    "path.json": "its path with all searches",
    "paths": "the paths from all starts",
    "quality.json": "whether the attributions deserve trust",
    "scores.json": "how sparse coefficients and attributions are, scale by scale, at the start and distilled",
    "selection.json": "every candidate that validation has compared",
    "choice.json": "what it chose",
    "predictions.csv": "what the main models say of each test map",
    "attributions.npz": "attributions of some test maps, in pixels and in the wavelet's bands",
    "observed.json": "what the model says of observed maps",
    "observed.csv": "the same as a table",
    "maps.json": "what the maps are and what was done to them",
    "maps.ecsv": "the table of the prepared maps, one row a map",
    "split.json": "which maps train, validate and test, in both protocols",
    "teacher": "the teachers' weights and histories",
    "teacher.json": "what the teachers are, and how well they do on validation maps",
    "gradients.zarr": "gradients of the teacher with respect to its input",
    "gradients.json": "of which maps",
    "features": "features of all maps, by statistic",
    "timings.json": "seconds of each step, milliseconds per map of each model",
    "figures": "the figures of the report",
    "cache": "the prepared maps",
    "maps": "the simulated maps, where they were asked for",
}


def run_pipeline(
    data: PathLike | None,
    out: PathLike,
    job: Job | None = None,
    *,
    until: str = "report",
    weights: PathLike | None = None,
    gradients: PathLike | None = None,
    observed: Sequence[PathLike] = (),
    mask: PathLike | None = None,
    workers: int | Workers = 1,
    scheduler: str | None = None,
    device: str | None = None,
    quality: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> Path:
    """Do a run, or go on with it where it was interrupted.

    Parameters
    ----------
    data : path or None
        Folder of maps as for `awd_cosmo.maps.open_maps`, or "simulated". None: go on with the run that is there, with
        its own data and job.
    out : path
        The run's folder; `ARTEFACTS` says what lies in it.
    job : Job, optional
        What the run is; needed with `data`.
    until : str
        The last step, one of `STEPS`.
    weights : path, optional
        Of the teacher that the job names.
    gradients : path, optional
        Ready gradients, one for each prepared map; no teacher is asked.
    observed : sequence of path
        Files or folders of observed maps, which the model is asked for at the end.
    mask : path, optional
        Of the observed maps.
    workers : int or Workers
        Processes, or open `awd_core.workers.open`, that simulate, read and cache maps, count, and follow the paths from
        several starts. The results do not depend on them. Each holds at a time one simulated map, 16 MiB of maps to
        cache or to count in, 64 maps to ask the teacher for, or all maps that are distilled and their
        gradients.
    scheduler : str, optional
        Address or file of a scheduler of Dask, whose workers do it instead; they need the same files at the same
        paths.
    device : str, optional
        Where wavelets are distilled, as torch names it.
    quality : bool
        Whether to check the attributions (quality.json), if there is a teacher.
    overwrite, quiet : bool
        Delete an earlier run in that folder; show no progress.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    ValueError
        If maps, job or folder will not do; the message says why.
    FileNotFoundError
        If something is not there.
    """
    check_device(device)
    if job is not None:
        check_kind("job", job, Job)
    if until not in STEPS:
        raise ValueError(f"until is {until!r}; choose one of {', '.join(STEPS)}")
    place = Path(out)
    if data is None:
        if overwrite:
            raise ValueError("to begin a run anew its data are needed; give them")
        job, options = saved_job(place)
        data, weights = options["data"], weights or options.get("weights")
        gradients = gradients or options.get("gradients")
        observed, mask = observed or options.get("observed") or (), mask or options.get("mask")
    job = _with_digests(job or Job(), weights, gradients)
    simulated = os.fspath(data) == SIMULATED
    options = {
        "data": SIMULATED if simulated else _absolute(data),
        "weights": _absolute(weights),
        "gradients": _absolute(gradients),
        "observed": [_absolute(name) for name in observed],
        "mask": _absolute(mask),
    }
    with open_workers(workers, scheduler) as crew:
        maps = None if simulated else open_data(job, os.fspath(data), crew)
        settings = {"job": job.to_dict(), "data": {"suite": job.suite} if maps is None else data_identity(maps)}
        with RunFolder.open(
            place, program=PROGRAM, settings=settings, options=options, artefacts=list(ARTEFACTS), packages=PACKAGES,
            overwrite=overwrite, quiet=quiet,
        ) as run:  # fmt: skip
            run.log(f"Workers: {crew.where}")
            if maps is None:
                data = run / "maps"
                if not (run / "maps.json").exists() or not data.exists():  # they may have been deleted to save space
                    with run.step("Simulation") as progress:
                        simulate_first(job, data, workers=crew, progress=lambda a, b: progress(a, b))
                maps = open_data(job, data, crew)
            run.say(f"{len(maps)} maps: {maps.account.splitlines()[0] if maps.account else data}")
            _steps(run, job, Path(data), maps, until, options, device, quality, crew)
            run.finish()
    return place


def saved_job(out: Path) -> tuple[Job, Mapping[str, Any]]:
    """The job and the options of the run in a folder.

    Raises
    ------
    FileNotFoundError
        If it holds no run.
    ValueError
        If it holds another program's run.
    """
    values = stored_run(out, PROGRAM, f"awd-cosmo run DATA --out {out}, or awd-cosmo prepare")
    return Job.from_dict(values["settings"]["job"]), values["options"]


def _steps(
    run: RunFolder, job: Job, data: Path, maps: MapSet, until: str, options: Mapping[str, Any], device: str | None,
    quality: bool, crew: Workers,
) -> None:  # fmt: skip
    prepared = _prepared(run, job, data, maps, crew)
    last = STEPS.index(until)
    if last < 1:
        return
    from awd_cosmo.run.teach import teach

    ready = None if options["gradients"] is None else Path(options["gradients"])
    weights = None if options["weights"] is None else Path(options["weights"])
    taught = teach(run, job, prepared, weights)
    if last < 2:
        return
    from awd_cosmo.run.choose import select
    from awd_cosmo.run.distill import ask_gradients, follow_paths, saved_slopes, score_wavelets, write_chosen

    if ready is None and not taught:
        raise ValueError(
            "there is neither a teacher nor gradients to distil from; give --gradients, or train a teacher"
        )
    slopes = ask_gradients(run, job, prepared, taught["held_out"].module if taught else None, ready, crew)
    paths = follow_paths(run, job, slopes, saved_slopes(run, prepared, ready), device=device, workers=crew)
    chosen = select(run, job, prepared, paths, crew)
    start, index = chosen["awd"]
    wavelet = write_chosen(run, paths, start, index)
    if not (run / "scores.json").exists():
        score_wavelets(run, job, slopes, paths[start].start, wavelet)
    if taught:
        from awd_cosmo.run.attribute import check_attributions, write_attributions

        write_attributions(run, job, prepared, taught["held_out"], wavelet)
        if quality:
            check_attributions(run, job, taught["held_out"], slopes, wavelet)
    if last < 3:
        return
    from awd_cosmo.run.evaluate import evaluate

    evaluate(run, job, prepared, paths, chosen, taught, crew)
    _observe(run, options, crew)
    if last < 4:
        return
    from awd_cosmo.report.page import write_report

    with run.step("Report") as progress:
        write_report(run, artefacts=ARTEFACTS, progress=lambda done, total: progress(done, total))


def _prepared(run: RunFolder, job: Job, data: Path, maps: MapSet, crew: Workers) -> Prepared:
    told = run / "maps.json"
    earlier = read_json(told) if told.exists() else None
    prepared = prepare(run, job, data, maps, crew)
    if earlier is not None and earlier["sha256"] != prepared.account["sha256"]:
        raise ValueError(
            f"the maps in {data} are not those that this run was begun with: their pixels differ. Give another folder, "
            "or --overwrite to delete the run and start anew"
        )
    run.write_bytes("maps.ecsv", _table_bytes(prepared))
    return prepared


def _observe(run: RunFolder, options: Mapping[str, Any], crew: Workers) -> None:
    """Ask the model for observed maps, and write observed.json and observed.csv."""
    if not options["observed"]:
        for name in ("observed.json", "observed.csv"):
            (run / name).unlink(missing_ok=True)
        return
    from awd_cosmo.inference.predict import predict_files, to_csv

    with run.step("Observed maps"), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        found = predict_files(run / "model.json", options["observed"], mask=options["mask"], workers=crew)
    for warning in said:
        run.say(f"Note: {warning.message}")
    run.write_json("observed.json", [asdict(one) for one in found])
    run.write_bytes("observed.csv", to_csv(found))


def _absolute(path: PathLike | None) -> str | None:
    """So that single steps find it from wherever they are started."""
    return None if path is None else str(Path(path).absolute())


def _with_digests(job: Job, weights: PathLike | None, gradients: PathLike | None) -> Job:
    """The job with what identifies a teacher and gradients of the user's own."""
    if (job.teacher is None) != (weights is None):
        raise ValueError("a teacher of your own is its factory (--teacher) and its weights (--weights); give both")
    if weights is not None:
        job = job.changed(teacher_digest=hashlib.sha256(Path(weights).read_bytes()).hexdigest())
    if gradients is not None:
        from awd_core.files import identity, read_array

        told = json.dumps(identity(read_array(gradients)), sort_keys=True)
        job = job.changed(gradients_digest=hashlib.sha256(told.encode()).hexdigest())
    return job


def _table_bytes(prepared: Prepared) -> bytes:
    """The table of the prepared maps as ECSV."""
    import io

    text = io.StringIO()
    table = prepared.maps.table.copy()
    table.meta = {}
    table["part_held_out"] = _parts(prepared, "held_out")
    table.write(text, format="ascii.ecsv")
    return text.getvalue().encode(errors="backslashreplace")


def _parts(prepared: Prepared, protocol: str) -> Any:
    split = prepared.splits[protocol]
    part = np.full(len(prepared.maps), "left out", dtype="U10")
    for name in ("train", "validation", "test"):
        part[getattr(split, name)] = name
    return part
