"""One writer at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from unlearnlog.errors import LockBusy
from unlearnlog.ledger.disk import explained
from unlearnlog.made_with import now


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Hold the ledger's lock, or say at once who does.

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
    """The file in which the holder says who it is; for messages only."""
    return root / "lock.holder"


def _sign(root: Path) -> None:
    who = f"process {os.getpid()} on {socket.gethostname()} since {now()}"
    with suppress(OSError):
        _card(root).write_text(who, encoding="utf-8")


def _holder(root: Path) -> str:
    try:
        return _card(root).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "it did not say who it is"
