"""Fetches: what a remote has and a ledger lacks, found by the entries' parents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import digest_of
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.errors import IntegrityError, RemoteError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.files_beside import content_of
from unlearnlog.ledger.ledger_file import (
    ENTRIES,
    SIGNATURES,
    LedgerFile,
    check_bytes,
    checked_entry,
    file_of,
    files_of,
)
from unlearnlog.ledger.receiving import Arrival, untrue
from unlearnlog.ledger.remote_list import tracking_ref
from unlearnlog.ledger.signature_files import tag_text
from unlearnlog.remotes.file_lists import lists_there
from unlearnlog.remotes.pushing import check_base, manifest_path
from unlearnlog.remotes.ref_log import newest
from unlearnlog.remotes.remote_refs import RemoteRefs, damaged_there
from unlearnlog.remotes.transfer import Traffic, each_of

if TYPE_CHECKING:
    from unlearnlog.core.progress import Progress
    from unlearnlog.ledger.repository import Repository
    from unlearnlog.remotes.remote_store import Connection

_STEPS: Final = 24
"""Entries that are followed one by one, before the names of all are listed."""


@dataclass(frozen=True)
class Fetched:
    """What a fetch brought.

    Attributes:
        refs: The remote's refs.
        moved: Old and new entry of the branches that moved there since the last time.
        tags: Tags that are new here.
        kept: Tags that name another entry here, or are in the way of a name.
        traffic: What has travelled.
    """

    refs: RemoteRefs
    moved: Mapping[str, tuple[str, str]]
    tags: tuple[str, ...]
    kept: tuple[str, ...]
    traffic: Traffic


def refs_there(there: Connection) -> RemoteRefs:
    """Return the refs of a remote.

    Raises:
        RemoteError: It cannot be reached, or has no history yet.
    """
    state = newest(there)
    if state is None:
        raise RemoteError(
            f"{there.name} ({there.url}) holds no ledger yet",
            fix="push to it first, from the ledger that it is for: unlearnlog remote "
            f"add origin {there.url}; unlearnlog push",
        )
    return state.refs


def manifest_there(there: Connection, refs: RemoteRefs) -> BaseManifest:
    """Return the manifest of a remote's base.

    Raises:
        IntegrityError: It is missing or damaged.
    """
    path = manifest_path(refs.manifest)
    data = there.read(path)
    try:
        if data is None or digest_of(data) != refs.manifest:
            message = "it is missing" if data is None else "it has other bytes"
            raise ValueError(message)
        base = BaseManifest.from_json(data)
        if base.root != refs.base:
            message = f"it is of {base.root}"
            raise ValueError(message)
    except ValueError as error:
        raise damaged_there(path, there.name, str(error)) from error
    return base


def fetch(here: Repository, there: Connection, watch: Progress) -> Fetched:
    """Bring the branches and tags of a remote; no branch of the own ledger moves.

    Raises:
        WrongBase: The remote belongs to another model.
        IntegrityError: A file there is not what its name says; nothing was taken.
        RemoteError: It cannot be reached; what has arrived is not fetched twice.
        LockBusy: Another command writes to the ledger.
    """
    refs = refs_there(there)
    check_base(here, there, refs)
    before = here.tracked(there.name)
    brought = _Brought(here, there)
    watch.stage("fetch entries", 0)
    entries = brought.entries(refs.refs.values())
    files = dict.fromkeys(file for entry in entries for file in files_of(entry))
    needed = [file for file in files if not here.stored(file)]
    beside = _beside(here, there, refs, entries, needed)
    sealed = {content_of(file) for file in beside}
    missing = [*(file for file in needed if file not in sealed), *beside]
    watch.stage("fetch", len(missing))

    def bring(file: LedgerFile) -> None:
        brought.bytes_of(file)
        watch.advance(1, {})

    each_of(missing, bring, at_once=there.store.at_once)
    tracking = {tracking_ref(there.name, name): at for name, at in refs.heads.items()}
    taken = here.receive(Arrival(there.name, entries, tracking, refs.tags, beside))
    here.incoming.clear()
    ours = here.refs
    moved = {
        name: (before[name] or "base" if name in before else "", at or "base")
        for name, at in refs.heads.items()
        if name not in before or before[name] != at
    }
    kept = tuple(n for n, at in refs.tags.items() if ours.get(f"tags/{n}", n) != at)
    return Fetched(refs, moved, taken, kept, brought.traffic)


def _beside(
    here: Repository,
    there: Connection,
    refs: RemoteRefs,
    entries: Sequence[Entry],
    needed: Sequence[LedgerFile],
) -> list[LedgerFile]:
    """Return the signatures and sealed files that are wanted from a remote.

    Args:
        here: The own ledger.
        there: The remote.
        refs: Its refs.
        entries: The entries that come.
        needed: Deltas and attacks that are missing here.
    """
    listed = [f for each in lists_there(here, there, refs.listed) for f in each.files]
    ours, root = here.refs, here.base.root
    known = {entry.id for entry in entries} | {
        digest_of(tag_text(name, at, root))
        for name, at in refs.tags.items()
        if ours.get(f"tags/{name}", at) == at
    }

    def is_wanted(file: LedgerFile) -> bool:
        if file.kind != SIGNATURES:
            return content_of(file) in needed
        is_known = file.subject in known or here.holds(EntryId(file.subject))
        return is_known and not here.has_file(file)

    return [*dict.fromkeys(filter(is_wanted, listed))]


class _Brought:
    """The files that one fetch brings: checked, and kept until all are there."""

    def __init__(self, here: Repository, there: Connection) -> None:
        self._here = here
        self._there = there
        self._kept = here.incoming
        self._sizes: list[int] = []

    @property
    def traffic(self) -> Traffic:
        """What has travelled."""
        return Traffic(len(self._sizes), sum(self._sizes))

    def bytes_of(self, file: LedgerFile) -> bytes:
        """Return the bytes of a file: kept by an interrupted fetch, or asked for.

        Raises:
            IntegrityError: They are missing there, or not what the name says.
        """
        data = self._kept.get(file)
        if data is not None:
            return data
        data = self._there.read(file.path)
        if data is None:
            raise untrue(file.path, self._there.name, "it is missing")
        try:
            check_bytes(file, data)
        except ValueError as error:
            raise untrue(file.path, self._there.name, str(error)) from error
        self._kept.put(file, data)
        self._sizes.append(len(data))
        return data

    def entries(self, tips: Iterable[EntryId | None]) -> list[Entry]:
        """Return the entries up to the tips that are not here, parents first."""
        found: dict[EntryId, Entry] = {}
        steps = 0
        for tip in tips:
            at, chain = tip, list[Entry]()
            while at is not None and at not in found and not self._here.holds(at):
                if (steps := steps + 1) == _STEPS:
                    self._bring_all()
                entry = checked_entry(self.bytes_of(file_of(at)), at)
                chain.append(entry)
                at = entry.parent
            found |= {entry.id: entry for entry in reversed(chain)}
        return [*found.values()]

    def _bring_all(self) -> None:
        """Bring all entries at once, where the store can list them."""
        names = self._there.names(ENTRIES) or []
        ids = [name.rpartition("/")[2].removesuffix(".json") for name in names]
        files = [LedgerFile(ENTRIES, each) for each in ids]
        wanted = [f for f, name in zip(files, names, strict=True) if _fits(f, name)]
        missing = [f for f in wanted if not self._here.holds(EntryId(f.digest))]

        def bring(file: LedgerFile) -> None:
            with suppress(IntegrityError):  # perhaps of an entry that is not wanted
                self.bytes_of(file)

        each_of(missing, bring, at_once=self._there.store.at_once)


def _fits(file: LedgerFile, name: str) -> bool:
    """Return whether a name that was listed is that of an entry."""
    try:
        return file.path == name
    except ValueError:
        return False
