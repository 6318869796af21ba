"""Histories to be composed, and what each adds and reverts since the common beginning.

As in git merges: what a side erased after the common beginning is added, and what it
reverted of the common beginning is reverted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from unlearnlog.commands import joint_set
from unlearnlog.commands.checks import source
from unlearnlog.core.concept import Concept, meant_by
from unlearnlog.core.delta import Delta
from unlearnlog.core.entry import Append, Change, Drop, Entry, EntryId, SetGroup
from unlearnlog.core.replay_plan import dropped
from unlearnlog.errors import LedgerError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.digest import Digest
    from unlearnlog.ledger.repository import Repository

History = list[tuple[EntryId, Entry]]


@dataclass(frozen=True)
class MergeItem:
    """One change of a composition.

    Attributes:
        change: Its effect on the replay.
        delta: Its delta, where the branch's ledger may not have it.
        concepts: The concepts it erases.
    """

    change: Change
    delta: Delta | None = None
    concepts: tuple[Concept, ...] = ()


@dataclass(frozen=True)
class MergeSide:
    """One history of a composition.

    Attributes:
        name: The name that the user typed.
        ledger: The repository that holds it.
        history: Every entry, oldest first.
    """

    name: str
    ledger: Repository
    history: History

    @property
    def gone(self) -> set[EntryId]:
        """Entries that later ones leave out."""
        return dropped([entry for _, entry in self.history])

    @property
    def head(self) -> str:
        """Id of the last entry, or ``base``."""
        return self.history[-1][0] if self.history else "base"


def merge_side_of(at: Session, rev: str) -> MergeSide:
    """Return the history of a revision, of this ledger or of another.

    Args:
        at: Where the own ledger is.
        rev: A revision, ``FOLDER`` or ``FOLDER@REV``.

    Raises:
        RevisionError: It is none of these.
        WrongBase: The other ledger is of another model.
    """
    ledger, name = source(at.the_ledger(), rev)
    return MergeSide(rev, ledger, ledger.history(ledger.resolve(name)))


def common(here: MergeSide, side: MergeSide) -> History:
    """Return the common beginning of two histories."""
    pairs = zip(here.history, side.history, strict=False)
    same = takewhile(lambda pair: pair[0][0] == pair[1][0], pairs)
    return [pair[0] for pair in same]


def entries_to_merge(here: MergeSide, side: MergeSide) -> list[Entry]:
    """Return the entries that count on a side and are missing in ours."""
    had = {entry_id for entry_id, _ in here.history} | side.gone
    there = [entry for entry_id, entry in side.history if entry_id not in had]
    return [entry for entry in there if entry.kind not in ("revert", "audit")]


def appended(
    here: MergeSide, side: MergeSide, drops: Iterable[Drop]
) -> Iterator[MergeItem]:
    """Yield each delta that a side added and that ours neither has nor reverted."""
    chain = [entry for _, entry in here.history]
    out = dropped(chain, {drop.entry for drop in drops}) - _own_drops(here, side)
    had = {
        change.object
        for entry_id, entry in here.history
        for change in entry.changes
        if isinstance(change, Append) and entry_id not in out
    }
    for entry in entries_to_merge(here, side):
        for change in entry.changes:
            if isinstance(change, Append) and change.object not in had:
                concepts = _about(entry, change)
                of = tuple(sorted(concept.id for concept in concepts))
                named = Append(object=change.object, of=of)
                yield MergeItem(named, side.ledger.delta(change.object), concepts)


def _own_drops(here: MergeSide, side: MergeSide) -> set[EntryId]:
    """Return the entries that ours reverted since the common beginning."""
    return here.gone - dropped([entry for _, entry in common(here, side)])


def _about(entry: Entry, change: Append) -> tuple[Concept, ...]:
    """Return the concepts that one of an entry's deltas erases."""
    joint_ids = {i for group in joint_set.groups_of(entry) for i in group.members}
    ids = {*change.of} or {c.id for c in entry.concepts} - joint_ids
    return meant_by(entry.concepts, ids)


def taken_back(here: MergeSide, side: MergeSide) -> list[Drop]:
    """Return a drop for each common entry that only the side has left out."""
    shared = common(here, side)
    before = dropped([entry for _, entry in shared])
    only = side.gone - here.gone - before
    return [Drop(entry=entry_id) for entry_id, _ in shared if entry_id in only]


def merged(
    at: Session, here: MergeSide, sides: Sequence[MergeSide], drops: Sequence[Drop]
) -> Iterator[MergeItem]:
    """Solve each group for its members in ours and the changes of the sides."""
    chain = [entry for _, entry in here.history]
    left = dropped(chain, {drop.entry for drop in drops})
    ours = joint_set.live_groups(here.history)
    stay = joint_set.joined(
        group
        for entry_id, entry in here.history
        if entry_id not in left
        for group in joint_set.groups_of(entry)
    )
    come = [group for side in sides for group in _coming(here, side)]
    empty = {name: group.holding(()) for name, group in ours.items()}
    for name, group in (empty | joint_set.joined([*stay.values(), *come])).items():
        before, kept = (g[name].members if name in g else {} for g in (ours, stay))
        new = tuple(c for i, c in group.members.items() if i not in kept)
        if new or group.members != before:
            change, delta = joint_set.set_to(at, group)
            yield MergeItem(change, delta, new)


def _coming(here: MergeSide, side: MergeSide) -> Iterator[joint_set.JointSet]:
    """Yield what a side put into groups, without what ours composed and reverted."""
    chain, own = dict(here.history), _own_drops(here, side)
    refused = {
        (group.name, member)
        for entry_id in own
        if chain[entry_id].kind == "compose"
        for group in joint_set.groups_of(chain[entry_id])
        for member in group.members
    }
    for entry in entries_to_merge(here, side):
        for group in joint_set.groups_of(entry):
            yield group.holding(
                c for i, c in group.members.items() if (group.name, i) not in refused
            )


def added(
    at: Session, here: MergeSide, sides: Sequence[MergeSide], drops: Sequence[Drop]
) -> Iterator[MergeItem]:
    """Revert as in `merged`; add what each side's groups became since.

    What a side shares with ours, or with a side before it, is not added again.
    """
    yield from merged(at, here, [], drops)
    had = {digest for _, entry in here.history for digest in entry.objects}
    before = [here]
    for side in sides:
        shared = max((common(each, side) for each in before), key=len)
        before.append(side)
        olds = _solutions(shared)
        for name, new in _solutions(side.history).items():
            old = olds.get(name)
            if new == old or new in had:
                continue
            yield from _moved(side, name, old, new, shared)


def _moved(
    side: MergeSide, name: str, old: Digest | None, new: Digest, shared: History
) -> Iterator[MergeItem]:
    """Add a group's new solution and remove its old one, as two deltas."""
    groups = joint_set.live_groups(side.history), joint_set.live_groups(shared)
    now, then = (found[name].members if name in found else {} for found in groups)
    concepts = tuple(concept for i, concept in now.items() if i not in then)
    if not concepts:  # reverted concepts left the group already
        return
    if then.keys() - now.keys():
        raise LedgerError(
            f"{side.name} took concepts out of the group {name} and put others in: "
            "there is no sum of that",
            fix="put the histories together with: --how replay",
        )
    of = tuple(sorted(concept.id for concept in concepts))
    yield MergeItem(Append(object=new, of=of), side.ledger.delta(new), concepts)
    if old is not None:
        delta = side.ledger.delta(old).negated()
        yield MergeItem(Append(object=delta.digest, of=of), delta)


def _solutions(history: History) -> dict[str, Digest]:
    """Return the delta of each group that has members."""
    found: dict[str, Digest | None] = {}
    for _, entry in history:
        sets = [change for change in entry.changes if isinstance(change, SetGroup)]
        found |= {change.group: change.object for change in sets}
    return {name: digest for name, digest in found.items() if digest is not None}
