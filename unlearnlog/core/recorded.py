"""What a piece of work has recorded, for whoever must say so when nothing else can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId

_NOTED: Final[ContextVar[list[EntryId] | None]] = ContextVar("noted", default=None)


def note_down(entry: EntryId) -> None:
    """Tell whoever listens that an entry is in a ledger now."""
    ids = _NOTED.get()
    if ids is not None:
        ids.append(entry)


@contextmanager
def noted() -> Iterator[list[EntryId]]:
    """Yield a list that gets the id of every entry that is recorded meanwhile."""
    ids: list[EntryId] = []
    before = _NOTED.set(ids)
    try:
        yield ids
    finally:
        _NOTED.reset(before)
