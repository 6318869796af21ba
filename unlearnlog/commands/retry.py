"""Long work whose ledger was written to by another command in the meantime."""

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
"""How often one command begins again because others record before it does."""

PATIENCE: Final = 30.0
"""Longest wait for another writer's lock, in s; a writer holds it for a blink."""

_PAUSE: Final = 0.05


def until_recorded(at: Session, watch: Progress, work: Callable[[Session], T]) -> T:
    """Return what work on the head gives; on the new head where that moved.

    Args:
        at: Where to begin; its head is fixed here if it is not already.
        watch: Gets a line each time that work begins again.
        work: Computes and records; called anew with the place as it then is. What does
            not depend on the head it may keep between calls.

    Raises:
        Moved: The ledger moved each time.
    """
    at = at if at.pin else at.pinned()
    for _ in range(TRIES - 1):
        try:
            return work(at)
        except Moved:
            at = at.caught_up()
            watch.stage(f"recorded meanwhile: {_named(at)}; on top of it again", 1)
            watch.advance(1, {})
    return work(at)


def patiently(write: Callable[[], T]) -> T:
    """Write as soon as no other command does.

    Raises:
        LockBusy: Another one holds the lock for longer than anybody writes.
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
