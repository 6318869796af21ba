"""A stranger's file, opened only if it is a plain one, and read only up to a size.

A pipe under the name of a configuration would wait for ever, a device would never end.
Links are followed: the hub's cache on disk is made of them.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

_WITHOUT_WAITING: Final = getattr(os, "O_NONBLOCK", 0)
_AS_BYTES: Final = getattr(os, "O_BINARY", 0)  # Windows turns line ends otherwise


def open_plain(path: Path) -> FileIO:
    """Open a file to read its bytes, without a buffer.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a pipe, a device or a folder.
    """
    return os.fdopen(handle_of(path), "rb", buffering=0)


def handle_of(path: Path) -> int:
    """Open a file to read it, by its number; whoever calls closes it.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a pipe, a device or a folder.
    """
    handle = os.open(path, os.O_RDONLY | _WITHOUT_WAITING | _AS_BYTES)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            message = "it is no plain file"
            raise ValueError(message)
    except BaseException:
        os.close(handle)
        raise
    return handle


def read_plain(path: Path, most: int) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        most: Bytes that an honest file has at most.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no plain file, or a larger one.
    """
    with open_plain(path) as stream:
        parts, left = [], most + 1
        while left and (part := stream.read(min(left, 2**20))):
            parts.append(part)
            left -= len(part)
    if not left:
        message = f"it has more than {most} bytes"
        raise ValueError(message)
    return b"".join(parts)
