"""Drafts: atomic writes of files and folders outside of the ledger.

A draft is a folder beside its target that its writer holds a lock on. The system frees
the lock when the process dies, so an unlocked draft is what a killed command left: the
next write beside it removes it, and so does ``gc``. A draft of hours of work is kept
for the same command to continue.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from unlearnlog.core.plain_files import expanded, unwritten
from unlearnlog.errors import LockBusy, UsageError
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.store import FOLDER

_DRAFT: Final = f"{FOLDER}-draft-"
_KEPT: Final = f"{FOLDER}-begun-"
_AS_FOLDER: Final = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
)
_OURS: Final = re.compile(rf"({re.escape(_DRAFT)}|{re.escape(_KEPT)})[0-9a-f]{{16}}")


def check_output(path: Path) -> None:
    """Refuse a path that is a link, or is inside a ledger.

    Raises:
        UsageError: The path is one of the two.
    """
    path = expanded(path).absolute()
    if path.is_symlink():
        raise UsageError(
            f"'{path}' is a symbolic link, and nothing is written through one",
            fix=f"give the path that it leads to: {os.path.realpath(path)}",
        )
    whole = Path(os.path.realpath(path.parent)) / path.name
    inside = [part for part in whole.parts if part.casefold() == FOLDER]
    if inside:
        raise UsageError(
            f"'{path}' is inside a ledger's own folder, {inside[0]}",
            fix="give a path outside of it",
        )


@contextmanager
def new_file(
    path: Path,
    data: bytes,
    disk: Disk | None = None,
    *,
    pieces: Iterable[tuple[int, memoryview]] = (),
) -> Iterator[Path]:
    """Write a file as a draft, durably; rename it to its path if nothing is raised.

    Args:
        path: Path of the file; its folder exists. An existing file is replaced.
        data: The file's bytes, or its first ones.
        disk: The file system; another one in tests.
        pieces: Further bytes, each with its offset, made one after another.

    Yields:
        The draft's path; its name is the same.

    Raises:
        UsageError: The path is a link or in a ledger, or cannot be written to.
        DiskFull: No room was left; the draft is removed.
    """
    disk, path = disk or Disk(), expanded(path).absolute()
    check_output(path)
    with _draft(path, disk) as draft:
        unfinished = draft / path.name
        with _explaining(path):
            disk.write(unfinished, data)
            if pieces:
                disk.patch(unfinished, pieces)
        yield unfinished
        with _explaining(path):
            disk.replace(unfinished, path)
            disk.sync(path.parent)


def write_file(path: Path, data: bytes, disk: Disk | None = None) -> None:
    """Write a file with its folders, replacing an existing one.

    Raises:
        UsageError: The path is a link or in a ledger, or cannot be written to.
        DiskFull: No room was left; an existing file is unchanged.
    """
    check_output(path)
    with _explaining(path):
        (disk or Disk()).lead_to(expanded(path).absolute().parent)
    with new_file(path, data, disk):
        pass


@contextmanager
def new_folder(target: Path, disk: Disk | None = None) -> Iterator[Path]:
    """Build a folder as a draft; rename it to its path if nothing is raised.

    Args:
        target: Path of the folder; it does not exist, or is empty.
        disk: The file system; another one in tests.

    Yields:
        The draft's path: an empty folder of the same name.

    Raises:
        UsageError: The path is a link or in a ledger, or cannot be written to.
        DiskFull: No room was left; the draft is removed.
    """
    disk, target = disk or Disk(), expanded(target).absolute()
    check_output(target)
    with _draft(target, disk) as draft, _explaining(target):
        building = draft / target.name
        disk.mkdir(building)
        yield building
        _publish(building, target, disk)


@contextmanager
def begun_folder(target: Path, key: str, disk: Disk | None = None) -> Iterator[Path]:
    """Build a folder that takes long as a draft, or continue one of the same key.

    An error removes the draft. A process that is killed or interrupted leaves it for
    the next one with the same key.

    Args:
        target: Path of the folder; it does not exist.
        key: Hexadecimal digits, at least 16, of all that decides the content.
        disk: The file system; another one in tests.

    Yields:
        The draft's path.

    Raises:
        UsageError: The path is a link or in a ledger, or cannot be written to.
        LockBusy: Another process builds the same.
        DiskFull: No room was left; the draft is removed.
    """
    disk, target = disk or Disk(), expanded(target).absolute()
    check_output(target)
    folder = target.parent / f"{_KEPT}{key[:16]}"
    check_output(folder)
    with _explaining(target):
        sweep(target.parent, disk)
        disk.have(folder)
    with ExclusiveFolder(folder) as lock:
        if lock.is_busy:
            raise LockBusy(
                f"another command is making '{target}' of the same right now",
                fix="wait until it is done",
            )
        try:
            sweep(folder, disk)
            yield folder
        except Exception:
            disk.remove_tree(folder)
            raise
        with _explaining(target, f"; what is made is kept in '{folder}'"):
            _publish(folder, target, disk)


def sweep(folder: Path, disk: Disk) -> None:
    """Remove the drafts of dead processes from a folder, except long work."""
    for draft in _drafts(folder, disk):
        if draft.name.startswith(_DRAFT):
            _if_dead(draft, lambda: disk.remove_tree(draft))  # noqa: B023 - called at once


def dead_drafts(folder: Path, disk: Disk) -> list[tuple[Path, int]]:
    """Return all drafts of dead processes in a folder, with their sizes in bytes."""
    found: list[tuple[Path, int]] = []
    for draft in _drafts(folder, disk):
        _if_dead(draft, lambda: found.append((draft, _size(draft))))  # noqa: B023
    return found


def remove_dead(draft: Path, disk: Disk) -> None:
    """Remove a draft, unless a process holds it again."""
    if _OURS.fullmatch(draft.name):
        _if_dead(draft, lambda: disk.remove_tree(draft))


class ExclusiveFolder:
    """A lock on a folder, held until the context ends or the process dies.

    Attributes:
        is_held: Whether this process holds it; False where there are no locks.
        is_busy: Whether another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the folder's path."""
        self._folder, self._handle = folder, -1
        self.is_held = self.is_busy = False

    def __enter__(self) -> ExclusiveFolder:
        """Take the lock if it is free."""
        try:
            self._handle = os.open(self._folder, _AS_FOLDER)
            _lock(self._handle)
            mine, there = os.fstat(self._handle), self._folder.lstat()
            self.is_held = (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
        except BlockingIOError:
            self.is_busy = True
        except (OSError, ImportError):
            self.is_held = False
        return self

    def __exit__(self, *_: object) -> None:
        """Free it."""
        if self._handle >= 0:
            os.close(self._handle)


def _lock(handle: int) -> None:
    """Lock an open folder.

    Raises:
        BlockingIOError: Another process has locked it.
        OSError: The file system has no locks.
        ImportError: The system has no locks.
    """
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _draft(path: Path, disk: Disk) -> Iterator[Path]:
    """Make a draft beside a path, hold it, and remove it at the end."""
    with _explaining(path):
        sweep(path.parent, disk)
        folder, lock = _made(path.parent, disk)
    try:
        yield folder
    finally:
        try:
            disk.remove_tree(folder)
        finally:
            lock.__exit__()


def _made(parent: Path, disk: Disk) -> tuple[Path, ExclusiveFolder]:
    """Make a draft, and another one where it was swept before it was locked."""
    folder = parent / f"{_DRAFT}{secrets.token_hex(8)}"
    disk.mkdir(folder)
    lock = ExclusiveFolder(folder).__enter__()
    if lock.is_held or (folder.is_dir() and not lock.is_busy):
        return folder, lock  # not held: without locks no draft is swept
    lock.__exit__()
    return _made(parent, disk)


def _drafts(folder: Path, disk: Disk) -> list[Path]:
    names: list[str] = []
    with suppress(OSError):  # one may write into a folder that one may not list
        names = disk.names(folder)
    found = [folder / name for name in names if _OURS.fullmatch(name)]
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _if_dead(draft: Path, act: Callable[[], object]) -> None:
    with ExclusiveFolder(draft) as lock:
        if lock.is_held:
            act()


def _size(folder: Path) -> int:
    """Return the size of all files of a folder, in bytes."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            found += 0 if path.is_dir() else path.lstat().st_size
    return found


def _publish(building: Path, target: Path, disk: Disk) -> None:
    """Flush a folder and rename it to its path."""
    for path in sorted(building.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            disk.sync(path)
    disk.sync(building)
    disk.publish(building, target)


@contextmanager
def _explaining(path: Path, left: str = "") -> Iterator[None]:
    """Turn an error of the operating system into one with a fix."""
    try:
        yield
    except OSError as error:
        cause = unwritten(path, error)
        raise type(cause)(f"{cause.message}{left}", fix=cause.fix) from error
