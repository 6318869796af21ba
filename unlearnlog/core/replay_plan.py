"""The deltas that a chain of entries adds up to, and the entries that it drops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unlearnlog.core.digest import Digest
from unlearnlog.core.entry import Append, Drop, Entry, EntryId, SetGroup


def plan(entries: Sequence[Entry]) -> tuple[Digest, ...]:
    """Return the digests of the deltas that make the state after ``entries``.

    Groups come first, by name; then the deltas of entries that are not dropped, in
    order. A dropped entry counts again when the drop is dropped.

    Args:
        entries: A chain from the first entry on, oldest first.

    Returns:
        Digests in replay order; empty when the state is the base's.

    Raises:
        ValueError: An entry drops one that is not before it in the chain.
    """
    gone = dropped(entries)
    groups: dict[str, Digest | None] = {}
    appended: list[Digest] = []
    for entry in entries:
        for change in entry.changes:
            if isinstance(change, SetGroup):
                groups[change.group] = change.object
            elif isinstance(change, Append) and entry.id not in gone:
                appended.append(change.object)
    solved = (groups[name] for name in sorted(groups))
    return (*(digest for digest in solved if digest is not None), *appended)


def dropped(entries: Sequence[Entry], also: Iterable[EntryId] = ()) -> set[EntryId]:
    """Return the ids of the entries that later ones drop.

    Args:
        entries: A chain from the first entry on, oldest first.
        also: Ids that one more entry on top of them would drop.

    Raises:
        ValueError: An entry drops one that is not before it in the chain.
    """
    gone = set(also)
    if not any(isinstance(c, Drop) for entry in entries for c in entry.changes):
        return gone
    places = {entry.id: i for i, entry in enumerate(entries)}
    for i, entry in reversed([*enumerate(entries)]):
        drops = {c.entry for c in entry.changes if isinstance(c, Drop)}
        if unknown := sorted(drop for drop in drops if places.get(drop, i) >= i):
            message = f"entry {entry.id} drops {unknown}, not before it"
            raise ValueError(message)
        if entry.id not in gone:
            gone |= drops
    return gone
