"""The command `awd-cosmo predict`: NumPy and a saved model, no torch. Nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from awd_core.run import ARGUMENTS, AtLeast, Scheduler, Typed, Workers, echo

SOME_BAD = 1
"""Exit code where there are predictions for some of the files alone."""


def predict(
    model: Annotated[Path, ARGUMENTS, "model.json of a run, or the run's folder."],
    maps: Annotated[list[Path], ARGUMENTS, Typed("MAPS…"), "FITS files, .npy files, or folders of them."],
    mask: Annotated[Path | None, "Of the maps: 1 where seen."] = None,
    pixel_scale: Annotated[float | None, Typed("ARCMIN"), "If headers do not tell it."] = None,
    source_redshift: Annotated[float | None, "Of their sources, if headers and names do not tell it."] = None,
    hdu: Annotated[str | None, "Of the maps, number or name; the first image, if not given."] = None,
    itype: Annotated[str | None, "Another ITYPE of headers that is convergence; any: whatever they say."] = None,
    pattern: Annotated[str | None, "Only files of folders whose name matches, as 'kappa_*.fits'."] = None,
    regrid: Annotated[bool, "Bring maps whose pixels do not fill the model's to its scale, by area."] = False,
    on_error: Annotated[
        Literal["tell", "skip", "raise"],
        "Of files that cannot be used: tell names them, and the exit code is 1; skip names them; raise stops there.",
    ] = "tell",
    workers: Workers = 1,
    scheduler: Scheduler = None,
    out: Annotated[Sequence[Path], Typed("FILE"), "Write .csv or .json; may be given twice."] = (),
    chains: Annotated[
        Path | None, Typed("DIR"), "Draw from the posteriors, and write a chain of GetDist for each map there."
    ] = None,
    combine: Annotated[bool, "Of independent maps of one universe: their posterior together, too."] = False,
    samples: Annotated[int, AtLeast(64), "Of each posterior."] = 2048,
    seed: Annotated[int, AtLeast(0), "Of the samples."] = 0,
) -> None:
    """Estimate the parameter of maps, with error bars, and say how far they lie from the training maps."""
    import warnings

    from awd_core.files import write_atomically
    from awd_core.workers import open_workers
    from awd_cosmo.formats.archives import BadMap
    from awd_cosmo.inference.model import Model
    from awd_cosmo.inference.predict import predict_files, table_text, to_csv, to_json

    writers = {".csv": to_csv, ".json": to_json}
    for file in out:
        if file.suffix not in writers:
            raise ValueError(f"--out is {file}; its ending must be .csv or .json")
    if combine and chains is None:
        raise ValueError("--combine puts posteriors together; give --chains DIR, a folder for their samples")
    if chains is not None and regrid:
        raise ValueError("--chains takes maps at the model's scale; leave --regrid out, or regrid the maps first")
    if chains is not None:
        if out or workers != 1 or scheduler is not None:
            raise ValueError("--chains has files of its own, and one process; leave --out, --workers, --scheduler out")
        number = int(hdu) if hdu is not None and hdu.isdecimal() else hdu
        _draw(
            model, maps, chains, combine=combine, pixel_scale=pixel_scale, mask=mask, source_redshift=source_redshift,
            hdu=number, itype=itype, pattern=pattern, samples=samples, seed=seed,
        )  # fmt: skip
        return
    place = model / "model.json" if model.is_dir() else model
    loaded = Model.load(place)  # what is wrong with it is said here, and not by workers
    bad: list[tuple[str, str]] = []
    with warnings.catch_warnings(record=True) as said, open_workers(workers, scheduler) as crew:
        warnings.simplefilter("always", UserWarning)
        found = predict_files(
            place, maps, pixel_scale=pixel_scale, mask=mask, source_redshift=source_redshift, itype=itype,
            hdu=int(hdu) if hdu is not None and hdu.isdecimal() else hdu, pattern=pattern, regrid=regrid,
            bad=None if on_error == "raise" else bad, workers=crew,
        )  # fmt: skip
    for warning in said:
        echo(f"Note: {warning.message}", aside=True)
    if bad and not found:
        raise BadMap(bad)
    for scale in sorted({one.arcmin_per_pixel for one in found}):
        if (side := round(loaded.pixel_scale / scale)) > 1 and loaded.takes(scale):
            echo(
                f"Note: maps with pixels of {scale:.3g} arcmin were averaged over {side} × {side} of them, since the "
                f"model's have {loaded.pixel_scale:.3g} arcmin.",
                aside=True,
            )
    echo(table_text(found))
    for file in out:
        write_atomically(file, writers[file.suffix](found))
    if bad:
        echo(f"{len(bad)} of {len(bad) + len(found)} files cannot be used, and are in no table:", aside=True)
        for name, reason in bad:
            echo(f"  {name}: {reason}", aside=True)
        if on_error == "tell":
            raise SystemExit(SOME_BAD)


def _draw(model: Path, maps: Sequence[Path], folder: Path, **options: Any) -> None:
    """Write chains of the posteriors of maps, and show a table."""
    import warnings

    from awd_cosmo.posterior.chains import write_chains
    from awd_cosmo.posterior.map_files import chain_root, posterior_of_files, posterior_table
    from awd_cosmo.posterior.map_posterior import MapPosterior

    ready = MapPosterior.load(model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        found = posterior_of_files(ready, maps, **options)
    for warning in said:
        echo(f"Note: {warning.message}.", aside=True)
    taken: set[str] = set()
    for one in found:
        together = one.samples.maps > 1 and one is found[-1] and options["combine"]
        write_chains(chain_root(folder, "combined" if together else one.name, taken), one.samples)
    echo(posterior_table(found, ready.settings.shown))
    echo(f"Written to {folder}: {len(found)} {'chain' if len(found) == 1 else 'chains'}, as GetDist reads them.")
