"""A ledger that is worked on, as a remote to read: ``clone ../colleague``.

Its branches and tags are shown as the only move of a remote's refs, and its signatures
and sealed files as one list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from unlearnlog.core.digest import digest_of
from unlearnlog.ledger.checksummed import sealed
from unlearnlog.ledger.ledger_file import LISTS, LedgerFile
from unlearnlog.ledger.repository import Repository
from unlearnlog.ledger.store import FOLDER
from unlearnlog.remotes.file_lists import FileList
from unlearnlog.remotes.path_store import PathStore
from unlearnlog.remotes.pushing import manifest_path, portable_base
from unlearnlog.remotes.ref_log import NEWEST, name_of
from unlearnlog.remotes.remote_refs import RemoteRefs
from unlearnlog.remotes.remote_store import CannotCreate

_FIRST: Final = name_of(1)
_KINDS: Final = ("heads/", "tags/")


class LedgerStore:
    """The files of a ledger under the names that they have in a remote."""

    at_once = 1
    unasked = 0
    writes = False
    together = False

    def __init__(self, folder: Path) -> None:
        """Open a ledger.

        Raises:
            LedgerError: A newer program wrote it.
            IntegrityError: It is damaged.
        """
        self._ledger = Repository.open(folder)
        self._list = b""
        self._files = PathStore(self._ledger.folder / FOLDER)
        self.hint = (
            f"see whether the ledger is sound: unlearnlog fsck --ledger {folder}"
        )

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist."""
        if name == NEWEST:
            return sealed(NEWEST, ["1"])
        if name == _FIRST:
            return self._refs().to_bytes(_FIRST)
        if name.startswith("refs/"):
            return None
        if self._list and name == LedgerFile(LISTS, digest_of(self._list)).path:
            return self._list
        base = portable_base(self._ledger)
        if name == manifest_path(digest_of(base)):
            return base
        return self._files.read(name)

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is a file of this size."""
        return self._files.holds(name, n_bytes)

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder."""
        return self._files.names(folder)

    def write(self, name: str, data: bytes) -> None:  # noqa: ARG002 - as others
        """Refuse: a push would move a branch that is worked on.

        Raises:
            CannotCreate: Always.
        """
        raise CannotCreate

    def create(self, name: str, data: bytes) -> bool:  # noqa: ARG002 - as others
        """Refuse, as `write` does.

        Raises:
            CannotCreate: Always.
        """
        raise CannotCreate

    def can_create(self) -> bool:
        """Return False."""
        return False

    def remove(self, name: str) -> None:
        """Remove nothing."""

    def close(self) -> None:
        """End nothing: a folder has no connection."""

    def _refs(self) -> RemoteRefs:
        """Return the branches and tags, without what this ledger follows itself."""
        here = self._ledger
        own = {ref: at for ref, at in here.refs.items() if ref.startswith(_KINDS)}
        manifest = digest_of(portable_base(here))
        signatures = [file for files in here.signatures.values() for file in files]
        files = (*signatures, *here.sealed_files)
        self._list = FileList(files).to_bytes()
        listed = digest_of(self._list) if files else ""
        return RemoteRefs(here.base.root, manifest, here.branch, own, listed=listed)
