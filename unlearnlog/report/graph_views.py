"""The concept graph as a tree on a terminal and as a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import networkx as nx
from rich.tree import Tree

from unlearnlog.core.visible import json_line, visible
from unlearnlog.report.graph_drawing import graph_picture
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unlearnlog.findings.report_parts import Graph

FORMS: Final = ("svg", "png", "graphml", "json")
"""Formats of a graph's file."""

_GONE: Final = {"erased": "ERASED", "doubtful": "ERASED, IN DOUBT"}

_ATOMS: Final = {
    "redundant": "redundant",
    "style": "only the style",
    "subject": "only the subject",
    "synergy": "synergy",
}


def concept_tree(found: nx.MultiDiGraph) -> Tree:
    """Return the tree of kinds, families and concepts, each with its readings."""
    root = Tree("concepts")
    for kind in (n for n, data in found.nodes(data=True) if data["kind"] == "root"):
        _grow(root.add(as_text(kind)), found, kind)
    return root


def _grow(branch: Tree, found: nx.MultiDiGraph, above: str) -> None:
    """Add the families and concepts below a node."""
    below = [a for a, _, key in found.in_edges(above, keys=True) if key == "parent"]
    for name in below:
        data = found.nodes[name]
        if data["kind"] == "family":
            _grow(branch.add(as_text(name)), found, name)
        else:
            _tie(branch.add(as_text(_line(name, data))), found, name)


def _tie(branch: Tree, found: nx.MultiDiGraph, name: str) -> None:
    """Add the measured edges of a concept, the nearest first."""
    tied = [
        (key, other, data)
        for _, other, key, data in found.out_edges(name, keys=True, data=True)
        if key in ("information", "decomposition")
    ]
    for key, other, data in sorted(tied, key=lambda tie: -tie[2].get("weight", -1.0)):
        if key == "information":
            line = (
                f"near {other}: {_interval(data, 'weight', 3)}, "
                f"{_interval(data, 'apart', 1)} nats apart, n {data['n']:.0f}"
            )
        else:
            words = (
                f"{word} {_interval(data, key, 2)}"
                for key, word in _ATOMS.items()
                if data[key]  # of the two alone, one is 0 by definition
            )
            line = f"with {other}, in nats: {', '.join(words)}, n {data['n']:.0f}"
        branch.add(as_text(line))


def _interval(data: Mapping[str, float], key: str, digits: int) -> str:
    """Return a value of an edge with its interval."""
    value, low, high = (data[f"{key}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _line(name: str, data: dict[str, float | str | bool]) -> str:
    """Return the line of a concept: its name, its status and its readings."""
    words = [name]
    if data.get("held_out"):
        words.append("never shown to the model")
    elif word := _GONE.get(str(data.get("status"))):
        words.append(word)
    for key, form in (
        ("presence", "shows {:.2f}"),
        ("damage", "lost {:+.2f}"),
        ("moved_nats", "moved {:.2f} nats"),
        ("moved", "moved {:.3f}"),
    ):
        skipped = key == "damage" and data.get("status") in _GONE
        if key in data and not skipped:
            words.append(form.format(data[key]))
    return ", ".join(words)


def graph_file(found: nx.MultiDiGraph, drawing: Graph, form: str) -> bytes:
    """Return the bytes of a graph's file.

    Args:
        found: Nodes and edges with all of their data.
        drawing: The same, as drawn.
        form: One of `FORMS`.
    """
    if form == "json":
        return (json_line(graph_data(found)) + "\n").encode()
    if form == "graphml":
        file = io.BytesIO()
        nx.write_graphml(_in_xml(found), file)
        return file.getvalue()
    return graph_picture(drawing, "svg" if form == "svg" else "png")


def graph_data(found: nx.MultiDiGraph) -> dict[str, object]:
    """Return the nodes and the edges of a graph as data."""
    return dict(nx.node_link_data(found, edges="edges"))


def _in_xml(found: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """Return a graph without characters that XML forbids; they are spelt out."""
    written: nx.MultiDiGraph = nx.MultiDiGraph()
    for name, data in found.nodes(data=True):
        written.add_node(visible(name), **_shown(data))
    for one, other, key, data in found.edges(keys=True, data=True):
        written.add_edge(visible(one), visible(other), visible(key), **_shown(data))
    return written


def _shown(data: Mapping[str, object]) -> dict[str, object]:
    """Return data with the control characters of its texts spelt out."""
    return {k: visible(v) if isinstance(v, str) else v for k, v in data.items()}
