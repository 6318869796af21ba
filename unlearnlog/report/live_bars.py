"""Whether progress bars can move where they are written."""

from __future__ import annotations

from importlib.util import find_spec

from rich.console import Console


def can_redraw(console: Console) -> bool:
    """Whether bars can move: in a terminal, and in a notebook with ``ipywidgets``."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal
