"""``bisect``: the first entry that brought a concept back or damaged a kept one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from unlearnlog.commands.judge_choice import runner_for, what_judges
from unlearnlog.commands.more_samples import alone
from unlearnlog.core.active import live_concepts
from unlearnlog.core.doubt import taking_back
from unlearnlog.errors import UsageError
from unlearnlog.probes.runner import ProbePlan
from unlearnlog.probes.statistics import Estimate, share

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy

BACK: Final = 0.25
"""Presence above which an erased concept is back."""

BROKEN: Final = 0.75
"""Share of the base's presence below which a kept concept is broken."""

T = TypeVar("T")


@dataclass(frozen=True)
class RevisionPresence:
    """Presence of a concept at one revision.

    Attributes:
        entry: The entry; None for the base.
        shown: Share of its pictures that show it, with Wilson's interval.
        base: The same share on the base.
    """

    entry: EntryId | None
    shown: Estimate
    base: float


@dataclass(frozen=True)
class BisectResult:
    """Result of ``bisect``.

    Attributes:
        concept: The concept.
        erased: Whether it is erased at the head, so that presence is the fault.
        entry: The first entry with the fault; None when the head has none.
        looks: Every measured revision, in the order of measuring.
        taken_back: Whether that entry reverted the concept's erasure, which its record
            shows without pictures.
    """

    concept: str
    erased: bool
    entry: EntryId | None
    looks: tuple[RevisionPresence, ...]
    taken_back: bool = False

    def __repr__(self) -> str:
        found = self.entry[:12] if self.entry else "no entry"
        return f"<Found {found} for {self.concept}, after {len(self.looks)} looks>"


def bisect(at: Session, name: str, policy: Policy, watch: Progress) -> BisectResult:
    """Find where a concept came back or broke, by measuring log2(n) revisions.

    A concept that is erased at the head is searched from its erasure on, any other from
    the base on. A concept whose presence equals the base's because an entry reverted
    its erasure is attributed to that entry.

    Raises:
        ConceptError: The concept is unknown.
        UsageError: The policy has no judge.
    """
    at.the_ledger()
    concept, history = at.world.known(name), at.history()
    live = live_concepts(history)
    erased = concept.name in live
    chain: list[EntryId | None] = [None, *(entry for entry, _ in history)]
    if erased:
        chain = chain[chain.index(live[concept.name][0]) :]
    others = live.keys() - {concept.name}
    measure = _measurer(at, concept, others, policy=policy, watch=watch)
    looks: dict[EntryId | None, RevisionPresence] = {}

    def is_bad(entry: EntryId | None) -> bool:
        looks[entry] = presence = measure(entry)
        limit = BACK if erased else BROKEN * presence.base
        return presence.shown.value > limit if erased else presence.shown.value < limit

    first = first_bad(chain, is_bad)
    undone = None if erased else taking_back(history, concept.name)
    if first is None and undone is not None:
        presence = tuple(looks.values())
        return BisectResult(concept.name, erased, undone[0], presence, taken_back=True)
    return BisectResult(concept.name, erased, first, tuple(looks.values()))


def first_bad(chain: Sequence[T], is_bad: Callable[[T], bool]) -> T | None:
    """Return the first bad element, if bad ones follow good ones and the first is good.

    The last element is tested first: where it is good, there is nothing to find.
    """
    good, bad = 0, len(chain) - 1
    if not bad or not is_bad(chain[bad]):
        return None
    while bad - good > 1:
        middle = (good + bad) // 2
        if is_bad(chain[middle]):
            bad = middle
        else:
            good = middle
    return chain[bad]


def _measurer(
    at: Session,
    concept: Concept,
    others: set[str],
    *,
    policy: Policy,
    watch: Progress,
) -> Callable[[EntryId | None], RevisionPresence]:
    """Return a function that measures a concept's presence at a revision."""
    book = at.book([concept])
    runner = runner_for(at, policy, book, watch)
    if runner.judge is None:
        raise UsageError(
            f"the policy '{policy.name}' has no judge: cannot bisect '{concept.name}'",
            fix=what_judges(at, "name one: --judge auto"),
        )
    kind = concept.slot
    cells = alone(book, concept, policy.probes.earlier, others)
    plan = ProbePlan((), earlier={concept.name: cells})

    def measure(entry: EntryId | None) -> RevisionPresence:
        answers = runner.looked(plan, at.weights(entry)).earlier[concept.name]
        hits = sum(each.kept(kind) for each in answers)
        before = sum(each.kept_by_base(kind) for each in answers)
        return RevisionPresence(entry, share(hits, len(answers)), before / len(answers))

    return measure
