"""The concept graph of a revision: edges between concepts, and readings of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.commands.measured_edges import EdgesRequest, measured_edges
from unlearnlog.commands.report import steps_of
from unlearnlog.concepts.concept_graph import (
    add_measured,
    add_similar,
    add_ties,
    network,
    pairs,
)
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.errors import UsageError
from unlearnlog.findings.concept_damage import graph as drawn_graph
from unlearnlog.findings.report_parts import Edge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx

    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.findings.report_parts import Graph
    from unlearnlog.findings.step import Step
    from unlearnlog.models.interface import Model

_NODE_READINGS: Final = ("presence", "moved", "moved.nats")


@dataclass(frozen=True)
class Mapped:
    """A concept graph with readings.

    Attributes:
        network: Nodes with ``status``, ``presence``, ``damage``, ``moved`` and
            ``moved_nats`` as far as they were read; typed edges, measured ones with a
            ``weight`` (see `unlearnlog.commands.measured_edges.MeasuredEdge`).
        drawing: The same for a drawing.
    """

    network: nx.MultiDiGraph
    drawing: Graph

    def __repr__(self) -> str:
        n, edges = len(self.network), self.network.number_of_edges()
        return f"<Mapped {n} nodes, {edges} edges>"


def graph(
    at: Session,
    rev: str,
    *,
    similar: bool = False,
    informed: EdgesRequest | None = None,
) -> Mapped:
    """Return the concept graph of a revision.

    Args:
        at: The session, with its ledger and model.
        rev: The last entry; ``base`` for the concept file's own edges.
        similar: Whether to add edges between names with similar text embeddings.
        informed: Concepts whose edges by information are measured on the base; without
            names, those that are erased. None for no measuring.

    Raises:
        NoLedger: There is no ledger.
        ConceptError: A named concept is unknown.
        UsageError: No concept is named, and nothing is erased.
        RevisionError: The revision names nothing or more than one entry.
    """
    steps = steps_of(at, at.resolved(rev))
    world = at.book([c for step in steps for c in step.entry.concepts]).world
    found = network(world)
    _add_readings(found, steps)
    for step in steps:
        add_measured(found, "damage", _damage(step, world))
    if similar:
        for names in (world.styles, world.subjects):
            add_similar(found, similarities(at.model, names))
    drawing = drawn_graph(steps, world)
    if informed is None:
        return Mapped(found, drawing)
    measured = measured_edges(
        at, replace(informed, names=informed.names or _erased(steps))
    )
    for tie in measured:
        add_ties(found, tie.type, tie.one, tie.other, tie.numbers)
    edges = (
        Edge(tie.one, tie.other, tie.type, tie.numbers.get("weight"))
        for tie in measured
    )
    return Mapped(found, replace(drawing, edges=(*drawing.edges, *edges)))


def _erased(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the concepts that are erased at the last step.

    Raises:
        UsageError: Nothing is erased.
    """
    live = steps[-1].live if steps else ()
    if not live:
        raise UsageError(
            "no concept is named and nothing is erased here: no edges to measure",
            fix="name them: --concept NAME --concept OTHER, or a family",
        )
    return tuple(live)


def similarities(model: Model, names: Sequence[str]) -> dict[tuple[str, str], float]:
    """Return the cosine of every two names' mean tokens, as the model encodes them.

    The mean over all names is subtracted first.
    """
    if len(names) < 2:
        return {}
    means = []
    for name in names:
        tokens = model.encode([name]).tokens[0].double()
        means.append(tokens[1 : model.n_tokens(name) - 1].mean(0))
    import torch

    own = torch.stack(means)
    own = torch.nn.functional.normalize(own - own.mean(0), dim=1)
    cosines = own @ own.T
    index = {name: i for i, name in enumerate(names)}
    return {(a, b): float(cosines[index[a], index[b]]) for a, b in pairs(names)}


@uncollected()
def _add_readings(found: nx.MultiDiGraph, steps: Sequence[Step]) -> None:
    """Set the last readings of each concept on its node."""
    live = set(steps[-1].live) if steps else set[str]()
    doubted = steps[-1].doubts if steps else {}
    for name, node in found.nodes(data=True):
        if node["kind"] in ("root", "family"):
            continue
        gone = "doubtful" if name in doubted else "erased"
        node["status"] = gone if name in live else "unread"
    for step in steps:
        for reading in step.entry.readings:
            if reading.probe not in _NODE_READINGS or reading.concept not in found:
                continue
            node = found.nodes[reading.concept]
            node[reading.probe.replace(".", "_")] = reading.value
            if reading.probe == "presence" and reading.base is not None:
                node["damage"] = reading.base - reading.value
                if node["status"] == "unread":
                    node["status"] = "kept"


def _damage(step: Step, world: ConceptSet) -> list[tuple[str, str, float]]:
    """Return how much less each kept concept shows after a step that erased others."""
    erased = [c.name for c in step.entry.concepts if c.name in world.concepts]
    return [
        (name, reading.concept, reading.base - reading.value)
        for name in erased
        for reading in step.entry.readings
        if reading.probe == "presence"
        and reading.better == "higher"
        and reading.base is not None
        and reading.value < reading.base
        and reading.concept in world.concepts
    ]
