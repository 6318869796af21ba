"""What a judge saw in pictures painted for known cells, before and after an erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import Answer, ProbeCase


@dataclass(frozen=True)
class CaseResult:
    """One cell with what it showed on the base and what it shows now."""

    cell: ProbeCase
    base: Answer
    now: Answer

    def kept(self, kind: str) -> bool:
        """Whether the picture shows now what the cell asks for."""
        return self.now.of(kind) == self.cell.shows(kind)

    def kept_by_base(self, kind: str) -> bool:
        """Whether the base's picture did."""
        return self.base.of(kind) == self.cell.shows(kind)


@dataclass(frozen=True)
class ErasedEvidence:
    """What was seen of one concept that was erased.

    Attributes:
        concept: What was erased.
        erased: Cells that show the concept, with both answers.
        renamed: The same by other names of it that share no word with its own.
        family: Prompts that name only what it shares with its family.
        alike: Cells that show a look-alike of it.
        near: Names of the concepts nearest to it, those that were kept.
        target: What the base paints for the target's prompts.
        relations: How concepts of its kind are related to it, by name.
        hops: How far they are from it in the concept graph, by name.
    """

    concept: Concept
    erased: tuple[CaseResult, ...] = ()
    renamed: tuple[CaseResult, ...] = ()
    family: tuple[CaseResult, ...] = ()
    alike: tuple[CaseResult, ...] = ()
    near: frozenset[str] = frozenset()
    target: tuple[Answer, ...] = ()
    relations: Mapping[str, str] = field(default_factory=dict)
    hops: Mapping[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``style`` or ``subject``: which answer of a judge is about the concept."""
        return self.concept.slot

    @property
    def other(self) -> str:
        """The kind that the concept is not: what its prompts name beside it."""
        return other_kind(self.kind)


@dataclass(frozen=True)
class ReturnedEvidence:
    """What is seen of a concept that was erased earlier.

    Attributes:
        seen: Its cells, as they are now.
        then: Whether each of them showed it right after its own erasure.
        kind: Which answer of a judge is about it.
    """

    seen: tuple[CaseResult, ...]
    then: tuple[bool, ...]
    kind: str

    @property
    def now(self) -> tuple[bool, ...]:
        """Whether each of them shows it now."""
        return tuple(seen.kept(self.kind) for seen in self.seen)


@dataclass(frozen=True)
class Evidence:
    """Everything that probes of pictures look at after one entry.

    Attributes:
        looked: What was seen of each concept that the entry erased.
        kept: Cells that show no erased concept.
        earlier: Cells of each concept that was erased before, by its name.
        then: What the same cells showed right after that erasure, where it is known.
    """

    looked: tuple[ErasedEvidence, ...]
    kept: tuple[CaseResult, ...] = ()
    earlier: dict[str, tuple[CaseResult, ...]] = field(default_factory=dict)
    then: dict[str, tuple[Answer, ...]] = field(default_factory=dict)

    @property
    def returned(self) -> dict[str, ReturnedEvidence]:
        """What is seen of each earlier concept now and was seen then, by name."""
        found = {}
        for name, answers in self.then.items():
            if seen := self.earlier.get(name, ()):
                kind = "style" if seen[0].cell.style == name else "subject"
                then = tuple(answer.of(kind) == name for answer in answers)
                found[name] = ReturnedEvidence(seen, then, kind)
        return found

    def by_kind(self) -> dict[str, tuple[ErasedEvidence, ...]]:
        """Return what was erased of each kind, by kind."""
        kinds = dict.fromkeys(look.kind for look in self.looked)
        return {
            kind: tuple(look for look in self.looked if look.kind == kind)
            for kind in kinds
        }


def other_kind(kind: str) -> str:
    """Return ``subject`` for ``style`` and the other way round."""
    return "subject" if kind == "style" else "style"
