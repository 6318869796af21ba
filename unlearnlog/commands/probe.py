"""``probe``: new readings of a revision, for any concept, at a tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.commands.checks import TIERS, check_tier
from unlearnlog.commands.evaluation import evaluation_of, nodes_of, state_readings
from unlearnlog.commands.judge_choice import runner_for
from unlearnlog.commands.many_concepts import measured_book
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.progress import NoProgress
from unlearnlog.probes.probe_table import PROBES
from unlearnlog.probes.runner import ProbePlan
from unlearnlog.probes.tiers import agreement

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

_NODES: Final = 2
"""Cells per concept for tiers 0 and 1, where the policy sets none."""


@dataclass(frozen=True)
class ProbeRequest:
    """Arguments of ``probe``.

    Attributes:
        policy: Sample sizes, sampling settings and judge.
        rev: The revision.
        concepts: Names of concepts to measure in detail; none for the whole graph.
        tier: 0 for weights and text, 1 for predictions as well, 2 for new pictures.
        fresh: Whether to compute all again instead of reading caches.
        watch: Receives the progress of the work.
    """

    policy: Policy
    rev: str = "HEAD"
    concepts: tuple[str, ...] = ()
    tier: int = 2
    fresh: bool = False
    watch: Progress = field(default_factory=NoProgress)


def probe(at: Session, request: ProbeRequest) -> tuple[Reading, ...]:
    """Return readings of a revision; nothing is recorded.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        ConceptError: A concept is unknown.
        UsageError: The tier is unknown.
    """
    check_tier(request.tier)
    at = replace(at.at_rev(request.rev), fresh=request.fresh)
    named = [at.world.known(name) for name in request.concepts]
    live = [*at.erased.values()]
    new = {**at.model.base, **at.weights(at.head)}
    found = _moved(at, request, named=named, live=live, new=new)
    if request.tier == TIERS[-1]:
        found += _from_pictures(at, request, named=named, live=live, new=new)
    gone = [concept.name for concept in live]
    return (*found, *agreement(found, gone))


def _moved(
    at: Session,
    request: ProbeRequest,
    *,
    named: Sequence[Concept],
    live: Sequence[Concept],
    new: Weights,
) -> list[Reading]:
    """Return the readings of tiers 0 and 1, of the named concepts or of all."""
    book = measured_book(at, (), live)
    book = PromptBook(book.world.knowing(named))
    runner = runner_for(at, request.policy, book, request.watch)
    gone = {concept.name for concept in live}
    nodes = nodes_of(book, request.policy.probes.nodes or _NODES, gone)
    asked_for = {concept.name for concept in named} or nodes.keys()
    plan = ProbePlan(
        (),
        earlier=dict.fromkeys(gone, ()),
        nodes={name: cells for name, cells in nodes.items() if name in asked_for},
    )
    return [*runner.moved(plan, new, min(request.tier, 1))]


def _from_pictures(
    at: Session,
    request: ProbeRequest,
    *,
    named: Sequence[Concept],
    live: Sequence[Concept],
    new: Weights,
) -> list[Reading]:
    """Return the readings of new pictures, of the named concepts or of all."""
    if not named:
        return [*state_readings(at, live, new, request.policy, request.watch)]
    found: list[Reading] = []
    gone = {concept.name for concept in live}
    policy = request.policy.model_copy(update={"limits": ()})
    for concept in named:
        others = [each for each in live if each.name != concept.name]
        if concept.name in gone:
            target = policy.chosen_eraser().target
            evaluation = evaluation_of(
                at, policy, [concept], gone=others, target=target, watch=request.watch
            )
            plan = replace(evaluation.asked, kept=(), earlier={}, then={}, nodes={})
            evaluation = replace(evaluation, asked=plan, again=None)
            found += evaluation.readings(new)
        else:
            found += _kept(at, request, concept, gone, new)
    return found


def _kept(
    at: Session, request: ProbeRequest, concept: Concept, gone: set[str], new: Weights
) -> list[Reading]:
    """Return the presence of a concept that is not erased."""
    gone_here = [*at.erased.values()]
    book = PromptBook(measured_book(at, (), gone_here).world.knowing([concept]))
    runner = runner_for(at, request.policy, book, request.watch)
    if runner.judge is None:
        return []
    cells = book.erased(concept, request.policy.probes.erased)
    clear = tuple(c for c in cells if not c.shows_any(gone))
    evidence = runner.looked(ProbePlan((), kept=clear), new)
    readings = [r for each in PROBES for r in each.readings(evidence)]
    return [r for r in readings if r.concept == concept.name]
