from .camera import Camera as Camera
from .render import RenderedMovie as RenderedMovie
from .render import render_tracks as render_tracks
from .simulation import SimulatedMovie as SimulatedMovie
from .simulation import read_truth as read_truth
from .simulation import simulate_dataset as simulate_dataset
from .simulation import simulate_movie as simulate_movie
