"""Progress of long work, for scripts and notebooks."""

from __future__ import annotations

from importlib.util import find_spec

from rich.console import Console

from unlearnlog.report.terminal import Bars


def bars() -> Bars:
    """Return bars for wherever this runs: a terminal or a notebook.

    A notebook can only redraw them with ``ipywidgets``; without it they are written as
    in a file, below the cell.
    """
    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        console = Console(stderr=True, force_jupyter=False)
    return Bars(console)
