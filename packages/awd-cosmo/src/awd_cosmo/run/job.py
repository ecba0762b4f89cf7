"""What one run is: where its maps are, what is done to them, and how hard each step works. Nothing heavy is imported.

The fields of `Job` are what determines a run's results; the place of the maps, the device and the number of threads are
not among them. A job is kept in the run's `config.json`, so that single steps go on with a run from its folder alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

SIMULATED = "simulated"
"""In place of a folder of maps: the embedded suite is made first, in the run's folder."""

PLAIN_WAVELETS = ("db5", "haar", "db2", "db3", "sym5")


@dataclass(frozen=True)
class Job:
    """A run of `awd-cosmo run`.

    Attributes
    ----------
    target : str
        Parameter that is estimated, "Omega_m".
    more_targets : tuple of str
        Parameters that the teacher learns beside it.
    layout, source_redshift, pixel_scale, on_error : optional
        As for `awd_cosmo.maps.open_maps`; the pixel scale in arcmin.
    suite : str
        Preset of `awd_cosmo.simulate.simulation.PRESETS` for simulated maps.
    suite_cosmologies, suite_realisations, suite_pixels : int, optional
        In place of the preset's.
    maps_per_cosmology : int, optional
        Read only the first so many realisations of each cosmology.
    noise : str, optional
        Convention of shape noise, one of `awd_cosmo.maps.observe.CONVENTIONS`; None: none is added.
    galaxies : float
        Source galaxies per arcmin² of that noise.
    downsample : int
        Side of the blocks of pixels of which the mean is taken, after noise.
    smoothing : float
        Standard deviation [arcmin] of a Gaussian, after that; 0: none.
    tile : int, optional
        Side, in pixels after downsampling, of the tiles that maps are cut into; None: whole maps.
    fractions : (float, float, float)
        Shares of the cosmologies that train, validate and test in the protocol "held_out".
    phases : {"avoid", "allow", "independent"}
        As `shared_phases` of `awd_cosmo.inference.split_maps`; simulated maps are "independent".
    seed : int
        Of everything that is random.
    architecture, width, small_input, epochs, patience, batch_size, learning_rate
        Of the teacher, see `awd_cosmo.teacher.teacher`. 0 epochs: no teacher is trained, which needs ready gradients.
    accelerator, precision : str
        Lightning's names, "cpu", "gpu", "auto"; "32-true", "bf16-mixed".
    teacher_maps : int
        The teacher is trained on so many training maps at most, drawn at random.
    teacher : str, optional
        Factory "package.module:name" of a teacher of the user's own; then `teacher_digest` identifies its weights,
        `teacher_arguments` are its factory's, and `teacher_output` says which of its outputs is the target.
    gradients_digest : str, optional
        Identifies ready gradients.
    wavelets : tuple of str
        Where distillation starts; each has a length of its own.
    path_levels : int
        Levels of the transform in which inputs and attributions shall be sparse.
    shares : tuple of float
        Shares of the interpretation term, 0 the first.
    distill_maps : int
        Training maps that wavelets are distilled from, drawn at random.
    random_starts, small_batch, large_batch : int
        See `awd_core.distill.SearchSettings`.
    statistics : tuple of mappings
        Options of `awd_cosmo.statistics.ScaleCounts` among which cross-validation chooses, for each wavelet anew.
    estimators : tuple of str
        "ridge" and "emulator": among which cross-validation chooses, once for all wavelets and for each classical
        statistic.
    selection_maps : int
        Maps, of training and validation together, on which candidates are compared.
    baselines : tuple of str
        Plain wavelets to compare with, each with its best statistic.

    Examples
    --------
    >>> job = PRESETS["quick"].changed(seed=1, more_targets=("A_s",))
    >>> job.targets, Job.from_dict(job.to_dict()) == job
    (('Omega_m', 'A_s'), True)
    """

    target: str = "Omega_m"
    more_targets: tuple[str, ...] = ()
    layout: str = "auto"
    source_redshift: float | None = None
    pixel_scale: float | None = None
    on_error: str = "raise"
    suite: str = "quick"
    suite_cosmologies: int | None = None
    suite_realisations: int | None = None
    suite_pixels: int | None = None
    maps_per_cosmology: int | None = None
    noise: str | None = None
    galaxies: float = 30.0
    downsample: int = 1
    smoothing: float = 0.0
    tile: int | None = 64
    fractions: tuple[float, float, float] = (0.70, 0.12, 0.18)
    phases: str = "avoid"
    seed: int = 0
    architecture: str = "resnet18"
    width: int = 8
    small_input: bool | None = None
    epochs: int = 6
    patience: int | None = None
    batch_size: int = 32
    learning_rate: float = 5e-3
    teacher_maps: int = 4000
    accelerator: str = "cpu"
    precision: str = "32-true"
    teacher: str | None = None
    teacher_arguments: Mapping[str, Any] = field(default_factory=dict)
    teacher_digest: str | None = None
    teacher_output: int = 0
    gradients_digest: str | None = None
    wavelets: tuple[str, ...] = ("db2", "db3", "db5")
    path_levels: int = 4
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    distill_maps: int = 512
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
    estimators: tuple[str, ...] = ("ridge", "emulator")
    selection_maps: int = 3000
    baselines: tuple[str, ...] = PLAIN_WAVELETS

    def __post_init__(self) -> None:
        """Check what can be checked before any map is read."""
        lists = {"more_targets", "fractions", "wavelets", "shares", "statistics", "estimators", "baselines"}
        for name in lists:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, least in (
            ("downsample", 1), ("seed", 0), ("width", 1), ("epochs", 0), ("batch_size", 1), ("teacher_maps", 8),
            ("distill_maps", 2), ("path_levels", 1), ("selection_maps", 8),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        if self.tile is not None and self.tile < 16:
            raise ValueError(f"tile is {self.tile}; tiles must have 16 pixels a side or more, or give none")
        if not self.shares or self.shares[0] != 0 or any(b <= a for a, b in zip(self.shares, self.shares[1:])):  # noqa: B905
            raise ValueError(
                f"shares are {', '.join(map(str, self.shares))}; they must begin with 0, the wavelet without the "
                "interpretation term, and increase up to 1"
            )
        if self.shares[-1] > 1 or len(self.shares) < 2:
            raise ValueError("shares must hold at least one above 0, and none above 1")
        unknown = set(self.estimators) - {"ridge", "emulator"}
        if unknown or not self.estimators:
            raise ValueError(f"estimators are {', '.join(self.estimators)}; choose from ridge, emulator")
        if not (self.wavelets and self.statistics):
            raise ValueError("a run needs a wavelet to start from and a statistic")
        if self.architecture not in ("resnet18", "resnet34"):
            raise ValueError(f"architecture is {self.architecture!r}; choose resnet18 or resnet34, or give a teacher")
        if self.teacher is None and self.epochs == 0 and self.gradients_digest is None:
            raise ValueError("without a teacher (epochs = 0) there is nothing to distil: give gradients, or epochs")

    @property
    def targets(self) -> tuple[str, ...]:
        """Parameters that the teacher learns; the one that is estimated is the first."""
        return (self.target, *(name for name in self.more_targets if name != self.target))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Job":
        """Job from what `to_dict` gave.

        Raises
        ------
        ValueError
            If it has fields that are not known.
        """
        values = {name: value for name, value in values.items() if name != "resamples"}  # of the bootstrap of before
        unknown = sorted(set(values) - {entry.name for entry in fields(cls)})
        if unknown:
            raise ValueError(f"a run has no setting {unknown[0]!r}; another version of awd-cosmo may have made it")
        return cls(**values)

    def changed(self, **values: Any) -> "Job":
        """A job with other values for some fields; those that are None stay."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


PRESETS: dict[str, Job] = {
    "quick": Job(),
    "full": Job(
        width=64, epochs=60, patience=15, batch_size=128, learning_rate=1e-3, teacher_maps=1_000_000,
        shares=tuple(i / 10 for i in range(11)), wavelets=("db2", "db3", "db4", "db5", "db6", "db8"),
        distill_maps=8192, random_starts=64, large_batch=1 << 25, selection_maps=20_000,
        statistics=tuple(
            {"levels": levels, "pixels": pixels, "bins": bins}
            for levels in (1, 2, 3, 4) for pixels, bins in (("all", 20), ("all", 40), ("peaks", 20), ("both", 20))
        ),
    ),
    "tiny": Job(
        suite="tiny", suite_cosmologies=24, suite_realisations=3, tile=None, fractions=(0.6, 0.2, 0.2), width=4,
        epochs=2, batch_size=16, wavelets=("db2", "db3"), path_levels=2, shares=(0.0, 0.5, 1.0), distill_maps=32,
        random_starts=2, small_batch=1 << 12, large_batch=1 << 15, estimators=("ridge",), selection_maps=60,
        statistics=({"levels": 2, "pixels": "all", "bins": 8}, {"levels": 1, "pixels": "all", "bins": 8}),
    ),
}  # fmt: skip
"""Sizes by name: ends within minutes on two cores; for real work; to try out."""
