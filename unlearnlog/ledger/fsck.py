"""Is every file of a ledger still what was written?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnlog.digest import HEX, Digest, digest_of, merkle_root
from unlearnlog.entry import Entry, EntryId, plan
from unlearnlog.errors import UnlearnlogError
from unlearnlog.ledger.sealed import line_id

if TYPE_CHECKING:
    from unlearnlog.ledger.store import Store


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it was recorded.

    Attributes:
        path: The file, below the ledger's folder.
        problem: What is wrong with it.
        entries: Entries that cannot be replayed, or not be trusted, because of it.
    """

    path: str
    problem: str
    entries: tuple[EntryId, ...] = ()


def fsck(store: Store) -> tuple[Damage, ...]:
    """Check every file but the cache and the lock; an empty result means sound."""
    entries: dict[EntryId, Entry] = {}
    found = [
        *_format(store),
        *_entries(store, entries),
        *_chain(store, entries),
        *_objects(store, entries),
        *_refs(store, entries),
        *_logs(store, entries),
        *_pages(store),
    ]
    return tuple(found)


def _format(store: Store) -> Iterator[Damage]:
    for path, check in (("FORMAT", store.check_format), ("base.json", store.base)):
        try:
            check()
        except UnlearnlogError as error:
            yield Damage(path, error.message)


def _entries(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Read all entries into ``entries``; those that cannot be read are damage."""
    for path in store.files("entries"):
        entry = EntryId(path.stem)
        if not HEX.fullmatch(entry) or store.root / path != store.entry_path(entry):
            yield Damage(str(path), "it is not named as an entry is")
            continue
        try:
            entries[entry] = store.entry(entry)
        except UnlearnlogError as error:
            yield Damage(str(path), error.message, (entry,))
            continue
        if EntryId(digest_of(entries[entry].to_json())) != entry:
            yield Damage(str(path), "it is not in canonical form", (entry,))


def _chain(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check that each entry continues its parent, and the first ones the base."""
    try:
        start = merkle_root((), store.base().root)
    except UnlearnlogError:
        return  # reported with the other files
    for name, entry in entries.items():
        path = store.below(store.entry_path(name))
        if entry.parent is not None and entry.parent not in entries:
            yield Damage(path, f"its parent {entry.parent} is not readable", (name,))
            continue
        before = entries[entry.parent].state.after if entry.parent else start
        if entry.state.before != before:
            yield Damage(path, f"it starts from {entry.state.before}", (name,))


def _objects(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Read all objects, then look for those that entries need."""
    users: dict[Digest, list[EntryId]] = {}
    for name, entry in entries.items():
        for digest in entry.objects:
            users.setdefault(digest, []).append(name)
    for path in store.files("objects"):
        digest = Digest(path.name)
        if not HEX.fullmatch(digest) or store.root / path != store.object_path(digest):
            yield Damage(str(path), "it is not named as an object is")
            continue
        try:
            store.object(digest)
        except UnlearnlogError as error:
            yield Damage(str(path), error.message, tuple(users.get(digest, ())))
    for digest, names in users.items():
        if not store.object_path(digest).exists():
            path = store.object_path(digest)
            yield Damage(store.below(path), "it is missing", tuple(names))


def _refs(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check HEAD, and that every ref points at a whole chain."""
    try:
        if f"heads/{(branch := store.branch())}" not in store.ref_names():
            yield Damage("HEAD", f"its branch {branch} is missing")
    except UnlearnlogError as error:
        yield Damage("HEAD", error.message)
    for name in store.ref_names():
        try:
            plan(_history(store.ref(name), entries))
        except UnlearnlogError as error:
            yield Damage(f"refs/{name}", error.message)
        except (KeyError, ValueError) as error:
            yield Damage(f"refs/{name}", f"its history is not whole: {error}")


def _logs(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check that every branch has a log, and that what it names is there."""
    branches = {
        n.removeprefix("heads/") for n in store.ref_names() if n[:6] == "heads/"
    }
    for branch in sorted(branches | {*store.logs()}):
        try:
            moves = store.moves(branch)
            named = {line_id(move.new) for move in moves} - {None}
        except (UnlearnlogError, ValueError) as error:
            yield Damage(f"logs/heads/{branch}", str(error).split("\n")[0])
            continue
        for lost in sorted(named - set(entries), key=str):
            yield Damage(f"logs/heads/{branch}", f"entry {lost} is not readable")


def _pages(store: Store) -> Iterator[Damage]:
    """Check the pages of logs, those that a crash left as well."""
    for path in store.files("logs/older"):
        digest = Digest(path.name)
        if not HEX.fullmatch(digest) or store.root / path != store.page_path(digest):
            yield Damage(str(path), "it is not named as a page of a log is")
            continue
        try:
            store.page(digest)
        except UnlearnlogError as error:
            yield Damage(str(path), error.message)


def _history(entry: EntryId | None, entries: dict[EntryId, Entry]) -> list[Entry]:
    """Walk from an entry to the base; oldest first."""
    chain: list[Entry] = []
    while entry is not None:
        chain.append(entries[entry])
        entry = chain[-1].parent
    return chain[::-1]
