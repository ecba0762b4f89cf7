"""The colours of all figures: Okabe and Ito's, which every kind of colour vision tells apart.

Marks, dashes and hatches say the same once more, for print without colours. Maps are drawn in `cividis`, `magma` and,
about zero, `PuOr`, whose lightness alone is enough to read them.

Source: M. Okabe, K. Ito, Color Universal Design, 2008, https://jfly.uni-koeln.de/color/.
"""

from typing import NamedTuple

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY, DARK, FAINT = "#9A9A9A", "#333333", "#E4E4E4"

LOW, HIGH, BEFORE = BLUE, VERMILION, GREY
"""Low-pass or small, high-pass or distilled, and what was there before. Blue is darker than vermilion."""


class Style(NamedTuple):
    """How a kind of method is drawn: its name in a legend, its colour and its marker."""

    name: str
    colour: str
    marker: str


KINDS = {
    "awd": Style("AWD", VERMILION, "D"),
    "ablation": Style("AWD, variants", ORANGE, "d"),
    "wavelet": Style("other wavelets", PURPLE, "o"),
    "classical": Style("classical statistics", GREEN, "s"),
    "series": Style("raw series", GREEN, "s"),
    "network": Style("networks", BLUE, "^"),
    "trivial": Style("no input", DARK, "X"),
}
"""The kinds of method that reports compare."""


def style_of(kind: str) -> Style:
    """How a kind of method is drawn; kinds that are not known are grey.

    Examples
    --------
    >>> style_of("awd").marker, style_of("new").name
    ('D', 'new')
    """
    return KINDS.get(kind) or Style(kind, GREY, "v")
