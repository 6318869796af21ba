"""The concept graph with the damage of its concepts after every entry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.concepts.concept_graph import network
from unlearnlog.findings.report_parts import (
    ConceptDamage,
    DamageBySteps,
    Edge,
    Graph,
    Node,
)
from unlearnlog.findings.step import Step
from unlearnlog.findings.triangle import difference, spans
from unlearnlog.probes.statistics import share

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.core.reading import Reading
    from unlearnlog.findings.report_parts import Status

MOST_NODES: Final = 160
"""The most concepts in a drawing."""

_SYMMETRIC: Final = frozenset({"look-alike", "sibling", "synonym"})


def graph(steps: Sequence[Step], world: ConceptSet) -> Graph:
    """Return the concepts with their damage after every step.

    Of too many concepts to be drawn, erased ones, those near them and those with the
    largest damage stay.
    """
    nodes = [
        Node(name, concept.kind, world.parent(name) or "")
        for name, concept in world.concepts.items()
        if name not in world.held_out
    ]
    chosen = _chosen([node.name for node in nodes], steps, world)
    order = {name: i for i, name in enumerate((*world.families, ""))}
    drawn = sorted(
        (node for node in nodes if node.name in chosen),
        key=lambda node: (node.kind != "style", order.get(node.family, len(order))),
    )
    names = [node.name for node in drawn]
    return Graph(
        nodes=tuple(drawn),
        edges=_edges(network(world).edges(data="type"), frozenset(names)),
        harm=DamageBySteps(steps, tuple(names), harm),
        left_out=len(nodes) - len(drawn),
    )


def harm(step: Step, name: str) -> ConceptDamage:
    """Return the damage of one concept after a step."""
    found = step.presence(name)
    if name in step.live:
        status: Status = "doubtful" if name in step.doubts else "erased"
        return ConceptDamage(name, status, None, sure=False, presence=found)
    if found is None:
        return ConceptDamage(name, "unread", None, sure=False, presence=None)
    before = 1.0 if found.base is None else found.base
    sure = difference(found, _base(found, before)).high < 0
    return ConceptDamage(name, "kept", before - found.value, sure=sure, presence=found)


def _base(now: Reading, value: float) -> Reading:
    """Return the base's presence, of as many pictures, with its own interval."""
    found = share(round(value * now.n), now.n)
    return now.model_copy(
        update={"value": found.value, "low": found.low, "high": found.high}
    )


def _edges(
    edges: Iterable[tuple[str, str, str]], drawn: Collection[str]
) -> tuple[Edge, ...]:
    """Return the edges between drawn concepts, those of both directions once."""
    found: dict[tuple[str, str, str], Edge] = {}
    for one, other, kind in edges:
        if one in drawn and other in drawn and one != other:
            pair = sorted((one, other)) if kind in _SYMMETRIC else (one, other)
            found.setdefault((pair[0], pair[1], kind), Edge(pair[0], pair[1], kind))
    return tuple(found[key] for key in sorted(found))


def _chosen(
    names: Sequence[str], steps: Sequence[Step], world: ConceptSet
) -> frozenset[str]:
    if len(names) <= MOST_NODES:
        return frozenset(names)
    gone = spans(steps).keys()
    near = {other for name in gone for other in world.near(name)}
    worst = {name: 0.0 for name in names}
    for step in steps:
        for reading in step.entry.readings:
            if reading.probe == "presence" and reading.concept in worst:
                lost = (reading.base or 0.0) - reading.value
                worst[reading.concept] = max(worst[reading.concept], lost)
    ranked = sorted(
        names, key=lambda name: (name not in gone, name not in near, -worst[name])
    )
    return frozenset(ranked[:MOST_NODES])
