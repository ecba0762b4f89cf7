"""Panels of figures: how wide a page is, how panels lie on it, and how each is labelled.

Figures are made without pyplot, so that nothing needs a display and nothing is left behind in a global list.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

NARROW = 4.2
"""Width of a narrow figure, inches."""


def panels(
    count: int, narrow: bool, *, height: float, width: float = 3.2, shared: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels beside each other, or below each other on a narrow page.

    Parameters
    ----------
    count : int
        How many.
    narrow : bool
        Whether the page is narrow.
    height, width : float
        Of one panel, inches; on a narrow page the width is `NARROW`.
    shared : bool
        Whether all have the same axes.

    Examples
    --------
    >>> figure, (left, right) = panels(2, False, height=3.0)
    >>> figure.get_size_inches().tolist()
    [6.4, 3.0]
    """
    size = (NARROW, height * count) if narrow else (width * count, height)
    figure = Figure(figsize=size, layout="constrained")
    rows, columns = (count, 1) if narrow else (1, count)
    return figure, list(figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).flat)


def label(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Name a panel and its axes, as all figures of the reports do."""
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
