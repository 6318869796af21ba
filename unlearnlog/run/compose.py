"""``compose``: bring what other branches or ledgers erased into this branch.

Sums of deltas are exact, so for gradient erasures the order of sides means nothing. A
joint group can be put together in two ways: ``replay`` solves it for the concepts of
all sides, ``sum`` adds their solutions. How far the two are apart is the gap. What one
side's erasure did to the other's concepts is measured, and beyond the policy it is a
conflict.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from unlearnlog.entry import (
    Append,
    Entry,
    EraserRecord,
    SetGroup,
    Setting,
    VerdictRecord,
)
from unlearnlog.errors import LedgerError, Refused
from unlearnlog.run.measure import look_at, state_readings
from unlearnlog.run.place import live_concepts
from unlearnlog.run.record import Draft
from unlearnlog.run.sides import (
    Part,
    Side,
    added,
    appended,
    merged,
    news,
    side_of,
    taken_back,
)
from unlearnlog.watch import Unwatched, Watch

if TYPE_CHECKING:
    from unlearnlog.delta import Weights
    from unlearnlog.policy import Policy
    from unlearnlog.reading import Reading
    from unlearnlog.run.place import Place

How = Literal["replay", "sum"]


@dataclass(frozen=True)
class Wish:
    """What somebody wants to be put together.

    Attributes:
        revs: Revisions as they were typed; of another ledger as ``FOLDER@REV``.
        policy: What is looked at, and what must hold.
        how: What becomes of joint groups.
        accept_conflicts: Record it although the policy minds.
        watch: Who wants to see it advance.
    """

    revs: tuple[str, ...]
    policy: Policy
    how: How = "replay"
    accept_conflicts: bool = False
    watch: Watch = field(default_factory=Unwatched)


@dataclass(frozen=True)
class Composed:
    """What ``compose`` did.

    Attributes:
        entry: The entry; recorded if its verdict passed.
        gap: Frobenius norm of replay minus sum, as a share of the sum's.
        conflicts: What the sides did to each other, one sentence each.
        alone: The readings of each concept where it was erased, to compare with.
    """

    entry: Entry
    gap: float
    conflicts: tuple[str, ...]
    alone: tuple[Reading, ...]


def compose(at: Place, wish: Wish) -> Composed:
    """Record an entry that does here what other histories did.

    Raises:
        RevisionError: A revision names no entry here or there.
        WrongBase: Another ledger is of another model.
        LedgerError: There is nothing to bring.
    """
    started, at = time.monotonic(), at.standing()
    here = Side(at.the_ledger().branch, at.the_ledger(), at.history())
    sides = [side_of(at, rev) for rev in wish.revs]
    drafts = {how: _draft(at, here, sides, how) for how in ("replay", "sum")}
    gap = _gap(*(draft.change(at) for draft in drafts.values()))
    heads = tuple(side.head for side in sides)
    settings: dict[str, Setting] = {"gap": gap, "how": wish.how, "sources": heads}
    draft = replace(
        drafts[wish.how],
        made=EraserRecord(name="compose", settings=settings),
        policy=wish.policy.name,
        started=started,
    )
    state = draft.state(at)
    readings = _readings(at, draft, wish, {**at.model.base, **state})
    verdict = wish.policy.verdict(readings)
    if not draft.concepts:  # erasures were taken back, none came
        verdict = replace(verdict, undecided=())
    failures = (*_twice(here, sides, wish.how), *verdict.failures)
    conflicts = (*failures, *verdict.undecided)
    said = VerdictRecord(
        passed=wish.accept_conflicts or not conflicts,
        failures=failures,
        undecided=verdict.undecided,
    )
    entry = draft.concluded(at, state, readings, said)
    if said.passed:
        here.ledger.append(entry, *draft.brought)
    return Composed(entry, gap, conflicts, _alone(here, sides))


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


def _draft(at: Place, here: Side, sides: Sequence[Side], how: How) -> Draft:
    """Say what the entry changes."""
    single: dict[str, Part] = {}  # what two sides have in common comes once
    for side in sides:
        for change, delta in (*appended(here, side), *taken_back(here, side)):
            single[change.model_dump_json()] = change, delta
    grouped = merged(at, here, sides) if how == "replay" else added(here, sides)
    parts = [*single.values(), *grouped]
    if not parts:
        raise LedgerError(
            f"{', '.join(side.name for side in sides)}: nothing there that "
            f"{here.name} does not have",
            fix="unlearnlog log --graph shows what each branch erased",
        )
    concepts = {
        concept.name: concept
        for side in sides
        for entry in news(here, side)
        for concept in entry.concepts
    }
    deltas = {delta.digest: delta for _, delta in parts if delta is not None}
    return Draft(
        "compose",
        tuple(concepts.values()),
        EraserRecord(name="compose"),
        tuple(change for change, _ in parts),
        tuple(deltas.values()),
    )


def _gap(replay: Weights, summed: Weights) -> float:
    """Return how far the two are apart, as a share of the sum."""
    apart = whole = 0.0
    for name in replay.keys() | summed.keys():
        one, other = replay.get(name), summed.get(name)
        whole += 0.0 if other is None else float(other.square().sum())
        if one is None or other is None:
            only = one if other is None else other
            apart += 0.0 if only is None else float(only.square().sum())
        else:
            apart += float((one - other).square().sum())
    return (apart / whole) ** 0.5 if whole else float(apart > 0)


def _readings(at: Place, draft: Draft, wish: Wish, new: Weights) -> tuple[Reading, ...]:
    """Look at every concept that came, closely, and at those that were gone before."""
    own = draft.entry(at)
    live = live_concepts([*at.history(), (own.id, own)])
    brought = [c for entry, c in live.values() if entry == own.id]
    gone = [c for entry, c in live.values() if entry != own.id]
    if not brought:
        return state_readings(at, gone, new, wish.policy, wish.watch)
    target = wish.policy.chosen_eraser().target
    look = look_at(at, wish.policy, brought, gone=gone, target=target, watch=wish.watch)
    return look.readings(new)


def _twice(here: Side, sides: Sequence[Side], how: How) -> tuple[str, ...]:
    """Say which concepts more than one history erased, each in its own way."""
    by: dict[str, list[tuple[str, set[str]]]] = {}
    for side in (here, *sides):
        chain = dict(side.history)
        for name, (entry_id, _) in live_concepts(side.history).items():
            ways = _ways(chain[entry_id], how)
            same = [found for found in by.get(name, []) if found[1] & ways]
            if not same:
                by.setdefault(name, []).append((entry_id[:12], ways))
    return tuple(
        f"{name} is erased more than once, by {' and '.join(e for e, _ in found)}"
        for name, found in by.items()
        if len(found) > 1
    )


def _ways(entry: Entry, how: How) -> set[str]:
    """Return what an entry erased with: its deltas, and groups where they merge."""
    if how == "sum":
        return {*entry.objects}
    groups = {c.group for c in entry.changes if isinstance(c, SetGroup)}
    return groups | {c.object for c in entry.changes if isinstance(c, Append)}


def _alone(here: Side, sides: Sequence[Side]) -> tuple[Reading, ...]:
    """Return what was read of each concept where it was erased."""
    return tuple(
        reading
        for side in sides
        for entry in news(here, side)
        for reading in entry.readings
        if reading.concept in {concept.name for concept in entry.concepts}
    )
