"""What a run is asked to do: `RunJob`, and the names of its steps. Nothing heavy is imported here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

PROGRAM = "awd-cme run"
STEPS = ("series", "teacher", "distill", "results", "report")
"""The steps that a run can be stopped after, in their order."""


@dataclass(frozen=True)
class RunJob:
    """Data in, report out.

    Attributes
    ----------
    data : str
        A movie, a folder of movies, tracks of any format, a folder of track files (a cell each), an experiment of
        cmeAnalysis, or "simulated".
    out : str
        The run folder.
    tracks : str, optional
        Tracks for the movies: their positions are taken, and nothing is detected.
    target : str, optional
        "success", or a name of `awd_cme.series.targets.TARGETS`; that of the settings if not given.
    settings : str, optional
        A name of `awd_cme.series.series_set.SETTINGS`; "yeast" for yeast tracks, else "published".
    channels : tuple of str, optional
        Names of the channels, what is seen first.
    seconds_per_frame, micrometres_per_pixel, axes, sigma : optional
        Of the movies, in place of what the files say; the width of the spots is measured if not given.
    format, on_error, compound : str
        As for `awd_cme.readers.read_tracks`.
    scale_inputs : {"auto", "training", "own"}
        Rule of the series' z-scores (`awd_cme.series.scaling`); "auto": the one of both that cross-validation over the
        training cells finds better (`awd_cme.run.readable`).
    share : float
        Part of the cells, or of the tracks of a single cell, to train on.
    test_cells : tuple of str
        Cells to test on, in place of drawn ones.
    network : str, optional
        "package.module:factory" of a network of one's own, a `SeriesTeacher` otherwise.
    gradients : str, optional
        Ready gradients for all series of series.npz, (n, N), as .npy or .npz; then no teacher is trained.
    epochs, teacher_folds : int
        Passes of the teacher's training; folds of its cross-validated score, 0 for none.
    features : str
        A name of `awd_cme.model.FEATURES`.
    starts : tuple of str
        Wavelets that paths start from, the simplest first.
    shares : tuple of float
        Shares of the attributions.
    levels, mode : int, str
        Of the transform.
    random_starts : int
        Random filters of each search.
    folds, repeats : int
        Of the selection.
    seed : int
        Of all that is random.
    preset, cells, simulation : str, int, mapping
        Of the embedded simulation: preset, number of cells, other settings.
    until : str
        The last of `STEPS` to be done.
    quality : bool
        Whether the attributions are checked.
    threads : int
        For movies.
    quiet, overwrite : bool
        Show no progress; delete an earlier run.
    """

    data: str
    out: str
    tracks: str | None = None
    target: str | None = None
    settings: str | None = None
    channels: tuple[str, ...] | None = None
    seconds_per_frame: float | None = None
    micrometres_per_pixel: float | None = None
    axes: str | None = None
    sigma: float | None = None
    format: str = "auto"
    on_error: str = "skip"
    compound: str = "join"
    scale_inputs: str = "auto"
    share: float = 0.7
    test_cells: tuple[str, ...] = ()
    network: str | None = None
    gradients: str | None = None
    epochs: int = 40
    teacher_folds: int = 3
    features: str = "timed"
    starts: tuple[str, ...] = ("db2", "db3", "db5")
    shares: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    levels: int = 4
    mode: str = "zero"
    random_starts: int = 16
    folds: int = 5
    repeats: int = 3
    seed: int = 0
    preset: str = "quick"
    cells: int = 16
    simulation: Mapping[str, Any] = field(default_factory=dict)
    until: str = "report"
    quality: bool = True
    threads: int = 2
    quiet: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (
            ("until", STEPS),
            ("on_error", ("raise", "skip")),
            ("compound", ("join", "split", "drop")),
            ("scale_inputs", ("auto", "training", "own")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")
        for name, least in (("epochs", 1), ("teacher_folds", 0), ("folds", 2), ("repeats", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        if not self.starts or len(set(self.starts)) < len(self.starts):
            raise ValueError(f"starts are {self.starts}; give one wavelet at least, and none of them twice")
        if not self.shares or self.shares[0] != 0:
            raise ValueError(f"shares are {self.shares}; the first is 0, which the ablation without attributions needs")
        if not 0 < self.share < 1:
            raise ValueError(f"share is {self.share}; it is the part to train on, above 0 and below 1")
        if self.gradients and self.network:
            raise ValueError("gradients and a network are both given; gradients take the place of a teacher")

    def reaches(self, step: str) -> bool:
        """Whether this step is to be done."""
        return STEPS.index(step) <= STEPS.index(self.until)

    def settings_of_run(self) -> dict[str, Any]:
        """What determines the results, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in OPTIONS}

    def options_of_run(self) -> dict[str, Any]:
        """What does not, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name in OPTIONS}


OPTIONS = ("data", "out", "tracks", "gradients", "until", "quality", "threads", "quiet", "overwrite")
"""Fields of a job that do not determine its results; of files, what is in them does."""


def job_of(out: str, **changes: Any) -> RunJob:
    """The job of a run that is to go on.

    Parameters
    ----------
    out : str
        The run folder, wherever it was moved to.
    **changes
        Fields in place of those of then.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run.
    ValueError
        If it is a run of another program, or its configuration is damaged.
    """
    from awd_core.run import stored_run

    config = stored_run(out, PROGRAM, "awd-cme run or awd-cme teach")
    stored = {**config["settings"], **config["options"], "out": out, "overwrite": False, **changes}
    known = {item.name for item in fields(RunJob)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    known_values: dict[str, Any] = {name: value for name, value in values.items() if name in known}
    return RunJob(**known_values)
