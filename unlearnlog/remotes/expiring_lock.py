"""A lock for stores that cannot create a file only where there is none.

A client writes its own token, waits, and reads it back: of several at once, the last
one to write holds the lock. It expires, so that a client that died holds up the others
for two minutes at most. Clocks that differ by more than that, or a write that takes
longer, are what this cannot protect against: stores that can create need no lock.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from unlearnlog.errors import LockBusy, RemoteError
from unlearnlog.ledger.checksummed import sealed, unsealed
from unlearnlog.remotes.remote_store import Connection

LOCK: Final = "lock"
_LASTS: Final = 120.0  # s
_SETTLES: Final = 2.0  # s
_NEEDED: Final = 60.0
"""Seconds that must be left of a lock before refs are written."""


@contextmanager
def held_remotely(
    there: Connection, *, settles: float | None = None
) -> Iterator[Callable[[], None]]:
    """Hold the lock of a remote.

    Args:
        there: The remote.
        settles: Seconds between writing and reading back, more than a write takes; None
            for two.

    Yields:
        A function that raises `LockBusy` where too little is left of the lock.

    Raises:
        LockBusy: Another client holds it.
    """
    if (until := _expiry(there.read(LOCK))) and until > datetime.now(UTC):
        raise _busy(there, f"until {until.isoformat(timespec='seconds')}")
    end, began = datetime.now(UTC) + timedelta(seconds=_LASTS), time.monotonic()
    mine = sealed(LOCK, [secrets.token_hex(16), end.isoformat()])
    there.write(LOCK, mine)
    time.sleep(_SETTLES if settles is None else settles)
    if there.read(LOCK) != mine:
        raise _busy(there, "now")

    def check_held() -> None:
        if time.monotonic() - began > _LASTS - _NEEDED:
            raise _busy(there, "perhaps, since this one took too long")

    try:
        yield check_held
    finally:
        with suppress(RemoteError):  # it expires
            if there.read(LOCK) == mine:
                there.remove(LOCK)


def _expiry(data: bytes | None) -> datetime | None:
    """Return when a lock expires; None where there is none, or none that is whole."""
    if data is None:
        return None
    try:
        _, until = unsealed(LOCK, data)
        return datetime.fromisoformat(until)
    except ValueError:
        return None


def _busy(there: Connection, when: str) -> LockBusy:
    return LockBusy(
        f"another client moves the refs of {there.name} {when}",
        fix="wait until it is done, then run the same again",
    )
