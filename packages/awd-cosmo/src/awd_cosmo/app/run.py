"""The commands `awd-cosmo run`, `prepare` and the single steps. Nothing heavy is imported here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from awd_core.checks import check_choice
from awd_core.run import (
    ARGUMENTS,
    RUN,
    AtLeast,
    Fields,
    Overwrite,
    Quality,
    Question,
    Quiet,
    Scheduler,
    SettingError,
    Typed,
    Workers,
    check_parts,
    check_settings,
    echo,
    echo_sentences,
    resumable,
    typed,
)
from awd_cosmo.run.job import DATA, PRESETS, SIMULATED, TEACHER, Job

Here = Annotated[Path, ARGUMENTS, Typed("RUN"), "Folder of a run."]
Observed = Annotated[Sequence[Path], DATA, Typed("DIR"), "Real maps to ask the model for."]
Mask = Annotated[Path | None, DATA, "Of the observed maps: 1 where seen."]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run is told besides its settings.

    Attributes
    ----------
    data
        Folder, tar or table of maps, in any known layout; or: simulated.
    simulate
        Make the embedded suite first, in the run's folder.
    preset
        The settings that are not given.
    realisations
        Of each, simulated; else the first so many are read.
    training_mask
        Survey mask of the training maps, read or simulated: 1 where seen.
    weights
        Its weights, .safetensors.
    gradients
        Or: ready gradients, one for each prepared map.
    device
        For the wavelets: cpu, cuda.
    out
        Folder of the run.
    until
        The last step.
    """

    data: Annotated[str | None, ARGUMENTS] = None
    simulate: Annotated[bool, DATA] = False
    preset: Annotated[Literal["quick", "full", "tiny"], DATA] = "quick"
    realisations: Annotated[int | None, DATA, AtLeast(1)] = None
    observed: Observed = ()
    mask: Mask = None
    training_mask: Annotated[Path | None, DATA, Typed("FILE")] = None
    weights: Annotated[Path | None, TEACHER, Typed("FILE")] = None
    gradients: Annotated[Path | None, TEACHER, Typed("G.npy")] = None
    workers: Workers = 1
    scheduler: Scheduler = None
    device: Annotated[str | None, RUN] = None
    quality: Quality = True
    question: Question = None
    out: Annotated[Path, RUN, Typed("RUN")]
    overwrite: Overwrite = False
    quiet: Quiet = False
    until: Annotated[str, RUN, Typed(hidden=True)] = "report"

    def __post_init__(self) -> None:
        check_settings(self)
        if (self.data is None) != self.simulate and not (self.simulate and self.data == SIMULATED):
            raise ValueError("give DATA, a folder of maps, or --simulate for the embedded suite; not both")

    def job(self, given: Mapping[str, Any]) -> Job:
        """The preset with the settings that were given."""
        simulate = self.simulate or self.data == SIMULATED
        if not simulate and (only := [name for name in given if name.startswith("suite")]):
            raise SettingError(f"{{{only[0]}}} is for simulated maps, and DATA is {{data}}; leave one of them out",
                               data=self.data)  # fmt: skip
        if "galaxies" in given and "noise" not in given:
            raise SettingError("{galaxies} is {given:g}, but no noise is added: give {noise} lenstools or fair too",
                               given=given["galaxies"])  # fmt: skip
        if simulate:
            from awd_cosmo.formats.parameters import RANGES

            for option, names in (("--target", [given.get("target")]), ("--also", given.get("more_targets", ()))):
                for name in names:
                    check_choice(option, name, RANGES)
        values = dict(given)
        if self.realisations is not None:
            values["suite_realisations" if simulate else "maps_per_cosmology"] = self.realisations
        if self.gradients is not None and not {"epochs", "teacher"} & set(given):
            values |= {"epochs": 0, "gradients_digest": "given"}
        return replace(PRESETS[self.preset], **values)


def default_of(name: str) -> str:
    """A setting in the preset quick, and in others where it differs, as it would be typed.

    Examples
    --------
    >>> default_of("width")
    '8; full 64; tiny 4'
    """
    given = {preset: getattr(job, name) for preset, job in PRESETS.items()}
    values = {preset: "" if value is False else typed(value) for preset, value in given.items()}  # a flag
    usual = values.pop("quick")
    others = [f"{preset} {value or 0}" for preset, value in values.items() if value != usual]
    return usual and "; ".join([usual, *others])


Given = Annotated[Mapping[str, Any], Fields(of=Job, default=default_of)]


def run(asked: Asked, given: Given) -> None:
    """From maps to Ω_m: teacher, distilled wavelet, readable estimator, comparison and report.

    DATA is a folder of maps, or "simulated" for the embedded suite. The same command goes on with a run that was
    interrupted.
    """
    _begin(asked, given, asked.until)


def prepare(asked: Asked, given: Given) -> None:
    """Read, prepare, cache and split maps: the first step of a run, with all its settings."""
    _begin(asked, given, "prepare")


def _begin(asked: Asked, given: Mapping[str, Any], until: str) -> None:
    from difflib import get_close_matches

    data = asked.data
    if data is not None and not Path(data).exists() and get_close_matches(data, [SIMULATED], cutoff=0.8):
        check_choice("DATA", data, [SIMULATED, "a folder, tar or table of maps"])
    job = asked.job(given)
    check_parts(
        job.wavelets, job.teacher, [asked.mask, asked.training_mask, asked.weights, asked.gradients, *asked.observed]
    )
    _go(
        data or SIMULATED, asked.out, until, asked.quiet, job=job, weights=asked.weights, gradients=asked.gradients,
        observed=asked.observed, mask=asked.mask, training_mask=asked.training_mask, workers=asked.workers,
        scheduler=asked.scheduler, device=asked.device, quality=asked.quality, question=asked.question,
        overwrite=asked.overwrite,
    )  # fmt: skip


def teach(folder: Here, workers: Workers = 1, scheduler: Scheduler = None, quiet: Quiet = False) -> None:
    """Train the teacher of a run that `prepare` began."""
    _go(None, folder, "teach", quiet, workers=workers, scheduler=scheduler)


def distill(
    folder: Here, workers: Workers = 1, scheduler: Scheduler = None, quality: Quality = True, quiet: Quiet = False
) -> None:
    """Distil wavelets from the teacher of a run, and choose one by validation."""
    _go(None, folder, "distill", quiet, workers=workers, scheduler=scheduler, quality=quality)


def evaluate(
    folder: Here,
    observed: Observed = (),
    mask: Mask = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    quality: Quality = True,
    quiet: Quiet = False,
) -> None:
    """Compare all models of a run on its test maps, and save the readable one."""
    _go(
        None, folder, "evaluate", quiet, observed=observed, mask=mask, workers=workers, scheduler=scheduler,
        quality=quality,
    )  # fmt: skip


def report(
    folder: Here,
    question: Question = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    quality: Quality = True,
    quiet: Quiet = False,
) -> None:
    """Write the report of a run, after whatever is still to be done for it."""
    _go(None, folder, "report", quiet, question=question, workers=workers, scheduler=scheduler, quality=quality)


def _go(data: str | None, out: Path, until: str, quiet: bool, **options: Any) -> None:
    from awd_cosmo.run.pipeline import run_pipeline

    with resumable(out):
        run_pipeline(data, out, until=until, quiet=quiet, **options)
    if quiet:
        return
    if (out / "results.json").exists() and until in ("evaluate", "report"):
        from awd_cosmo.inference.results import Results

        echo(Results.read(out).text())
    if until == "report":
        from awd_cosmo.report.artefacts import read_record
        from awd_cosmo.report.sentences import caveats, summary

        record = read_record(out)
        echo_sentences([summary(record), *caveats(record)])
    echo(f"Written to {out}" + (": report.html, model.json, results.json and more." if until == "report" else "."))
