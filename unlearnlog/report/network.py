"""The concept graph as a tree on a terminal and as a picture."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final, Literal

import networkx as nx
from rich.tree import Tree

from unlearnlog.report.layout import layout

if TYPE_CHECKING:
    from unlearnlog.findings.content import Graph, Harm

FORMS: Final = ("svg", "png", "graphml", "json")
"""What a graph is written as."""

_INCH: Final = 90.0
"""Pixels of a layout to the inch."""

_SIZE: Final = 11.0
"""Of a concept's mark, in pixels."""


def tree(found: nx.MultiDiGraph) -> Tree:
    """Return kinds, their families and their concepts, each with what was read."""
    root = Tree("concepts")
    for kind in (n for n, said in found.nodes(data=True) if said["kind"] == "root"):
        _grow(root.add(kind), found, kind)
    return root


def _grow(branch: Tree, found: nx.MultiDiGraph, above: str) -> None:
    below = [a for a, _, key in found.in_edges(above, keys=True) if key == "parent"]
    for name in below:
        said = found.nodes[name]
        if said["kind"] == "family":
            _grow(branch.add(name), found, name)
        else:
            branch.add(_line(name, said))


def _line(name: str, said: dict[str, float | str | bool]) -> str:
    words = [name]
    if said.get("held_out"):
        words.append("never shown to the model")
    elif said.get("status") == "erased":
        words.append("ERASED")
    for key, form in (
        ("presence", "shows {:.2f}"),
        ("damage", "lost {:+.2f}"),
        ("moved_nats", "moved {:.2f} nats"),
        ("moved", "moved {:.3f}"),
    ):
        skipped = key == "damage" and said.get("status") == "erased"
        if key in said and not skipped:
            words.append(form.format(said[key]))
    return ", ".join(words)


def written(found: nx.MultiDiGraph, drawing: Graph, form: str) -> bytes:
    """Return the graph as a file of one of the forms holds it.

    Args:
        found: Nodes and edges with everything that is known of them.
        drawing: The same for a drawing.
        form: One of `FORMS`.
    """
    if form == "json":
        data = nx.node_link_data(found, edges="edges")
        return (json.dumps(data, ensure_ascii=False) + "\n").encode()
    if form == "graphml":
        file = io.BytesIO()
        nx.write_graphml(found, file)
        return file.getvalue()
    return drawn(drawing, "svg" if form == "svg" else "png")


def drawn(graph: Graph, form: Literal["svg", "png"]) -> bytes:
    """Draw families as boxes, concepts coloured by damage, erased ones crossed.

    Args:
        graph: What is drawn, as its last step left it.
        form: What is written.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    placed = layout(graph)
    figure = Figure(figsize=(placed.width / _INCH, (placed.height + 60) / _INCH))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-8, placed.width + 8)
    axes.set_ylim(placed.height + 52, -8)
    axes.set_axis_off()
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
            axes.text(box.x + 10, box.y + 16, box.name, fontsize=8, color="#5d5747")
    for edge in graph.edges:
        if edge.type == "look-alike":
            (x1, y1), (x2, y2) = placed.places[edge.one], placed.places[edge.other]
            axes.plot([x1, x2], [y1, y2], linestyle="--", color="#8a8371", zorder=1)
    last: dict[str, Harm] = {h.concept: h for h in graph.harm[-1]} if graph.harm else {}
    scale = colormaps["YlOrRd"]
    for name, (x, y) in placed.places.items():
        harm = last.get(name)
        erased = harm is not None and harm.status == "erased"
        lost = max(0.0, harm.damage or 0.0) if harm is not None else 0.0
        face = "#2b2b2b" if erased else scale(min(1.0, lost) * 0.9) if lost else "white"
        axes.plot(
            [x],
            [y],
            marker="s" if erased else "o",
            markersize=_SIZE,
            markerfacecolor=face,
            markeredgecolor="#3d3a33",
        )
        if erased:
            axes.plot([x], [y], marker="x", markersize=6, color="white")
        note = "erased" if erased else f"lost {lost:.2f}" if lost else ""
        axes.text(x, y + 21, name, ha="center", fontsize=8, color="#22201b")
        axes.text(x, y + 32, note, ha="center", fontsize=6.5, color="#8c2d19")
    key = "square with a cross: erased    circle: kept, the darker the more it lost"
    axes.text(4, placed.height + 34, f"{key}    dashed: look-alikes", fontsize=8)
    out = io.BytesIO()
    undated = {"Date": None} if form == "svg" else None
    figure.savefig(out, format=form, dpi=144, metadata=undated)
    return out.getvalue()
