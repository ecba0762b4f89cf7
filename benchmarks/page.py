"""Pages that are part prose, part figures: a program writes between its markers, and people write around them.

A generated part lies between `<!-- begin generated: NAME -->` and `<!-- end generated: NAME -->`, each on a line of its
own. A page may have several, of several programs.
"""

from collections.abc import Mapping
from pathlib import Path

from awd_core.files import write_atomically


def replace_generated(text: str, name: str, content: str) -> str:
    r"""The text of a page with other content between the markers of a name.

    Raises
    ------
    ValueError
        If the page does not have both markers once, in this order.

    Examples
    --------
    >>> page = "Prose.\n<!-- begin generated: x -->\nold\n<!-- end generated: x -->\nMore.\n"
    >>> print(replace_generated(page, "x", "new"), end="")
    Prose.
    <!-- begin generated: x -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end generated: x -->
    More.
    """
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the page must have the lines {begin} and {end} once, in this order; add them to it")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def markers(name: str) -> tuple[str, str]:
    """The lines around a generated part."""
    return f"<!-- begin generated: {name} -->", f"<!-- end generated: {name} -->"


def update_page(path: Path, contents: Mapping[str, str]) -> None:
    """Write the generated parts of a page that is there; its prose stays.

    Parameters
    ----------
    path : Path
        The page, which holds the markers.
    contents : mapping of str to str
        Markdown, by the name of the part.

    Raises
    ------
    FileNotFoundError
        If there is no such page.
    ValueError
        If it lacks markers; nothing is written.
    """
    text = path.read_text(encoding="utf-8")
    for name, content in contents.items():
        try:
            text = replace_generated(text, name, content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    write_atomically(path, text.encode())


def markdown_table(headings: list[str], rows: list[list[str]], words: int = 1) -> str:
    """A table in Markdown: so many columns of words first, to the left, then figures, to the right."""
    rule = ["---" if number < words else "--:" for number in range(len(headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))
