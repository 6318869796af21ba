"""A short list of what was used last, kept alike by a worker and its driver."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class RecentlyUsed(Generic[V]):
    """Values by key; beyond a number, the one that was used longest ago goes."""

    def __init__(self, room: int) -> None:
        """Begin empty, with room for some values."""
        self.room = room
        self._kept: OrderedDict[str, V] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Return whether a key's value is kept."""
        return key in self._kept

    def put(self, key: str, value: V) -> None:
        """Keep a value."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self.room:
            self._kept.popitem(last=False)

    def used(self, key: str) -> V:
        """Return a kept value, which counts as used now.

        Raises:
            KeyError: It is not kept.
        """
        self._kept.move_to_end(key)
        return self._kept[key]
