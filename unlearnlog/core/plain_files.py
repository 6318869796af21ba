"""Files of strangers: plain ones of a size that can be read, without waiting."""

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
"""What a system says where there is no room to write."""

_FIXES: Final = {
    errno.EROFS: "write to a file system that is not read-only",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EIO: "the disk reports a fault: look after it, or write to another one",
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
    """Something that is no plain file, or larger than files of its kind are."""


def fix_of(error: Exception, otherwise: str) -> str:
    """Return what to do about a file that cannot be read.

    Args:
        error: What `bytes_of` or `text_of` raised, or whoever understood the content.
        otherwise: What to do where the content is at fault.
    """
    match error:
        case NotPlain():
            return "give a plain file, as large as such a file is"
        case PermissionError():
            return "give a file that you may read: ls -l shows who may"
        case FileNotFoundError():
            return "give the path of a file that is there"
        case UnicodeDecodeError():
            return "save it as text in UTF-8"
    return otherwise


def unwritten(path: Path, error: OSError) -> DiskFull | UsageError:
    """Say why a file was not written, and what helps: never another path alone."""
    folder, said = path.absolute().parent, error.strerror or str(error)
    if error.errno in FULL:
        return DiskFull(
            f"no room left to write '{path}' ({said}); nothing of it is left behind",
            fix=f"free some space in '{folder}', `df -h` shows how much there is; then "
            "run the same again",
        )
    return UsageError(
        f"'{path}' cannot be written: {said}",
        fix=_FIXES.get(error.errno or 0, _ELSE),
    )


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` spelt out; one of nobody's home stays as it is."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def check_plain_file(path: Path) -> None:
    """Refuse what is no plain file, before it is opened: a pipe would be waited for.

    Raises:
        OSError: It is not there.
        NotPlain: It is a pipe, a device, a socket or a folder.
    """
    _check(path.stat().st_mode)


def handle_of(path: Path) -> int:
    """Open a plain file to read it, by its number; whoever calls closes it.

    Raises:
        OSError: It is not there, or cannot be opened.
        NotPlain: It is no plain file.
    """
    check_plain_file(path)
    # Whoever put a pipe there since is not waited for, either.
    handle = os.open(path, os.O_RDONLY | _NOT_BLOCKING | _BINARY)
    try:
        _check(os.fstat(handle).st_mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_plain(path: Path) -> FileIO:
    """Open a plain file to read its bytes, without a buffer.

    Raises:
        OSError: It is not there, or cannot be opened.
        NotPlain: It is no plain file.
    """
    return os.fdopen(handle_of(path), "rb", buffering=0)


def bytes_of(path: Path, *, most: int = TEXT) -> bytes:
    """Return the bytes of a plain file.

    Args:
        path: Where it is.
        most: Bytes that a file of its kind has at most.

    Raises:
        OSError: It is not there, or cannot be read.
        NotPlain: It is no plain file, or larger.
    """
    with os.fdopen(handle_of(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > most else file.read(most + 1)
    if size > most or len(data) > most:
        message = f"it has more than the {most} bytes that are read of such a file"
        raise NotPlain(message)
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
        raise NotPlain(message)
