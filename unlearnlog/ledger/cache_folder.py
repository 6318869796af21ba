"""The files of one folder of the cache, of which the newest stay.

A file that cannot be written is done without, and any file may vanish. Links are
neither followed nor counted.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.ledger.path_safety import check_plain

if TYPE_CHECKING:
    from unlearnlog.ledger.disk import Disk


@dataclass(frozen=True)
class CacheFolder:
    """A folder with files that can be made again.

    Attributes:
        path: The folder, two levels below the ledger's.
        disk: The file system's operations.
    """

    path: Path
    disk: Disk

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, or None.

        Raises:
            OSError: It is a link, or cannot be read.
        """
        path = self.path / name
        if not os.path.lexists(path):
            return None
        check_plain(self._root, path)
        return self.disk.read(path)

    def write(self, name: str, data: bytes, *, kept: int, room: int = 0) -> None:
        """Write a file, if the disk allows it, and remove the oldest ones.

        Args:
            name: The file's name.
            data: Its bytes.
            kept: Number of files that stay in any case, the newest.
            room: Bytes that all files may take before older ones are removed, too.
        """
        path = self.path / name
        with suppress(OSError):
            check_plain(self._root, path)
            self.disk.lead_to(self.path)
            self.disk.write_atomic(path, data, self.path, durable=False)
            self._prune(kept, room)

    def files(self) -> list[Path]:
        """Return the paths of the regular files, newest first."""
        return [path for path, _ in self._sized()]

    def _sized(self) -> list[tuple[Path, int]]:
        """Return the regular files, newest first, with their sizes in bytes."""
        aged = []
        with suppress(OSError):  # a link, or not there
            check_plain(self._root, self.path)
            for path in (self.path / name for name in self.disk.names(self.path)):
                with suppress(OSError):  # removed by another command
                    found = path.lstat()
                    if stat.S_ISREG(found.st_mode):
                        aged.append((found.st_mtime_ns, path, found.st_size))
        return [(path, size) for _, path, size in sorted(aged, reverse=True)]

    def _prune(self, kept: int, room: int) -> None:
        taken = 0
        for i, (path, size) in enumerate(self._sized()):
            taken += size
            if i >= kept and taken > room:
                self.disk.unlink(path)

    @property
    def _root(self) -> Path:
        """The ledger's folder, which may itself be reached through a link."""
        return self.path.parents[1]
