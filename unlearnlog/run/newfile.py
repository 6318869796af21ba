"""A new file that is looked at before it gets its name: all of it, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unlearnlog.errors import UsageError
from unlearnlog.ledger.disk import Disk
from unlearnlog.plainfile import unwritten


def check_is_free(path: Path) -> None:
    """Refuse a place where no new file can be.

    Raises:
        UsageError: Something is there already, or there is no folder for it.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"there is a '{path}' already", fix="give another name, or remove it first"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder '{path.parent}' to write into",
            fix=f"mkdir -p '{path.parent}'",
        )


@contextmanager
def written_if_good(path: Path, data: bytes) -> Iterator[Path]:
    """Write a file beside its place, durably; give it its name if nothing is raised.

    Yields:
        Where it is meanwhile; the name has the same ending.

    Raises:
        UsageError: The folder cannot be written to.
        DiskFull: No room was left; what was begun is removed.
    """
    disk, path = Disk(), path.absolute()
    unfinished = path.parent / f".{path.stem}.{secrets.token_hex(4)}{path.suffix}"
    try:
        with _explaining(path):
            disk.write(unfinished, data)
        yield unfinished
        with _explaining(path):
            disk.replace(unfinished, path)
            disk.sync(path.parent)
    finally:
        with suppress(OSError):
            disk.unlink(unfinished)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Say what the operating system said, and what to do about it."""
    try:
        yield
    except OSError as error:
        raise unwritten(path, error) from error
