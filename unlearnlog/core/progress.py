"""How long work tells whoever looks that it advances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """Whoever wants to see long work advance."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of ``total`` units."""

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Say that ``units`` more are done, and what the numbers are now."""


class NoProgress:
    """Nobody looks."""

    def stage(self, name: str, total: int) -> None:
        """Ignore a new stage."""

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Ignore an advance."""


@dataclass(frozen=True)
class NestedProgress:
    """Stages of one part of longer work, each told with the part that it belongs to.

    Attributes:
        watch: Who wants to see it advance.
        part: The part: "2 of 6, prefix after cat".
    """

    watch: Progress
    part: str

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of the part."""
        self.watch.stage(f"{self.part}: {name}", total)

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Pass it on."""
        self.watch.advance(units, numbers)


def counted(watch: Progress) -> Callable[[int], None]:
    """Return a listener that is told how much is done in all, not how much more."""
    seen = 0

    def tell(done: int) -> None:
        nonlocal seen
        watch.advance(done - seen, {})
        seen = done

    return tell
