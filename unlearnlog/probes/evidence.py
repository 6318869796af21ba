"""What a judge saw in pictures painted for known cells, before and after an erasure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from unlearnlog.cell import Answer, Cell
from unlearnlog.concept import Concept


class Judge(Protocol):
    """Whoever says what pictures show."""

    def judged(self, pictures: Tensor) -> list[Answer]:
        """Judge pictures, uint8 ``[n, height, width, 3]``."""
        ...


@dataclass(frozen=True)
class Seen:
    """One cell with what it showed on the base and what it shows now."""

    cell: Cell
    base: Answer
    now: Answer

    def kept(self, kind: str) -> bool:
        """Whether the picture shows now what the cell asks for."""
        return self.now.of(kind) == self.cell.shows(kind)

    def kept_by_base(self, kind: str) -> bool:
        """Whether the base's picture did."""
        return self.base.of(kind) == self.cell.shows(kind)


@dataclass(frozen=True)
class Evidence:
    """Everything that probes of pictures look at.

    Attributes:
        concept: What was erased.
        erased: Cells that show the concept, with both answers.
        kept: Cells that show no erased concept.
        earlier: Cells of each concept that was erased before, by its name.
        target: What the base paints for the target's prompts.
    """

    concept: Concept
    erased: tuple[Seen, ...]
    kept: tuple[Seen, ...]
    earlier: dict[str, tuple[Seen, ...]]
    target: tuple[Answer, ...]

    @property
    def other(self) -> str:
        """The kind that the concept is not: what its prompts name beside it."""
        return other_kind(self.concept.kind)


def other_kind(kind: str) -> str:
    """Return ``subject`` for ``style`` and the other way round."""
    return "subject" if kind == "style" else "style"


def paired(
    cells: Sequence[Cell], base: Sequence[Answer], now: Sequence[Answer]
) -> tuple[Seen, ...]:
    """Put cells and their two answers together."""
    return tuple(Seen(*each) for each in zip(cells, base, now, strict=True))
