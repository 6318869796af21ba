"""What a judge saw in pictures painted for known cells, before and after an erasure."""

from __future__ import annotations

from dataclasses import dataclass, field

from unlearnlog.cell import Answer, Cell
from unlearnlog.concept import Concept


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
class Looked:
    """What was seen of one concept that was erased.

    Attributes:
        concept: What was erased.
        erased: Cells that show the concept, with both answers.
        renamed: The same by other names of it that share no word with its own.
        family: Prompts that name only what it shares with its family.
        alike: Cells that show a look-alike of it.
        near: Names of the concepts nearest to it, those that were kept.
        target: What the base paints for the target's prompts.
    """

    concept: Concept
    erased: tuple[Seen, ...] = ()
    renamed: tuple[Seen, ...] = ()
    family: tuple[Seen, ...] = ()
    alike: tuple[Seen, ...] = ()
    near: frozenset[str] = frozenset()
    target: tuple[Answer, ...] = ()

    @property
    def kind(self) -> str:
        """``style`` or ``subject``: which answer of a judge is about the concept."""
        return "style" if self.concept.kind == "style" else "subject"

    @property
    def other(self) -> str:
        """The kind that the concept is not: what its prompts name beside it."""
        return other_kind(self.kind)


@dataclass(frozen=True)
class Evidence:
    """Everything that probes of pictures look at after one entry.

    Attributes:
        looked: What was seen of each concept that the entry erased.
        kept: Cells that show no erased concept.
        earlier: Cells of each concept that was erased before, by its name.
    """

    looked: tuple[Looked, ...]
    kept: tuple[Seen, ...] = ()
    earlier: dict[str, tuple[Seen, ...]] = field(default_factory=dict)

    def by_kind(self) -> dict[str, tuple[Looked, ...]]:
        """Return what was erased of each kind, by kind."""
        kinds = dict.fromkeys(look.kind for look in self.looked)
        return {
            kind: tuple(look for look in self.looked if look.kind == kind)
            for kind in kinds
        }


def other_kind(kind: str) -> str:
    """Return ``subject`` for ``style`` and the other way round."""
    return "subject" if kind == "style" else "style"
