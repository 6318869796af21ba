"""``compose``: the erasures of other branches or ledgers, recorded in this branch.

Sums of deltas are exact, so the order of the sides does not matter for trained
erasures. A joint group can be composed in two ways: ``replay`` solves it for the
concepts of all sides, ``sum`` adds their solutions; the distance of the two is the gap.
Effects of one side's erasures on the other's concepts are measured, and are a conflict
where the policy's limits fail.
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
from unlearnlog.commands.judge_choice import unread
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept, meant_by
from unlearnlog.core.entry import Append, Entry, SetGroup
from unlearnlog.core.eraser_record import EraserRecord, Setting
from unlearnlog.core.limits import first_of
from unlearnlog.core.note import Note, inherited
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import LedgerError, Refused, UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

How = Literal["replay", "sum"]


@dataclass(frozen=True)
class ComposeRequest:
    """Arguments of ``compose``.

    Attributes:
        revs: Revisions as they were typed; of another ledger as ``FOLDER@REV``.
        policy: Sample sizes and limits.
        how: Treatment of joint groups.
        accept_conflicts: Whether to record although there are conflicts.
        watch: Receives the progress of the work.
        note: Reason, reference and author for the entry; None to keep the notes of the
            composed erasures.
    """

    revs: tuple[str, ...]
    policy: Policy
    how: How = "replay"
    accept_conflicts: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


@dataclass(frozen=True)
class Composed:
    """Result of ``compose``.

    Attributes:
        entry: The entry; recorded if its verdict lets it stand.
        gap: Frobenius norm of replay minus sum, as a share of the sum's; None where the
            other way is impossible.
        conflicts: Conflicts between the sides, one sentence each.
        alone: The readings of each concept on its own branch, for comparison.
        back: Names of concepts that were erased here and no longer are, because a side
            reverted them.
    """

    entry: Entry
    gap: float | None
    conflicts: tuple[str, ...]
    alone: tuple[Reading, ...]
    back: tuple[str, ...] = ()

    def __repr__(self) -> str:
        gap = "" if self.gap is None else f", gap {self.gap:.3g}"
        return f"<Composed {self.entry!r}, {len(self.conflicts)} conflicts{gap}>"


def compose(at: Session, request: ComposeRequest) -> Composed:
    """Record an entry that repeats here the erasures and reverts of other histories.

    Raises:
        RevisionError: A revision names no entry here or there.
        WrongBase: Another ledger is of another model.
        LedgerError: The other histories add nothing.
    """
    _check_request(request)
    started = time.monotonic()
    sides = [merge_side_of(at, rev) for rev in request.revs]
    return until_recorded(
        at, request.watch, lambda here: _composed(here, sides, request, started)
    )


def _composed(
    at: Session, sides: Sequence[MergeSide], request: ComposeRequest, started: float
) -> Composed:
    """Compose the sides on one head."""
    name = at.pin[1] if at.pin else at.the_ledger().branch
    here = MergeSide(name, at.the_ledger(), at.history())
    planned = _draft(at, here, sides, request.how)
    gap = _gap(at, request.how, planned, lambda how: _draft(at, here, sides, how))
    heads = tuple(side.head for side in sides)
    settings: dict[str, Setting] = {"gap": gap, "how": request.how, "sources": heads}
    builder = replace(
        planned,
        made=EraserRecord(name="compose", settings=settings),
        policy=request.policy,
        started=started,
        note=_note(here, sides, request),
    )
    state = builder.state(at)
    readings = _readings(at, builder, request, {**at.model.base, **state})
    verdict = request.policy.verdict(
        readings,
        unread_is_open=bool(builder.concepts),  # or erasures were taken back, none came
        unread=unread(at, request.policy.judge),
    )
    failures = (*_twice(here, sides, request.how), *verdict.failures)
    conflicts = (*failures, *verdict.undecided)
    verdict_record = VerdictRecord.of(
        failures, verdict.undecided, accepts_failure=request.accept_conflicts
    )
    entry = builder.concluded(at, state, readings, verdict_record)
    if verdict_record.may_stand:
        at.record(entry, *builder.brought)
    before, after = (
        live_concepts([*at.history(), *new]) for new in ((), [(entry.id, entry)])
    )
    back = tuple(name for name in before if name not in after)
    return Composed(entry, gap, conflicts, _alone(here, sides), back)


def _note(
    here: MergeSide, sides: Sequence[MergeSide], request: ComposeRequest
) -> Note | None:
    """Return the note of the command, or else those of the composed erasures."""
    brought = [entry.note for side in sides for entry in entries_to_merge(here, side)]
    return inherited(request.note, brought)


def refuse(done: Composed) -> None:
    """Raise the refusal for conflicts that were not accepted.

    Raises:
        Refused: Always; its ``entry`` is the one that was not recorded.
    """
    error = Refused(
        f"conflict: {first_of(done.conflicts)}",
        fix="nothing was recorded; revert one of the erasures on its branch, or add "
        "--accept-conflicts to record it all the same",
    )
    error.entry = done.entry
    raise error


def _draft(
    at: Session, here: MergeSide, sides: Sequence[MergeSide], how: How
) -> EntryBuilder:
    """Return the entry's changes."""
    drops = {d.entry: d for side in sides for d in taken_back(here, side)}
    back = [*drops.values()]
    single: dict[str, MergeItem] = {}  # a change of two sides counts once
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
    at: Session, how: How, builder: EntryBuilder, build: Callable[[How], EntryBuilder]
) -> float | None:
    """Return the distance of replay and sum, as a share of the sum."""
    try:
        other = build("sum" if how == "replay" else "replay").change(at)
    except LedgerError:  # a group cannot be solved with this file of concepts
        return None
    changes = builder.change(at), other
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


def _check_request(request: ComposeRequest) -> None:
    """Refuse a request without revisions, or with an unknown way to compose."""
    if not request.revs:
        raise UsageError("nothing is named to compose", fix="name a branch")
    if request.how not in get_args(How):
        known = ", ".join(get_args(How))
        raise UsageError(f"'{request.how}' is no way to compose", fix=f"known: {known}")


def _readings(
    at: Session, builder: EntryBuilder, request: ComposeRequest, new: Weights
) -> tuple[Reading, ...]:
    """Measure every concept that was added, in detail, and those erased before."""
    own = builder.entry(at)
    live = live_concepts([*at.history(), (own.id, own)])
    brought = [c for entry, c in live.values() if entry == own.id]
    gone = [c for entry, c in live.values() if entry != own.id]
    if not brought:
        return state_readings(at, gone, new, request.policy, request.watch)
    target = request.policy.chosen_eraser().target
    evaluation = evaluation_of(
        at, request.policy, brought, gone=gone, target=target, watch=request.watch
    )
    return evaluation.readings(new)


def _twice(here: MergeSide, sides: Sequence[MergeSide], how: How) -> tuple[str, ...]:
    """Return a sentence for each concept that two histories erased differently."""
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
    """Return how an entry erased a concept: deltas, and groups that merge."""
    ways = set()
    for change in entry.changes:
        match change:
            case SetGroup(members=ids) if concept in meant_by(entry.concepts, ids):
                ways.add(change.group if how == "replay" else entry.id)
            case Append(of=of) if not of or concept in meant_by(entry.concepts, of):
                ways.add(change.object)
    return ways


def _alone(here: MergeSide, sides: Sequence[MergeSide]) -> tuple[Reading, ...]:
    """Return the readings of each concept on the side that erased it."""
    return tuple(
        reading
        for side in sides
        for entry in entries_to_merge(here, side)
        for reading in entry.readings
        if reading.concept in {concept.name for concept in entry.concepts}
    )
