"""Users' texts in Markdown, escaped."""

from __future__ import annotations

from typing import Final

from unlearnlog.core.visible import visible

_SIGNS: Final = "\\`*_[]|~$@"
"""Signs with a meaning in Markdown, on GitHub or in mathematics."""

_LINKS: Final = {"://": "\\://", "www.": "www\\."}
"""Parts of a bare address that make it a link, with their escaped form."""


def in_markdown(text: str) -> str:
    """Return a text in one line, escaped for Markdown and HTML."""
    flat = visible(" ".join(text.split()))
    flat = flat.replace("&", "&amp;").replace("<", "&lt;")
    for sign in _SIGNS:
        flat = flat.replace(sign, "\\" + sign)
    for sign, spelt in _LINKS.items():
        flat = flat.replace(sign, spelt)
    return flat
