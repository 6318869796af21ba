"""Files of strangers: plain ones of a size that can be read, without waiting."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

TEXT: Final = 16 * 2**20
"""Bytes of the longest text that is read: a list of a hundred thousand pictures."""

_NOT_BLOCKING: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_plain_file(path: Path) -> None:
    """Refuse what is no plain file, before it is opened: a pipe would be waited for.

    Raises:
        OSError: It is not there.
        ValueError: It is a pipe, a device, a socket or a folder.
    """
    _check(path.stat().st_mode)


def bytes_of(path: Path, *, most: int = TEXT) -> bytes:
    """Return the bytes of a plain file.

    Args:
        path: Where it is.
        most: Bytes that a file of its kind has at most.

    Raises:
        OSError: It is not there, or cannot be read.
        ValueError: It is no plain file, or larger.
    """
    check_plain_file(path)
    # Whoever put a pipe there since is not waited for, either.
    handle = os.open(path, os.O_RDONLY | _NOT_BLOCKING | _BINARY)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        _check(found.st_mode)
        data = b"" if found.st_size > most else file.read(most + 1)
    if found.st_size > most or len(data) > most:
        message = f"it has more than the {most} bytes that are read of such a file"
        raise ValueError(message)
    return data


def text_of(path: Path, *, most: int = TEXT, encoding: str = "utf-8") -> str:
    """Return the text of a plain file.

    Raises:
        OSError: It is not there, or cannot be read.
        ValueError: It is no plain file, larger, or no text of the encoding.
    """
    text = bytes_of(path, most=most).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        message = f"it is {kind}, no plain file"
        raise ValueError(message)
