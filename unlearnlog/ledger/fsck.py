"""The check of every file of a ledger against its name, its seal and its users."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import HEX, Digest, digest_of, merkle_root
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.replay_plan import plan
from unlearnlog.errors import UnlearnlogError
from unlearnlog.ledger.checksummed import id_line, line_id
from unlearnlog.ledger.config_file import CONFIG
from unlearnlog.ledger.disk import explained
from unlearnlog.ledger.ledger_file import SEALED, SIGNATURES
from unlearnlog.ledger.path_safety import not_plain
from unlearnlog.ledger.redaction_file import REDACTIONS, redactions
from unlearnlog.ledger.remote_list import REMOTES
from unlearnlog.ledger.revision import below
from unlearnlog.ledger.sealed_files import misnamed as misnamed_as_sealed
from unlearnlog.ledger.signature_files import misnamed
from unlearnlog.ledger.store import NAMES

if TYPE_CHECKING:
    from unlearnlog.ledger.base_manifest import BaseManifest
    from unlearnlog.ledger.store import Store


_NO_VALUE: Final = ("cache", "tmp")

_KINDS: Final = {
    "objects": "an object",
    "attacks": "an attack",
    "logs/older": "a page of a log",
}
"""What the files of each folder are called."""

_MOST_RUNS: Final = 20
"""Most runs on a ledger that changes between them."""


@dataclass(frozen=True)
class Damage:
    """One file that is not as it was recorded.

    Attributes:
        path: The file, below the ledger's folder.
        problem: The fault.
        entries: Entries that cannot be replayed or trusted because of it.
    """

    path: str
    problem: str
    entries: tuple[EntryId, ...] = ()

    @property
    def is_of_configuration(self) -> bool:
        """Whether a person can mend it by hand, or do without the file."""
        return self.path == CONFIG

    @property
    def is_of_signatures(self) -> bool:
        """Whether it is about who vouches for an entry, not about its content."""
        return self.path.startswith(f"{SIGNATURES}/")


def fsck(store: Store) -> tuple[Damage, ...]:
    """Return all damage outside of the cache and the lock; empty for a sound ledger.

    Another command may be writing, so damage counts if two runs in a row find it.
    """
    agreed: tuple[Damage, ...] = ()
    found = _found_once(store)
    for _ in range(_MOST_RUNS if found else 0):
        again = _found_once(store)
        known = {(damage.path, damage.problem) for damage in found}
        agreed = tuple(d for d in again if (d.path, d.problem) in known)
        if agreed or not again:
            break
        found = again
    return agreed


def _found_once(store: Store) -> tuple[Damage, ...]:
    entries: dict[EntryId, Entry] = {}
    checks = [
        _plain(store),
        _format(store),
        _entries(store, entries),
        _chain(store, entries),
        _objects(store, entries),
        _attacks(store, entries),
        _refs(store, entries),
        _names(store),
        _logs(store, entries),
        _pages(store),
        _remotes(store),
        _signatures(store),
        _sealed(store, entries),
        _redactions(store),
        _config(store),
    ]
    return tuple(damage for check in checks for damage in _whole(check))


def _whole(check: Iterator[Damage]) -> Iterator[Damage]:
    """Yield the damage of a check; an error that ends the check is damage, too."""
    try:
        yield from check
    except UnlearnlogError as error:
        yield Damage(".", error.message)
    except OSError as error:
        yield Damage(".", explained(error).message)


def _plain(store: Store) -> Iterator[Damage]:
    """Check for links and devices, which no other check follows or opens."""
    for path, why in not_plain(store.root):
        below = path.relative_to(store.root)
        if below.parts[0] not in _NO_VALUE or len(below.parts) == 1:
            is_entry = below.parts[0] == "entries" and HEX.fullmatch(path.stem)
            named = (EntryId(path.stem),) if is_entry else ()
            yield Damage(str(below), why, named)


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
    if (base := _base(store)) is None:
        return
    start = merkle_root((), base.root)
    for name, entry in entries.items():
        path = store.below(store.entry_path(name))
        if entry.parent is not None and entry.parent not in entries:
            missing = (entry.parent, name)
            yield Damage(path, f"its parent {entry.parent} is not readable", missing)
            continue
        before = entries[entry.parent].state.after if entry.parent else start
        if entry.state.before != before:
            yield Damage(path, f"it starts from {entry.state.before}", (name,))


def _objects(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check that all objects are sound, and that those of entries are there."""
    base = _base(store)

    def check(digest: Digest) -> None:
        delta = store.object(digest)
        if base is not None:
            base.check_fits(delta)

    users = _users({name: entry.objects for name, entry in entries.items()})
    yield from _named(store, "objects", store.object_path, check, users=users)


def _attacks(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check that all attacks are sound, and that those of entries are there."""
    users = _users({n: [a.object for a in e.attacks] for n, e in entries.items()})
    yield from _named(store, "attacks", store.attack_path, store.attack, users=users)


def _pages(store: Store) -> Iterator[Damage]:
    """Check the pages of logs, including those that a crash left."""
    yield from _named(store, "logs/older", store.page_path, store.page, users={})


def _signatures(store: Store) -> Iterator[Damage]:
    """Check that each signature is as it was written, whoever made it."""
    for path in store.files(SIGNATURES):
        if misnamed(path):
            yield Damage(str(path), "it is not named as a signature is")
            continue
        try:
            store.named_bytes(str(path), Digest(path.name))
        except UnlearnlogError as error:
            subject = EntryId(path.parent.name)
            named = (subject,) if store.entry_path(subject).exists() else ()
            yield Damage(str(path), error.message, named)


def _sealed(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check that each sealed file is as it was written; no key is needed for that."""
    users = _users(
        {n: [*e.objects, *(a.object for a in e.attacks)] for n, e in entries.items()}
    )
    for path in store.files(SEALED):
        if misnamed_as_sealed(path):
            yield Damage(str(path), "it is not named as a sealed file is")
            continue
        try:
            store.named_bytes(str(path), Digest(path.name))
        except UnlearnlogError as error:
            named = users.get(Digest(path.parent.name), ())
            yield Damage(str(path), error.message, tuple(named))


def _redactions(store: Store) -> Iterator[Damage]:
    """Check that the list of redacted names is what was written."""
    try:
        redactions(store)
    except UnlearnlogError as error:
        yield Damage(REDACTIONS, error.message)


def _named(
    store: Store,
    folder: str,
    path_of: Callable[[Digest], Path],
    check: Callable[[Digest], object],
    *,
    users: Mapping[Digest, Sequence[EntryId]],
) -> Iterator[Damage]:
    """Check the files of a folder that are named by the digest of their content.

    Args:
        store: The ledger's files.
        folder: The folder.
        path_of: Returns the path of a digest.
        check: Reads the file of a digest, and raises where it is damaged.
        users: Entries by the digests that they need.
    """
    for path in store.files(folder):
        digest = Digest(path.name)
        if not HEX.fullmatch(digest) or store.root / path != path_of(digest):
            yield Damage(str(path), f"it is not named as {_KINDS[folder]} is")
            continue
        try:
            check(digest)
        except (UnlearnlogError, ValueError) as error:
            why = error.message if isinstance(error, UnlearnlogError) else str(error)
            yield Damage(str(path), why, tuple(users.get(digest, ())))
    for digest, names in users.items():
        if not path_of(digest).exists() and not store.is_sealed(path_of(digest)):
            yield Damage(store.below(path_of(digest)), "it is missing", tuple(names))


def _users(
    needed: Mapping[EntryId, Iterable[Digest]],
) -> dict[Digest, list[EntryId]]:
    """Return the entries that need each digest."""
    users = dict[Digest, list[EntryId]]()
    for name, digests in needed.items():
        for digest in digests:
            users.setdefault(digest, []).append(name)
    return users


def _base(store: Store) -> BaseManifest | None:
    """Return the base; None when it is damaged, which another check reports."""
    try:
        return store.base()
    except UnlearnlogError:
        return None


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
        except ValueError as error:
            yield Damage(f"refs/{name}", f"its history is not whole: {error}")
        except KeyError as error:
            why = f"its history is not whole: {error} is not readable"
            yield Damage(f"refs/{name}", why, (error.args[0],))


def _names(store: Store) -> Iterator[Damage]:
    """Check that no branch or tag that was made is missing, and no tag has moved."""
    try:
        named = store.named()
    except UnlearnlogError as error:
        yield Damage(NAMES, error.message)
        return
    for ref, to in named.items():
        try:
            found = id_line(store.ref(ref))
        except UnlearnlogError as error:
            yield Damage(f"refs/{ref}", error.message)
            continue
        if to and found != to:
            yield Damage(f"refs/{ref}", f"it names {found}, made was {to}")


def _logs(store: Store, entries: dict[EntryId, Entry]) -> Iterator[Damage]:
    """Check that every branch has a log, and that the log's entries are there."""
    branches = below("heads", store.ref_names())
    for branch in sorted({*branches, *store.logs()}):
        try:
            moves = store.moves(branch)
            named = {line_id(line) for move in moves for line in (move.old, move.new)}
        except (UnlearnlogError, ValueError) as error:
            yield Damage(f"logs/heads/{branch}", str(error).split("\n")[0])
            continue
        for lost in sorted(named - {None} - set(entries), key=str):
            why = f"entry {lost} is not readable"
            yield Damage(f"logs/heads/{branch}", why, (lost,) if lost else ())


def _remotes(store: Store) -> Iterator[Damage]:
    """Check that the list of remotes is what was written."""
    try:
        store.remotes()
    except UnlearnlogError as error:
        yield Damage(REMOTES, error.message)


def _config(store: Store) -> Iterator[Damage]:
    """Check that the configuration can be read; its values are up to the user."""
    try:
        store.config()
    except UnlearnlogError as error:
        yield Damage(CONFIG, error.message)


def _history(entry: EntryId | None, entries: dict[EntryId, Entry]) -> list[Entry]:
    """Return the chain from the base to an entry, oldest first."""
    chain: list[Entry] = []
    while entry is not None:
        chain.append(entries[entry])
        entry = chain[-1].parent
    return chain[::-1]
