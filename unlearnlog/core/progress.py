"""The protocol by which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """A receiver of progress."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of ``total`` units."""

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Report ``units`` more as done, with the current numbers."""


class NoProgress:
    """A receiver that ignores progress."""

    def stage(self, name: str, total: int) -> None:
        """Ignore a new stage."""

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Ignore an advance."""


@dataclass(frozen=True)
class NestedProgress:
    """Progress of one part of longer work, each stage named with its part.

    Attributes:
        watch: The receiver.
        part: The part: "2 of 6, prefix after cat".
    """

    watch: Progress
    part: str

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of the part."""
        self.watch.stage(f"{self.part}: {name}", total)

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Pass the advance on."""
        self.watch.advance(units, numbers)


def counted(watch: Progress) -> Callable[[int], None]:
    """Return a callback that takes the units done in all and reports the increase."""
    reported = 0

    def report(done: int) -> None:
        nonlocal reported
        watch.advance(done - reported, {})
        reported = done

    return report
