"""The concept graph as a tree on a terminal and as a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import networkx as nx
from rich.tree import Tree

from unlearnlog.core.visible import json_line, visible
from unlearnlog.report.graph_drawing import drawn
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unlearnlog.findings.report_parts import Graph

FORMS: Final = ("svg", "png", "graphml", "json")
"""What a graph is written as."""

_GONE: Final = {"erased": "ERASED", "doubtful": "ERASED, IN DOUBT"}

_ATOMS: Final = {
    "redundant": "redundant",
    "style": "only the style",
    "subject": "only the subject",
    "synergy": "synergy",
}


def tree(found: nx.MultiDiGraph) -> Tree:
    """Return kinds, their families and their concepts, each with what was read."""
    root = Tree("concepts")
    for kind in (n for n, said in found.nodes(data=True) if said["kind"] == "root"):
        _grow(root.add(as_text(kind)), found, kind)
    return root


def _grow(branch: Tree, found: nx.MultiDiGraph, above: str) -> None:
    below = [a for a, _, key in found.in_edges(above, keys=True) if key == "parent"]
    for name in below:
        said = found.nodes[name]
        if said["kind"] == "family":
            _grow(branch.add(as_text(name)), found, name)
        else:
            _tie(branch.add(as_text(_line(name, said))), found, name)


def _tie(branch: Tree, found: nx.MultiDiGraph, name: str) -> None:
    """Add what was measured of a concept with others, the nearest first."""
    tied = [
        (key, other, said)
        for _, other, key, said in found.out_edges(name, keys=True, data=True)
        if key in ("information", "decomposition")
    ]
    for key, other, said in sorted(tied, key=lambda tie: -tie[2].get("weight", -1.0)):
        if key == "information":
            line = (
                f"near {other}: {_interval(said, 'weight', 3)}, "
                f"{_interval(said, 'apart', 1)} nats apart, n {said['n']:.0f}"
            )
        else:
            words = (
                f"{word} {_interval(said, key, 2)}"
                for key, word in _ATOMS.items()
                if said[key]  # of the two alone, one is 0 by definition
            )
            line = f"with {other}, in nats: {', '.join(words)}, n {said['n']:.0f}"
        branch.add(as_text(line))


def _interval(said: Mapping[str, float], key: str, digits: int) -> str:
    value, low, high = (said[f"{key}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _line(name: str, said: dict[str, float | str | bool]) -> str:
    words = [name]
    if said.get("held_out"):
        words.append("never shown to the model")
    elif word := _GONE.get(str(said.get("status"))):
        words.append(word)
    for key, form in (
        ("presence", "shows {:.2f}"),
        ("damage", "lost {:+.2f}"),
        ("moved_nats", "moved {:.2f} nats"),
        ("moved", "moved {:.3f}"),
    ):
        skipped = key == "damage" and said.get("status") in _GONE
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
        return (json_line(linked(found)) + "\n").encode()
    if form == "graphml":
        file = io.BytesIO()
        nx.write_graphml(_in_xml(found), file)
        return file.getvalue()
    return drawn(drawing, "svg" if form == "svg" else "png")


def linked(found: nx.MultiDiGraph) -> dict[str, object]:
    """Return a graph as JSON has it: its nodes, its edges."""
    return dict(nx.node_link_data(found, edges="edges"))


def _in_xml(found: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """Return a graph whose texts XML has room for: of others, what can be seen."""
    written: nx.MultiDiGraph = nx.MultiDiGraph()
    for name, said in found.nodes(data=True):
        written.add_node(visible(name), **_shown(said))
    for one, other, key, said in found.edges(keys=True, data=True):
        written.add_edge(visible(one), visible(other), visible(key), **_shown(said))
    return written


def _shown(said: Mapping[str, object]) -> dict[str, object]:
    return {k: visible(v) if isinstance(v, str) else v for k, v in said.items()}
