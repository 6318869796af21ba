"""Looking back at a history: gather what a report says, and paint its pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unlearnlog.doubt import doubts
from unlearnlog.errors import PolicyError, UsageError
from unlearnlog.findings.attacked import attacks
from unlearnlog.findings.audited import KIND, audits
from unlearnlog.findings.content import Step
from unlearnlog.findings.gather import Subject, gather
from unlearnlog.live import deed, live_concepts
from unlearnlog.policy import Policy
from unlearnlog.run.beside import beside
from unlearnlog.watch import Unwatched

if TYPE_CHECKING:
    from unlearnlog.entry import Entry, EntryId
    from unlearnlog.findings.content import Findings
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


@dataclass(frozen=True)
class Wish:
    """What somebody wants to read.

    Attributes:
        rev: Up to which entry.
        pictures: Prompts of each erased concept that are painted; 0 for no pictures.
        policy: By which pictures are painted; None for the last entry's own.
        watch: Who wants to see it advance.
    """

    rev: str = "HEAD"
    pictures: int = 2
    policy: Policy | None = None
    watch: Watch = field(default_factory=Unwatched)


def report(at: Place, wish: Wish) -> Findings:
    """Return everything that is known of a revision.

    Raises:
        NoLedger: There is none.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: It is the base, of which there is nothing to report.
    """
    head = at.resolved(wish.rev)
    if head is None:
        raise UsageError(
            f"'{wish.rev}' is the base: nothing is erased there, so there is nothing "
            "to report",
            fix="erase something first, or name an entry: unlearnlog log",
        )
    steps = steps_of(at, head)
    entries = [entry for _, entry in at.the_ledger().history(head)]
    policy, recorded = policy_of(steps[-1].entry)
    subject = Subject(
        model=at.manifest.name,
        base=at.manifest.root,
        revision=wish.rev,
        world=at.book([c for step in steps for c in step.entry.concepts]).world,
        policy=policy if recorded else policy or wish.policy,
        recorded=recorded,
        audits=audits(entries),
        attacks=attacks(entries),
    )
    if not wish.pictures:
        return gather(subject, steps)
    pairs, unpainted = beside(
        at,
        head,
        each=wish.pictures,
        policy=wish.policy or policy,
        watch=wish.watch,
    )
    return gather(subject, steps, pairs, unpainted)


def steps_of(at: Place, head: EntryId | None) -> tuple[Step, ...]:
    """Return every entry up to one, each with what is erased after it.

    Audits are left out: they say nothing of the ledger's own states.
    """
    history = [
        (entry_id, entry)
        for entry_id, entry in at.the_ledger().history(head)
        if entry.kind != KIND
    ]
    return tuple(
        Step(
            number,
            entry,
            tuple(live_concepts(history[:number])),
            deed(entry, dict(history)),
            doubts(history[:number]),
        )
        for number, (_, entry) in enumerate(history, 1)
    )


def policy_of(entry: Entry) -> tuple[Policy | None, bool]:
    """Return the policy that judged an entry, and whether the entry holds it itself.

    An older entry holds a name only: then it is the policy of that name that ships
    today; None where none does, or where a later program wrote what the entry holds.
    """
    if entry.rules is not None:
        return Policy.in_force(entry.policy, entry.rules), True
    try:
        return Policy.load(entry.policy), False
    except PolicyError:
        return None, False
