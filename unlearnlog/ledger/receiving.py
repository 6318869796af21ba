"""The arrival of another ledger's history: all of it is checked, then put in place.

First deltas, attacks and signatures, then entries, oldest first, then refs; one
transaction, under the ledger's lock. A history that could not be replayed here is
refused whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.core.digest import merkle_root
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.replay_plan import plan
from unlearnlog.errors import IntegrityError
from unlearnlog.ledger.disk import Transaction
from unlearnlog.ledger.files_beside import content_of, stored
from unlearnlog.ledger.incoming import Incoming
from unlearnlog.ledger.ledger_file import LedgerFile, check_bytes, file_of, files_of
from unlearnlog.ledger.revision import below, clash

if TYPE_CHECKING:
    from unlearnlog.ledger.ledger_reader import LedgerReader
    from unlearnlog.ledger.store import Store


@dataclass(frozen=True)
class Arrival:
    """What another ledger sent.

    Attributes:
        origin: Its name, for messages.
        entries: Entries that are not here yet, each after its parent.
        tracking: Entry by ref, such as ``remotes/origin/main``; None for the base.
        tags: Entry by name of a tag.
        beside: Signatures, and sealed files in place of deltas and attacks.
    """

    origin: str
    entries: Sequence[Entry] = ()
    tracking: Mapping[str, EntryId | None] | None = None
    tags: Mapping[str, EntryId | None] | None = None
    beside: Sequence[LedgerFile] = ()


def receive(ledger: LedgerReader, store: Store, arrival: Arrival) -> tuple[str, ...]:
    """Put a history in place; the caller holds the lock.

    Returns:
        The tags that were taken over; one that is named here already is not.

    Raises:
        IntegrityError: A file is missing or not what its name says, or the history
            does not continue what is here; nothing is changed.
        DiskFull: There was no room; nothing was changed.
    """
    incoming = Incoming(store)
    new = [e for e in arrival.entries if not store.entry_path(e.id).exists()]
    _check_chains(ledger, arrival, new)
    tags, refs = _new_tags(ledger, arrival), ledger.refs
    store.sweep()
    with store.writing() as writing:
        for file in _files(store, arrival, new):
            _place(ledger, writing, incoming, file, arrival.origin)
        for entry in new:
            writing.put(store.root / file_of(entry.id).path, entry.to_json())
        for ref, at in (arrival.tracking or {}).items():
            if ref not in refs or refs[ref] != at:
                store.put_ref(writing, ref, at)
        for name, at in tags.items():
            store.put_ref(writing, f"tags/{name}", at)
            store.put_name(writing, f"tags/{name}", at)
    return tuple(tags)


def _files(
    store: Store, arrival: Arrival, new: Sequence[Entry]
) -> Iterator[LedgerFile]:
    """Yield the files that are to be put in place beside the new entries."""
    sealed = {content_of(file) for file in arrival.beside}
    for file in dict.fromkeys(file for entry in new for file in files_of(entry)):
        if file not in sealed and not stored(store, file):
            yield file
    for file in arrival.beside:
        if not store.holds(Path(file.path)):
            yield file


def _place(
    ledger: LedgerReader,
    writing: Transaction,
    incoming: Incoming,
    file: LedgerFile,
    origin: str,
) -> None:
    """Write one file; a delta after a check that it fits the base."""
    data = incoming.get(file)
    if data is None:
        raise IntegrityError(
            f"{file.path} of {origin} is no longer in the cache",
            fix="run the same again: what is missing is fetched once more",
        )
    try:
        if (delta := check_bytes(file, data)) is not None:
            ledger.base.check_fits(delta)
    except ValueError as error:
        raise untrue(file.path, origin, str(error)) from error
    writing.put(incoming.store.root / file.path, data)


def _check_chains(ledger: LedgerReader, arrival: Arrival, new: Sequence[Entry]) -> None:
    """Refuse entries that do not continue each other, or that cannot be replayed."""
    start = merkle_root((), ledger.base.root)
    coming: dict[EntryId, Entry] = {}
    for entry in new:
        before = start
        if entry.parent is not None:
            parent = coming.get(entry.parent) or ledger.entry(entry.parent)
            before = parent.state.after
        if entry.state.before != before:
            why = f"it starts from {entry.state.before}, its parent ends with {before}"
            raise untrue(file_of(entry.id).path, arrival.origin, why)
        coming[entry.id] = entry
    tips = {**(arrival.tracking or {}), **(arrival.tags or {})}.values()
    for tip_id in {tip for tip in tips if tip in coming}:
        chain: list[Entry] = []
        at: EntryId | None = tip_id
        while at is not None:
            chain.append(coming.get(at) or ledger.entry(at))
            at = chain[-1].parent
        try:
            plan(chain[::-1])
        except ValueError as error:
            tip = file_of(chain[0].id).path
            raise untrue(tip, arrival.origin, str(error)) from error


def _new_tags(ledger: LedgerReader, arrival: Arrival) -> dict[str, EntryId | None]:
    """Return the tags that can be named here: no branch or tag is in the way."""
    names = [*ledger.branches, *ledger.tags]
    fresh: dict[str, EntryId | None] = {}
    for name, at in (arrival.tags or {}).items():
        if not any(clash(name, other) for other in (*names, *fresh)):
            fresh[name] = at
    return fresh


def tracked(
    refs: Mapping[str, EntryId | None], remote: str
) -> dict[str, EntryId | None]:
    """Return where the branches of a remote were, by name."""
    folder = f"remotes/{remote}"
    return {name: refs[f"{folder}/{name}"] for name in below(folder, [*refs])}


def untrue(path: str, origin: str, why: str) -> IntegrityError:
    """Return the error for a file of a remote that is not what its name says."""
    return IntegrityError(
        f"{path} of {origin} is damaged: {why}; nothing was taken from there",
        fix=f"put that file back there: a ledger that has it keeps it as "
        f".unlearnlog/{path}",
    )
