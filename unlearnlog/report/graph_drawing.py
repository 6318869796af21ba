"""The concept graph as a picture, in which words and lines repeat what colour shows.

The background is white, so that one drawing serves light and dark pages.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from unlearnlog.findings.report_parts import ConceptDamage
from unlearnlog.report.fonts import FontChoice, matplotlib_fonts
from unlearnlog.report.formatting import STEPS, level
from unlearnlog.report.graph_layout import label_width, layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unlearnlog.findings.report_parts import Edge, Graph, Status
    from unlearnlog.report.graph_layout import GraphLayout

SHADES: Final = ("#ebe8df", "#f7e0c8", "#f0bd91", "#e08a59", "#b94a2e", "#741a17")
"""Colours of marks, by the loss of their concepts; steps as in the report."""

NEAREST: Final = 2
"""Measured edges of each concept that are drawn."""

LEAST: Final = 0.005
"""Least weight of a drawn edge; a weaker one would read 0.00."""

_INCH: Final = 90.0  # pixels of a layout to the inch
_SIZE: Final = 11.0  # of a concept's mark, in pixels
_FOOT: Final = 118.0  # room of the legend, in pixels
_NUMBER: Final = (14.0, 7.0)  # half of an edge's number, in pixels
_INK: Final = "#22201b"
_MUTED: Final = "#5d5747"
_NEAR: Final = "#22508a"


def graph_picture(graph: Graph, form: Literal["svg", "png"]) -> bytes:
    """Return a picture of families as boxes and concepts as marks, coloured by damage.

    Args:
        graph: The graph; its last step is drawn.
        form: The format of the file.
    """
    names = [node.name for node in graph.nodes]
    families = [node.family or "" for node in graph.nodes]
    with matplotlib_fonts((*names, *families)) as letters:
        figure = graph_figure(graph, letters)
        out = io.BytesIO()
        undated = {"Date": None} if form == "svg" else None
        figure.savefig(out, format=form, dpi=144, metadata=undated)
    return out.getvalue()


def graph_figure(graph: Graph, letters: FontChoice) -> Figure:
    """Return the same as a figure.

    Args:
        graph: The graph; its last step is drawn.
        letters: The fonts of the names.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    placed = layout(graph, spelt=letters.spelt)
    size = placed.width / _INCH, (placed.height + _FOOT + 8) / _INCH
    figure = Figure(figsize=size, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-8, placed.width + 8)
    axes.set_ylim(placed.height + _FOOT, -8)
    axes.set_axis_off()
    _draw_boxes(axes, placed, letters)
    near = nearest_edges(graph)
    _draw_edges(axes, placed, [e for e in graph.edges if e.type == "look-alike"], near)
    last = {h.concept: h for h in graph.harm[-1]} if graph.harm else {}
    for name, at in placed.places.items():
        _draw_mark(axes, at, last.get(name))
        label = letters.spelt(name)
        axes.text(at[0], at[1] + 21, label, ha="center", fontsize=8, color=_INK)
        note = caption(last.get(name))
        axes.text(at[0], at[1] + 32, note, ha="center", fontsize=6.5, color=_INK)
    _draw_legend(axes, placed.height + 26, with_near=bool(near))
    return figure


def caption(harm: ConceptDamage | None) -> str:
    """Return the text below a concept's name: its colour in words."""
    if harm is None:
        return ""
    if harm.status == "unread":
        return "not read"
    if harm.status in ("erased", "doubtful"):
        shows = harm.presence.value if harm.presence else 0.0
        word = "erased" if harm.status == "erased" else "in doubt"
        return f"{word}, shows {shows:.2f}" if shows >= 0.005 else word
    lost = harm.damage or 0.0
    if abs(lost) < 0.005:
        return ""
    return f"lost {lost:.2f}" if lost > 0 else f"gained {-lost:.2f}"


def nearest_edges(graph: Graph) -> list[Edge]:
    """Return the measured edges that are drawn: the nearest few of each concept."""
    names = {node.name for node in graph.nodes}
    measured = [
        e
        for e in graph.edges
        if e.type == "information"
        and {e.one, e.other} <= names
        and (e.weight or 0.0) >= LEAST
    ]
    ranked = sorted(measured, key=lambda e: -(e.weight or 0.0))
    drawn_of: dict[str, int] = {}
    found = []
    for edge in ranked:
        ends = edge.one, edge.other
        if any(drawn_of.get(end, 0) < NEAREST for end in ends):
            found.append(edge)
            for end in ends:
                drawn_of[end] = drawn_of.get(end, 0) + 1
    return found


def _draw_boxes(axes: Axes, placed: GraphLayout, letters: FontChoice) -> None:
    """Draw the boxes of families, with their titles."""
    from matplotlib.patches import FancyBboxPatch

    for box in placed.boxes:
        axes.add_patch(
            FancyBboxPatch(
                (box.x, box.y),
                box.width,
                box.height,
                boxstyle="round,pad=0,rounding_size=6",
                facecolor="#f5f3ee",
                edgecolor="#d8d3c6",
            )
        )
        if box.titled:
            title = letters.spelt(box.name)
            axes.text(box.x + 10, box.y + 16, title, fontsize=8, color=_MUTED)


def _draw_edges(
    axes: Axes, placed: GraphLayout, alike: list[Edge], near: list[Edge]
) -> None:
    """Draw look-alikes dashed, and measured edges as bows with their numbers."""
    places = placed.places
    free = FreePlaces.of(placed)
    for edge in alike:
        (x1, y1), (x2, y2) = places[edge.one], places[edge.other]
        axes.plot([x1, x2], [y1, y2], linestyle="--", color="#8a8371", zorder=1)
    for edge in near:
        weight = edge.weight or 0.0
        xs, ys = bow(places[edge.one], places[edge.other])
        axes.plot(xs, ys, color=_NEAR, linewidth=1 + 6 * weight, zorder=1)
        axes.text(
            *free.taken(zip(xs, ys, strict=True)),
            f"{weight:.2f}",
            ha="center",
            va="center",
            fontsize=6.5,
            color=_NEAR,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )


@dataclass(frozen=True)
class FreePlaces:
    """The free places for the numbers of edges.

    Attributes:
        used: Middle, half width and half height of each taken place, in pixels.
    """

    used: list[tuple[float, float, float, float]]

    @classmethod
    def of(cls, placed: GraphLayout) -> FreePlaces:
        """Return the places of a layout outside titles and labels."""
        titles = [(box, label_width(box.name) / 2) for box in placed.boxes]
        used = [
            (b.x + 10 + half, b.y + 12, half, 8.0) for b, half in titles if b.titled
        ]
        for name, (x, y) in placed.places.items():
            used += [(x, y, 9.0, 9.0), (x, y + 22, label_width(name) / 2, 14.0)]
        return cls(used)

    def taken(self, points: Iterable[tuple[float, float]]) -> tuple[float, float]:
        """Take and return the free point nearest to a line's middle, or the middle."""
        line = [*points]
        middle = len(line) // 2
        near = sorted(range(len(line)), key=lambda i: abs(i - middle))
        found = next((line[i] for i in near if self._is_free(*line[i])), line[middle])
        self.used.append((*found, *_NUMBER))
        return found

    def _is_free(self, x: float, y: float) -> bool:
        wide, high = _NUMBER
        return all(
            abs(x - left) >= wide + half or abs(y - top) >= high + tall
            for left, top, half, tall in self.used
        )


def bow(
    one: tuple[float, float], other: tuple[float, float]
) -> tuple[list[float], list[float]]:
    """Return the points of a bow between two marks; straight lines of a row overlap."""
    (x1, y1), (x2, y2) = sorted((one, other))
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    up = min(70.0, 0.25 * length + 14) / length
    x, y = (x1 + x2) / 2 + up * (y2 - y1), (y1 + y2) / 2 - up * (x2 - x1)
    parts = [i / 24 for i in range(25)]
    weights = [((1 - t) ** 2, 2 * t * (1 - t), t**2) for t in parts]
    xs = [a * x1 + b * x + c * x2 for a, b, c in weights]
    return xs, [a * y1 + b * y + c * y2 for a, b, c in weights]


def _draw_mark(axes: Axes, at: tuple[float, float], harm: ConceptDamage | None) -> None:
    """Draw the mark of a concept by its status and damage."""
    status = harm.status if harm else "kept"
    lost = harm.damage if harm and status == "kept" else None
    gone = status in ("erased", "doubtful")
    faces = {"erased": "#2b2b2b", "doubtful": "#8a8371", "unread": "white"}
    face = faces.get(status, SHADES[level(lost)])
    axes.plot(
        [at[0]],
        [at[1]],
        marker="s" if gone else "o",
        markersize=_SIZE,
        markerfacecolor=face,
        markeredgecolor=_INK if status != "unread" else _MUTED,
        markeredgewidth=2.6 if harm and harm.sure else 0.8,
        zorder=3,
    )
    if status == "erased":
        axes.plot(*at, marker="x", markersize=6, color="white", zorder=4)
    elif status in ("doubtful", "unread"):
        axes.text(
            *at,
            "?",
            ha="center",
            va="center_baseline",
            fontsize=7,
            weight="bold",
            color="white" if gone else _MUTED,
        )


def _draw_legend(axes: Axes, y: float, *, with_near: bool) -> None:
    """Draw the legend of marks, colours and lines."""
    x = 12.0
    marks: tuple[tuple[Status, bool, str], ...] = (
        ("erased", False, "erased"),
        ("doubtful", False, "erased, in doubt"),
        ("unread", False, "not read"),
        ("kept", True, "bold: lost more than chance explains (95 %)"),
    )
    for status, sure, word in marks:
        _draw_mark(
            axes, (x, y), ConceptDamage("", status, None, sure=sure, presence=None)
        )
        axes.text(x + 12, y + 4, word, fontsize=8, color=_INK)
        x += 30 + 6.2 * len(word)
    x, y = 12.0, y + 30
    lines = [("--", "#8a8371", "hard to tell apart")]
    if with_near:
        word = f"near to the model, 1 - JS / log 2: the {NEAREST} nearest of each"
        lines.append(("-", _NEAR, word))
    for style, colour, word in lines:
        axes.plot([x, x + 24], [y, y], linestyle=style, color=colour)
        axes.text(x + 32, y + 4, word, fontsize=8, color=_INK)
        x += 50 + 6.2 * len(word)
    x, y = 12.0, y + 30
    tops = [f"to {100 * step:.0f}" for step in STEPS]
    for shade, word in zip(SHADES, ("0", *tops, "more"), strict=True):
        axes.plot([x], [y], "o", markersize=_SIZE, mfc=shade, mec=_INK, mew=0.8)
        axes.text(x + 12, y + 4, word, fontsize=8, color=_INK)
        x += 62
    words = "points lost: how much less often its prompts show it than on the base"
    axes.text(x, y + 4, words, fontsize=8, color=_INK)
