"""File system operations, one a method, and transactions of several writes.

A file is written to a scratch folder, flushed, renamed into its place, and the
folder is flushed: a name on disk always refers to durable content. Tests replace
`Disk` by one that dies at operation N.

Where a file system cannot flush a folder, names are as durable as it makes them by
itself.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from unlearnlog.core.plain_files import FULL
from unlearnlog.errors import DiskFull, LedgerError
from unlearnlog.ledger.path_safety import check_plain

try:
    import fcntl
except ImportError:  # Windows, where the package runs under WSL only
    _FULL_SYNC = _CLONE = None
else:
    _FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)  # fsync leaves it in the drive
    # FICLONE of linux/fs.h, which Python does not name.
    _CLONE = 0x40049409 if sys.platform == "linux" else None

_AT_ONCE: Final = 2**20  # bytes copied at a time

AS_IT_WAS: Final = "the ledger is as it was"

_FIXES: Final = {
    errno.EROFS: "make the ledger's file system writable, or work on a copy of it",
    errno.EIO: "the disk reports a fault: copy the ledger to another one, and check it "
    "there: unlearnlog fsck",
    errno.EMFILE: "close other programs: too many files are open",
    errno.ENFILE: "close other programs: too many files are open",
    errno.ENOENT: "see what is missing: unlearnlog fsck",
}
"""Fixes by the system's error number."""

_ELSE: Final = "check the permissions of the ledger: ls -l .unlearnlog"

_CANNOT: Final = frozenset(
    {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
"""Error numbers for a folder that the file system cannot flush."""


def _share_blocks(source: int, target: int) -> bool:
    """Let an empty file share the blocks of another one; return whether it does.

    Unlike a hard link, a later write to one of them does not change the other.
    """
    if _CLONE is None:
        return False
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError:  # another file system, or one that cannot
        return False
    return True


class Disk:
    """The operations that the ledger needs; all are atomic but those on content."""

    def read(self, path: Path) -> bytes:
        """Return a file's bytes."""
        return path.read_bytes()

    def begin(self, path: Path, n: int) -> bytes:
        """Return a file's first ``n`` bytes, or all of a shorter one."""
        with path.open("rb") as file:
            return file.read(n)

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; empty for a missing folder."""
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []

    def write(self, path: Path, data: bytes, *, durable: bool = True) -> None:
        """Create a new file and flush it; a crash may truncate it."""
        with path.open("xb") as file:
            file.write(data)
            if durable:
                file.flush()
                self.flush(file.fileno())

    def copy(self, source: Path, target: Path, *, durable: bool = True) -> None:
        """Copy a file's bytes into a new file; a crash may truncate it.

        Where the file system can, both share their blocks until one is written to.
        """
        with source.open("rb") as old, target.open("xb") as file:
            if not _share_blocks(old.fileno(), file.fileno()):
                shutil.copyfileobj(old, file, _AT_ONCE)
            if durable:
                file.flush()
                self.flush(file.fileno())

    def patch(self, path: Path, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """Overwrite parts of a file, each from an offset on, and flush it."""
        with path.open("r+b") as file:
            for offset, data in pieces:
                file.seek(offset)
                file.write(data)
            file.flush()
            self.flush(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file or folder, replacing an existing one."""
        source.replace(target)

    def sync(self, folder: Path) -> None:
        """Make the names in a folder durable, where the file system can."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            self.flush(handle)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        finally:
            os.close(handle)

    def flush(self, handle: int) -> None:
        """Flush written data to the medium; on macOS with its own command."""
        if _FULL_SYNC is not None:
            with suppress(OSError):  # a file system without that command
                fcntl.fcntl(handle, _FULL_SYNC)
                return
        os.fsync(handle)

    def mkdir(self, folder: Path) -> None:
        """Create one folder."""
        folder.mkdir()

    def have(self, folder: Path) -> None:
        """Create one folder unless it is there, or comes in between."""
        try:
            self.mkdir(folder)
        except FileExistsError:
            if not folder.is_dir():
                raise

    def lead_to(self, folder: Path) -> None:
        """Create a folder and those above it, where they are missing."""
        if not folder.is_dir():
            self.lead_to(folder.parent)
            self.have(folder)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def rmdir(self, folder: Path) -> None:
        """Remove an empty folder."""
        folder.rmdir()

    def write_atomic(
        self, path: Path, data: bytes, scratch: Path, *, durable: bool = True
    ) -> None:
        """Write a whole file durably, or leave the old one.

        Args:
            path: Path of the file; its folder exists.
            data: The file's bytes.
            scratch: A folder of the same file system for the unfinished file.
            durable: Whether to flush it; a cache does without.
        """
        unfinished = scratch / secrets.token_hex(8)
        try:
            self.write(unfinished, data, durable=durable)
            self.replace(unfinished, path)
        except BaseException:
            with suppress(OSError):
                self.unlink(unfinished)
            raise
        if durable:
            self.sync(path.parent)

    def publish(self, draft: Path, target: Path) -> None:
        """Rename a flushed draft to its path; undo that if it is not durable."""
        self.replace(draft, target)
        try:
            self.sync(target.parent)
        except BaseException:
            self.replace(target, draft)
            raise

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder and all that is in it, as far as possible."""
        for name in self.names(folder):
            path = folder / name
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    self.remove_tree(path)
                else:
                    self.unlink(path)
        with suppress(OSError):
            self.rmdir(folder)


class Transaction:
    """Several writes, in order, that are undone together when one fails.

    After a crash nothing is undone, and need not be: the caller writes a file before
    those that refer to it. The newest write is undone first, so every state on the way
    back is one that a crash could have left. Overwritten files are saved in the scratch
    folder beforehand: a full disk has room for a rename.

    Example::

        with Transaction(disk, scratch) as writing:
            writing.put(path, data)
    """

    def __init__(self, disk: Disk, scratch: Path, root: Path | None = None) -> None:
        """Start with nothing to undo.

        Args:
            disk: The file system's operations.
            scratch: A folder for unfinished files.
            root: Below this folder no link is followed.
        """
        self._disk = disk
        self._root = root
        self._scratch = scratch
        self._files: list[tuple[Path, Path | None]] = []
        self._folders: list[Path] = []

    def __enter__(self) -> Transaction:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Keep all writes, or undo them and raise the disk's error with a fix."""
        if error is None:
            return
        left = AS_IT_WAS
        try:
            self._undo()
        except OSError as second:
            left = f"not taken back ({second.strerror}): `unlearnlog log` shows it"
        if isinstance(error, OSError):
            raise explained(error, left) from error

    def put(self, path: Path, data: bytes) -> None:
        """Write one file durably, with the folders that lead to it."""
        if self._root is not None:
            check_plain(self._root, self._scratch)
            check_plain(self._root, path)
        if not self._scratch.is_dir():  # version control keeps no empty folder
            self._lead_to(self._scratch)
        self._lead_to(path.parent)
        old = self._disk.read(path) if path.exists() else None
        if old is None:
            self._files.append((path, None))
        elif old != data:
            self._files.append((path, self._kept(old)))
        self._disk.write_atomic(path, data, self._scratch)

    def _lead_to(self, folder: Path) -> None:
        """Create a folder and its parents, with durable names."""
        if not folder.is_dir():
            self._lead_to(folder.parent)
            self._folders.append(folder)
            self._disk.mkdir(folder)
        self._disk.sync(folder.parent)  # it may be a crashed writer's folder

    def _kept(self, old: bytes) -> Path:
        """Save a file that is about to be overwritten; the next writer sweeps it."""
        path = self._scratch / secrets.token_hex(8)
        self._disk.write(path, old)
        return path

    def _undo(self) -> None:
        for path, kept in reversed(self._files):
            if kept is not None:
                self._disk.replace(kept, path)
            elif path.exists():
                self._disk.unlink(path)
            self._disk.sync(path.parent)
        for folder in reversed(self._folders):
            with suppress(OSError):
                self._disk.rmdir(folder)


@contextmanager
def explaining() -> Iterator[None]:
    """Turn an error of the operating system into one with a fix."""
    try:
        yield
    except OSError as error:
        raise explained(error) from error


def explained(error: OSError, left: str = AS_IT_WAS) -> LedgerError:
    """Return the error for one of the operating system, with its fix.

    Args:
        error: The operating system's error.
        left: The state of the ledger after it.
    """
    where = error.filename or "the ledger"
    what = error.strerror or str(error)
    if error.errno in FULL:
        return DiskFull(
            f"no room to write {where} ({what}); {left}",
            fix="free some space, `df -h` shows where; then run the same again",
        )
    return LedgerError(
        f"cannot use {where} ({what}); {left}",
        fix=_FIXES.get(error.errno or 0, _ELSE),
    )
