"""Checks that a ledger has only regular files and folders: no links, no pipes.

The folder of the ledger itself may be reached through a link; no path below it may.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

MAX_TEXT: Final = 64 * 2**20
"""Longest JSON that is read, in bytes: a file of text, or the header of a delta."""

MAX_DELTA: Final = 16 * 2**30
"""Largest delta that is read, in bytes."""


def check_plain(root: Path, path: Path) -> os.stat_result | None:
    """Refuse a path where any part below the root is neither a file nor a folder.

    Args:
        root: The ledger's folder; its own parents are not checked.
        path: A path below it.

    Returns:
        The status of the file or folder, or None if it does not exist.

    Raises:
        OSError: A part is a link or a device; the error has its path.
    """
    at, found = str(root), None
    for part in path.relative_to(root).parts:
        at = f"{at}{os.sep}{part}"
        try:
            found = os.lstat(at)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if why := _not_plain(found):
            raise OSError(errno.ELOOP, why, at)
    return found


def not_plain(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every path in a folder that is neither a file nor a folder, with why."""
    for name in _listed(folder):
        path = folder / name
        with suppress(FileNotFoundError):  # another command is writing
            found = path.lstat()
            if why := _not_plain(found):
                yield path, why
            elif stat.S_ISDIR(found.st_mode):
                yield from not_plain(path)


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return []


def _not_plain(found: os.stat_result) -> str:
    """Return why a path has no place in a ledger; empty for a file or a folder."""
    if stat.S_ISLNK(found.st_mode):
        return "it is a symbolic link, and a ledger holds none"
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return ""
    return "it is neither a file nor a folder"
