"""What networks are shown of maps: redshift bins as channels, gaps filled, and the mask as channels if asked for."""

import numpy as np

from awd_core.run import SettingError
from awd_core.typing import Rows
from awd_cosmo.maps.bins import as_channels
from awd_cosmo.maps.map_set import MapSet
from awd_cosmo.maps.sources import Maps
from awd_cosmo.run.job import Job


def network_input(maps: Maps, fill: float, unit: float | None) -> Maps:
    """Maps (k, ny, nx), or (k, bins, ny, nx), as channels that networks take, NaN being filled.

    With a unit as many channels follow that say which pixels were observed: the unit where they were, and 0.
    """
    maps = as_channels(maps)
    seen = np.isfinite(maps)
    filled = np.where(seen, maps, np.float32(fill))
    if unit is None:
        return filled
    return np.concatenate([filled, np.where(seen, np.float32(unit), np.float32(0))], axis=1)


def mask_unit(job: Job, maps: MapSet, train: Rows, masked: bool) -> float | None:
    """What the mask's channel holds: the deviation of some training maps, for networks scale all channels alike."""
    if not job.mask_channel:
        return None
    if not masked:
        raise SettingError(
            "{mask_channel} is given, but every pixel was observed: leave it out, or give a mask of the training maps "
            "(--training-mask, training_mask=)"
        )
    return float(np.nanstd(maps.read(train[:64]), dtype=np.float64))
