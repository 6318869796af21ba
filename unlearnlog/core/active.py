"""The concepts that a history leaves erased, and the entries that erase them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from unlearnlog.core.concept import Concept, meant_by
from unlearnlog.core.entry import Append, Entry, EntryId
from unlearnlog.core.replay_plan import dropped
from unlearnlog.core.sample_name import few_of

ERASING: Final = ("erase", "import", "compose")
"""Kinds of entries whose concepts are erased until another entry takes that back."""


def live_concepts(
    history: Sequence[tuple[EntryId, Entry]],
) -> dict[str, tuple[EntryId, Concept]]:
    """Return the erased concepts that no entry has taken back, by name."""
    gone = dropped([entry for _, entry in history])
    return {
        concept.name: (entry_id, concept)
        for entry_id, entry in history
        if entry.kind in ERASING and entry_id not in gone
        for concept in entry.concepts
    }


def holders(history: Sequence[tuple[EntryId, Entry]]) -> dict[str, list[EntryId]]:
    """Return the entries that erase each concept now with deltas of their own, by name.

    A joint group erases a concept once, whichever entries put it there.
    """
    gone = dropped([entry for _, entry in history])
    found: dict[str, list[EntryId]] = {}
    for entry_id, entry in history:
        if entry.kind in ERASING and entry_id not in gone:
            own = [c for c in entry.changes if isinstance(c, Append)]
            for concept in entry.concepts:
                ids = (c.of for c in own)
                if any(not of or concept in meant_by(entry.concepts, of) for of in ids):
                    found.setdefault(concept.name, []).append(entry_id)
    return found


def deed(entry: Entry, known: Mapping[EntryId, Entry]) -> str:
    """Return a text of the concepts that an entry is about, and took back.

    Args:
        entry: The entry; a revert is about what it leaves out.
        known: The entries before it, by id.
    """
    if entry.kind != "compose":
        return said_of(entry)
    chain: list[tuple[EntryId, Entry]] = []
    at = entry.parent
    while at is not None and at in known:
        chain.append((at, known[at]))
        at = known[at].parent
    chain.reverse()
    before, after = (live_concepts([*chain, *new]) for new in ((), [(entry.id, entry)]))
    back = [name for name in before if name not in after]
    return said_of(entry, [name for name in after if name not in before], back)


def said_of(entry: Entry, began: Iterable[str] = (), ended: Iterable[str] = ()) -> str:
    """Return a text of the concepts of an entry, given those it began and ended.

    Args:
        entry: The entry.
        began: Concepts that are erased after it and were not before.
        ended: Those that were, and are no more.
    """
    named = [concept.name for concept in entry.concepts]
    said = [few_of(named)]
    if entry.kind == "compose":
        again = [name for name in began if name not in named]
        for word, names in (("without", [*ended]), ("again", again)):
            said.append(f"{word} {few_of(names)}" if names else "")
    return "; ".join(filter(None, said))
