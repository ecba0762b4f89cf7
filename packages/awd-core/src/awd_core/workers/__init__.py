"""Independent pieces of work, done here, in processes beside this one, or on the workers of a scheduler.

`open_workers` gives a `Workers`, which maps a function over items in order, and names the item that kills.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.workers.mapping import Lost as Lost
    from awd_core.workers.mapping import LostItemError as LostItemError
    from awd_core.workers.mapping import OnDemand as OnDemand
    from awd_core.workers.mapping import Progress as Progress
    from awd_core.workers.mapping import Serial as Serial
    from awd_core.workers.mapping import Workers as Workers
    from awd_core.workers.open import open_workers as open_workers
    from awd_core.workers.threads import available_cores as available_cores

_HOME = {
    "Lost": "mapping",
    "LostItemError": "mapping",
    "OnDemand": "mapping",
    "Progress": "mapping",
    "Serial": "mapping",
    "Workers": "mapping",
    "available_cores": "threads",
    "open_workers": "open",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
