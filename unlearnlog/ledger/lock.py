"""The lock of the ledger: one writer at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from unlearnlog.core.provenance import now
from unlearnlog.errors import LockBusy
from unlearnlog.ledger.disk import explained
from unlearnlog.ledger.path_safety import check_plain

_LONGEST: Final = 500
_CAUTIOUS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags to follow no link and to block on no pipe, where the system has them."""


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Hold the ledger's lock, or fail at once with its holder.

    The operating system frees the lock of a process that dies.

    Raises:
        LockBusy: Another process, or another writer in this one, holds it.
    """
    lock = FileLock(root / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:  # an OSError, too
        raise LockBusy(
            f"another command is writing to {root}: {_holder(root)}",
            fix="wait until it is done, then run the same again",
        ) from error
    except OSError as error:
        raise explained(error) from error
    try:
        _sign(root)
        yield
    finally:
        with suppress(OSError):
            _card(root).unlink()
        lock.release()


def _card(root: Path) -> Path:
    """Return the path of the file with the holder's name, for messages only."""
    return root / "lock.holder"


def _sign(root: Path) -> None:
    who = f"process {os.getpid()} on {socket.gethostname()} since {now()}"
    with (
        suppress(OSError),
        _opened(root, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as card,
    ):
        card.write(who.encode())


def _holder(root: Path) -> str:
    with suppress(OSError), _opened(root, os.O_RDONLY) as card:
        return card.read(_LONGEST).decode(errors="replace")
    return "an unknown process"


@contextmanager
def _opened(root: Path, flags: int) -> Iterator[FileIO]:
    """Open the holder's file without following links or blocking on pipes."""
    check_plain(root, _card(root))  # where the system cannot refuse a link itself
    handle = os.open(_card(root), flags | _CAUTIOUS, 0o644)
    with FileIO(handle, "wb" if flags & os.O_WRONLY else "rb") as card:
        yield card
