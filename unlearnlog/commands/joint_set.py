"""Joint erasures: one delta for a set of concepts, independent of their order.

A group is the erasures of one eraser with one set of settings and one concept file. Its
delta is a pure function of the set of concepts that it erases now, solved from the
base; a set that was solved before is not solved again, so the bits are the same. As a
function of its own set alone, it does not depend on other erasers: a sibling that only
they erased still counts as kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept, ConceptId, meant_by
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.entry import Append, Entry, EntryId, SetGroup
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.limits import MANY
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.replay_plan import dropped
from unlearnlog.erasers.eraser_table import (
    Eraser,
    Request,
    eraser_of,
    recorded,
    said_again,
)
from unlearnlog.errors import IntegrityError, LedgerError
from unlearnlog.models.interface import Sampling

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Delta
    from unlearnlog.core.digest import Digest

_PAINTS_NOTHING: Final = Sampling(steps=1, guidance=1.0)


@dataclass(frozen=True)
class JointSet:
    """The concepts erased by one joint eraser.

    Attributes:
        name: The eraser's name and a digest of all other inputs of the delta.
        eraser: The eraser with its settings.
        members: The concepts, by id.
    """

    name: str
    eraser: EraserRecord
    members: dict[ConceptId, Concept]

    @property
    def key(self) -> Digest:
        """Digest of the members, with all their properties."""
        members = TypeAdapter(list[Concept]).dump_python([*self.members.values()])
        return digest_of(canonical_json(members))

    def holding(self, concepts: Iterable[Concept]) -> JointSet:
        """Return the same group with these members."""
        held = {concept.id: concept for concept in concepts}
        return JointSet(self.name, self.eraser, dict(sorted(held.items())))


def group_of(at: Session, eraser: Eraser) -> JointSet:
    """Return the empty group of an eraser's concepts in this session."""
    record = EraserRecord(name=eraser.name, settings=recorded(eraser))
    decides = [record.model_dump(mode="json"), digest_of(at.concepts.read_bytes())]
    return JointSet(
        f"{eraser.name}-{digest_of(canonical_json(decides))[:16]}", record, {}
    )


def live_groups(history: Sequence[tuple[EntryId, Entry]]) -> dict[str, JointSet]:
    """Return every group in a history, with the concepts that are still in it."""
    gone = dropped([entry for _, entry in history])
    empty = {name: each.holding(()) for name, each in _groups(dict(history)).items()}
    return empty | _groups({i: e for i, e in history if i not in gone})


def joined(groups: Iterable[JointSet]) -> dict[str, JointSet]:
    """Unite groups of one name."""
    found: dict[str, JointSet] = {}
    for group in groups:
        there = found.get(group.name, group)
        members = [*there.members.values(), *group.members.values()]
        found[group.name] = group.holding(members)
    return found


def groups_of(entry: Entry) -> list[JointSet]:
    """Return the members that an entry added to groups; none for a revert."""
    own = {i for c in entry.changes if isinstance(c, Append) for i in c.of}
    held = () if entry.kind == "revert" else entry.concepts
    return [
        JointSet(change.group, change.eraser, {}).holding(
            meant_by(held, {*change.members} - own)
        )
        for change in entry.changes
        if isinstance(change, SetGroup)
    ]


def _groups(entries: Mapping[EntryId, Entry]) -> dict[str, JointSet]:
    return joined(group for entry in entries.values() for group in groups_of(entry))


def set_to(
    at: Session,
    group: JointSet,
    watch: Progress | None = None,
    solved: Mapping[Digest, Delta] = MappingProxyType({}),
) -> tuple[SetGroup, Delta | None]:
    """Return the change that sets a group to its members, and its delta.

    Args:
        at: Where the group is.
        group: The group with its new members.
        watch: Receives the progress of the work.
        solved: Deltas that this command solved for the group already, by the key of its
            set.

    Returns:
        The change, and its delta where the ledger does not have it yet.

    Raises:
        LedgerError: The set must be solved, but the concept file is another one.
    """
    key = group.key
    known = _known(at, group) if group.members else None
    delta = None
    if group.members and known is None:
        delta = solved.get(key) or _solved(at, group, watch or NoProgress())
        known = delta.digest
    change = SetGroup(
        group=group.name,
        eraser=group.eraser,
        members=tuple(group.members),
        key=key,
        object=known,
    )
    return change, delta


def _known(at: Session, group: JointSet) -> Digest | None:
    """Return the delta solved for this set before, if its file is sound."""
    known = at.ledger.solved(group.name, group.key) if at.ledger else None
    if known is not None:
        with suppress(IntegrityError):
            at.delta(known)
            return known
    return None


def _solved(at: Session, group: JointSet, watch: Progress) -> Delta:
    record = group.eraser
    eraser = eraser_of(said_again(record.name, record.settings))
    if group_of(at, eraser).name != group.name:
        raise LedgerError(
            f"the group {group.name} was solved with another file of concepts than "
            f"{at.concepts}",
            fix="give the same file again: --concepts FILE",
        )
    concepts = tuple(group.members.values())
    names = {concept.name for concept in concepts}
    book = PromptBook(ConceptSet.read(at.concepts).knowing(concepts))
    request = Request(
        model=at.model,
        old=at.model.base,
        forget=tuple(book.forget(concept, names) for concept in concepts),
        keep=book.keep(names, eraser.target),
        families=book.families(concepts, names, eraser.target),
        sampling=_PAINTS_NOTHING,
        seed=0,
        watch=watch,
        shelf=at.shelf,
        names=tuple(concept.name for concept in concepts),
        bank=book.keep(()) if len(concepts) <= MANY else (),
        others=others_than(book, names),
    )
    return eraser.erase(request)


def others_than(book: PromptBook, names: Collection[str]) -> tuple[str, ...]:
    """Return the names of all concepts of the model without these."""
    world = book.world
    return tuple(n for n in (*world.styles, *world.subjects) if n not in names)
