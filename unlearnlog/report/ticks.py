"""Tick labels without overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_APART: Final = 3.0
"""Least pixels between two labels."""


def thin_ticks(figure: Figure) -> None:
    """Remove labels that would overlap a neighbour; the ticks themselves stay.

    The first and the last label of an axis stay, and as many between them as fit, from
    the last one on. The labels are measured as drawn.
    """
    figure.draw_without_rendering()
    for axes in figure.axes:
        _thin(axes)


def _thin(axes: Axes) -> None:
    """Remove labels of one x axis."""
    ticks = [(label.get_window_extent(), label) for label in axes.get_xticklabels()]
    shown = [(box, label) for box, label in ticks if label.get_text()]
    shown.sort(key=lambda each: each[0].x0)
    if len(shown) < _TWO:
        return
    first, edge = shown[0][0], shown[-1][0].x0
    kept = {id(shown[0][1]), id(shown[-1][1])}
    for box, label in reversed(shown[1:-1]):
        if box.x1 + _APART <= edge and box.x0 >= first.x1 + _APART:
            kept.add(id(label))
            edge = box.x0
    wanted = [label.get_text() if id(label) in kept else "" for _, label in ticks]
    axes.set_xticks(axes.get_xticks(), wanted)


_TWO: Final = 2
"""Fewest labels that can overlap."""
