"""What a run is asked to do: `RunJob`, and the names of its steps. Nothing heavy is imported here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, get_args

from awd_core.run import (
    ARGUMENTS,
    RUN,
    AtLeast,
    OneOf,
    Overwrite,
    Panel,
    Quality,
    Question,
    Quiet,
    SettingError,
    Typed,
    check_settings,
    parse_shares,
)

PROGRAM = "awd-cme run"
Step = Literal["series", "teacher", "distill", "results", "report"]
STEPS: tuple[Step, ...] = get_args(Step)
"""The steps that a run can be stopped after, in their order."""

DATA, LEARNING, MODEL = Panel("Data", 1), Panel("Learning problem", 2), Panel("Model", 3)


def parse_columns(text: str) -> dict[str, str]:
    """Roles and names of columns, as "track=ID,frame=t".

    Raises
    ------
    SettingError
        If it is something else.

    Examples
    --------
    >>> parse_columns("track=ID, frame=Slice no.")
    {'track': 'ID', 'frame': 'Slice no.'}
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not pairs or not all(role.strip() and sign and name.strip() for role, sign, name in pairs):
        raise SettingError("{columns} is {text!r}; give roles and names, as track=ID,frame=t,x=X,y=Y", text=text)
    return {role.strip(): name.strip() for role, _, name in pairs}


def parse_depth(text: str) -> str | int:
    """What to make of depth: a word, or the number of a plane."""
    return int(text) if text.strip().isdecimal() else text


@dataclass(frozen=True)
class RunJob:
    """Data in, report out.

    Attributes
    ----------
    data
        A movie, a folder of movies, tracks of any format, a folder of track files (a cell each), an experiment of
        cmeAnalysis, or "simulated".
    out
        Folder of the run.
    tracks
        Tracks for the movies: their positions are taken, and nothing is detected.
    target
        success, mean_significant, max or consecutive; the settings' if not given.
    settings
        published, published-lstm, published-success, cmeanalysis or yeast; yeast
        for tracks in yeast, else published, if not given.
    channels
        Which channels, what is seen first; other names than the files' rename them in order.
    seconds_per_frame
        Frame interval, in place of the files'.
    micrometres_per_pixel
        Size of a pixel, in place of the files'.
    axes
        Axes of movies that do not say them.
    sigma
        Width of the spots; measured if not given.
    format
        Format of tracks.
    on_error
        What becomes of tracks with wrong rows.
    compound
        What becomes of compound tracks.
    columns
        Which column of a table of tracks is what, where names do not say it: track, frame, time, x, y, cell, amplitude.
    position_unit
        Unit of the positions of tracks, in place of the file's.
    master
        Folder of the channel that an experiment was tracked in, where there are several.
    z
        What to make of movies with depth: max, mean, sum, or the number of a plane.
    series
        Which series of a movie file with several, from 0.
    gain
        Counts for one photon, in place of what is measured; 0 leaves shot noise out.
    resample
        Frame interval in seconds that all tracks are brought to.
    scale_inputs
        Whose tracks standardise a cell's series; auto: what cross-validation over the training cells finds better.
    share
        Part of the cells, or of the tracks of a single cell, to train on.
    test_cells
        Cells to test on, not drawn.
    split
        What a split keeps together: cells (tracks, where there is one cell), or tracks, where cells are too few.
    network
        A network of your own as teacher; a recurrent one otherwise.
    gradients
        Or: ready gradients, one for each sample of series.npz, (n, N); then no teacher is trained.
    epochs
        Of the teacher.
    teacher_folds
        Folds of the teacher's own score; 0 for none.
    features
        timed, both or published.
    starts
        Where searches start, the simplest first.
    shares
        Shares of the attributions, from 0 on.
    levels
        Levels of the transform.
    mode
        Boundary mode of the transform.
    random_starts
        Random filters of each search.
    folds
        Of the selection.
    repeats
        Drawings of the folds that select.
    seed
        Of all that is random.
    preset
        What is simulated.
    cells
        How many cells are simulated.
    simulation
        Other settings of the simulation.
    until
        The last step to be done.
    quality
        Whether the attributions are checked.
    question
        What the user wants to know of the model, for the report.
    threads
        Images that one process works on at a time.
    quiet, overwrite
        Show no progress; delete an earlier run.
    """

    data: Annotated[str, ARGUMENTS]
    out: Annotated[str, RUN, Typed("RUN")]
    tracks: Annotated[str | None, DATA, Typed("FILE")] = None
    target: Annotated[str | None, LEARNING, OneOf("awd_cme.series.targets:TARGETS", ("success",))] = None
    settings: Annotated[str | None, LEARNING, OneOf("awd_cme.series.series_set:SETTINGS")] = None
    channels: Annotated[tuple[str, ...] | None, DATA, Typed("A,B")] = None
    seconds_per_frame: Annotated[float | None, DATA, Typed("S")] = None
    micrometres_per_pixel: Annotated[float | None, DATA, Typed("UM")] = None
    axes: Annotated[str | None, DATA, Typed("TCYX")] = None
    sigma: Annotated[float | None, DATA, Typed("PX")] = None
    format: Annotated[str, DATA, OneOf("awd_cme.readers.read:FORMATS", ("auto",))] = "auto"
    on_error: Annotated[Literal["raise", "skip"], DATA] = "skip"
    compound: Annotated[Literal["join", "split", "drop"], DATA] = "join"
    columns: Annotated[Mapping[str, str] | None, DATA, Typed("ROLE=NAME,…", parse_columns)] = None
    position_unit: Annotated[Literal["auto", "pixel", "micrometre", "nanometre"], DATA] = "auto"
    master: Annotated[str | None, DATA, Typed("NAME")] = None
    z: Annotated[str | int | None, DATA, Typed("max|mean|sum|N", parse_depth)] = None
    series: Annotated[int | None, DATA, AtLeast(0), Typed("N")] = None
    gain: Annotated[float | None, DATA, AtLeast(0), Typed("COUNTS")] = None
    resample: Annotated[float | None, DATA, AtLeast(1e-6), Typed("S")] = None
    scale_inputs: Annotated[Literal["auto", "training", "own"], LEARNING] = "auto"
    share: Annotated[float, LEARNING] = 0.7
    test_cells: Annotated[tuple[str, ...], LEARNING, Typed("C1,C2")] = ()
    split: Annotated[Literal["cells", "tracks"], LEARNING] = "cells"
    network: Annotated[str | None, MODEL, Typed("PKG.MODULE:FACTORY")] = None
    gradients: Annotated[str | None, MODEL, Typed("G")] = None
    epochs: Annotated[int, MODEL, AtLeast(1)] = 40
    teacher_folds: Annotated[int, MODEL, AtLeast(0)] = 3
    features: Annotated[str, MODEL, OneOf("awd_cme.model.features:FEATURES")] = "timed"
    starts: Annotated[tuple[str, ...], MODEL, Typed("LIST")] = ("db2", "db3", "db5")
    shares: Annotated[tuple[float, ...], MODEL, Typed("LIST|COUNT", parse_shares)] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    levels: Annotated[int, MODEL, AtLeast(1)] = 4
    mode: str = "zero"
    random_starts: Annotated[int, MODEL, AtLeast(0)] = 16
    folds: Annotated[int, AtLeast(2)] = 5
    repeats: Annotated[int, MODEL, AtLeast(1)] = 3
    seed: Annotated[int, RUN, AtLeast(0)] = 0
    preset: Annotated[Literal["quick", "realistic"], DATA] = "quick"
    cells: Annotated[int, DATA, AtLeast(1)] = 16
    simulation: Mapping[str, Any] = field(default_factory=dict)
    until: Annotated[Step, RUN] = "report"
    quality: Quality = True
    question: Question = None
    threads: Annotated[int, RUN, AtLeast(1)] = 2
    quiet: Quiet = False
    overwrite: Overwrite = False

    def __post_init__(self) -> None:
        check_settings(self)
        if self.split == "tracks" and self.test_cells:
            raise SettingError(
                "{split} is tracks, and {test_cells} names cells to test on; give one of the two, since tracks of all "
                "cells are on both sides of such a split"
            )
        if not self.starts or len(set(self.starts)) < len(self.starts):
            raise SettingError(
                "{starts} are {given}; give one wavelet at least, and none of them twice", given=self.starts
            )
        if not self.shares or self.shares[0] != 0:
            raise SettingError(
                "{shares} are {given}; the first is 0, which the ablation without attributions needs", given=self.shares
            )
        if self.z is not None and not isinstance(self.z, int) and self.z not in ("max", "mean", "sum"):
            raise SettingError("{z} is {given!r}; choose max, mean or sum, or the number of a plane", given=self.z)
        if not 0 < self.share < 1:
            raise SettingError("{share} is {given}; it is the part to train on, above 0 and below 1", given=self.share)
        if self.gradients and self.network:
            raise SettingError("{gradients} and a {network} are both given; gradients take the place of a teacher")

    def reaches(self, step: str) -> bool:
        """Whether this step is to be done."""
        return STEPS.index(step) <= STEPS.index(self.until)

    def settings_of_run(self) -> dict[str, Any]:
        """What determines the results, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in OPTIONS}

    def options_of_run(self) -> dict[str, Any]:
        """What does not, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name in OPTIONS}


OPTIONS = ("data", "out", "tracks", "gradients", "until", "quality", "question", "threads", "quiet", "overwrite")
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
    from awd_core.files import from_json
    from awd_core.run import stored_run

    config = stored_run(out, PROGRAM, "awd-cme run or awd-cme teach")
    stored = {**config["settings"], **config["options"], "out": out, "overwrite": False, **changes}
    return from_json(RunJob, {item.name: stored[item.name] for item in fields(RunJob) if item.name in stored})
