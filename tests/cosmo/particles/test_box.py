"""Particles against linear growth, Poisson's equation and the conservation of mass; planes against what they hold."""

from dataclasses import replace

import numpy as np
import pytest

from awd_cosmo.particles.box import Growth, ParticleModel, simulate_particles
from awd_cosmo.particles.light_cone import LightCone, light_cone
from awd_cosmo.particles.mesh import force, projected
from awd_cosmo.simulate.lensing import matter_cosmology

COSMOLOGY = {"Omega_m": 0.3, "A_s": 2.1}
TINY = ParticleModel(box=100.0, particles=16, mesh=32, steps=6, maps_per_box=2)


@pytest.fixture(scope="module")
def cosmology():
    return matter_cosmology(COSMOLOGY)


def grid(model):
    points = np.arange(model.particles, dtype=np.float32) * np.float32(model.mesh / model.particles)
    return np.stack(np.meshgrid(points, points, points, indexing="ij")).reshape(3, -1)


def moved(place, model):
    """From the grid, the shorter way round the box."""
    half = model.mesh / 2
    return np.mod(place - grid(model) + half, model.mesh) - half


LINEAR = ParticleModel(box=100.0, particles=32, mesh=32, steps=6)
"""As many cells as particles: where cells are smaller, particles that have not moved by one yet feel their grid."""


def long_waves(k):
    """Only the longest waves of the box, so high that particles move by a cell, and so long that they stay linear."""
    return np.where(k < 1.1 * 2 * np.pi / LINEAR.box, 1e4, 0.0)


def test_long_waves_grow_as_linear_theory_says(cosmology):
    growth = Growth(cosmology)
    times = [0.12, 0.5, 0.77, 1.0]
    for model in (LINEAR, replace(LINEAR, steps=2)):  # however few the steps are
        early, *later = simulate_particles(cosmology, long_waves, model, times, np.random.default_rng(0))
        first = moved(early, model)
        for a, place in zip(times[1:], later, strict=True):
            then = moved(place, model)
            ratio = float((then * first).sum() / (first**2).sum())
            # Clouds in cells soften the force on these waves by half a per cent.
            assert ratio == pytest.approx(float(growth.first(a) / growth.first(0.12)), rel=0.015)
            assert np.corrcoef(then.ravel(), first.ravel())[0, 1] > 0.99


def test_the_force_of_a_wave_is_that_of_poissons_equation():
    mesh = 16
    # Particles in the middle of cells, so that weights are linear in the shift.
    q = np.stack(np.meshgrid(*3 * [np.arange(mesh, dtype=np.float32) + 0.5], indexing="ij")).reshape(3, -1)
    wave = 2 * np.pi / mesh
    shift = np.zeros_like(q)
    shift[1] = 0.002 * np.sin(wave * q[1])
    found = force(q + shift, mesh, 1.5)
    # δ = −∇·ψ, hence F = strength · ψ; clouds make of the gradient a difference, and of the force a mean of two cells.
    np.testing.assert_allclose(found[1], 1.5 * np.sin(wave) / wave * shift[1], atol=1e-5)
    assert np.abs(found[[0, 2]]).max() < 1e-4
    # Nothing pulls itself.
    crowd = (np.random.default_rng(1).random((3, 500)) * mesh).astype(np.float32)
    pull = force(crowd, mesh, 1.5)
    assert np.abs(pull.sum(axis=1)).max() < 1e-4 * np.abs(pull).sum()


def test_slabs_hold_the_particles_that_lie_in_them():
    rng = np.random.default_rng(2)
    place = (rng.random((3, 4096)) * 32).astype(np.float32)
    whole = projected(place, 32, 0, (5.0, 32.0), 16)
    assert whole.mean(dtype=float) == pytest.approx(0.0, abs=1e-6)
    near, far = (projected(place, 32, 0, slab, 16) for slab in ((27.0, 16.0), (11.0, 16.0)))  # one through the side
    np.testing.assert_allclose((near + far) / 2, whole, atol=1e-5)
    inside = np.mod(place[0] - 27, 32) < 16
    assert near.mean(dtype=float) == pytest.approx(inside.mean() * 2 - 1, abs=1e-6)
    one = np.array([[3.0], [4.0], [31.0]], dtype=np.float32)
    seen = projected(one, 32, 0, (0.0, 32.0), 32)
    assert np.unravel_index(seen.argmax(), seen.shape) == (4, 31)
    assert seen.max() == pytest.approx(32**2 - 1)
    # At the far side itself, where float32 may put what is just below 0.
    edge = np.full((3, 1), 32.0, dtype=np.float32)
    assert projected(edge, 32, 1, (0.0, 33.0), 32)[0, 0] > 900


def test_the_same_seed_gives_the_same_particles(cosmology):
    def power(k):
        return cosmology.linear_matter_power(k.ravel(), 1.0).reshape(k.shape)

    one, two, other = (
        next(iter(simulate_particles(cosmology, power, TINY, [0.9], np.random.default_rng(seed)))) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    # Matter has clumped: its counts in cells are far from those of particles that were thrown at random.
    assert projected(one, 32, 0, (0.0, 32.0), 16).std() > 1.5 * np.sqrt(16**2 / 16**3)


def test_a_map_of_flat_planes_is_the_sum_of_their_weights():
    planes = np.full((2, 3, 8, 8), 0.5, dtype=np.float32)
    planes[1] = -0.25
    cone = LightCone(planes, np.array([0.0, 200.0, 400.0]), 50.0)
    kappa = cone.look(6, 0.01, np.array([0.01, 0.02]), np.random.default_rng(0))
    np.testing.assert_allclose(kappa, 0.01 * 0.5 - 0.02 * 0.25, rtol=1e-6)


def test_a_map_keeps_the_sum_of_a_plane_that_it_covers():
    plane = np.random.default_rng(3).random((1, 1, 8, 8)).astype(np.float32)
    cone = LightCone(np.repeat(plane, 3, axis=1), np.array([0.0, 200.0]), 50.0)
    # 0.5 rad at 100 Mpc are the 50 Mpc of the plane: four pixels, each as wide as two points of it.
    kappa = cone.look(4, 0.125, np.array([2.0]), np.random.default_rng(0))
    assert kappa.mean() == pytest.approx(2 * plane.mean(dtype=float), rel=1e-5)
    # A transfer function that takes all but the mean.
    flat = cone.look(4, 0.125, np.array([2.0]), np.random.default_rng(0), lambda plane, wave: wave == 0)
    np.testing.assert_allclose(flat, 2 * plane.mean(dtype=float), rtol=1e-5)


def test_weights_of_planes_are_the_integral_of_the_kernel(cosmology):
    cone = light_cone(cosmology, long_waves, TINY, 730.0, np.random.default_rng(0))
    assert cone.contrast.shape == (8, 3, 64, 64)
    np.testing.assert_allclose(cone.distance, (np.arange(8) + 0.5) * 730 / 8)
    weights = cone.weights(lambda distance: 1e-6 * distance * (1 - distance / 730.0))
    assert weights.sum() == pytest.approx(1e-6 * 730**2 / 6, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": 5.0}, "box is 5.*a length in Mpc"),
        ({"box": "200"}, "box is '200'.*a length in Mpc"),
        ({"particles": 12.5}, "particles is 12.5; give a whole number, 8 or more"),
        ({"mesh": 64}, "mesh is 64 with 128 particles along a side; give as many cells as particles or more"),
        ({"mesh": 1024}, "up to four times as many, and 1280 at most"),
        ({"particles": 1024, "mesh": 2048}, "1280 at most"),
        ({"steps": 1}, "steps is 1; give a whole number, 2 or more"),
        ({"start": 0.5}, "start is 0.5.*a scale factor"),
        ({"maps_per_box": 0}, "maps_per_box is 0; give a positive whole number"),
    ],
)
def test_models_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ParticleModel(**change)
