"""Convergence maps with known parameters: lognormal fields and halos, for any cosmology.

One stack in memory, or a suite on disk over a design of cosmologies, written by as many workers as there are.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cosmo.simulate.design import MASSIVENUS_RANGES as MASSIVENUS_RANGES
    from awd_cosmo.simulate.design import latin_hypercube as latin_hypercube
    from awd_cosmo.simulate.design import sobol as sobol
    from awd_cosmo.simulate.halos import HaloModel as HaloModel
    from awd_cosmo.simulate.lensing import empty_beam as empty_beam
    from awd_cosmo.simulate.lensing import lensing_theory as lensing_theory
    from awd_cosmo.simulate.map_model import Setup as Setup
    from awd_cosmo.simulate.simulation import simulate_maps as simulate_maps
    from awd_cosmo.simulate.simulation import simulate_suite as simulate_suite
    from awd_cosmo.simulate.simulation import theory_table as theory_table

_HOME = {
    "HaloModel": "halos",
    "MASSIVENUS_RANGES": "design",
    "Setup": "map_model",
    "empty_beam": "lensing",
    "latin_hypercube": "design",
    "lensing_theory": "lensing",
    "simulate_maps": "simulation",
    "simulate_suite": "simulation",
    "sobol": "design",
    "theory_table": "simulation",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
