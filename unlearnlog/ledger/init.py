"""The atomic creation of a ledger."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unlearnlog.core.digest import digest_of
from unlearnlog.core.provenance import now
from unlearnlog.errors import LedgerError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.checksummed import NOTHING
from unlearnlog.ledger.disk import Disk, explaining
from unlearnlog.ledger.reflog import ReflogEntry
from unlearnlog.ledger.store import FOLDER, FOLDERS, FORMAT, Store

BRANCH: Final = "main"
"""The branch a new ledger is on."""

_DRAFT: Final = f"{FOLDER}.new-"
_CLONE: Final = f"{FOLDER}.clone-"


@dataclass(frozen=True)
class _Draft:
    """Writer of files that are invisible until the whole folder is renamed."""

    disk: Disk

    def put(self, path: Path, data: bytes) -> None:
        """Write one file of the draft."""
        self.disk.write(path, data)


def created(folder: Path, base: BaseManifest, disk: Disk) -> Store:
    """Create an empty ledger under a draft's name, then rename it into its place.

    Raises:
        LedgerError: There is a ledger already, or the folder is not writable.
        DiskFull: There was no room; nothing is left behind.
    """
    check_no_ledger(folder)
    root, draft = folder / FOLDER, folder / f"{_DRAFT}{secrets.token_hex(4)}"
    with explaining():
        made: list[Path] = []
        try:
            _make(folder, disk, made)
            _fill(Store(draft, disk), base)
            disk.publish(draft, root)
        except BaseException as error:
            disk.remove_tree(draft)
            for parent in reversed(made):
                with suppress(OSError):
                    disk.rmdir(parent)
            if isinstance(error, OSError) and os.path.lexists(root):
                raise _exists(root) from error
            raise
        for name in disk.names(folder):
            if name.startswith(_DRAFT):  # of one that crashed, or came second
                disk.remove_tree(folder / name)
    return Store(root, disk)


def begun_clone(
    folder: Path, base: BaseManifest, origin: str, *, branch: str, disk: Disk
) -> Store:
    """Return the unfinished copy of another ledger: an earlier one, or a new one.

    It is not found by any command until `finish_clone` renames it.

    Args:
        folder: The folder that the copy is for.
        base: The manifest of the other ledger's base.
        origin: The address that it is copied from.
        branch: The branch that it is to be on.
        disk: The file system.

    Raises:
        LedgerError: There is a ledger already, or the folder is not writable.
        DiskFull: There was no room.
    """
    check_no_ledger(folder)
    digest = digest_of(f"{origin} {branch} {base.to_json()!r}".encode())
    root = folder / f"{_CLONE}{digest[:8]}"
    made: list[Path] = []
    with explaining():
        if not root.is_dir():
            _make(folder, disk, made)
            draft = folder / f"{_DRAFT}{secrets.token_hex(4)}"
            _fill(Store(draft, disk), base, branch)
            disk.publish(draft, root)
    return Store(root, disk)


def finish_clone(store: Store) -> Store:
    """Rename a copy that is whole to the name by which commands find it.

    Raises:
        LedgerError: There is a ledger by now, or the folder is not writable.
    """
    folder = store.root.parent
    with explaining():
        check_no_ledger(folder)
        store.disk.publish(store.root, folder / FOLDER)
        for name in store.disk.names(folder):
            if name.startswith((_CLONE, _DRAFT)):  # of copies that were given up
                store.disk.remove_tree(folder / name)
    return Store(folder / FOLDER, store.disk)


def check_no_ledger(folder: Path) -> None:
    """Refuse a folder that has a ledger.

    Raises:
        LedgerError: The folder has a ledger.
    """
    if os.path.lexists(folder / FOLDER):
        raise _exists(folder / FOLDER)


def _make(folder: Path, disk: Disk, made: list[Path]) -> None:
    """Create a folder with its parents, and add the new ones to ``made``."""
    if not folder.is_dir():
        _make(folder.parent, disk, made)
        made.append(folder)
        disk.mkdir(folder)
        disk.sync(folder.parent)


def _fill(store: Store, base: BaseManifest, branch: str = BRANCH) -> None:
    """Write all files of an empty ledger that is on a branch."""
    store.disk.mkdir(store.root)
    for name in FOLDERS:
        store.disk.mkdir(store.root / name)
    first = ReflogEntry(at=now(), old=NOTHING, new=NOTHING, why="init")
    draft = _Draft(store.disk)
    draft.put(store.root / "FORMAT", FORMAT)
    draft.put(store.root / "base.json", base.to_json())
    store.begin_log(draft, branch, first)
    store.put_ref(draft, f"heads/{branch}", None)
    store.put_name(draft, f"heads/{branch}", None)
    store.put_branch(draft, branch)
    for name in reversed(FOLDERS):
        store.disk.sync(store.root / name)
    store.disk.sync(store.root)


def _exists(root: Path) -> LedgerError:
    return LedgerError(
        f"there is a ledger in {root.parent} already",
        fix=f"use it as it is: unlearnlog log --ledger {root.parent}",
    )
