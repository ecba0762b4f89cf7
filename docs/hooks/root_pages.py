"""Pages, and parts of pages, that stand in files at the root of the repository: written once, shown in both places.

`changelog.md`, `contributing.md` and their like are the files of these names. In any page, the line

    <!-- from README.md: Two lines -->

is replaced by that section of the file, without its heading, and `<!-- from README.md: introduction -->` by what stands
between its title and its first section. Links are made to fit.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "code_of_conduct.md": "CODE_OF_CONDUCT.md",
}
PACKAGES = {f"packages/awd-{name}": f"api/awd_{name}.md" for name in ("core", "cosmo", "cme")}
_DIRECTIVE = re.compile(r"^<!-- from (\S+): (.+) -->$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are whole files."""
    for page, name in PAGES.items():
        files.append(File.generated(config, page, content=_relinked((ROOT / name).read_text(encoding="utf-8"))))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put sections in the place of their directives."""

    def section(found: re.Match[str]) -> str:
        text = (ROOT / found[1]).read_text(encoding="utf-8")
        parts = re.split(r"^##? (.+)$\n", text, flags=re.MULTILINE)
        sections = dict(zip(["", "introduction", *parts[3::2]], [parts[0], *parts[2::2]], strict=True))
        if found[2] not in sections:
            raise PluginError(f"{page.file.src_uri}: {found[1]} has no section {found[2]!r}; it has {list(sections)}")
        return _relinked(sections[found[2]].strip())

    return _DIRECTIVE.sub(section, markdown)


def _relinked(markdown: str) -> str:
    """Links as they have to be in a page at the top of the documentation."""

    def link(found: re.Match[str]) -> str:
        target = found[1]
        known = {name: page for page, name in PAGES.items()} | PACKAGES
        return f"]({known.get(target, target.removeprefix('docs/'))}{found[2] or ''})"

    return _LINK.sub(link, markdown)
