"""Safe reading of untrusted files: regular ones of limited size, never blocking."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.errors import DiskFull, UsageError

if TYPE_CHECKING:
    from io import FileIO

TEXT: Final = 16 * 2**20
"""Bytes of the longest text that is read: a list of a hundred thousand pictures."""

_NOT_BLOCKING: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a system without room to write."""

_FIXES: Final = {
    errno.EROFS: "write to a file system that is not read-only",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EIO: "the disk reports a fault: check it, or write to another one",
    errno.EMFILE: "close other programs: too many files are open",
    errno.ENFILE: "close other programs: too many files are open",
}
_ELSE: Final = "give a path in a folder that you may write to"

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotPlain(ValueError):  # noqa: N818 - reads as what was found
    """A path that is no regular file, or one that is too large."""


def fix_of(error: Exception, otherwise: str) -> str:
    """Return the fix for a file that cannot be read.

    Args:
        error: What `bytes_of`, `text_of` or the parser of the content raised.
        otherwise: The fix where the content is at fault.
    """
    match error:
        case NotPlain():
            return "give a regular file of the usual size"
        case PermissionError():
            return "give a file that you may read: ls -l shows the permissions"
        case FileNotFoundError():
            return "give the path of an existing file"
        case UnicodeDecodeError():
            return "save it as text in UTF-8"
    return otherwise


def check_parent(path: Path) -> None:
    """Refuse a path to write to without a folder above it.

    Raises:
        UsageError: There is no such folder.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder '{path.parent}' to write into",
            fix=f"mkdir -p '{path.parent}'",
        )


def unwritten(path: Path, error: OSError) -> DiskFull | UsageError:
    """Return the error for a file that was not written, with its fix."""
    folder, reason = path.absolute().parent, error.strerror or str(error)
    if error.errno in FULL:
        return DiskFull(
            f"no room left to write '{path}' ({reason}); nothing of it is left behind",
            fix=f"free some space in '{folder}', `df -h` shows how much there is; then "
            "run the same again",
        )
    return UsageError(
        f"'{path}' cannot be written: {reason}",
        fix=_FIXES.get(error.errno or 0, _ELSE),
    )


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` expanded; unchanged where there is no such home."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def check_plain_file(path: Path) -> None:
    """Refuse what is no regular file before it is opened: opening a pipe blocks.

    Raises:
        OSError: The file does not exist.
        NotPlain: It is a pipe, a device, a socket or a folder.
    """
    _check(path.stat().st_mode)


def handle_of(path: Path) -> int:
    """Open a regular file to read it, and return its descriptor; the caller closes it.

    Raises:
        OSError: The file does not exist, or cannot be opened.
        NotPlain: It is no regular file.
    """
    check_plain_file(path)
    # A pipe may have taken its place since: do not block on that, either.
    handle = os.open(path, os.O_RDONLY | _NOT_BLOCKING | _BINARY)
    try:
        _check(os.fstat(handle).st_mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_plain(path: Path) -> FileIO:
    """Return a regular file opened to read its bytes, unbuffered.

    Raises:
        OSError: The file does not exist, or cannot be opened.
        NotPlain: It is no regular file.
    """
    return os.fdopen(handle_of(path), "rb", buffering=0)


def bytes_of(path: Path, *, most: int = TEXT) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: Path of the file.
        most: Largest size that is read, in bytes.

    Raises:
        OSError: The file does not exist, or cannot be read.
        NotPlain: It is no regular file, or larger.
    """
    with os.fdopen(handle_of(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > most else file.read(most + 1)
    if size > most or len(data) > most:
        message = f"it has more than {most} bytes, the most that is read"
        raise NotPlain(message)
    return data


def text_of(path: Path, *, most: int = TEXT, encoding: str = "utf-8") -> str:
    """Return the text of a regular file, with line breaks as LF.

    Raises:
        OSError: The file does not exist, or cannot be read.
        ValueError: It is no regular file, larger, or no text of the encoding.
    """
    text = bytes_of(path, most=most).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        message = f"it is {kind}, no regular file"

        raise NotPlain(message)
