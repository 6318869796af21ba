"""Positions of a graph's concepts: families apart, labels without overlap."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import networkx as nx

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import Graph, Node

WIDTH: Final = 960.0
"""Width of the drawing, in pixels."""

ROW: Final = 58.0
"""Height of a row of concepts in a family, in pixels."""

_LETTER: Final = 7.2  # greatest average width of a label's letters, in pixels
_WIDE: Final = 13.0  # width of a letter as wide as high, in pixels
_NOTE: Final = 98.0  # width of "in doubt, shows 0.25" below a name, in pixels
_GAP: Final = 14.0
_PAD: Final = 12.0
_TITLE: Final = 20.0
_FULL: Final = 0.7  # share of the width from which a row is spread to the margins


@dataclass(frozen=True)
class Box:
    """The box of a family; lengths in pixels.

    Attributes:
        name: The family, or a concept without one.
        kind: Kind of its members.
        titled: Whether the name is written above the members.
        x: Left edge.
        y: Upper edge.
        width: Width.
        height: Height.
        members: Its concepts.
        columns: Members in a row.
    """

    name: str
    kind: str
    titled: bool
    x: float
    y: float
    width: float
    height: float
    members: tuple[str, ...]
    columns: int

    def places(self) -> dict[str, tuple[float, float]]:
        """Return the middle of each member's mark."""
        top = self.y + (_TITLE if self.titled else 0) + _PAD + 18
        step = (self.width - 2 * _PAD) / self.columns
        return {
            name: (
                self.x + _PAD + step * (i % self.columns + 0.5),
                top + ROW * (i // self.columns),
            )
            for i, name in enumerate(self.members)
        }


@dataclass(frozen=True)
class GraphLayout:
    """The geometry of a drawing; lengths in pixels.

    Attributes:
        width: Width.
        height: Height.
        boxes: The boxes of families.
        places: Middle of each concept's mark.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    places: Mapping[str, tuple[float, float]]


def layout(graph: Graph, spelt: Callable[[str], str] = str) -> GraphLayout:
    """Return the place of every concept; the same graph has the same places.

    Families stand in rows, like the words of a text, kind after kind. Their order is
    that of a walk through the graph of families, which keeps tied ones together.

    Args:
        graph: The graph.
        spelt: Returns a name as written, which may be longer.
    """
    boxes = _ordered(_boxes(graph.nodes, spelt), graph)
    placed: list[Box] = []
    y = 0.0
    for row in _rows(boxes):
        placed += _spread(row, y)
        y += placed[-1].height + _GAP
    places = {name: at for box in placed for name, at in box.places().items()}
    width = max([WIDTH, *(box.x + box.width for box in placed)])
    return GraphLayout(width, max(0.0, y - _GAP), tuple(placed), places)


def label_width(name: str) -> float:
    """Return the width of a label, in pixels."""
    return _LETTER * len(name) + (_WIDE - _LETTER) * _n_wide(name) + 8


def _n_wide(name: str) -> int:
    """Return the number of letters that are as wide as high, such as 北."""
    return sum(unicodedata.east_asian_width(letter) in "WF" for letter in name)


def _boxes(nodes: Sequence[Node], spelt: Callable[[str], str]) -> list[Box]:
    """Return a box for each family, not yet placed."""
    families: dict[tuple[str, str, bool], list[str]] = {}
    for node in nodes:
        name, titled = node.family or node.name, bool(node.family)
        families.setdefault((node.kind, name, titled), []).append(node.name)
    found = []
    for (kind, name, titled), members in families.items():
        n = len(members)
        columns = min(n, max(3, math.ceil(math.sqrt(n))))
        cell = max(_NOTE, *(label_width(spelt(member)) for member in members))
        title = label_width(spelt(name)) if titled else 0
        width = max(cell * columns, title) + 2 * _PAD
        height = (_TITLE if titled else 0) + ROW * math.ceil(n / columns) + _PAD
        box = Box(name, kind, titled, 0, 0, width, height, tuple(members), columns)
        found.append(box)
    return found


def _ordered(boxes: Sequence[Box], graph: Graph) -> list[Box]:
    """Return the boxes kind after kind, tied ones in succession."""
    home = {member: i for i, box in enumerate(boxes) for member in box.members}
    families = nx.Graph()
    families.add_nodes_from(range(len(boxes)))
    families.add_edges_from((home[e.one], home[e.other]) for e in graph.edges)
    walk = [
        i
        for tied in nx.connected_components(families)
        for i in nx.dfs_preorder_nodes(families.subgraph(tied), min(tied))
    ]
    kinds = {kind: i for i, kind in enumerate(dict.fromkeys(b.kind for b in boxes))}
    return [boxes[i] for i in sorted(walk, key=lambda i: kinds[boxes[i].kind])]


def _rows(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Yield rows of boxes of one kind that fit the width."""
    row: list[Box] = []
    for box in boxes:
        needed = sum(each.width + _GAP for each in row) + box.width
        if row and (needed > WIDTH or box.kind != row[-1].kind):
            yield row
            row = []
        row.append(box)
    if row:
        yield row


def _spread(row: Sequence[Box], y: float) -> list[Box]:
    """Return a row placed at y, its boxes equally tall, and spread if nearly full."""
    used = sum(box.width for box in row) + _GAP * (len(row) - 1)
    more = (WIDTH - used) / len(row) if _FULL * WIDTH <= used < WIDTH else 0.0
    height = max(box.height for box in row)
    found: list[Box] = []
    x = 0.0
    for box in row:
        width = box.width + more
        found.append(replace(box, x=x, y=y, width=width, height=height))
        x += width + _GAP
    return found
