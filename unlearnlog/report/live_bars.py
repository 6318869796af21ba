"""A test for consoles on which progress bars can move."""

from __future__ import annotations

from importlib.util import find_spec

from rich.console import Console


def can_redraw(console: Console) -> bool:
    """Return whether bars can move: on a terminal, in a notebook with ipywidgets."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal
