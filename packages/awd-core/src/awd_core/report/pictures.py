"""The pictures of a report: each is drawn twice, for a page and for a telephone, and lies in figures/ as well.

Those that one would put on a slide, or in a paper, lie there as SVG and PDF too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from awd_core.plotting.export import png
from awd_core.report.page import Picture
from awd_core.run.folder import RunFolder

Draw = Callable[[bool], Figure]
"""From whether the page is narrow to a figure."""
Progress = Callable[[int, int], object]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True)
class PlannedFigure:
    """A picture that is to be drawn.

    Attributes
    ----------
    key : str
        Its place in the page, and its name in figures/.
    alt : str
        What is drawn, for who does not see it.
    draw : callable
        From whether the page is narrow to a figure.
    vector : bool
        Whether figures/ gets it as SVG and PDF too.
    """

    key: str
    alt: str
    draw: Draw
    vector: bool = False


def draw_picture(run: RunFolder, planned: PlannedFigure) -> Picture:
    """Draw a picture into a run's folder, and once more for a narrow page."""
    figure = planned.draw(False)
    drawn = run.write_figure(f"figures/{planned.key}.png", figure, dpi=140)
    for ending in ("svg", "pdf") if planned.vector else ():
        run.write_figure(f"figures/{planned.key}.{ending}", figure)
    return Picture(planned.key, planned.alt, drawn, narrow=png(planned.draw(True), dpi=130))


def draw_pictures(
    run: RunFolder, planned: Sequence[PlannedFigure], tell: Progress, *, others: int = 0
) -> dict[str, Picture]:
    """Draw pictures one after the other.

    Parameters
    ----------
    run : RunFolder
        Where figures/*.png are written.
    planned : sequence of PlannedFigure
        What to draw.
    tell : callable
        Called with (pictures done, pictures in all).
    others : int
        How many more pictures the report will have.

    Returns
    -------
    dict of str to Picture
        By their keys.
    """
    made = {}
    for one in planned:
        made[one.key] = draw_picture(run, one)
        tell(len(made), len(planned) + others)
    return made


def offset_progress(done: int, tell: Progress) -> Progress:
    """Progress of pictures that come after others.

    Examples
    --------
    >>> offset_progress(3, lambda done, total: print(done, total))(1, 4)
    4 7
    """
    return lambda more, of_more: tell(done + more, done + of_more)
