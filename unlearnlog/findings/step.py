"""One entry of a history as a step, with all that is erased after it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from unlearnlog.core.entry import Entry
from unlearnlog.core.reading import Reading

Spans = Mapping[str, Sequence[tuple[int, int]]]
"""By concept the first and the last step of each erasure of it."""


@dataclass(frozen=True)
class ActiveNames(Collection[str]):
    """Names of all concepts that are erased after a step; all steps share the spans.

    Attributes:
        spans: The spans of the whole history.
        number: Number of the step.
    """

    spans: Spans
    number: int

    def __contains__(self, name: object) -> bool:
        """Return whether a concept is erased after the step."""
        spans = self.spans.get(str(name), ())
        place = bisect_right(spans, self.number, key=lambda span: span[0]) - 1
        return place >= 0 and self.number <= spans[place][1]

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the names."""
        return (name for name in self.spans if name in self)

    def __len__(self) -> int:
        """Return the number of names."""
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Step:
    """One entry of the history that leads to the revision.

    Attributes:
        number: Its place, from 1 on.
        entry: The entry.
        live: Names of all concepts that are erased after it.
        names: Its concepts and those that it reverted, as a text.
        doubts: The reasons why the erasure of some of ``live`` is in doubt, by name; in
            steps that are not drawn, only of concepts with a reading.
        began: Those of ``live`` that were not erased before it.
        ended: Those that it reverted.
        delta_kind: The kind of its delta; empty for none, and in steps not drawn.
    """

    number: int
    entry: Entry
    live: Collection[str]
    names: str
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    delta_kind: str = ""

    @property
    def label(self) -> str:
        """Its label beside other steps: its names, with its kind unless it erases."""
        kind = self.entry.kind
        return self.names if kind == "erase" else f"{kind} {self.names}"

    @property
    def sure(self) -> tuple[str, ...]:
        """Those of ``live`` with an erasure in no doubt."""
        return tuple(name for name in self.live if name not in self.doubts)

    def presence(self, concept: str) -> Reading | None:
        """Return a concept's presence after it; None where it was not measured."""
        return self.presences.get(concept)

    @cached_property
    def presences(self) -> dict[str, Reading]:
        """The presence of concepts after it, by name."""
        read = [r for r in self.entry.readings if r.probe == "presence"]
        return {reading.concept: reading for reading in reversed(read)}
