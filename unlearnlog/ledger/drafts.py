"""What is written for others: in a draft beside its place, until it is whole.

A draft is a folder that its writer holds a lock on. The system frees the lock when the
process dies, so a draft that nobody holds is what a killed command left: whoever writes
beside it next removes it, and so does ``gc``. One of hours of work is kept for the same
command to go on from.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
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
    """Refuse a place that is a link, or is inside a ledger.

    Raises:
        UsageError: Says which of the two.
    """
    path = expanded(path).absolute()
    if path.is_symlink():
        raise UsageError(
            f"'{path}' is a symbolic link, and nothing is written through one",
            fix=f"give the place itself: {os.path.realpath(path)}",
        )
    whole = Path(os.path.realpath(path.parent)) / path.name
    inside = [part for part in whole.parts if part.casefold() == FOLDER]
    if inside:
        raise UsageError(
            f"'{path}' is inside a ledger's own folder, {inside[0]}",
            fix="give a place outside of it",
        )


@contextmanager
def new_file(path: Path, data: bytes, disk: Disk | None = None) -> Iterator[Path]:
    """Write a file beside its place, durably; give it its name if nothing is raised.

    Args:
        path: Where; its folder exists. What is there is replaced.
        data: The file's bytes.
        disk: The file system; another one in tests.

    Yields:
        Where it is meanwhile; its name is the same.

    Raises:
        UsageError: The place is a link or in a ledger, or cannot be written to.
        DiskFull: No room was left; what was begun is removed.
    """
    disk, path = disk or Disk(), expanded(path).absolute()
    check_output(path)
    with _draft(path, disk) as draft:
        unfinished = draft / path.name
        with _explaining(path):
            disk.write(unfinished, data)
        yield unfinished
        with _explaining(path):
            disk.replace(unfinished, path)
            disk.sync(path.parent)


def write_file(path: Path, data: bytes, disk: Disk | None = None) -> None:
    """Write a file in place of the one that may be there, with folders that lead to it.

    Raises:
        UsageError: The place is a link or in a ledger, or cannot be written to.
        DiskFull: No room was left; what was there is as it was.
    """
    check_output(path)
    with _explaining(path):
        (disk or Disk()).lead_to(expanded(path).absolute().parent)
    with new_file(path, data, disk):
        pass


@contextmanager
def new_folder(target: Path, disk: Disk | None = None) -> Iterator[Path]:
    """Build a folder beside its place; give it its name if nothing is raised.

    Args:
        target: Where; nothing is there, or an empty folder.
        disk: The file system; another one in tests.

    Yields:
        Where it is meanwhile: an empty folder of the same name.

    Raises:
        UsageError: The place is a link or in a ledger, or cannot be written to.
        DiskFull: No room was left; what was begun is removed.
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
    """Build a folder that takes long; where it was begun already, give what is there.

    What raises an error takes it away. A process that is killed or interrupted leaves
    it for the next one with the same key.

    Args:
        target: Where; nothing is there.
        key: Hexadecimal digits, at least 16, of all that decides what is built.
        disk: The file system; another one in tests.

    Yields:
        Where it is meanwhile.

    Raises:
        UsageError: The place is a link or in a ledger, or cannot be written to.
        LockBusy: Another process builds the same.
        DiskFull: No room was left; what was begun is removed.
    """
    disk, target = disk or Disk(), expanded(target).absolute()
    check_output(target)
    folder = target.parent / f"{_KEPT}{key[:16]}"
    check_output(folder)
    with _explaining(target):
        sweep(target.parent, disk)
        if not folder.is_dir():
            disk.mkdir(folder)
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
    """Remove the drafts of a folder that nobody goes on with: their process is dead."""
    for draft in _drafts(folder, disk):
        if draft.name.startswith(_DRAFT):
            _if_dead(draft, lambda: disk.remove_tree(draft))  # noqa: B023 - called at once


def dead_drafts(folder: Path, disk: Disk) -> list[tuple[Path, int]]:
    """List drafts whose process is dead, also those to go on from; and their bytes."""
    found: list[tuple[Path, int]] = []
    for draft in _drafts(folder, disk):
        _if_dead(draft, lambda: found.append((draft, _size(draft))))  # noqa: B023
    return found


def remove_dead(draft: Path, disk: Disk) -> None:
    """Remove a draft, unless a process has come back to it."""
    if _OURS.fullmatch(draft.name):
        _if_dead(draft, lambda: disk.remove_tree(draft))


class ExclusiveFolder:
    """A lock on a folder, for as long as the process lives or until it is left.

    Attributes:
        is_held: Whether it is ours; never where a system or a file system has no locks.
        is_busy: Whether it is another's.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder."""
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
    """Lock what is open.

    Raises:
        BlockingIOError: Another has locked it.
        OSError: The file system has no locks.
        ImportError: The system has none.
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
    """Make a draft; another where somebody swept it before it was held."""
    folder = parent / f"{_DRAFT}{secrets.token_hex(8)}"
    disk.mkdir(folder)
    lock = ExclusiveFolder(folder).__enter__()
    if lock.is_held or (folder.is_dir() and not lock.is_busy):
        return folder, lock  # neither: there are no locks here, so nobody sweeps
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
    """Return how many bytes the files of a folder take."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            found += 0 if path.is_dir() else path.lstat().st_size
    return found


def _publish(building: Path, target: Path, disk: Disk) -> None:
    """Make what a folder holds durable, and give it its name, or take that back."""
    for path in sorted(building.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            disk.sync(path)
    disk.sync(building)
    disk.replace(building, target)
    try:
        disk.sync(target.parent)
    except BaseException:
        disk.replace(target, building)
        raise


@contextmanager
def _explaining(path: Path, left: str = "") -> Iterator[None]:
    """Say what the operating system said, and what to do about it."""
    try:
        yield
    except OSError as error:
        said = unwritten(path, error)
        raise type(said)(f"{said.message}{left}", fix=said.fix) from error
