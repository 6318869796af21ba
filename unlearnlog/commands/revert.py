"""``revert``: an entry that leaves others out of the replay, wherever they stand."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.commands import add, joint_set
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.evaluation import state_readings
from unlearnlog.commands.retry import until_recorded
from unlearnlog.core.active import holders, live_concepts
from unlearnlog.core.delta import Weights
from unlearnlog.core.entry import Append, Drop, Entry, EntryId
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.limits import Verdict, first_of
from unlearnlog.core.note import Note, inherited
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.replay_plan import dropped
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import LedgerError, Refused, UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.reading import Reading
    from unlearnlog.ledger.repository import Repository
    from unlearnlog.policy import Policy

STALE: Final = 30.0
"""Degrees: a later entry whose text directions are nearer than this is stale."""


@dataclass(frozen=True)
class Stale:
    """A later entry that was computed on top of a reverted one.

    Attributes:
        entry: Its id.
        concepts: The concepts it erased.
        degrees: Smallest principal angle between the text directions of the two.
    """

    entry: EntryId
    concepts: tuple[str, ...]
    degrees: float


@dataclass(frozen=True)
class Reverted:
    """Result of ``revert``.

    Attributes:
        entry: The recorded entry.
        stale: Later entries whose text directions overlap with reverted ones; nearest
            first.
        again: Erasures computed again on top of it.
    """

    entry: Entry
    stale: tuple[Stale, ...] = ()
    again: tuple[Entry, ...] = ()

    def __repr__(self) -> str:
        stale, again = len(self.stale), len(self.again)
        return f"<Reverted {self.entry!r}, {stale} stale, {again} made anew>"

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The entry's readings, or those of the last erasure computed again."""
        last = self.again[-1].readings if self.again else ()
        return self.entry.readings or last


@dataclass(frozen=True)
class RevertRequest:
    """Arguments of ``revert``.

    Attributes:
        revs: The entries, as they were typed.
        policy: Sample sizes and limits; None to measure nothing.
        accept_failures: Whether to record although a limit fails.
        watch: Receives the progress of the work.
        note: Reason, reference and author for the entry; erasures computed again keep
            their own reason.
    """

    revs: tuple[str, ...]
    policy: Policy | None
    accept_failures: bool = False
    watch: Progress = field(default_factory=NoProgress)
    note: Note | None = None


def revert(at: Session, request: RevertRequest) -> Reverted:
    """Record an entry that leaves others out of the replay; compute no erasure again.

    Later deltas stay as they were computed. Those whose text directions are near the
    reverted one's are returned as stale.

    Raises:
        RevisionError: A revision names no entry.
        UsageError: The revision is the base, or not in this branch's history.
        LedgerError: The entry is left out already, or changes nothing.
        Refused: A limit fails.
    """
    ledger, history = at.the_ledger(), at.history()
    ids = wanted(ledger, history, request.revs)
    return _recorded(at, ids, request)


def rederive(at: Session, request: RevertRequest) -> Reverted:
    """Leave entries out, and compute every later erasure again on the result.

    Raises:
        LedgerError: As in `revert`.
        Refused: The policy refuses one of them; those before it are recorded.
    """
    ledger, history = at.the_ledger(), at.history()
    ids = wanted(ledger, history, request.revs)
    first = min(i for i, (entry, _) in enumerate(history) if entry in ids)
    gone = dropped([entry for _, entry in history])
    later = [
        (entry_id, entry)
        for entry_id, entry in history[first:]
        if entry_id not in {*gone, *ids} and entry.kind == "erase" and _own(entry)
    ]
    done = _recorded(at, [*ids, *(entry_id for entry_id, _ in later)], request)
    again = []
    for _, entry in later:
        outcome = add.add(at, order_again(entry, request))
        if not outcome.entry.verdict.may_stand:
            add.raise_refused(outcome)
        again.append(outcome.entry)
    return Reverted(done.entry, again=tuple(again))


def order_again(entry: Entry, request: RevertRequest) -> add.AddRequest:
    """Return the request that repeats an entry's erasure."""
    from unlearnlog.erasers.eraser_table import said_again
    from unlearnlog.policy import Policy

    rules = request.policy or Policy.load("no-judge")
    settings = said_again(entry.eraser.name, entry.eraser.settings)
    data = {**rules.model_dump(), "eraser": settings}
    if request.policy is None:
        data["limits"] = ()
    return add.AddRequest(
        entry.concepts,
        Policy.of(data, rules.name),
        entry.seed,
        accept_undecided=not entry.verdict.holds,
        watch=request.watch,
        note=inherited(_signed(request.note), [entry.note]),
    )


def _signed(note: Note | None) -> Note | None:
    """Return a note with the author alone, without the text about another entry."""
    return Note.of(author=note.author) if note else None


def wanted(
    ledger: Repository, history: Sequence[tuple[EntryId, Entry]], revs: Sequence[str]
) -> list[EntryId]:
    """Return the entries to leave out; refuse revisions that cannot be."""
    if not revs:
        raise UsageError("nothing is named to take back", fix="name an entry: HEAD")
    chain = dict(history)
    gone = dropped(list(chain.values()))
    found: list[EntryId] = []
    for rev in revs:
        entry = ledger.resolve(rev)
        if entry is None:
            raise UsageError(
                f"'{rev}' is the base: there is nothing to take back",
                fix="name an entry: unlearnlog log lists them",
            )
        if entry not in chain:
            raise UsageError(
                f"entry {entry[:12]} is not in the history of branch {ledger.branch}",
                fix="switch to a branch that has it, or name one of: unlearnlog log",
            )
        if entry in gone:
            raise LedgerError(
                f"entry {entry[:12]} is left out already",
                fix="to bring it back, revert the entry that left it out",
            )
        if not chain[entry].changes:
            raise LedgerError(
                f"entry {entry[:12]} added nothing that could be left out",
                fix="name an entry that erased something: unlearnlog log",
            )
        if entry in found:
            raise UsageError(
                f"entry {entry[:12]} is named twice", fix="name each entry once"
            )
        found.append(entry)
    return found


def _recorded(at: Session, ids: Sequence[EntryId], request: RevertRequest) -> Reverted:
    started = time.monotonic()
    return until_recorded(
        at, request.watch, lambda here: _recorded_on(here, ids, request, started)
    )


def _recorded_on(
    at: Session, ids: Sequence[EntryId], request: RevertRequest, started: float
) -> Reverted:
    ledger, history = at.the_ledger(), at.history()
    wanted(ledger, history, ids)  # another command may have left one out meanwhile
    builder = replace(drafted(at, ids, request), started=started)
    state = builder.state(at)
    readings = _readings(at, builder, {**at.model.base, **state}, request)
    judged = _verdict(request.policy, readings)
    verdict = VerdictRecord.of(
        judged.failures,
        judged.undecided,
        accepts_doubt=True,
        accepts_failure=request.accept_failures,
    )
    entry = builder.concluded(at, state, readings, verdict)
    if not verdict.may_stand:
        raise _refused(entry)
    at.record(entry, *builder.brought)
    return Reverted(entry, stale_after(ledger, history, ids))


def drafted(
    at: Session, ids: Sequence[EntryId], request: RevertRequest
) -> EntryBuilder:
    """Return the builder of the entry that leaves others out, before it is measured.

    Raises:
        LedgerError: A concept would return that has been erased again since.
    """
    chain = dict(at.history())
    builder = EntryBuilder(
        "revert",
        _concepts(chain[entry] for entry in ids),
        EraserRecord(name="revert"),
        tuple(Drop(entry=entry) for entry in ids),
        policy=request.policy,
        note=request.note,
    )
    _check_single(at, builder)
    return _with_groups(at, builder)


def _refused(entry: Entry) -> Refused:
    """Return the error for a limit that fails."""
    error = Refused(
        f"the policy refused it: {first_of(entry.verdict.failures)}",
        fix="nothing was recorded; make later erasures anew with --rederive, or add "
        "--accept-failures to record it all the same",
    )
    error.entry = entry
    return error


def _check_single(at: Session, builder: EntryBuilder) -> None:
    """Refuse to restore a concept's erasure where it has been erased again since.

    Raises:
        LedgerError: Names the concept and both entries.
    """
    history, own = at.history(), builder.entry(at)
    before, after = holders(history), holders([*history, (own.id, own)])
    for name, entries in after.items():
        if len(entries) > max(1, len(before.get(name, ()))):
            ids = [entry[:12] for entry in entries]
            raise LedgerError(
                f"{name} would be erased twice, by {' and by '.join(ids)}",
                fix=f"revert {ids[-1]} as well, in the same command or before",
            )


def _with_groups(at: Session, builder: EntryBuilder) -> EntryBuilder:
    """Set joint groups to the members that remain when the entry's drops count."""
    history = at.history()
    before = joint_set.live_groups(history)
    own = builder.entry(at)
    after = joint_set.live_groups([*history, (own.id, own)])
    moved = [g for g in after.values() if g.members != before[g.name].members]
    found = [joint_set.set_to(at, group) for group in moved]
    return replace(
        builder,
        changes=(*builder.changes, *(change for change, _ in found)),
        brought=tuple(delta for _, delta in found if delta is not None),
    )


def _concepts(entries: Iterable[Entry]) -> tuple[Concept, ...]:
    """Return every concept of some entries once."""
    found = {concept.name: concept for entry in entries for concept in entry.concepts}
    return tuple(found.values())


def _readings(
    at: Session, builder: EntryBuilder, new: Weights, request: RevertRequest
) -> tuple[Reading, ...]:
    """Measure the concepts still erased, and all others with those that came back."""
    if request.policy is None:
        return ()
    own = builder.entry(at)
    live = live_concepts([*at.history(), (own.id, own)])
    gone = [concept for _, concept in live.values()]
    return state_readings(at, gone, new, request.policy, request.watch)


def _verdict(policy: Policy | None, readings: Sequence[Reading]) -> Verdict:
    """Return the policy's verdict; limits without a reading are not open."""
    if policy is None or not readings:
        return Verdict()
    return policy.verdict(readings, unread_is_open=False)


def stale_after(
    ledger: Repository, history: Sequence[tuple[EntryId, Entry]], ids: Sequence[EntryId]
) -> tuple[Stale, ...]:
    """Return later entries whose text directions are near those left out."""
    chain = dict(history)
    gone = dropped(list(chain.values())) | set(ids)
    left_out = [ledger.delta(d) for entry in ids for d in _own(chain[entry])]
    first = min(i for i, (entry, _) in enumerate(history) if entry in ids)
    found = []
    for entry_id, entry in history[first:]:
        if entry_id in gone:
            continue
        cosines = [
            ledger.delta(digest).overlap(other)
            for digest in _own(entry)
            for other in left_out
        ]
        degrees = math.degrees(math.acos(max(cosines, default=0.0)))
        if degrees < STALE:
            names = tuple(concept.name for concept in entry.concepts)
            found.append(Stale(entry_id, names, round(degrees, 1)))
    return tuple(sorted(found, key=lambda stale: stale.degrees))


def _own(entry: Entry) -> list[Digest]:
    """Return the deltas that stay as they were computed; a group's do not."""
    return [change.object for change in entry.changes if isinstance(change, Append)]
