"""Retries of long work on a ledger that other commands write to meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from unlearnlog.errors import LockBusy, Moved

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.progress import Progress

T = TypeVar("T")

TRIES: Final = 5
"""Attempts of one command that others record before."""

PATIENCE: Final = 30.0
"""Longest wait for another writer's lock, in s; a write takes milliseconds."""

_PAUSE: Final = 0.05


def until_recorded(at: Session, watch: Progress, work: Callable[[Session], T]) -> T:
    """Return the result of work on the head; repeat it where the head moved.

    Args:
        at: The session; its head is pinned here if it is not already.
        watch: Receives a stage each time the work begins again.
        work: Computes and records; called again with the session at the new head.
            Results that do not depend on the head may be kept between calls.

    Raises:
        Moved: The head moved during every attempt.
    """
    at = at if at.pin else at.pinned()
    for _ in range(TRIES - 1):
        try:
            return work(at)
        except Moved:
            at = at.caught_up()
            watch.stage(f"recorded meanwhile: {_named(at)}; starting again on it", 1)
            watch.advance(1, {})
    return work(at)


def patiently(write: Callable[[], T]) -> T:
    """Write when no other command holds the lock.

    Raises:
        LockBusy: Another command holds the lock for longer than a write takes.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return write()
        except LockBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def _named(at: Session) -> str:
    return at.head[:12] if at.head else "base"
