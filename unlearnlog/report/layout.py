"""Where the concepts of a graph are drawn: families apart, no label on another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

import networkx as nx

if TYPE_CHECKING:
    from unlearnlog.findings.content import Edge, Graph, Node

WIDTH: Final = 960.0
"""Of the drawing, in pixels."""

ROW: Final = 46.0
"""From one concept of a family to the one below, in pixels."""

_LETTER: Final = 7.2  # the widest that a letter of a label is on average, in pixels
_GAP: Final = 16.0
_PAD: Final = 12.0
_TITLE: Final = 20.0
_SEED: Final = 7
_ROUNDS: Final = 400


@dataclass(frozen=True)
class Box:
    """A family's place.

    Attributes:
        name: The family, or the concept that has none.
        titled: Whether the name is written above its members.
        x: Left edge, in pixels.
        y: Upper edge, in pixels.
        width: In pixels.
        height: In pixels.
        members: Its concepts.
        columns: How many of them stand side by side.
    """

    name: str
    titled: bool
    x: float
    y: float
    width: float
    height: float
    members: tuple[str, ...]
    columns: int

    def places(self) -> dict[str, tuple[float, float]]:
        """Return the middle of each member's mark."""
        top = self.y + (_TITLE if self.titled else 0) + _PAD + 8
        step = (self.width - 2 * _PAD) / self.columns
        return {
            name: (
                self.x + _PAD + step * (i % self.columns + 0.5),
                top + ROW * (i // self.columns),
            )
            for i, name in enumerate(self.members)
        }


@dataclass(frozen=True)
class Layout:
    """A drawing's geometry.

    Attributes:
        width: In pixels.
        height: In pixels.
        boxes: The families.
        places: Middle of each concept's mark.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    places: Mapping[str, tuple[float, float]]


def layout(graph: Graph) -> Layout:
    """Place every concept; the same graph gets the same places.

    Families that have much to do with each other attract (a spring layout with a fixed
    seed); then boxes are pushed apart until none overlaps.
    """
    boxes = _boxes(graph.nodes)
    if not boxes:
        return Layout(WIDTH, 0.0, (), {})
    placed = _apart(_attracted(boxes, graph))
    left, top = min(b.x for b in placed), min(b.y for b in placed)
    scale = max(b.x + b.width for b in placed) - left
    shift = _GAP / 2 + max(0.0, WIDTH - _GAP - scale) / 2 - left
    moved = [replace(b, x=b.x + shift, y=b.y - top + _GAP / 2) for b in placed]
    places = {name: at for box in moved for name, at in box.places().items()}
    height = max(b.y + b.height for b in moved) + _GAP / 2
    return Layout(max(WIDTH, scale + _GAP), height, tuple(moved), places)


def label_width(name: str) -> float:
    """Return the room that a label needs, in pixels, its damage beside it."""
    return _LETTER * len(name) + 8


def _boxes(nodes: Sequence[Node]) -> list[Box]:
    families: dict[tuple[str, bool], list[str]] = {}
    for node in nodes:
        key = (node.family, True) if node.family else (node.name, False)
        families.setdefault(key, []).append(node.name)
    found = []
    for (name, titled), members in families.items():
        columns = math.ceil(math.sqrt(len(members)))
        cell = max(64.0, *(label_width(member) for member in members))
        width = max(cell * columns, label_width(name) if titled else 0) + 2 * _PAD
        rows = math.ceil(len(members) / columns)
        height = (_TITLE if titled else 0) + ROW * rows + _PAD
        found.append(Box(name, titled, 0, 0, width, height, tuple(members), columns))
    return found


def _attracted(boxes: Sequence[Box], graph: Graph) -> list[Box]:
    """Give the boxes their first places, middles within a square of their area."""
    home = {member: box.name for box in boxes for member in box.members}
    kinds = {home[node.name]: node.kind for node in graph.nodes}
    families = nx.Graph()
    families.add_nodes_from(box.name for box in boxes)
    for one, other in combinations(families.nodes, 2):
        if kinds[one] == kinds[other]:
            families.add_edge(one, other, weight=0.2)
    for edge in graph.edges:
        ends = home[edge.one], home[edge.other]
        if ends[0] != ends[1]:
            families.add_edge(*ends, weight=_weight(families, edge, ends))
    spots = nx.spring_layout(families, seed=_SEED, iterations=200)
    area = sum((b.width + _GAP) * (b.height + _GAP) for b in boxes)
    half = WIDTH / 2, 0.6 * area / WIDTH
    return [
        replace(
            box,
            x=float(spots[box.name][0]) * half[0] - box.width / 2,
            y=float(spots[box.name][1]) * half[1] - box.height / 2,
        )
        for box in boxes
    ]


def _weight(families: nx.Graph, edge: Edge, ends: tuple[str, str]) -> float:
    known = families.get_edge_data(*ends, default={}).get("weight", 0.0)
    return float(known) + (2.0 if edge.type == "look-alike" else 0.5)


def _apart(boxes: Sequence[Box]) -> list[Box]:
    """Push boxes apart, and back between the margins, until none overlaps."""
    found = list(boxes)
    for _ in range(_ROUNDS):
        moved = False
        for i, j in combinations(range(len(found)), 2):
            pushed = _pushed(found[i], found[j])
            if pushed is not None:
                found[i], found[j] = pushed
                moved = True
        if not moved:
            return found
        inner = (WIDTH - _GAP) / 2
        found = [
            replace(b, x=min(max(b.x, -inner), max(-inner, inner - b.width)))
            for b in found
        ]
    return _stacked(found)


def _pushed(one: Box, other: Box) -> tuple[Box, Box] | None:
    """Return two boxes that overlap pushed apart, along the shorter way."""
    dx = (other.x + other.width / 2) - (one.x + one.width / 2)
    dy = (other.y + other.height / 2) - (one.y + one.height / 2)
    over_x = (one.width + other.width) / 2 + _GAP - abs(dx)
    over_y = (one.height + other.height) / 2 + _GAP - abs(dy)
    if over_x <= 0.01 or over_y <= 0.01:
        return None
    if over_x < over_y:
        step = math.copysign(over_x / 2 + 0.01, dx)
        return replace(one, x=one.x - step), replace(other, x=other.x + step)
    step = math.copysign(over_y / 2 + 0.01, dy)
    return replace(one, y=one.y - step), replace(other, y=other.y + step)


def _stacked(boxes: Sequence[Box]) -> list[Box]:
    """Place boxes in rows from the top, where pushing found no peace."""
    found: list[Box] = []
    x = y = tall = 0.0
    for box in sorted(boxes, key=lambda b: (b.y, b.x)):
        if x and x + box.width > WIDTH - _GAP:
            x, y, tall = 0.0, y + tall + _GAP, 0.0
        found.append(replace(box, x=x, y=y))
        x, tall = x + box.width + _GAP, max(tall, box.height)
    return found
