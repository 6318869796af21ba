"""The files below a ledger's folder, read without following links."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from unlearnlog.errors import IntegrityError
from unlearnlog.ledger.disk import Disk, explained
from unlearnlog.ledger.path_safety import MAX_DELTA, MAX_TEXT, check_plain

T = TypeVar("T")


@dataclass(frozen=True)
class CheckedFiles:
    """The files below one folder, of which every part is a plain file or folder.

    Attributes:
        root: The ``.unlearnlog`` folder itself.
        disk: The file system's operations.
    """

    root: Path
    disk: Disk

    def below(self, path: Path) -> str:
        """Return a path relative to the ledger's folder."""
        return str(path.relative_to(self.root))

    def files(self, folder: str) -> Iterator[Path]:
        """Yield the files below a folder, as paths below the root, sorted.

        Raises:
            IntegrityError: A path there is neither a file nor a folder.
        """
        for name in self._names(folder):
            path = Path(folder) / name
            found = self._found(path)
            if found is not None and stat.S_ISDIR(found.st_mode):
                yield from self.files(str(path))
            else:
                yield path

    def size(self, path: Path) -> int | None:
        """Return the size of a file below the root, in bytes; None if it is gone."""
        found = self._found(path)
        return None if found is None else found.st_size

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder, after a check that it is one."""
        self._found(Path(folder))
        return self.disk.names(self.root / folder)

    def _found(self, path: Path) -> os.stat_result | None:
        """Return the status of a path, without following links; None if missing."""
        try:
            return check_plain(self.root, self.root / path)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise damaged(Path(error.filename), str(error.strerror)) from error
            raise explained(error) from error

    def _bytes(self, path: str) -> bytes:
        limit = MAX_DELTA if path.startswith(("objects", "sealed")) else MAX_TEXT
        found, why = self._found(Path(path)), ""
        if found is None:
            why = "it is missing"
        elif stat.S_ISDIR(found.st_mode):
            why = "it is a folder"
        elif found.st_size > limit:
            why = f"it is {found.st_size} bytes long, at most {limit} are read"
        if why:
            raise damaged(self.root / path, why)
        try:
            return self.disk.read(self.root / path)
        except FileNotFoundError as error:
            raise damaged(self.root / path, "it is missing") from error
        except OSError as error:
            raise explained(error) from error

    def _checked(self, path: str, read: Callable[[bytes], T]) -> T:
        data = self._bytes(path)
        try:
            return read(data)
        except ValueError as error:
            raise damaged(self.root / path, str(error)) from error


def damaged(path: Path, why: str) -> IntegrityError:
    """Return the error for a damaged file."""
    return IntegrityError(
        f"{path} is damaged: {why}",
        fix="put the file back from a copy of the ledger; nothing else was changed",
    )
