"""Looking at a revision once more: any concept, as closely as the tier says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.commands.checks import TIERS, check_tier
from unlearnlog.commands.evaluation import evaluation_of, nodes_of, state_readings
from unlearnlog.commands.judge_choice import runner_for
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
"""Cells of each concept that the cheap tiers look at, where the policy says none."""


@dataclass(frozen=True)
class ProbeRequest:
    """What somebody wants to know.

    Attributes:
        policy: Sample sizes, sampling settings and judge.
        rev: At which revision.
        concepts: Names of what to look at closely; nothing for the whole graph.
        tier: 0 for weights and text, 1 for predictions as well, 2 for new pictures.
        fresh: Whether all is computed again, whatever was computed before.
        watch: Receives the progress of the work.
    """

    policy: Policy
    rev: str = "HEAD"
    concepts: tuple[str, ...] = ()
    tier: int = 2
    fresh: bool = False
    watch: Progress = field(default_factory=NoProgress)


def probe(at: Session, wish: ProbeRequest) -> tuple[Reading, ...]:
    """Return what is read of a revision; nothing is recorded.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        ConceptError: A concept is unknown.
        UsageError: There is no such tier.
    """
    check_tier(wish.tier)
    at = replace(at.at_rev(wish.rev), fresh=wish.fresh)
    named = [at.world.known(name) for name in wish.concepts]
    live = [*at.erased.values()]
    new = {**at.model.base, **at.weights(at.head)}
    found = _moved(at, wish, named=named, live=live, new=new)
    if wish.tier == TIERS[-1]:
        found += _seen(at, wish, named=named, live=live, new=new)
    gone = [concept.name for concept in live]
    return (*found, *agreement(found, gone))


def _moved(
    at: Session,
    wish: ProbeRequest,
    *,
    named: Sequence[Concept],
    live: Sequence[Concept],
    new: Weights,
) -> list[Reading]:
    """Return what tiers 0 and 1 say of the named concepts, or of all."""
    book = at.book((*live, *named))
    panel = runner_for(at, wish.policy, book, wish.watch)
    gone = {concept.name for concept in live}
    nodes = nodes_of(book, wish.policy.probes.nodes or _NODES, gone)
    asked_for = {concept.name for concept in named} or nodes.keys()
    asked = ProbePlan(
        (),
        earlier=dict.fromkeys(gone, ()),
        nodes={name: cells for name, cells in nodes.items() if name in asked_for},
    )
    return [*panel.moved(asked, new, min(wish.tier, 1))]


def _seen(
    at: Session,
    wish: ProbeRequest,
    *,
    named: Sequence[Concept],
    live: Sequence[Concept],
    new: Weights,
) -> list[Reading]:
    """Return what new pictures show of the named concepts, or of all."""
    if not named:
        return [*state_readings(at, live, new, wish.policy, wish.watch)]
    found: list[Reading] = []
    gone = {concept.name for concept in live}
    policy = wish.policy.model_copy(update={"limits": ()})
    for concept in named:
        others = [each for each in live if each.name != concept.name]
        if concept.name in gone:
            target = policy.chosen_eraser().target
            look = evaluation_of(
                at, policy, [concept], gone=others, target=target, watch=wish.watch
            )
            asked = replace(look.asked, kept=(), earlier={}, then={}, nodes={})
            look = replace(look, asked=asked, again=None)
            found += look.readings(new)
        else:
            found += _kept(at, wish, concept, gone, new)
    return found


def _kept(
    at: Session, wish: ProbeRequest, concept: Concept, gone: set[str], new: Weights
) -> list[Reading]:
    """Return how often a concept shows that nobody erased."""
    book = at.book([concept])
    panel = runner_for(at, wish.policy, book, wish.watch)
    if panel.judge is None:
        return []
    cells = book.erased(concept, wish.policy.probes.erased)
    clear = tuple(c for c in cells if not c.shows_any(gone))
    evidence = panel.looked(ProbePlan((), kept=clear), new)
    readings = [r for each in PROBES for r in each.readings(evidence)]
    return [r for r in readings if r.concept == concept.name]
