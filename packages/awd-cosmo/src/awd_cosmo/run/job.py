"""What one run is: where its maps are, what is done to them, and how hard each step works. Nothing heavy is imported.

The fields of `Job` are what determines a run's results; the place of the maps, the device and the number of threads are
not among them. A job is kept in the run's `config.json`, so that single steps go on with a run from its folder alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from awd_core.run import RUN, AtLeast, Panel, SettingError, Typed, check_settings, parse_shares
from awd_cosmo.simulate.shift import checked_shift

SIMULATED = "simulated"
"""In place of a folder of maps: the embedded suite is made first, in the run's folder."""

PLAIN_WAVELETS = ("db5", "haar", "db2", "db3", "sym5")

FIELD_STATISTICS = ("minima", "pdf", "l1_norm", "minkowski", "scattering", "joint")
"""Statistics that a run compares with where they are asked for: see `awd_cosmo.run.forms`."""

DATA, MAPS, TEACHER, LEARNING = (
    Panel("Data", 1), Panel("Maps", 2), Panel("Teacher", 3), Panel("Distillation and comparison", 4)
)  # fmt: skip
Estimator = Literal["ridge", "emulator"]
Suite = Literal["tiny", "quick", "halos", "particles", "massivenus"]


def parse_ranges(text: str) -> dict[str, tuple[float, float]]:
    """Ranges of parameters, "NAME=LOW:HIGH" with commas between them.

    Raises
    ------
    SettingError
        If it is something else.

    Examples
    --------
    >>> parse_ranges("sigma8=0.2:1.6, Omega_m=0.05:0.9")
    {'sigma8': (0.2, 1.6), 'Omega_m': (0.05, 0.9)}
    """
    found = {}
    for part in text.split(","):
        name, _, ends = part.partition("=")
        try:
            low, high = map(float, ends.split(":"))
        except ValueError:
            raise SettingError(
                "{ranges} is {text!r}; give NAME=LOW:HIGH, several with commas, such as sigma8=0.2:1.6", text=text
            ) from None
        found[name.strip()] = (low, high)
    return found


def parse_redshifts(text: str) -> tuple[float, ...]:
    """Source redshifts of bins, with commas between them.

    Raises
    ------
    SettingError
        If it is something else.

    Examples
    --------
    >>> parse_redshifts("0.5,1,2")
    (0.5, 1.0, 2.0)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            "{bins} is {text!r}; give source redshifts with commas, such as 0.5,1,2", text=text
        ) from None


@dataclass(frozen=True)
class Job:
    """A run of `awd-cosmo run`.

    Attributes
    ----------
    target
        Parameter to estimate: Omega_m, sigma8, S8 …, or any column of numbers of the table or labels.
    more_targets
        More parameters, for the teacher and for the posterior of all of them: S8,A_s.
    layout
        How the data are laid out: auto, or a name of docs/formats.md.
    source_redshift
        Which maps to read, where they say theirs; or what it is, where none does.
    relabel_redshift
        What it is of all maps that are read, whatever they say.
    bins
        Source redshifts of bins that belong together, such as 0.5,1,2: tomography.
    pixel_scale
        If headers do not tell it [arcmin].
    hdu
        Of the maps, number or name; the first image, if not given.
    pattern
        Only files whose name matches, as 'kappa_*.fits'.
    columns
        Of a table: file=NAME,Omega_m=NAME says which column is which; or names in their order, where it has no header.
    ranges
        Plausible ranges in place of ours: sigma8=0.2:1.6,Omega_m=0.05:0.9.
    itype
        Another ITYPE of headers that is convergence; any: whatever they say.
    headers
        check: the header of no map may contradict names and tables; ignore.
    invalid
        Pixels without convergence (NaN, UNSEEN): raise an error; mask: not observed; zero.
    mask_digest
        Identifies the mask of training maps.
    least_observed
        Share of a tile that must have been observed.
    fill
        What the teacher sees where nothing was observed; κ has mean 0.
    mask_channel
        Show the teacher which pixels were observed, as a channel beside the map.
    on_error
        raise, or skip: leave bad maps out, them alone, and list them.
    suite
        Simulated suite.
    suite_cosmologies
        Of the simulated suite, in place of its preset's.
    suite_realisations
        Of each cosmology, in place of the preset's.
    suite_pixels
        Side of simulated maps.
    suite_shift
        Lognormal shift of simulated maps: empty-beam, hilbert (a published fit) or a number.
    suite_smail
        Sources of simulated maps spread as z^A exp(-(z/z0)^B) about z = 1, such as 2,1.5; one plane, if not given.
    suite_nuisances
        Drawn for each simulated map: redshift_shift, shear_bias, gas_mass; several with commas.
    maps_per_cosmology
        Read only the first so many realisations of each cosmology.
    noise
        Add shape noise by a convention (`awd_cosmo.maps.observe`); none, if not given.
    galaxies
        Per arcmin², of that noise.
    downsample
        Blocks to average: their side in pixels, after noise.
    smoothing
        Gaussian after that, standard deviation [arcmin]; 0: none.
    tile
        Cut maps into tiles of that side, in pixels after downsampling; 0: whole.
    fractions
        Shares of the cosmologies that train, validate and test in the protocol "held_out".
    phases
        May cosmologies share phases? See `shared_phases` of `awd_cosmo.inference.split_maps`; simulated maps do not.
    seed
        Of all that is random.
    architecture
        Residual network.
    width
        Its channels; 64 as published.
    small_input
        Whether its stem is for small maps; by their size if not given.
    epochs
        At most; 0: no teacher, which needs ready gradients.
    patience
        Epochs without progress that end the training.
    batch_size
        Maps per step of its training.
    learning_rate
        The highest of its cycle.
    teacher_maps
        Training maps for it, at most, drawn at random.
    accelerator
        Where it is trained.
    precision
        32-true, bf16-mixed …
    teacher
        Or: your own network, which a factory builds.
    teacher_arguments
        Arguments of the factory.
    teacher_output
        Which of its outputs is the target.
    gradients_digest
        Identifies ready gradients.
    wavelets
        Where to start; each has a length of its own.
    path_levels
        Levels of the transform in which inputs and attributions shall be sparse.
    shares
        Of the attributions, 0 the first.
    distill_maps
        Training maps to distil from, drawn at random.
    random_starts, small_batch, large_batch
        See `awd_core.distill.SearchSettings`.
    statistics
        Options of `awd_cosmo.statistics.ScaleCounts` among which cross-validation chooses, for each wavelet anew.
    estimators
        On the counts: among which cross-validation chooses, once for all wavelets and for each classical statistic.
    selection_maps
        Maps, of training and validation together, on which candidates are compared.
    student_maps
        Maps on whose answers the wavelet of the few numbers is chosen.
    baselines
        Plain wavelets to compare with: each with the same numbers, and with its best counts.
    field_statistics
        Further rows of the comparison: minima, pdf, l1_norm, minkowski, scattering, joint; or all.
    posterior
        Of several parameters, with --also: by an emulator, or by small networks; none.

    Examples
    --------
    >>> job = PRESETS["quick"].changed(seed=1, more_targets=("A_s",))
    >>> job.targets, Job.from_dict(job.to_dict()) == job
    (('Omega_m', 'A_s'), True)
    """

    target: Annotated[str, LEARNING] = "Omega_m"
    more_targets: Annotated[tuple[str, ...], TEACHER, Typed("NAMES", name="--also")] = ()
    layout: Annotated[str, DATA] = "auto"
    source_redshift: Annotated[float | None, DATA] = None
    relabel_redshift: Annotated[float | None, DATA] = None
    bins: Annotated[tuple[float, ...], DATA, Typed("LIST", parse_redshifts)] = ()
    pixel_scale: Annotated[float | None, DATA, Typed("ARCMIN")] = None
    hdu: Annotated[str | None, DATA] = None
    pattern: Annotated[str | None, DATA] = None
    columns: Annotated[tuple[str, ...], DATA, Typed("LIST")] = ()
    ranges: Annotated[Mapping[str, Any], DATA, Typed("NAME=LOW:HIGH", parse_ranges)] = field(default_factory=dict)
    itype: Annotated[str | None, DATA] = None
    headers: Annotated[Literal["check", "ignore"], DATA] = "check"
    invalid: Annotated[Literal["raise", "mask", "zero"], DATA] = "raise"
    mask_digest: str | None = None
    least_observed: Annotated[float, MAPS, AtLeast(0, 1)] = 0.8
    fill: Annotated[float, TEACHER] = 0.0
    mask_channel: Annotated[bool, TEACHER] = False
    on_error: Annotated[Literal["raise", "skip"], DATA] = "raise"
    suite: Annotated[Suite, DATA] = "quick"
    suite_cosmologies: Annotated[int | None, DATA, AtLeast(8), Typed(name="--cosmologies")] = None
    suite_realisations: Annotated[int | None, AtLeast(1)] = None
    suite_pixels: Annotated[int | None, DATA, AtLeast(16), Typed(name="--map-pixels")] = None
    suite_shift: Annotated[str, DATA, Typed("NAME|NUMBER", name="--shift")] = "empty-beam"
    suite_smail: Annotated[str | None, DATA, Typed("A,B", name="--smail")] = None
    suite_nuisances: Annotated[str | None, DATA, Typed("NAME=LOW:HIGH", name="--nuisances")] = None
    maps_per_cosmology: Annotated[int | None, AtLeast(1)] = None
    noise: Annotated[Literal["lenstools", "fair"] | None, MAPS] = None
    galaxies: Annotated[float, MAPS] = 30.0
    downsample: Annotated[int, MAPS, AtLeast(1)] = 1
    smoothing: Annotated[float, MAPS, AtLeast(0), Typed("ARCMIN")] = 0.0
    tile: Annotated[int | None, MAPS, AtLeast(0), Typed("PIXELS")] = 64
    fractions: tuple[float, float, float] = (0.70, 0.12, 0.18)
    phases: Annotated[Literal["avoid", "allow", "independent"], DATA] = "avoid"
    seed: Annotated[int, RUN, AtLeast(0)] = 0
    architecture: Annotated[Literal["resnet18", "resnet34"], TEACHER] = "resnet18"
    width: Annotated[int, TEACHER, AtLeast(1)] = 8
    small_input: bool | None = None
    epochs: Annotated[int, TEACHER, AtLeast(0)] = 6
    patience: int | None = None
    batch_size: Annotated[int, TEACHER, AtLeast(1)] = 32
    learning_rate: Annotated[float, TEACHER] = 5e-3
    teacher_maps: Annotated[int, TEACHER, AtLeast(8)] = 4000
    accelerator: Annotated[Literal["auto", "cpu", "gpu", "cuda", "mps"], TEACHER] = "cpu"
    precision: Annotated[Literal["32-true", "64-true", "bf16-mixed", "16-mixed"], TEACHER] = "32-true"
    teacher: Annotated[str | None, TEACHER, Typed("PKG.MODULE:FACTORY")] = None
    teacher_arguments: Annotated[Mapping[str, Any], TEACHER, Typed("JSON", name="--factory-args")] = field(
        default_factory=dict
    )
    teacher_digest: str | None = None
    teacher_output: Annotated[int, TEACHER, AtLeast(0), Typed(name="--output")] = 0
    gradients_digest: str | None = None
    wavelets: Annotated[tuple[str, ...], LEARNING, Typed("NAMES")] = ("db2", "db3", "db5")
    path_levels: Annotated[int, AtLeast(1)] = 4
    shares: Annotated[tuple[float, ...], LEARNING, Typed("LIST|COUNT", parse_shares)] = (0.0, 0.25, 0.5, 0.75, 1.0)
    distill_maps: Annotated[int, LEARNING, AtLeast(2)] = 512
    random_starts: int = 8
    small_batch: int = 1 << 16
    large_batch: int = 1 << 22
    statistics: tuple[Mapping[str, Any], ...] = (
        {"levels": 1, "pixels": "all"},
        {"levels": 2, "pixels": "all"},
        {"levels": 3, "pixels": "all"},
        {"levels": 2, "pixels": "all", "bins": 40},
        {"levels": 3, "pixels": "peaks"},
    )
    estimators: Annotated[tuple[Estimator, ...], LEARNING] = ("ridge", "emulator")
    selection_maps: Annotated[int, AtLeast(8)] = 3000
    student_maps: Annotated[int, LEARNING, AtLeast(16)] = 1600
    baselines: tuple[str, ...] = PLAIN_WAVELETS
    field_statistics: Annotated[tuple[str, ...], LEARNING, Typed("NAMES", name="--statistics")] = ()
    posterior: Annotated[Literal["emulator", "neural", "none"], LEARNING] = "emulator"

    def __post_init__(self) -> None:
        """Check what can be checked before any map is read."""
        lists = {
            "more_targets",
            "bins",
            "columns",
            "fractions",
            "wavelets",
            "shares",
            "statistics",
            "estimators",
            "baselines",
            "field_statistics",
        }
        for name in lists:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_settings(self)
        if checked_shift(self.suite_shift, "--shift") != "empty-beam" and self.suite == "particles":
            raise SettingError(
                "{suite_shift} is {given}, and {suite} is particles, which have no lognormal shift; leave it out",
                given=self.suite_shift,
            )
        if self.bins and (len(set(self.bins)) < max(2, len(self.bins)) or min(self.bins) <= 0):
            raise SettingError(
                "{bins} is {given}; give the source redshifts of two or more bins, each once",
                given=",".join(f"{z:g}" for z in self.bins),
            )  # fmt: skip
        if self.suite_smail is not None or self.suite_nuisances is not None:
            self.drawn_from()
        object.__setattr__(self, "tile", self.tile or None)
        object.__setattr__(self, "ranges", {name: tuple(ends) for name, ends in self.ranges.items()})
        for name, (low, high) in self.ranges.items():
            if not low < high:
                raise SettingError(
                    "{ranges} of {name} is {low:g}:{high:g}; the lower end comes first", name=name, low=low, high=high
                )
        if self.tile is not None and self.tile < 16:
            raise SettingError("{tile} is {given}; tiles must have 16 pixels a side or more, or 0", given=self.tile)
        if not self.shares or self.shares[0] != 0 or any(b <= a for a, b in zip(self.shares, self.shares[1:])):  # noqa: B905
            raise SettingError(
                "{shares} are {given}; they must begin with 0, the wavelet without the interpretation term, and "
                "increase up to 1", given=", ".join(map(str, self.shares)),
            )  # fmt: skip
        if self.shares[-1] > 1 or len(self.shares) < 2:
            raise SettingError("{shares} must hold at least one above 0, and none above 1")
        names = FIELD_STATISTICS if self.field_statistics == ("all",) else self.field_statistics
        if unknown := [name for name in names if name not in FIELD_STATISTICS]:
            raise SettingError(
                "{field_statistics} names {name}; choose among {known}, or all",
                name=unknown[0], known=", ".join(FIELD_STATISTICS),
            )  # fmt: skip
        object.__setattr__(self, "field_statistics", tuple(dict.fromkeys(names)))
        if not (self.wavelets and self.statistics and self.estimators):
            raise ValueError("a run needs a wavelet to start from, a statistic and an estimator")
        if self.teacher is None and self.epochs == 0 and self.gradients_digest is None:
            raise SettingError("{epochs} is 0: without a teacher there is nothing to distil; give gradients, or epochs")

    def drawn_from(self) -> dict[str, Any]:
        """Settings of the simulation that say where sources are and what is drawn for each map."""
        from awd_cosmo.simulate import Nuisances, Smail  # which need NumPy, as help does not

        return {
            "smail": None if self.suite_smail is None else Smail.typed(self.suite_smail),
            "nuisances": None if self.suite_nuisances is None else Nuisances.typed(self.suite_nuisances),
        }

    @property
    def targets(self) -> tuple[str, ...]:
        """Parameters that the teacher learns; the one that is estimated is the first."""
        return (self.target, *(name for name in self.more_targets if name != self.target))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Job":
        """Job from what `to_dict` gave; ValueError if it has fields that are not known, or of another kind."""
        from awd_core.files import from_json  # which needs NumPy, as help does not

        return from_json(cls, {name: value for name, value in values.items() if name != "resamples"})

    def changed(self, **values: Any) -> "Job":
        """A job with other values for some fields; those that are None stay."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


PRESETS: dict[str, Job] = {
    "quick": Job(),
    "full": Job(
        width=64, epochs=60, patience=15, batch_size=128, learning_rate=1e-3, teacher_maps=1_000_000,
        shares=tuple(i / 10 for i in range(11)), wavelets=("db2", "db3", "db4", "db5", "db6", "db8"),
        distill_maps=8192, random_starts=64, large_batch=1 << 25, selection_maps=20_000, student_maps=8000,
        statistics=tuple(
            {"levels": levels, "pixels": pixels, "bins": bins}
            for levels in (1, 2, 3, 4) for pixels, bins in (("all", 20), ("all", 40), ("peaks", 20), ("both", 20))
        ),
    ),
    "tiny": Job(
        suite="tiny", suite_cosmologies=24, suite_realisations=3, tile=None, fractions=(0.6, 0.2, 0.2), width=4,
        epochs=2, batch_size=16, wavelets=("db2", "db3"), path_levels=2, shares=(0.0, 0.5, 1.0), distill_maps=32,
        random_starts=2, small_batch=1 << 12, large_batch=1 << 15, estimators=("ridge",), selection_maps=60,
        student_maps=24,
        statistics=({"levels": 2, "pixels": "all", "bins": 8}, {"levels": 1, "pixels": "all", "bins": 8}),
    ),
}  # fmt: skip
"""Sizes by name: ends within minutes on two cores; for real work; to try out."""
