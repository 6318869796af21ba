"""A remote in a folder: of this disk, or of one that the system mounts."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.path_safety import MAX_DELTA, check_plain
from unlearnlog.remotes.remote_store import CannotCreate, creates_once

_SCRATCH = "tmp"


class PathStore:
    """Files of a folder, written beside their place and then given their name."""

    at_once = 1
    unasked = 0
    writes = True
    together = False
    hint = "see whether the folder is there, and yours to write to: ls -ld PATH"

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        """Use a folder, which may not exist yet; the one above it does."""
        self._root = folder
        self._disk = disk or Disk()
        self.hint = f"see whether the folder is there, and yours: ls -ld '{folder}'"

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist."""
        found = check_plain(self._root, self._root / name)
        if found is None:
            return None
        if found.st_size > MAX_DELTA:
            message = f"{name} is {found.st_size} bytes long"
            raise OSError(message)
        return self._disk.read(self._root / name)

    def holds(self, name: str, n_bytes: int) -> bool:
        """Return whether there is a file of this size."""
        found = check_plain(self._root, self._root / name)
        return found is not None and found.st_size == n_bytes

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder."""
        top = self._root / folder
        found = (path for path in top.rglob("*") if path.is_file())
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file durably, or none."""
        path = self._led_to(name)
        self._disk.write_atomic(path, data, self._root / _SCRATCH)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file where there is none; return whether it was written.

        Raises:
            CannotCreate: The file system has no links, and so no such operation.
        """
        path = self._led_to(name)
        draft = self._root / _SCRATCH / secrets.token_hex(8)
        self._disk.write(draft, data)
        try:
            os.link(draft, path)  # unlike a rename, it replaces nothing
        except FileExistsError:
            return False
        except OSError as error:
            raise CannotCreate from error
        finally:
            with suppress(OSError):
                self._disk.unlink(draft)
        self._disk.sync(path.parent)
        return True

    def can_create(self) -> bool:
        """Return whether the file system has links."""
        return creates_once(self)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        with suppress(FileNotFoundError):
            self._disk.unlink(self._root / name)

    def close(self) -> None:
        """End nothing: a folder has no connection."""

    def _led_to(self, name: str) -> Path:
        """Return the path of a file that is about to be written."""
        path = self._root / name
        self._disk.have(self._root)
        for folder in (path.parent, self._root / _SCRATCH):
            check_plain(self._root, folder)
            self._lead_to(folder)
        return path

    def _lead_to(self, folder: Path) -> None:
        """Create the folders that lead to one, with durable names."""
        if folder.is_dir():
            return
        self._lead_to(folder.parent)
        self._disk.have(folder)
        self._disk.sync(folder.parent)
