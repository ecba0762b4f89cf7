"""What is simulated: the settings of a movie, and presets of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from awd_cme.movies.movie import DEFAULT_CHANNELS
from awd_cme.simulate.camera import Camera
from awd_cme.simulate.pits import Law
from awd_core.checks import real_number

CHANNELS = DEFAULT_CHANNELS


@dataclass(frozen=True)
class Settings:
    """What is simulated.

    Parameters
    ----------
    size : tuple of int
        Rows and columns of a frame.
    frames : int
        Number of frames of a cell.
    pits : float
        Expected number of births during the movie of a cell, before those that would be on top of another are left out.
    cells : int
        How many cells a data set has.
    snr, partner_snr : float
        Signal-to-noise ratio of clathrin and auxilin, as defined in `awd_cme.simulate.simulation`.
    seconds_per_frame, micrometres_per_pixel : float
        Frame interval and size of a pixel.
    sigma : float
        Standard deviation of the spots in pixels.
    background : tuple of float
        Photoelectrons of the background in each channel.
    unevenness : float
        Largest relative deviation of the background from its mean.
    bleaching : float
        Share of spots and background that is lost from the first to the last frame.
    drift : float
        Pixels that the stage drifts from the first to the last frame.
    wander : float
        Standard deviation of a pit's random walk after a second, along each axis, in pixels.
    crossings : float
        Share of pits that cross another.
    spacing : float
        Pixels to the next living pit below which none is born.
    success_share : float
        Share of successful pits among those that are born.
    camera : Camera
        Offset, gain and noise, of both channels.
    law : Law
        How much auxilin a pit's history calls for.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    size: tuple[int, int]
    frames: int
    pits: float
    cells: int
    snr: float
    partner_snr: float
    seconds_per_frame: float = 1.0
    micrometres_per_pixel: float = 0.108
    sigma: float = 1.4
    background: tuple[float, float] = (80.0, 60.0)
    unevenness: float = 0.3
    bleaching: float = 0.1
    drift: float = 1.5
    wander: float = 0.06
    crossings: float = 0.03
    spacing: float = 5.0
    success_share: float = 0.65
    camera: Camera = field(default_factory=Camera)
    law: Law = field(default_factory=Law)

    def __post_init__(self) -> None:
        for name in ("frames", "cells", "snr", "partner_snr", "seconds_per_frame", "micrometres_per_pixel", "sigma"):
            real_number(name, getattr(self, name), above=0)
        for name in ("unevenness", "bleaching", "crossings", "success_share"):
            real_number(name, getattr(self, name), "a share", least=0, below=1)
        for name in ("pits", "drift", "wander", "spacing"):
            real_number(name, getattr(self, name), least=0)
        if len(self.size) != 2 or min(self.size) < 16:
            raise ValueError(f"size is {self.size}; give rows and columns, 16 or more each")
        if len(self.background) != len(CHANNELS) or min(self.background) < 0:
            raise ValueError(f"background is {self.background}; give photoelectrons of {' and '.join(CHANNELS)}")


PRESETS: Mapping[str, Settings] = {
    "quick": Settings(size=(128, 128), frames=200, pits=240, cells=6, snr=8.0, partner_snr=8.0),
    "realistic": Settings(size=(512, 512), frames=300, pits=3600, cells=4, snr=5.0, partner_snr=5.0, bleaching=0.2),
}
"""`quick`: small cells with enough tracks to learn from. `realistic`: what a microscope gives."""


def settings_for(preset: str | Settings, **changes: Any) -> Settings:
    """Settings by the name of a preset, with some of them changed.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    known = [field.name for field in fields(Settings)]
    if unknown := [name for name in changes if name not in known]:
        raise TypeError(f"there is no setting {unknown[0]!r}; there are {', '.join(known)}")
    if isinstance(preset, Settings):
        return replace(preset, **changes)
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}; choose {' or '.join(PRESETS)}, or give Settings")
    return replace(PRESETS[preset], **changes)
