"""Joint erasures: one delta for a set of concepts, whatever the order they came in.

A group is what one eraser with one set of settings and one file of concepts does. Its
delta is a pure function of the set of concepts that are erased by it now, solved from
the base; a set that was ever solved is not solved again, so the bits come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.concept import Concept, ConceptId
from unlearnlog.digest import canonical_json, digest_of
from unlearnlog.entry import Entry, EntryId, EraserRecord, SetGroup, dropped
from unlearnlog.erasers import Eraser, Request, eraser_called
from unlearnlog.errors import LedgerError
from unlearnlog.graph.book import Book
from unlearnlog.graph.world import World
from unlearnlog.model.protocol import Sampling

if TYPE_CHECKING:
    from unlearnlog.delta import Delta
    from unlearnlog.run.place import Place

_PAINTS_NOTHING: Final = Sampling(steps=1, guidance=1.0)


@dataclass(frozen=True)
class Group:
    """The concepts that one joint eraser has erased.

    Attributes:
        name: The eraser's name and a digest of all else that decides the delta.
        eraser: The eraser with its settings.
        members: The concepts, by id.
    """

    name: str
    eraser: EraserRecord
    members: dict[ConceptId, Concept]

    def holding(self, concepts: Iterable[Concept]) -> Group:
        """Return the same group with these members."""
        held = {concept.id: concept for concept in concepts}
        return Group(self.name, self.eraser, dict(sorted(held.items())))


def group_of(at: Place, eraser: Eraser) -> Group:
    """Return the group, empty, that an eraser's concepts belong to in this place."""
    record = EraserRecord(name=eraser.name, settings={**eraser.settings})
    decides = [record.model_dump(mode="json"), digest_of(at.concepts.read_bytes())]
    return Group(f"{eraser.name}-{digest_of(canonical_json(decides))[:16]}", record, {})


def live_groups(history: Sequence[tuple[EntryId, Entry]]) -> dict[str, Group]:
    """Return every group that was ever set, with the concepts that are still in it."""
    gone = dropped([entry for _, entry in history])
    groups: dict[str, Group] = {}
    for entry_id, entry in history:
        for change in entry.changes:
            if not isinstance(change, SetGroup):
                continue
            group = groups.setdefault(
                change.group, Group(change.group, change.eraser, {})
            )
            here = [c for c in entry.concepts if c.id in change.members]
            if entry_id not in gone:
                groups[change.group] = group.holding([*group.members.values(), *here])
    return groups


def set_to(at: Place, group: Group) -> tuple[SetGroup, Delta | None]:
    """Return the change that makes a group hold its members, and what it brings.

    Returns:
        The change, and its delta where the ledger does not have it yet.

    Raises:
        LedgerError: The set must be solved, but the file of concepts is another one.
    """
    members = tuple(group.members)
    known = at.ledger.solved(group.name, members) if at.ledger and members else None
    delta = None
    if members and known is None:
        delta = _solved(at, group)
        known = delta.digest
    change = SetGroup(
        group=group.name, eraser=group.eraser, members=members, object=known
    )
    return change, delta


def _solved(at: Place, group: Group) -> Delta:
    settings = group.eraser.settings
    eraser = eraser_called(group.eraser.name).of(settings)
    if group_of(at, eraser).name != group.name:
        raise LedgerError(
            f"the group {group.name} was solved with another file of concepts than "
            f"{at.concepts}",
            fix="give the same file again: --concepts FILE",
        )
    concepts = tuple(group.members.values())
    names = {concept.name for concept in concepts}
    book = Book(World.read(at.concepts).knowing(concepts))
    request = Request(
        model=at.model,
        old=at.model.base,
        forget=tuple(book.forget(concept, names) for concept in concepts),
        keep=book.keep(names),
        sampling=_PAINTS_NOTHING,
        seed=0,
    )
    return eraser.erase(request)
