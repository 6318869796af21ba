"""The histories that are put together, and what each did since it left the other.

As git merges: what a side erased after the common beginning is news, and what it took
back of the common beginning is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.delta import Delta
from unlearnlog.entry import Append, Change, Drop, Entry, EntryId, SetGroup, dropped
from unlearnlog.errors import NoLedger, RevisionError
from unlearnlog.ledger import Ledger
from unlearnlog.run import joint

if TYPE_CHECKING:
    from unlearnlog.digest import Digest
    from unlearnlog.run.place import Place

History = list[tuple[EntryId, Entry]]
Part = tuple[Change, Delta | None]
"""A change, and its delta where the branch's ledger may not have it."""

_AT: Final = "@"


@dataclass(frozen=True)
class Side:
    """One history.

    Attributes:
        name: What the user calls it.
        ledger: Where it is.
        history: Every entry, oldest first.
    """

    name: str
    ledger: Ledger
    history: History

    @property
    def gone(self) -> set[EntryId]:
        """Entries that later ones leave out."""
        return dropped([entry for _, entry in self.history])

    @property
    def head(self) -> str:
        """Id of the last entry, or ``base``."""
        return self.history[-1][0] if self.history else "base"


def side_of(at: Place, rev: str) -> Side:
    """Find a history by what somebody typed: a revision, or another ledger's.

    Args:
        at: Where the own ledger is.
        rev: A revision, ``FOLDER`` or ``FOLDER@REV``.

    Raises:
        RevisionError: It is neither.
        WrongBase: The other ledger is of another model.
    """
    ledger = at.the_ledger()
    folder, _, name = rev.rpartition(_AT)
    if not folder:
        folder, name = rev, "HEAD"
    try:
        return Side(rev, ledger, ledger.history(ledger.resolve(rev)))
    except RevisionError:
        if not Path(folder).is_dir():
            raise
    try:
        other = Ledger.open(Path(folder))
    except NoLedger as error:
        raise RevisionError(
            f"'{rev}' is neither a revision nor a folder with a ledger",
            fix="give a branch, an id, or FOLDER@REV of another ledger",
        ) from error
    ledger.base.check(other.base.tensors)
    return Side(rev, other, other.history(other.resolve(name)))


def common(here: Side, side: Side) -> History:
    """Return the beginning that two histories share."""
    pairs = zip(here.history, side.history, strict=False)
    same = takewhile(lambda pair: pair[0][0] == pair[1][0], pairs)
    return [pair[0] for pair in same]


def news(here: Side, side: Side) -> list[Entry]:
    """Return the entries that count on a side and that are not in ours."""
    had = {entry_id for entry_id, _ in here.history} | side.gone
    there = [entry for entry_id, entry in side.history if entry_id not in had]
    return [entry for entry in there if entry.kind != "revert"]


def appended(here: Side, side: Side) -> Iterator[Part]:
    """Give each delta that a side added and that ours does not have."""
    had = {digest for _, entry in here.history for digest in entry.objects}
    for entry in news(here, side):
        for change in entry.changes:
            if isinstance(change, Append) and change.object not in had:
                yield change, side.ledger.delta(change.object)


def taken_back(here: Side, side: Side) -> Iterator[Part]:
    """Give a drop for each common entry that only the side has left out."""
    shared = common(here, side)
    before = dropped([entry for _, entry in shared])
    for entry_id, _ in shared:
        if entry_id in side.gone - here.gone - before:
            yield Drop(entry=entry_id), None


def merged(at: Place, here: Side, sides: Sequence[Side]) -> Iterator[Part]:
    """Solve each group for what it holds in ours and what the sides did to it."""
    ours = joint.live_groups(here.history)
    held = dict(ours)
    for side in sides:
        before = joint.live_groups(common(here, side))
        for name, there in joint.live_groups(side.history).items():
            group = held.get(name, there.holding(()))
            old = before[name].members if name in before else {}
            everyone = {**there.members, **group.members}
            ids = group.members.keys() | (there.members.keys() - old.keys())
            ids -= old.keys() - there.members.keys()
            held[name] = group.holding(everyone[each] for each in ids)
    for name, group in held.items():
        if name not in ours or ours[name].members != group.members:
            yield joint.set_to(at, group)


def added(here: Side, sides: Sequence[Side]) -> Iterator[Part]:
    """Add what each side's groups became, less what they were in common."""
    done: set[tuple[Digest | None, Digest | None]] = set()
    for side in sides:
        before, after = _solutions(common(here, side)), _solutions(side.history)
        for name in sorted({*before, *after}):
            old, new = before.get(name), after.get(name)
            if old == new or (old, new) in done:
                continue
            done.add((old, new))
            if new is not None:
                yield Append(object=new), side.ledger.delta(new)
            if old is not None:
                delta = side.ledger.delta(old).negated()
                yield Append(object=delta.digest), delta


def _solutions(history: History) -> dict[str, Digest]:
    """Return the delta of each group that holds something."""
    found: dict[str, Digest | None] = {}
    for _, entry in history:
        sets = [change for change in entry.changes if isinstance(change, SetGroup)]
        found |= {change.group: change.object for change in sets}
    return {name: digest for name, digest in found.items() if digest is not None}
