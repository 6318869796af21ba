"""Readings of a state: erased concepts, and all kept ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from unlearnlog.commands.judge_choice import runner_for, unread
from unlearnlog.commands.many_concepts import (
    NOT_POOLED,
    measured_book,
    measured_earlier,
    pooled_cases,
)
from unlearnlog.commands.more_samples import (
    alone,
    bounded,
    closer,
    deciding,
    enough,
)
from unlearnlog.commands.prompted import readings_of_file
from unlearnlog.commands.rerun import AttackRerun
from unlearnlog.concepts.concept_graph import hops, relations
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.active import live_concepts
from unlearnlog.core.limits import MANY, N_LEAST
from unlearnlog.probes.probe_table import PROBES
from unlearnlog.probes.runner import ConceptCases, ProbePlan, ProbeRunner, scattered
from unlearnlog.probes.tiers import agreement

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.limits import Verdict
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.prompt import Target
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class Evaluation:
    """Prompts and runner of one measurement, with its policy.

    Attributes:
        policy: Sample sizes and limits.
        panel: Paints, judges and caches the pictures.
        asked: The prompts.
        book: The prompts of every concept.
        again: Repeats recorded attacks on earlier concepts; None for none.
        unread: Why a reading is missing, by name.
        pooled: Names of the samples that stand for many concepts.
    """

    policy: Policy
    panel: ProbeRunner
    asked: ProbePlan
    book: PromptBook
    again: AttackRerun | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    pooled: frozenset[str] = frozenset()

    def readings(self, new: Weights) -> tuple[Reading, ...]:
        """Measure a state, with more pictures where too few leave a limit open.

        Args:
            new: Every text projection of the state.
        """
        return self._closer(self.first(new), new)

    def verdict(
        self, readings: Sequence[Reading], *, unread_is_open: bool = True
    ) -> Verdict:
        """Return the policy's verdict, with the reason for a missing reading."""
        return self.policy.verdict(
            readings, unread_is_open=unread_is_open, unread=self.unread
        )

    def first(self, new: Weights) -> tuple[Reading, ...]:
        """Measure a state once, on as many pictures as the policy sets."""
        found: list[Reading] = []
        runner, plan = self.panel, self.asked
        if runner.judge is not None:
            evidence = runner.looked(plan, new)
            found += [r for probe in PROBES for r in probe.readings(evidence)]
            found = [r for r in found if not self._is_of_one_target(r)]
            found += runner.distance(plan, new, self.policy.probes.distance)
            found += readings_of_file(
                self.policy, self.book.world, runner, gone=plan.gone, new=new
            )
        if self.again is not None:
            found += self.again.readings(new)
        found += runner.information(plan, new)
        found += runner.moved(plan, new)
        return (*found, *agreement(found, plan.gone))

    def _closer(
        self, readings: tuple[Reading, ...], new: Weights
    ) -> tuple[Reading, ...]:
        """Measure again, on more pictures, where too few leave a limit open."""
        screens = self.verdict(readings).screens
        screens = tuple(
            r for r in screens if r.concept not in self.pooled and r.probe != "prompts"
        )
        if not screens or self.panel.judge is None:
            return readings
        better: dict[tuple[str, str], Reading] = {}
        for open_, plan in closer(self.asked, self.book, screens):
            evidence = self.panel.looked(plan, new)
            found = [r for probe in PROBES for r in probe.readings(evidence)]
            wanted = {(r.probe, r.concept) for r in open_}
            better |= {k: r for r in found if (k := (r.probe, r.concept)) in wanted}
        if self.again and any(r.probe.startswith("attack.") for r in screens):
            found = [*replace(self.again, n=N_LEAST).readings(new)]
            better |= {(r.probe, r.concept): r for r in found}
        return tuple(better.get((r.probe, r.concept), r) for r in readings)

    def still_shown(self, new: Weights) -> tuple[str, ...]:
        """Return the concepts of samples that pictures of a state show, by name."""
        shown: dict[str, None] = {}
        for group in self.asked.about if self.pooled else ():
            kind, cells = group.concept.slot, group.erased
            seen = self.panel.judged(cells, new, "painting the concept")
            both = zip(cells, seen, strict=False)  # nothing is seen without a judge
            names = (c.shows(kind) for c, a in both if a.of(kind) == c.shows(kind))
            shown |= dict.fromkeys(names)
        return tuple(shown)

    def _is_of_one_target(self, reading: Reading) -> bool:
        """Return whether a reading of a sample would need the target of one concept."""
        return reading.concept in self.pooled and reading.probe in NOT_POOLED


def evaluation_of(
    at: Session,
    policy: Policy,
    concepts: Sequence[Concept],
    *,
    gone: Sequence[Concept],
    target: Target,
    watch: Progress,
) -> Evaluation:
    """Return the evaluation of new concepts, and of earlier ones.

    A few are measured in detail, of many a sample.
    """
    book = measured_book(at, concepts, gone)
    runner = runner_for(at, policy, book, watch)
    beside = frozenset(c.name for c in (*gone, *concepts))
    earlier = measured_earlier(gone)
    if many := len(concepts) > MANY:
        plan = _plan_of_many(book, policy, concepts, gone=beside)
    else:
        plan = _plan(book, policy, concepts, gone=beside, target=target)
    n = policy.probes.earlier
    plan = replace(
        plan,
        earlier={
            c.name: bounded(alone(book, c, n, beside), policy.probes.most)
            for c in earlier
        },
        then=_then(at, earlier),
    )
    again = AttackRerun(at, runner, book, earlier, beside, policy.probes.attacks)
    plan = replace(plan, unmeasured=beside - plan.gone)
    pooled = {q.concept.name for q in plan.about} if many else ()
    why = unread(at, policy.judge)
    return Evaluation(policy, runner, plan, book, again, why, frozenset(pooled))


def state_readings(
    at: Session, gone: Sequence[Concept], new: Weights, policy: Policy, watch: Progress
) -> tuple[Reading, ...]:
    """Measure every erased concept and all kept ones.

    Args:
        at: The session, with its ledger and model.
        gone: The concepts erased in the state.
        new: Every text projection of the state.
        policy: Sample sizes, sampling settings and judge.
        watch: Receives the progress of the work.

    Returns:
        Presence of each concept, resurgence, readings of kept concepts and of recorded
        attacks; none without a judge.
    """
    book, sizes = measured_book(at, (), gone), policy.probes
    earlier = measured_earlier(gone)
    runner = runner_for(at, policy, book, watch)
    if runner.judge is None:
        return ()
    names = frozenset(concept.name for concept in gone)
    plan = ProbePlan(
        (),
        kept=_kept(book, policy, names),
        earlier={
            c.name: bounded(alone(book, c, sizes.earlier, names), sizes.most)
            for c in earlier
        },
        then=_then(at, earlier),
        unmeasured=names - {c.name for c in earlier},
    )
    again = AttackRerun(at, runner, book, earlier, names, sizes.attacks)
    blind = sizes.model_copy(update={"distance": 0})
    rules = policy.model_copy(update={"probes": blind})
    return Evaluation(rules, runner, plan, book, again).readings(new)


def _kept(
    book: PromptBook, policy: Policy, gone: Collection[str]
) -> tuple[ProbeCase, ...]:
    """Return kept cells; enough to decide a limit, even where erasures exclude some."""
    per_cell, share = policy.probes.kept, policy.probes.kept_share
    least = deciding(len(book.kept((), per_cell, share)))
    return enough(lambda n: book.kept(gone, n, share), per_cell, least)


def _then(at: Session, gone: Sequence[Concept]) -> dict[str, Callable[[], Weights]]:
    """Return functions that give the weights right after each concept's own erasure."""
    live = live_concepts(at.history())
    return {
        concept.name: partial(at.weights, live[concept.name][0])
        for concept in gone
        if concept.name in live
    }


def _plan(
    book: PromptBook,
    policy: Policy,
    concepts: Sequence[Concept],
    *,
    gone: Collection[str],
    target: Target,
) -> ProbePlan:
    """Return the prompts of each concept, in the sample sizes of the policy."""
    sizes, names = policy.probes, {*gone}
    nats = -(-sizes.information // len(concepts))

    def clear(cells: Sequence[ProbeCase], own: Concept) -> tuple[ProbeCase, ...]:
        others = names - {own.name}
        found = tuple(c for c in cells if not c.shows_any(others))
        return bounded(found, sizes.most)

    about = []
    for concept in concepts:
        erased = bounded(alone(book, concept, sizes.erased, names), sizes.most)
        about.append(
            ConceptCases(
                concept,
                erased=erased,
                information=book.information(erased[:nats], concept),
                target=clear(book.target(concept, target, sizes.erased), concept),
                instead=target,
                renamed=clear(book.renamed(concept, sizes.renamed), concept),
                family=clear(book.family(concept, sizes.family), concept),
                near=book.world.near(concept.name) - names,
                relations=relations(book.world, concept.name),
                hops=hops(book.world, concept.name),
                alike=clear(book.alike(concept, names, sizes.alike), concept)
                if sizes.alike
                else (),
            )
        )
    return ProbePlan(
        tuple(about),
        kept=_kept(book, policy, names),
        nodes=nodes_of(book, sizes.nodes, names),
    )


def _plan_of_many(
    book: PromptBook,
    policy: Policy,
    concepts: Sequence[Concept],
    *,
    gone: Collection[str],
) -> ProbePlan:
    """Return the prompts of a sample of many concepts, and of what is kept."""
    drawn = {concept.name for concept in concepts}
    nodes = nodes_of(book, policy.probes.nodes, gone)
    return ProbePlan(
        pooled_cases(book, concepts, gone),
        kept=_kept(book, policy, gone),
        nodes={name: cells for name, cells in nodes.items() if name not in drawn},
    )


def nodes_of(
    book: PromptBook, n: int, gone: Collection[str]
) -> dict[str, tuple[ProbeCase, ...]]:
    """Return ``n`` cells of every concept, none of which shows another erased one."""
    world = book.world
    found = {}
    for name in (*world.styles, *world.subjects) if n else ():
        if some := scattered(book.alone(world.concepts[name], 1, gone), n):
            found[name] = some
    return found
