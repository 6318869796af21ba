"""Texts of people in Markdown."""

from __future__ import annotations

from typing import Final

from unlearnlog.core.visible import visible

_SIGNS: Final = "\\`*_[]|~$@"
"""Signs that mean something in Markdown, on GitHub or in mathematics."""

_LINKS: Final = {"://": "\\://", "www.": "www\\."}
"""What makes a link of a bare address."""


def in_markdown(text: str) -> str:
    """Return a text that Markdown and HTML take for nothing but itself, in one line."""
    flat = visible(" ".join(text.split()))
    flat = flat.replace("&", "&amp;").replace("<", "&lt;")
    for sign in _SIGNS:
        flat = flat.replace(sign, "\\" + sign)
    for sign, spelt in _LINKS.items():
        flat = flat.replace(sign, spelt)
    return flat
