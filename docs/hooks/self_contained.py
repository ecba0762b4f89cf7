"""Refuse a site that would ask the network for anything when it is looked at."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

_ASKS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data)=["']?(?:https?:)?//[^"'>\s]+"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|alternate))[^>]*?\bhref=["']?(?:https?:)?//[^"'>\s]+"""
    r"""|(?:@import\s+|url\()["']?(?:https?:)?//[^"')\s]+"""
)


def on_post_build(config: Any) -> None:
    """Look through what was built."""
    site = Path(config.site_dir)
    files = [file for ending in ("html", "css") for file in site.rglob(f"*.{ending}")]
    found = [(file.relative_to(site), asks) for file in files for asks in _ASKS.findall(file.read_text("utf-8"))]
    if found:
        raise PluginError("\n".join(f"{file} needs the network: {asks}" for file, asks in found))
