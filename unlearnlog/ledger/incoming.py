"""Files on their way into a ledger, kept until all of them are there.

They lie in the cache, under the names that they will have, so that an interrupted
transfer goes on where it stopped. No reader of the ledger finds them there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.ledger.disk import explaining
from unlearnlog.ledger.ledger_file import LedgerFile, check_bytes
from unlearnlog.ledger.path_safety import check_plain

if TYPE_CHECKING:
    from unlearnlog.ledger.store import Store

INCOMING: Final = "cache/incoming"
LISTED: Final = "cache/lists"
"""The folder of the lists of remotes that were read once."""


@dataclass(frozen=True)
class Incoming:
    """The files that have arrived and are not in place yet.

    Attributes:
        store: The ledger's files.
        folder: The folder, below that of the ledger.
    """

    store: Store
    folder: str = INCOMING

    def get(self, file: LedgerFile) -> bytes | None:
        """Return the bytes of a file; None if it has not arrived, or not whole."""
        path = self._path(file)
        try:
            if check_plain(self.store.root, path) is None:
                return None
            data = self.store.disk.read(path)
            check_bytes(file, data)
        except (OSError, ValueError):
            return None
        return data

    def put(self, file: LedgerFile, data: bytes) -> None:
        """Keep the checked bytes of a file.

        Raises:
            DiskFull: There is no room.
        """
        path, disk = self._path(file), self.store.disk
        scratch = self.store.root / self.folder
        with explaining():
            check_plain(self.store.root, path)
            disk.lead_to(path.parent)
            disk.write_atomic(path, data, scratch, durable=False)

    def clear(self) -> None:
        """Remove what has arrived: it is in place now."""
        with suppress(OSError):
            check_plain(self.store.root, self.store.root / self.folder)
            self.store.disk.remove_tree(self.store.root / self.folder)

    def _path(self, file: LedgerFile) -> Path:
        return self.store.root / self.folder / file.path
