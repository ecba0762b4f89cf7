"""What all figures share: colours, panels and their labels, and the way into a file.

Nothing here knows what is drawn, and nothing uses pyplot.
"""

from typing import TYPE_CHECKING

from awd_core.lazy import lazy_names

if TYPE_CHECKING:
    from awd_core.plotting.export import save_figure as save_figure
    from awd_core.plotting.layout import NARROW as NARROW
    from awd_core.plotting.layout import label as label
    from awd_core.plotting.layout import panels as panels
    from awd_core.plotting.palette import BEFORE as BEFORE
    from awd_core.plotting.palette import DARK as DARK
    from awd_core.plotting.palette import FAINT as FAINT
    from awd_core.plotting.palette import GREEN as GREEN
    from awd_core.plotting.palette import HIGH as HIGH
    from awd_core.plotting.palette import LOW as LOW
    from awd_core.plotting.palette import ORANGE as ORANGE
    from awd_core.plotting.palette import PURPLE as PURPLE
    from awd_core.plotting.palette import SKY as SKY
    from awd_core.plotting.palette import style_of as style_of

_HOME = {
    "BEFORE": "palette",
    "DARK": "palette",
    "FAINT": "palette",
    "GREEN": "palette",
    "HIGH": "palette",
    "LOW": "palette",
    "NARROW": "layout",
    "ORANGE": "palette",
    "PURPLE": "palette",
    "SKY": "palette",
    "label": "layout",
    "panels": "layout",
    "save_figure": "export",
    "style_of": "palette",
}

__all__ = sorted(_HOME)
__getattr__, __dir__ = lazy_names(__name__, _HOME)
