"""A judge's answers to pictures of known cells, before and after an erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import Answer, ProbeCase


@dataclass(frozen=True)
class CaseResult:
    """One cell with the judge's answers to the base's picture and the present one.

    Attributes:
        cell: The cell.
        base: The answer to the base's picture.
        now: The answer to the present one.
        fits: How well these two fit the prompt; None where the judge tells none.
    """

    cell: ProbeCase
    base: Answer
    now: Answer
    fits: tuple[float, float] | None = None

    def kept(self, kind: str) -> bool:
        """Return whether the present picture shows the cell's style or subject."""
        return self.now.of(kind) == self.cell.shows(kind)

    def kept_by_base(self, kind: str) -> bool:
        """Return whether the base's picture does."""
        return self.base.of(kind) == self.cell.shows(kind)


@dataclass(frozen=True)
class ErasedEvidence:
    """The evidence on one erased concept.

    Attributes:
        concept: The concept.
        erased: Cells that show the concept, with both answers.
        renamed: The same by other names of it that share no word with its own.
        family: Prompts that name only its family.
        alike: Cells that show a look-alike of it.
        near: Names of the kept concepts nearest to it.
        target: The judge's answers to the base's pictures of the target's prompts.
        relations: Relations of concepts of its kind to it, by name.
        hops: Their distances from it in the concept graph, by name.
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
        """The concept's kind, ``style`` or ``subject``."""
        return self.concept.slot

    @property
    def other(self) -> str:
        """The other kind, which its prompts name beside it."""
        return other_kind(self.kind)


@dataclass(frozen=True)
class ReturnedEvidence:
    """The evidence on a concept that was erased earlier.

    Attributes:
        seen: Its cells, with the present answers.
        then: Whether each of them showed it right after its own erasure.
        kind: ``style`` or ``subject``.
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
    """The evidence that probes of pictures read after one entry.

    Attributes:
        looked: The evidence on each concept that the entry erased.
        kept: Cells that show no erased concept.
        earlier: Cells of each concept that was erased before, by its name.
        then: Answers to the same cells right after that erasure, where there are any.
    """

    looked: tuple[ErasedEvidence, ...]
    kept: tuple[CaseResult, ...] = ()
    earlier: dict[str, tuple[CaseResult, ...]] = field(default_factory=dict)
    then: dict[str, tuple[Answer, ...]] = field(default_factory=dict)

    @property
    def returned(self) -> dict[str, ReturnedEvidence]:
        """The evidence on each earlier concept, now and right after, by name."""
        found = {}
        for name, answers in self.then.items():
            if seen := self.earlier.get(name, ()):
                kind = "style" if seen[0].cell.style == name else "subject"
                then = tuple(answer.of(kind) == name for answer in answers)
                found[name] = ReturnedEvidence(seen, then, kind)
        return found

    def by_kind(self) -> dict[str, tuple[ErasedEvidence, ...]]:
        """Return the evidence on the erased concepts of each kind."""
        kinds = dict.fromkeys(look.kind for look in self.looked)
        return {
            kind: tuple(look for look in self.looked if look.kind == kind)
            for kind in kinds
        }


def other_kind(kind: str) -> str:
    """Return ``subject`` for ``style``, and ``style`` for ``subject``."""
    return "subject" if kind == "style" else "style"
