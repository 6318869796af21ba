"""Ids of the entries recorded during a command, for its error report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId

_NOTED: Final[ContextVar[list[EntryId] | None]] = ContextVar("noted", default=None)


def note_down(entry: EntryId) -> None:
    """Add a recorded entry to the list of `noted`, if there is one."""
    ids = _NOTED.get()
    if ids is not None:
        ids.append(entry)


@contextmanager
def noted() -> Iterator[list[EntryId]]:
    """Yield a list that receives the id of every entry recorded meanwhile."""
    ids: list[EntryId] = []
    before = _NOTED.set(ids)
    try:
        yield ids
    finally:
        _NOTED.reset(before)
