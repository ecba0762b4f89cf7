"""How convergence maps are simulated, whatever the cosmology."""

from dataclasses import dataclass

from awd_core.checks import check_choice, check_kind, real_number
from awd_cosmo.particles import ParticleModel
from awd_cosmo.simulate.halos import HaloModel
from awd_cosmo.simulate.lensing import NONLINEAR, TRANSFERS, LensingTheory
from awd_cosmo.simulate.lognormal import Grid
from awd_cosmo.simulate.nuisances import Nuisances
from awd_cosmo.simulate.shift import checked_shift, hilbert_shift
from awd_cosmo.simulate.sources import FARTHEST, Smail, Sources


@dataclass(frozen=True)
class Setup:
    """How maps are simulated, whatever the cosmology.

    Parameters
    ----------
    pixels : int
        Pixels along the side of a map.
    side_degrees : float
        Side of a map.
    padding : float
        The maps are cut from a periodic grid that is so many times longer; 1 gives periodic maps.
    source_redshift : float
        Redshift of the source plane, or with `smail` the mean of the distribution.
    halos : HaloModel, optional
        Halos on top of a lognormal field that carries the rest; None: the lognormal field alone.
    shared_phases : bool
        Whether realisation n of every cosmology grows from the same white noise, as in MassiveNuS. Halos never do.
    transfer, nonlinear : str
        As in `awd_cosmo.simulate.lensing_theory`.
    particles : ParticleModel, optional
        Lens planes of simulated particles in place of the lognormal field, which then only foretells the power.
    smail : Smail, optional
        Shape of the distribution of the sources' redshifts; None: one plane.
    nuisances : Nuisances, optional
        What is drawn for each map anew, and told in its header; None: nothing.
    shift : {"empty-beam", "hilbert"} or float
        The largest drop of the convergence below its mean: that of an empty beam, which depends on the cosmology; the
        published fit of `awd_cosmo.simulate.hilbert_shift`, which is nearer to ray-traced maps and does not; or a
        number. Lognormal maps have one, and particles none.

    Raises
    ------
    ValueError
        As `Grid`; an unknown transfer function, nonlinear model or shift; particles with halos or with a shift;
        halos with nuisances that change them, or a shift of redshifts that reaches beyond 0 or 3.5.

    Examples
    --------
    >>> Setup(pixels=64, side_degrees=3.5).arcmin_per_pixel
    3.28125
    """

    pixels: int = 128
    side_degrees: float = 3.5
    padding: float = 2.0
    source_redshift: float = 1.0
    halos: HaloModel | None = None
    shared_phases: bool = False
    transfer: str = "eisenstein_hu"
    nonlinear: str = "halofit"
    shift: str | float = "empty-beam"
    particles: ParticleModel | None = None
    smail: Smail | None = None
    nuisances: Nuisances | None = None

    def __post_init__(self) -> None:
        Grid(self.pixels, self.side_degrees, self.padding)
        if self.halos is not None:
            check_kind("halos", self.halos, HaloModel)
        real_number("source_redshift", self.source_redshift, above=0, most=FARTHEST)
        check_choice("transfer", self.transfer, TRANSFERS, required=True)
        check_choice("nonlinear", self.nonlinear, NONLINEAR, required=True)
        object.__setattr__(self, "shift", checked_shift(self.shift))
        if self.particles is not None:
            check_kind("particles", self.particles, ParticleModel)
            if self.halos is not None or self.shift != "empty-beam":
                other = "halos" if self.halos is not None else f"a shift of {self.shift!r}"
                raise ValueError(
                    f"particles come with {other}, which belongs to a lognormal field; leave one of the two out"
                )

        if self.smail is not None:
            check_kind("smail", self.smail, Smail)
        if self.nuisances is not None:
            self._check_nuisances(check_kind("nuisances", self.nuisances, Nuisances))

    def _check_nuisances(self, nuisances: Nuisances) -> None:
        if self.halos is not None and (nuisances.redshift_shift or nuisances.gas_mass):
            raise ValueError(
                "halos come with nuisances that would change each of them; keep shear_bias alone, or no halos"
            )
        low, high = nuisances.redshift_shift or (0.0, 0.0)
        if self.source_redshift + low <= 0 or self.source_redshift + high > FARTHEST:
            raise ValueError(
                f"redshift_shift of {low:g} to {high:g} moves sources at {self.source_redshift:g} beyond 0 to "
                f"{FARTHEST:g}; give a smaller range"
            )

    def sources(self, shift: float = 0.0) -> float | Sources:
        """Where the sources are, moved by a shift."""
        if self.smail is None:
            return self.source_redshift + shift
        return self.smail.sources(self.source_redshift, shift)

    def shift_of(self, theory: LensingTheory) -> float:
        """The shift in a cosmology."""
        if isinstance(self.shift, float):
            return self.shift
        return theory.shift if self.shift == "empty-beam" else hilbert_shift(theory.source_redshift)

    @property
    def grid(self) -> Grid:
        """The grid that maps are cut from."""
        return Grid(self.pixels, self.side_degrees, self.padding)

    @property
    def arcmin_per_pixel(self) -> float:
        """Side of a pixel."""
        return 60.0 * self.side_degrees / self.pixels

    @property
    def together(self) -> int:
        """Realisations of a cosmology that are best made one after another in one process."""
        return 64 if self.particles is None else self.particles.maps_per_box
