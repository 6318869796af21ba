"""The graph of concepts: families, relations and measured similarities.

Nodes are concepts, families and the two kinds. Edges have a type. Declared in the file
of concepts: ``parent``, ``sibling``, ``look-alike`` and the user's relations. Measured:
``similar`` text; ``information``, how near two are to the model; ``decomposition`` of a
style and a subject; ``damage`` from an erased concept to a kept one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, permutations
from typing import Final

import networkx as nx

from unlearnlog.concepts.concept_file import RELATIONS
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.concept import Concept

UNRELATED: Final = "unrelated"
"""The relation of two concepts of one kind without a declared one."""

STRUCTURE: Final = frozenset({"parent", *RELATIONS})
"""Types of edges that the file of concepts declares: distances follow these."""


def network(world: ConceptSet) -> nx.MultiDiGraph:
    """Return the graph of the declared relations.

    Every node has a ``kind``: ``style``, ``subject`` or a word of the user's for a
    concept, ``family`` for a family, ``root`` for a kind; concepts have ``family`` and
    ``held_out`` as well. An edge's key is its ``type``; ``parent`` points up; relations
    are in the graph in both directions.
    """
    graph: nx.MultiDiGraph = nx.MultiDiGraph()
    for family in world.families.values():
        root = f"{family.kind}s"
        graph.add_node(root, kind="root")
        graph.add_node(family.name, kind="family")
        _join(graph, family.name, family.parent or root, "parent")
    for name, concept in world.concepts.items():
        _add_concept(graph, world, name, concept)
    for family in world.families.values():
        for pair in permutations(family.members, 2):
            _join(graph, *pair, "sibling")
    for one, other in world.look_alikes:
        _join(graph, one, other, "look-alike")
        _join(graph, other, one, "look-alike")
    for (one, other), kind in world.relations.items():
        _join(graph, one, other, kind)
    return graph


def relations(world: ConceptSet, name: str) -> dict[str, str]:
    """Return the relation of each other concept of the same kind to ``name``.

    A declared relation comes before a look-alike, that before a sibling; any other
    concept is unrelated.
    """
    own = world.concepts[name]
    family = world.families.get(own.parent)
    siblings = set(family.members) if family else set[str]()
    alike = {n for pair in world.look_alikes if name in pair for n in pair}
    found = {}
    for other, concept in world.concepts.items():
        if other == name or concept.slot != own.slot:
            continue
        declared = world.relations.get((name, other))
        usual = (
            "look-alike" if other in alike else "sibling" if other in siblings else ""
        )
        found[other] = declared or usual or UNRELATED
    return found


def hops(world: ConceptSet, name: str) -> dict[str, int]:
    """Return the distance from ``name`` to each other concept, in declared edges.

    Unreachable concepts are left out.
    """
    graph = nx.Graph()
    edges = network(world).edges(keys=True)
    graph.add_edges_from((a, b) for a, b, kind in edges if kind in STRUCTURE)
    found = nx.single_source_shortest_path_length(graph, name)
    return {n: d for n, d in found.items() if n in world.concepts and n != name}


def add_similar(
    graph: nx.MultiDiGraph,
    similarity: Mapping[tuple[str, str], float],
    *,
    nearest: int = 2,
) -> None:
    """Add an edge from each concept to those whose text is nearest.

    Args:
        graph: The graph; changed in place.
        similarity: Cosine of two concepts' text by pair of names, in any order.
        nearest: Number of edges from each concept.
    """
    rows: dict[str, list[tuple[float, str]]] = {}
    for (one, other), cosine in similarity.items():
        rows.setdefault(one, []).append((cosine, other))
        rows.setdefault(other, []).append((cosine, one))
    for name, found in rows.items():
        for cosine, other in sorted(found, reverse=True)[:nearest]:
            _join(graph, name, other, "similar", weight=cosine)


def add_measured(
    graph: nx.MultiDiGraph, kind: str, found: Iterable[tuple[str, str, float]]
) -> None:
    """Add measured edges of one type, from one concept to another, with a weight."""
    for one, other, weight in found:
        _join(graph, one, other, kind, weight=weight)


def add_ties(
    graph: nx.MultiDiGraph, kind: str, one: str, other: str, said: Mapping[str, float]
) -> None:
    """Add a measured edge between two concepts in both directions, with its numbers."""
    graph.add_edge(one, other, key=kind, type=kind, **said)
    graph.add_edge(other, one, key=kind, type=kind, **said)


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return every unordered pair of names, in their order."""
    return list(combinations(names, 2))


def _add_concept(
    graph: nx.MultiDiGraph, world: ConceptSet, name: str, concept: Concept
) -> None:
    graph.add_node(f"{concept.slot}s", kind="root")
    graph.add_node(
        name,
        kind=concept.kind,
        family=concept.parent,
        held_out=name in world.held_out,
    )
    up = concept.parent if concept.parent in world.families else f"{concept.slot}s"
    _join(graph, name, up, "parent")


def _join(
    graph: nx.MultiDiGraph, one: str, other: str, kind: str, weight: float | None = None
) -> None:
    weights = {} if weight is None else {"weight": weight}
    graph.add_edge(one, other, key=kind, type=kind, **weights)
