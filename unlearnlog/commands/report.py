"""``report``: the findings of a history, and its pictures before and after."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from unlearnlog.commands.before_after import before_and_after
from unlearnlog.core.active import said_of
from unlearnlog.core.doubt import HistoryCourse
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import PolicyError, UsageError
from unlearnlog.findings.attack_history import attacks
from unlearnlog.findings.audit_history import KIND, audits
from unlearnlog.findings.build import Subject, gather
from unlearnlog.findings.report_parts import MOST_STEPS
from unlearnlog.findings.step import ActiveNames, Step
from unlearnlog.policy import Policy

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.progress import Progress
    from unlearnlog.findings.report_parts import Findings
    from unlearnlog.ledger.repository import Repository


@dataclass(frozen=True)
class ReportRequest:
    """Arguments of ``report``.

    Attributes:
        rev: The last entry.
        pictures: Prompts per erased concept that are painted; 0 for no pictures.
        policy: Sampling settings of the pictures; None for the last entry's own.
        watch: Receives the progress of the work.
    """

    rev: str = "HEAD"
    pictures: int = 2
    policy: Policy | None = None
    watch: Progress = field(default_factory=NoProgress)


def report(at: Session, request: ReportRequest) -> Findings:
    """Return the findings of a revision.

    Raises:
        NoLedger: There is no ledger.
        RevisionError: The revision names nothing or more than one entry.
        UsageError: The revision is the base.
    """
    head = at.resolved(request.rev)
    if head is None:
        raise UsageError(
            f"'{request.rev}' is the base: nothing is erased there, so there is "
            "nothing to report",
            fix="erase something first, or name an entry: unlearnlog log",
        )
    steps = _with_kinds(steps_of(at, head), at.the_ledger())
    entries = [entry for _, entry in at.the_ledger().history(head)]
    policy, recorded = policy_of(steps[-1].entry)
    subject = Subject(
        model=at.manifest.name,
        base=at.manifest.root,
        revision=request.rev,
        world=at.book([c for step in steps for c in step.entry.concepts]).world,
        policy=policy if recorded else policy or request.policy,
        recorded=recorded,
        audits=audits(entries),
        attacks=attacks(entries),
    )
    if not request.pictures:
        return gather(subject, steps)
    pairs, unpainted = before_and_after(
        at,
        head,
        each=request.pictures,
        policy=request.policy or policy,
        watch=request.watch,
    )
    return gather(subject, steps, pairs, unpainted)


@uncollected()
def steps_of(at: Session, head: EntryId | None) -> tuple[Step, ...]:
    """Return every entry up to one, each with the concepts erased after it.

    Audits are no steps: they change nothing. An attack that succeeded on the very state
    of a step leaves its concept in doubt.
    """
    history = at.the_ledger().history(head)
    n = sum(entry.kind != KIND for _, entry in history)
    course = HistoryCourse()
    spans: dict[str, list[tuple[int, int]]] = {}
    steps: list[Step] = []
    for entry_id, entry in history:
        if entry.kind != KIND and steps:
            steps[-1] = _with_doubts(steps[-1], course, n)
        course.add(entry_id, entry)
        if entry.kind != KIND:
            steps.append(_step(len(steps) + 1, entry, course, spans))
    if steps:
        steps[-1] = _with_doubts(replace(steps[-1], live=course.live), course, n)
    return tuple(steps)


def _step(
    number: int,
    entry: Entry,
    course: HistoryCourse,
    spans: dict[str, list[tuple[int, int]]],
) -> Step:
    """Return the step of the entry that a course read last."""
    for name in course.ended:
        spans[name][-1] = spans[name][-1][0], number - 1
    for name in course.began:
        spans.setdefault(name, []).append((number, sys.maxsize))
    return Step(
        number,
        entry,
        ActiveNames(spans, number),
        said_of(entry, course.began, course.ended),
        began=course.began,
        ended=course.ended,
    )


def _with_doubts(step: Step, course: HistoryCourse, n: int) -> Step:
    """Return a step with the doubts that a report of ``n`` steps shows of it."""
    drawn = step.number > n - MOST_STEPS
    return replace(step, doubts=course.doubts(course.live if drawn else step.presences))


def _with_kinds(steps: tuple[Step, ...], ledger: Repository) -> tuple[Step, ...]:
    """Return steps with the kinds of the deltas of those that a report draws."""
    first = max(0, len(steps) - MOST_STEPS)
    drawn = (replace(s, delta_kind=ledger.delta_kind(s.entry)) for s in steps[first:])
    return (*steps[:first], *drawn)


def policy_of(entry: Entry) -> tuple[Policy | None, bool]:
    """Return the policy that judged an entry, and whether the entry records it in full.

    An early entry records a name only: then it is the bundled policy of that name; None
    where there is none, or where a later version wrote the entry.
    """
    if entry.rules is not None:
        return Policy.in_force(entry.policy, entry.rules), True
    try:
        return Policy.load(entry.policy), False
    except PolicyError:
        return None, False
