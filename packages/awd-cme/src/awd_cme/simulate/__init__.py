"""Simulated two-channel movies of pits with known truth.

The life of a pit, the cell that it lives in, the light that reaches the camera, and the camera.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_cme.simulate.camera import Camera as Camera
    from awd_cme.simulate.render import RenderedMovie as RenderedMovie
    from awd_cme.simulate.render import render_tracks as render_tracks
    from awd_cme.simulate.simulation import SimulatedMovie as SimulatedMovie
    from awd_cme.simulate.simulation import read_truth as read_truth
    from awd_cme.simulate.simulation import simulate_dataset as simulate_dataset
    from awd_cme.simulate.simulation import simulate_movie as simulate_movie

_HOME = {
    "Camera": "camera",
    "RenderedMovie": "render",
    "SimulatedMovie": "simulation",
    "read_truth": "simulation",
    "render_tracks": "render",
    "simulate_dataset": "simulation",
    "simulate_movie": "simulation",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
