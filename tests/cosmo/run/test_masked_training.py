"""Behind a mask a model says of the same maps what it says without one, within its error bars."""

import numpy as np

from awd_cosmo.inference.estimators import CountRidge
from awd_cosmo.run.features import learnt, measured
from awd_cosmo.statistics.counts import PeakCounts
from awd_cosmo.statistics.shifted_lognormal import ShiftedLognormal

COSMOLOGIES, REALISATIONS, SIDE = 40, 4, 48


def simulated(seed):
    """Noisy lognormal maps whose amplitude goes with Ω_m, and Ω_m and the number of the cosmology of each."""
    rng = np.random.default_rng(seed)
    omega = np.linspace(0.15, 0.45, COSMOLOGIES).repeat(REALISATIONS)
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)) + 0.05
    gauss = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((len(omega), SIDE, SIDE))) / f, s=(SIDE, SIDE))
    kappa = 0.1 * omega[:, None, None] * np.expm1(0.5 * gauss / gauss.std())
    noisy = kappa + rng.normal(0, 0.002, kappa.shape)
    return noisy.astype(np.float32), omega, np.arange(COSMOLOGIES).repeat(REALISATIONS)


def survey_mask(seed):
    """A border and holes: a quarter of the sky."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE, SIDE))
    mask = (y > 2) & (x > 2)
    while mask.mean() > 0.75:
        cy, cx = rng.uniform(0, SIDE, 2)
        mask &= (y - cy) ** 2 + (x - cx) ** 2 > 5
    return mask


def answers(statistic, maps, omega, ids):
    """Estimates and error bars for the maps of every fifth cosmology, which are not trained on."""
    test, validation = ids % 5 == 2, ids % 5 == 4
    train = ~(test | validation)
    x = measured(learnt(statistic, maps[train]), maps)
    few = isinstance(statistic, ShiftedLognormal)
    ridge = CountRidge(transform="none" if few else "sqrt", degree=2 if few else 1)
    ridge.fit(x[train], omega[train], cosmology=ids[train])
    ridge.calibrate(x[validation], omega[validation])
    return ridge.predict(x[test], return_std=True)


def test_a_model_behind_a_mask_says_the_same():
    maps, omega, ids = simulated(0)
    masked = np.where(survey_mask(1), maps, np.float32(np.nan))
    for make in (lambda: ShiftedLognormal("haar", 3), lambda: PeakCounts("raw", range="normal", bins=10, per="pixel")):
        whole, bar = answers(make(), maps, omega, ids)
        found, wider = answers(make(), masked, omega, ids)
        apart = (found - whole) / bar
        assert abs(apart.mean()) < 0.5  # other seeds: 0.07 to 0.33
        assert np.median(np.abs(apart)) < 1  # 0.3 to 0.6, since a quarter of the sky is gone
        assert np.sqrt(np.mean((found - omega[ids % 5 == 2]) ** 2)) < 2 * wider.mean()
