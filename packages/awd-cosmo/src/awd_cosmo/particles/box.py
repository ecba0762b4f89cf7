"""Matter as particles in a periodic box, moved by the gravity of a mesh.

Particles start on a grid, displaced by second-order Lagrangian perturbation theory from a Gaussian field with the
linear spectrum. The Fourier transform of their density on the mesh gives the force. Steps are those of FastPM (Feng et
al. 2016, MNRAS 463, 2273): kick, drift, kick, linear in the scale factor, with factors that make linear growth exact
however long a step is. With p = a³ E dx/da, G = a³ E D' and ∇·F = −(3/2) Ω_m δ,

    drift  Δx = p (D(a₁) − D(a₀)) / (aᵣ³ E(aᵣ) D'(aᵣ)),      kick  Δp = F (G(a₁) − G(a₀)) / (aᵣ² E(aᵣ) G'(aᵣ)),

where aᵣ is when p or F is known. Lengths are in cells of the mesh. One thread does all in one order, so that the same
seed gives the same particles to the bit on one machine.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import fft
from scipy.interpolate import CubicSpline

from awd_core.checks import real_number, whole_number
from awd_core.typing import Array
from awd_cosmo.particles.mesh import Floats, force, wavenumbers, wrapped

MOST_CELLS = 1280
"""Along a side: more could not be numbered by 31 bits."""


@dataclass(frozen=True)
class ParticleModel:
    """How matter is simulated.

    Parameters
    ----------
    box : float
        Side of the periodic box in comoving Mpc. A field that is wider than it, far away, sees its sides twice.
    particles : int
        Particles along a side.
    mesh : int
        Cells along a side of the mesh that forces come from.
    steps : int
        From the start to the nearest lens plane, equal in the scale factor.
    start : float
        Scale factor up to which perturbation theory displaces the particles.
    maps_per_box : int
        Realisations that look at one box, each at other places from other sides.

    Raises
    ------
    ValueError
        Numbers that no simulation has, or a mesh that is coarser than the particles or more than four times as fine.

    Examples
    --------
    >>> ParticleModel(box=100.0, particles=64, mesh=128).cell
    0.78125
    """

    box: float = 200.0
    particles: int = 128
    mesh: int = 256
    steps: int = 30
    start: float = 0.1
    maps_per_box: int = 8

    def __post_init__(self) -> None:
        real_number("box", self.box, "a length in Mpc", least=10, most=5000)
        whole_number("particles", self.particles, 8)
        whole_number("mesh", self.mesh, 8)
        whole_number("steps", self.steps, 2)
        real_number("start", self.start, "a scale factor", least=0.01, most=0.2)
        whole_number("maps_per_box", self.maps_per_box)
        if not self.particles <= self.mesh <= min(4 * self.particles, MOST_CELLS):
            raise ValueError(
                f"mesh is {self.mesh} with {self.particles} particles along a side; give as many cells as particles or "
                f"more, up to four times as many, and {MOST_CELLS} at most"
            )

    @property
    def cell(self) -> float:
        """Side of a cell in Mpc."""
        return self.box / self.mesh


class Growth:
    """Expansion and growth of a background, and the factors of FastPM's steps.

    Parameters
    ----------
    cosmology : pyccl.Cosmology
        Of which h_over_h0, growth_factor and Omega_m are asked.
    """

    def __init__(self, cosmology: Any) -> None:
        a = np.linspace(0.005, 1.0, 800)
        first, expansion = cosmology.growth_factor(a), cosmology.h_over_h0(a)
        matter = cosmology["Omega_m"] / (a**3 * expansion**2)
        self.expansion = CubicSpline(a, expansion)
        self.first = CubicSpline(a, first)
        self.second = CubicSpline(a, 3 / 7 * first**2 * matter ** (-1 / 143))  # Bouchet et al. 1995, A&A 296, 575
        self.momentum = CubicSpline(a, a**3 * expansion * self.first(a, 1))

    def drift(self, start: float, end: float, known: float) -> np.float32:
        """What a momentum is multiplied with."""
        rise = self.first(end) - self.first(start)
        return np.float32(rise / (known**3 * self.expansion(known) * self.first(known, 1)))

    def kick(self, start: float, end: float, known: float) -> np.float32:
        """What a force is multiplied with."""
        rise = self.momentum(end) - self.momentum(start)
        return np.float32(rise / (known**2 * self.expansion(known) * self.momentum(known, 1)))


def simulate_particles(
    cosmology: Any,
    linear: Callable[[Array], Array],
    model: ParticleModel,
    scale_factors: Sequence[float],
    rng: np.random.Generator,
) -> Iterator[Floats]:
    """Positions of the particles at each of some scale factors.

    Parameters
    ----------
    cosmology : pyccl.Cosmology
        Its background.
    linear : callable
        Linear power today in Mpc³ at wavenumbers in 1/Mpc, such that the growth factor takes it to any other time.
    model : ParticleModel
        The box.
    scale_factors : sequence of float
        When; they rise, from the start on.
    rng : numpy.random.Generator
        The initial noise comes from it.

    Yields
    ------
    ndarray of float32, shape (3, particles³)
        In cells, from 0 to `mesh`.
    """
    growth, strength = Growth(cosmology), 1.5 * cosmology["Omega_m"]
    place, momentum = _displaced(linear, model, growth, rng)
    pull = force(place, model.mesh, strength)
    times = np.linspace(model.start, scale_factors[-1], model.steps + 1).tolist()
    wanted = list(scale_factors)
    for a, b in pairwise(times):
        middle = 0.5 * (a + b)
        momentum += growth.kick(a, middle, a) * pull
        while wanted and (wanted[0] <= b or b == times[-1]):
            yield wrapped(place + growth.drift(a, wanted.pop(0), middle) * momentum, model.mesh)
        if not wanted:
            return
        place = wrapped(place + growth.drift(a, b, middle) * momentum, model.mesh)
        pull = force(place, model.mesh, strength)
        momentum += growth.kick(middle, b, b) * pull


def _displaced(
    linear: Callable[[Array], Array], model: ParticleModel, growth: Growth, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Positions and momenta at the start, by second-order perturbation theory."""
    n, step, a = model.particles, model.mesh / model.particles, model.start
    k = wavenumbers(n)
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    square[0, 0, 0] = 1.0
    per_mpc = n / model.box
    modes = fft.rfftn(rng.standard_normal((n, n, n), dtype=np.float32))
    modes *= np.sqrt(linear(np.sqrt(square, dtype=np.float64) * per_mpc) * per_mpc**3).astype(np.float32)
    modes[0, 0, 0] = 0.0
    first = modes / square

    def back(modes: Any) -> Floats:
        result: Floats = fft.irfftn(modes, s=(n, n, n))
        return result

    # The second order's source is Σ over pairs of axes of φ,ii φ,jj − φ,ij².
    tidal = [back(k[i] * k[i] * first) for i in range(3)]
    source = tidal[0] * tidal[1] + tidal[0] * tidal[2] + tidal[1] * tidal[2]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        source -= back(k[i] * k[j] * first) ** 2
    second = fft.rfftn(source) / square
    second[0, 0, 0] = 0.0
    rate = a**3 * growth.expansion(a)
    points = np.meshgrid(*3 * [np.arange(n, dtype=np.float32) * np.float32(step)], indexing="ij", sparse=True)
    place, momentum = np.empty((2, 3, n, n, n), dtype=np.float32)
    for axis, at in enumerate(points):
        one, two = (back(1j * k[axis] * field) * np.float32(step) for field in (first, second))
        place[axis] = at + growth.first(a) * one + growth.second(a) * two
        momentum[axis] = rate * (growth.first(a, 1) * one + growth.second(a, 1) * two)
    return wrapped(place.reshape(3, -1), model.mesh), momentum.reshape(3, -1)
