"""Garbage collection: unreachable files of a ledger, its cache, and dead drafts.

An entry that a branch, a tag or a move ever named is kept, with its ancestors: what was
recorded is never garbage. Drafts of exports that killed commands left beside the ledger
are garbage, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import Digest, digest_of
from unlearnlog.core.entry import EntryId
from unlearnlog.core.plain_files import expanded
from unlearnlog.ledger.checksummed import line_id
from unlearnlog.ledger.drafts import dead_drafts, remove_dead
from unlearnlog.ledger.ledger_file import SEALED, SIGNATURES
from unlearnlog.ledger.revision import below
from unlearnlog.ledger.signature_files import tag_text

if TYPE_CHECKING:
    from unlearnlog.ledger.store import Store


_PLACES: Final = "cache/places"
"""Files that name the folders to which commands are writing."""


@dataclass(frozen=True)
class Garbage:
    """One file to remove, or one draft outside of the ledger.

    Attributes:
        path: The path below the ledger's folder; a draft's is absolute.
        n_bytes: The size of the file or of the whole draft, in bytes.
    """

    path: str
    n_bytes: int


def garbage(store: Store) -> tuple[Garbage, ...]:
    """Return every file that no recorded entry needs, entries before their deltas.

    Last come drafts of dead processes in folders that this ledger's commands wrote to.

    Raises:
        IntegrityError: A ref, a log or an entry cannot be read, so that the files it
            needs are unknown.
    """
    entries, objects, attacks = _needed(store)
    pages = {page for branch in store.logs() for page in store.pages(branch)}
    found = [
        *_others(store, "entries", {f"{entry}.json" for entry in entries}),
        *_others(store, "objects", objects),
        *_others(store, "attacks", attacks),
        *_others(store, "logs/older", pages),
        *_unneeded_signatures(store, entries),
        *(p for p in store.files(SEALED) if p.parent.name not in {*objects, *attacks}),
        *_others(store, "tmp", set()),
        *_others(store, "cache", set()),
    ]
    sizes = [(path, store.size(path)) for path in found]
    drafts = [
        each
        for place in sorted({store.root.parent, *_places(store)})
        for each in dead_drafts(place, store.disk)
    ]
    whole = [*((path, n) for path, n in sizes if n is not None), *drafts]
    return tuple(Garbage(str(path), n) for path, n in whole)


@contextmanager
def remembered(store: Store, folder: Path) -> Iterator[None]:
    """Record, for as long as the context lasts, that a folder is written to.

    On a read-only ledger nothing is recorded.
    """
    folder = expanded(folder).absolute()
    note = store.root / _PLACES / digest_of(str(folder).encode())[:16]
    with suppress(OSError):
        store.disk.lead_to(note.parent)
        store.disk.write(note, str(folder).encode(), durable=False)
    try:
        yield
    finally:
        with suppress(OSError):
            store.disk.unlink(note)


def _places(store: Store) -> Iterator[Path]:
    """Yield the folders that an unfinished command was writing to."""
    for note in store.files(_PLACES):
        with suppress(OSError, ValueError):
            place = Path(store.disk.read(store.root / note).decode())
            if place.is_absolute():
                yield place


def collect(store: Store, found: Sequence[Garbage]) -> None:
    """Remove garbage in its order, so that a crash on the way leaves a sound ledger."""
    entries = [each for each in found if each.path.startswith("entries")]
    for each in entries:
        store.disk.unlink(store.root / each.path)
    for folder in sorted({(store.root / each.path).parent for each in entries}):
        store.disk.sync(folder)  # no entry comes back without its delta
    for each in found[len(entries) :]:
        if Path(each.path).is_absolute():
            remove_dead(Path(each.path), store.disk)
            continue
        with suppress(FileNotFoundError):  # readers tidy their cache, too
            store.disk.unlink(store.root / each.path)


def _needed(store: Store) -> tuple[set[EntryId], set[Digest], set[Digest]]:
    """Return the recorded entries with their ancestors, their deltas and attacks."""
    refs = {*store.ref_names(), *store.named(), f"heads/{store.branch()}"}
    branches = {*below("heads", refs), *store.logs()}
    moves = [m for each in branches for m in store.moves(each)]
    named = [store.ref(name) for name in refs]
    named += [line_id(line) for move in moves for line in (move.old, move.new)]
    entries: set[EntryId] = set()
    objects: set[Digest] = set()
    attacks: set[Digest] = set()
    for start in named:
        at = start
        while at is not None and at not in entries:
            entries.add(at)
            entry = store.entry(at)
            objects.update(entry.objects)
            attacks.update(each.object for each in entry.attacks)
            at = entry.parent
    return entries, objects, attacks


def _unneeded_signatures(store: Store, entries: Collection[EntryId]) -> Iterator[Path]:
    """Yield the signatures of what is neither a recorded entry nor a tag."""
    tags = [
        (name, store.ref(f"tags/{name}")) for name in below("tags", store.ref_names())
    ]
    root = store.base().root
    kept = {*entries, *(digest_of(tag_text(name, to, root)) for name, to in tags)}
    for path in store.files(SIGNATURES):
        if path.parent.name not in kept:
            yield path


def _others(store: Store, folder: str, needed: Collection[str]) -> Iterator[Path]:
    for path in store.files(folder):
        if path.name not in needed:
            yield path
