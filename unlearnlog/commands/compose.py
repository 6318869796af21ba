"""``compose``: bring what other branches or ledgers erased into this branch.

Sums of deltas are exact, so for gradient erasures the order of sides means nothing. A
joint group can be put together in two ways: ``replay`` solves it for the concepts of
all sides, ``sum`` adds their solutions. How far the two are apart is the gap. What one
side's erasure did to the other's concepts is measured, and beyond the policy it is a
conflict.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from unlearnlog.commands.branches import (
    MergeItem,
    MergeSide,
    added,
    appended,
    entries_to_merge,
    merge_side_of,
    merged,
    taken_back,
)
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.evaluation import evaluation_of, state_readings
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept, meant_by
from unlearnlog.core.entry import (
    Append,
    Entry,
    EraserRecord,
    SetGroup,
    Setting,
    VerdictRecord,
)
from unlearnlog.core.note import Note, inherited
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.errors import LedgerError, Refused, UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

How = Literal["replay", "sum"]


@dataclass(frozen=True)
class ComposeRequest:
    """What somebody wants to be put together.

    Attributes:
        revs: Revisions as they were typed; of another ledger as ``FOLDER@REV``.
        policy: What is looked at, and what must hold.
        how: What becomes of joint groups.
        accept_conflicts: Record it although the policy minds.
        watch: Receives the progress of the work.
        note: What people say of it; None to keep what was said of what it brings.
    """

    revs: tuple[str, ...]
    policy: Policy
    how: How = "replay"
    accept_conflicts: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


@dataclass(frozen=True)
class Composed:
    """What ``compose`` did.

    Attributes:
        entry: The entry; recorded if its verdict lets it stand.
        gap: Frobenius norm of replay minus sum, as a share of the sum's; None where
            the other way cannot be gone.
        conflicts: What the sides did to each other, one sentence each.
        alone: The readings of each concept where it was erased, to compare with.
        back: Names of concepts that were erased here and, as a side took that back, no
            longer are.
    """

    entry: Entry
    gap: float | None
    conflicts: tuple[str, ...]
    alone: tuple[Reading, ...]
    back: tuple[str, ...] = ()

    def __repr__(self) -> str:
        gap = "" if self.gap is None else f", gap {self.gap:.3g}"
        return f"<Composed {self.entry!r}, {len(self.conflicts)} conflicts{gap}>"


def compose(at: Session, wish: ComposeRequest) -> Composed:
    """Record an entry that does here what other histories did.

    Raises:
        RevisionError: A revision names no entry here or there.
        WrongBase: Another ledger is of another model.
        LedgerError: There is nothing to bring.
    """
    _check_wish(wish)
    started = time.monotonic()
    sides = [merge_side_of(at, rev) for rev in wish.revs]
    return until_recorded(
        at, wish.watch, lambda here: _composed(here, sides, wish, started)
    )


def _composed(
    at: Session, sides: Sequence[MergeSide], wish: ComposeRequest, started: float
) -> Composed:
    """Put the sides together on one head."""
    name = at.pin[1] if at.pin else at.the_ledger().branch
    here = MergeSide(name, at.the_ledger(), at.history())
    asked = _draft(at, here, sides, wish.how)
    gap = _gap(at, wish.how, asked, lambda how: _draft(at, here, sides, how))
    heads = tuple(side.head for side in sides)
    settings: dict[str, Setting] = {"gap": gap, "how": wish.how, "sources": heads}
    draft = replace(
        asked,
        made=EraserRecord(name="compose", settings=settings),
        policy=wish.policy,
        started=started,
        note=_note(here, sides, wish),
    )
    state = draft.state(at)
    readings = _readings(at, draft, wish, {**at.model.base, **state})
    verdict = wish.policy.verdict(readings)
    if not draft.concepts:  # erasures were taken back, none came
        verdict = wish.policy.verdict(readings, unread_is_open=False)
    failures = (*_twice(here, sides, wish.how), *verdict.failures)
    conflicts = (*failures, *verdict.undecided)
    said = VerdictRecord.of(
        failures, verdict.undecided, accepts_failure=wish.accept_conflicts
    )
    entry = draft.concluded(at, state, readings, said)
    if said.may_stand:
        at.record(entry, *draft.brought)
    before, after = (
        live_concepts([*at.history(), *new]) for new in ((), [(entry.id, entry)])
    )
    back = tuple(name for name in before if name not in after)
    return Composed(entry, gap, conflicts, _alone(here, sides), back)


def _note(
    here: MergeSide, sides: Sequence[MergeSide], wish: ComposeRequest
) -> Note | None:
    """Return what is said of the command, or else of the erasures that it brings."""
    brought = [entry.note for side in sides for entry in entries_to_merge(here, side)]
    return inherited(wish.note, brought)


def refuse(done: Composed) -> None:
    """Raise what conflicts mean that nobody accepted.

    Raises:
        Refused: Always; it holds what would have been recorded.
    """
    error = Refused(
        "conflict: " + "; ".join(done.conflicts),
        fix="nothing was recorded; revert one of the erasures on its branch, or add "
        "--accept-conflicts to record it all the same",
    )
    error.entry = done.entry
    raise error


def _draft(
    at: Session, here: MergeSide, sides: Sequence[MergeSide], how: How
) -> EntryBuilder:
    """Say what the entry changes."""
    drops = {d.entry: d for side in sides for d in taken_back(here, side)}
    back = [*drops.values()]
    single: dict[str, MergeItem] = {}  # what two sides have in common comes once
    for side in sides:
        for part in appended(here, side, back):
            single[part.change.model_dump_json()] = part
    grouped = (merged if how == "replay" else added)(at, here, sides, back)
    parts = [*map(MergeItem, back), *single.values(), *grouped]
    if not parts:
        raise LedgerError(
            f"{', '.join(side.name for side in sides)}: nothing there that "
            f"{here.name} does not have",
            fix="unlearnlog log --graph shows what each branch did; to undo here what "
            "it took back after it was composed: unlearnlog revert",
        )
    concepts = {c.id: c for part in parts for c in part.concepts}
    deltas = {part.delta.digest: part.delta for part in parts if part.delta is not None}
    return EntryBuilder(
        "compose",
        tuple(concepts.values()),
        EraserRecord(name="compose"),
        tuple(part.change for part in parts),
        tuple(deltas.values()),
    )


def _gap(
    at: Session, how: How, asked: EntryBuilder, drafted: Callable[[How], EntryBuilder]
) -> float | None:
    """Return how far replay and sum are apart, as a share of the sum."""
    try:
        other = drafted("sum" if how == "replay" else "replay").change(at)
    except LedgerError:  # a group cannot be solved with this file of concepts
        return None
    changes = asked.change(at), other
    replay, summed = changes if how == "replay" else changes[::-1]
    apart = whole = 0.0
    for name in replay.keys() | summed.keys():
        one, two = replay.get(name), summed.get(name)
        whole += 0.0 if two is None else float(two.square().sum())
        if one is None or two is None:
            only = one if two is None else two
            apart += 0.0 if only is None else float(only.square().sum())
        else:
            apart += float((one - two).square().sum())
    return (apart / whole) ** 0.5 if whole else float(apart > 0)


def _check_wish(wish: ComposeRequest) -> None:
    if not wish.revs:
        raise UsageError("nothing is named to compose", fix="name a branch")
    if wish.how not in get_args(How):
        known = ", ".join(get_args(How))
        raise UsageError(f"'{wish.how}' is no way to compose", fix=f"known: {known}")


def _readings(
    at: Session, draft: EntryBuilder, wish: ComposeRequest, new: Weights
) -> tuple[Reading, ...]:
    """Look at every concept that came, closely, and at those that were gone before."""
    own = draft.entry(at)
    live = live_concepts([*at.history(), (own.id, own)])
    brought = [c for entry, c in live.values() if entry == own.id]
    gone = [c for entry, c in live.values() if entry != own.id]
    if not brought:
        return state_readings(at, gone, new, wish.policy, wish.watch)
    target = wish.policy.chosen_eraser().target
    look = evaluation_of(
        at, wish.policy, brought, gone=gone, target=target, watch=wish.watch
    )
    return look.readings(new)


def _twice(here: MergeSide, sides: Sequence[MergeSide], how: How) -> tuple[str, ...]:
    """Say which concepts more than one history erased, each in its own way."""
    by: dict[str, list[tuple[str, set[str]]]] = {}
    for side in (here, *sides):
        chain = dict(side.history)
        for name, (entry_id, concept) in live_concepts(side.history).items():
            ways = _ways(chain[entry_id], concept, how)
            same = [found for found in by.get(name, []) if found[1] & ways]
            if not same:
                by.setdefault(name, []).append((entry_id[:12], ways))
    return tuple(
        f"{name} is erased more than once, by {' and '.join(e for e, _ in found)}"
        for name, found in by.items()
        if len(found) > 1
    )


def _ways(entry: Entry, concept: Concept, how: How) -> set[str]:
    """Return what an entry erased a concept with: deltas, and groups that merge."""
    ways = set()
    for change in entry.changes:
        match change:
            case SetGroup(members=ids) if concept in meant_by(entry.concepts, ids):
                ways.add(change.group if how == "replay" else entry.id)
            case Append(of=of) if not of or concept in meant_by(entry.concepts, of):
                ways.add(change.object)
    return ways


def _alone(here: MergeSide, sides: Sequence[MergeSide]) -> tuple[Reading, ...]:
    """Return what was read of each concept where it was erased."""
    return tuple(
        reading
        for side in sides
        for entry in entries_to_merge(here, side)
        for reading in entry.readings
        if reading.concept in {concept.name for concept in entry.concepts}
    )
