"""Texts of people in Markdown."""

from __future__ import annotations

from typing import Final

_SIGNS: Final = "\\`*_[]|"


def in_markdown(text: str) -> str:
    """Return a text that Markdown and HTML take for nothing but itself, in one line."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    for sign in _SIGNS:
        flat = flat.replace(sign, "\\" + sign)
    return flat
