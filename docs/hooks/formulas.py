r"""Formulas as MathML, made when the site is built: browsers draw them without scripts, fonts or a network.

A formula is written `$…$` or, on lines of its own, `$$…$$`, in TeX.
"""

import html
import re
from typing import Any

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(text: str, **_: Any) -> str:
    """Put MathML in the place of TeX."""

    def formula(found: re.Match[str]) -> str:
        displayed = found[2] == "["
        tex = html.unescape(found[3]).strip()
        drawn = convert(tex, display="block" if displayed else "inline")
        return f'<div class="formula">{drawn}</div>' if displayed else drawn

    return _FORMULA.sub(formula, text)
