"""The world as a graph: which concepts have to do with each other, and how."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from unlearnlog.graph.world import World


def network(world: World) -> nx.MultiDiGraph:
    """Return concepts and families as nodes, their relations as edges.

    Nodes have a ``kind``: that of the concept, or ``family``. Edges have a ``type``:
    ``parent`` from a concept to its family, ``sibling`` and ``look-alike`` both ways.
    """
    found = nx.MultiDiGraph()
    for family in world.families.values():
        found.add_node(family.name, kind="family")
    for name, concept in world.concepts.items():
        found.add_node(name, kind=concept.kind)
    for family in world.families.values():
        for name in family.members:
            found.add_edge(name, family.name, type="parent")
        for one, other in permutations(family.members, 2):
            found.add_edge(one, other, type="sibling")
    for pair in world.look_alikes:
        for one, other in permutations(pair):
            found.add_edge(one, other, type="look-alike")
    return found
