"""Measurements of many concepts at once, on a sample that stands for all of them.

A thousand concepts, each on the pictures that decide a limit, are a hundred thousand
pictures. The question of a limit is about all of them: of how many is nothing shown any
more? A sample answers it with as many pictures as a limit needs, `N_LEAST`: so many
concepts, drawn without replacement, one picture each, so that no two pictures share a
concept and Wilson's interval holds. Fewer concepts are all painted, equally often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from unlearnlog.commands.more_samples import alone
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept
from unlearnlog.core.limits import MANY, N_LEAST
from unlearnlog.core.sample_name import sample_name
from unlearnlog.errors import ConceptError
from unlearnlog.probes.runner import ConceptCases, scattered

if TYPE_CHECKING:
    from unlearnlog.commands.evaluation import Evaluation
    from unlearnlog.commands.session import Session
    from unlearnlog.core.probe_case import ProbeCase

NOT_POOLED: Final = ("lands.anchor", "floor")
"""Readings that compare with one concept's own target: a sample has none."""

_NAMED: Final = 5


def drawn(concepts: Iterable[Concept], n: int) -> tuple[Concept, ...]:
    """Return ``n`` concepts, or all, drawn by a digest of their ids."""

    def place(concept: Concept) -> str:
        return hashlib.sha256(f"drawn:{concept.id}".encode()).hexdigest()

    return tuple(sorted(concepts, key=place)[:n])


def measured_earlier(gone: Sequence[Concept]) -> tuple[Concept, ...]:
    """Return the earlier erasures that are measured: all of a few, `MANY` of many."""
    return tuple(gone) if len(gone) <= MANY else drawn(gone, MANY)


def sample_of(concepts: Sequence[Concept]) -> tuple[Concept, ...]:
    """Return the concepts of an erasure that are painted: all of a few, else a draw.

    Of many, up to `N_LEAST` of each kind are drawn.
    """
    if len(concepts) <= MANY:
        return tuple(concepts)
    kinds = dict.fromkeys(concept.slot for concept in concepts)
    return tuple(
        each
        for kind in kinds
        for each in drawn([c for c in concepts if c.slot == kind], N_LEAST)
    )


def measured_book(
    at: Session, concepts: Sequence[Concept], gone: Sequence[Concept]
) -> PromptBook:
    """Return the prompts of the known concepts, without those that are not measured.

    Concepts that neither the file names nor a sample draws would only be more labels
    for a judge to compare, and more prompts to encode.
    """
    book = at.book(sample_of(concepts))
    erased = (*concepts, *gone)
    if len(erased) <= MANY:
        return book
    wanted = {c.name for c in (*sample_of(concepts), *measured_earlier(gone))}
    wanted |= {*ConceptSet.read(at.concepts).concepts}
    left_out = {concept.name for concept in erased} - wanted
    known = {n: c for n, c in book.world.concepts.items() if n not in left_out}
    return PromptBook(replace(book.world, concepts=MappingProxyType(known)))


def pooled_cases(
    book: PromptBook, concepts: Sequence[Concept], gone: Collection[str]
) -> tuple[ConceptCases, ...]:
    """Return the cells of a sample of many concepts, one group for each kind.

    Args:
        book: The prompts.
        concepts: The erased concepts.
        gone: Names of all erased concepts.
    """
    found = []
    for kind in dict.fromkeys(concept.slot for concept in concepts):
        every = [concept for concept in concepts if concept.slot == kind]
        some = drawn(every, N_LEAST)
        cells = _cells(book, some, gone)
        name = sample_name(len(some), len(every), kind)
        found.append(ConceptCases(Concept(name, kind), erased=cells, information=()))
    return tuple(found)


def _cells(
    book: PromptBook, some: Sequence[Concept], gone: Collection[str]
) -> tuple[ProbeCase, ...]:
    """Return cells of each concept, as many as make a sample that decides a limit."""
    each = -(-N_LEAST // len(some))
    per_cell = -(-each // max(1, len(book.erased(some[0], 1))))
    return tuple(
        cell
        for concept in some
        for cell in scattered(alone(book, concept, per_cell, gone), each)
    )


def require_shown(evaluation: Evaluation) -> None:
    """Refuse many concepts of which the base shows too few in the sample.

    Raises:
        ConceptError: It shows fewer than the policy requires; ``names`` are those of
            the sample that it does not show.
    """
    if evaluation.panel.judge is None:
        return
    least = evaluation.policy.require.base_presence
    for group in evaluation.asked.about:
        kind, cells = group.concept.slot, group.erased
        answers = evaluation.panel.base_answers(cells)
        both = [*zip(cells, answers, strict=True)]
        shown = [c.shows(kind) for c, a in both if a.of(kind) == c.shows(kind)]
        if len(shown) < least * len(cells):
            percent = 100 * len(shown) / len(cells)
            every = dict.fromkeys(cell.shows(kind) for cell in cells)
            names = [name for name in every if name not in {*shown}]
            error = ConceptError(
                f"the base paints what is named in {percent:.0f} % of {len(cells)} "
                f"pictures of {group.concept.name}; not, for one, {some_names(names)}",
                fix="leave out what it cannot paint, or lower base_presence, now "
                f"{least:g}, in the policy's [require]",
            )
            error.names = tuple(names)
            raise error


def some_names(names: Sequence[str]) -> str:
    """Return a few names in quotes, and the number of the others."""
    rest = len(names) - _NAMED
    shown = ", ".join(f"'{name}'" for name in names[:_NAMED])
    return f"{shown} and {rest} more" if rest > 0 else shown
