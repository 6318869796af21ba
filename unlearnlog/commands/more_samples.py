"""The number of pictures that decides a limit, and larger samples up to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from unlearnlog.concepts.prompts import PER_CELL, PromptBook
from unlearnlog.core.doubt import EARLIER
from unlearnlog.core.limits import N_LEAST
from unlearnlog.probes.runner import ConceptCases, ProbePlan, scattered

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.core.reading import Reading

_OVER_ALL: Final = ("ira", "cra", "ora")
"""Readings over all kept concepts."""

Cells = Sequence["ProbeCase"]


def enough(
    of: Callable[[int], Cells], per_cell: int, least: int
) -> tuple[ProbeCase, ...]:
    """Return cells of ``per_cell`` seeds, or of as many more as make ``least``.

    Args:
        of: Returns cells of a number of seeds.
        per_cell: Seeds of each prompt, where these are enough.
        least: The least number of cells; no cells stay none.
    """
    found = tuple(of(per_cell)) if per_cell else ()
    if not found or len(found) >= least:
        return found
    one = len(found) / per_cell
    return tuple(of(-(-least // max(1, int(one)))))


def deciding(usual: int) -> int:
    """Return the least size of a sample that decides; 0 for a screen."""
    return N_LEAST if usual >= N_LEAST else 0


def alone(
    book: PromptBook, concept: Concept, per_cell: int, gone: Collection[str]
) -> tuple[ProbeCase, ...]:
    """Return cells that show a concept and no other of ``gone``.

    Where erasures exclude cells of a sample that would decide, the others get more
    seeds.
    """
    least = deciding(len(book.erased(concept, per_cell)))
    return enough(lambda n: book.alone(concept, n, gone), per_cell, least)


def bounded(cells: Sequence[ProbeCase], most: int) -> tuple[ProbeCase, ...]:
    """Return at most ``most`` of the cells, spread over all; 0 for no bound."""
    return scattered(cells, most) if 0 < most < len(cells) else tuple(cells)


def closer(
    plan: ProbePlan, book: PromptBook, screens: Collection[Reading]
) -> Iterator[tuple[Collection[Reading], ProbePlan]]:
    """Yield larger samples, with the readings that they decide.

    Readings over all kept concepts get a sample of their own: more pictures of one
    concept than of another would bias them.

    Args:
        plan: The prompts of the first measurement.
        book: The prompts of every concept.
        screens: The readings of too few pictures.
    """
    gone, known = plan.gone, book.world.concepts
    whole = [r for r in screens if r.probe in _OVER_ALL]
    single = [r for r in screens if r.probe not in _OVER_ALL]
    if whole:
        cells = book.kept(gone, _rounds(plan.kept))
        about = tuple(_without_pictures(each) for each in plan.about)
        yield whole, ProbePlan(about, kept=_like(plan.kept, cells))
    if single:
        names = {reading.concept for reading in single}
        near = {
            name
            for each in plan.about
            if any(r.probe == "nra" and r.concept == each.concept.name for r in single)
            for name in each.near
        }
        yield (
            single,
            ProbePlan(
                tuple(
                    _closely(book, each, gone)
                    for each in plan.about
                    if each.concept.name in names
                ),
                kept=tuple(_kept(book, names | near, gone)),
                earlier={
                    name: _like(cells, book.erased(known[name], _rounds(cells)))
                    for name, cells in plan.earlier.items()
                    if name in names or EARLIER in names
                },
                then=plan.then,
            ),
        )


def _closely(
    book: PromptBook, cases: ConceptCases, gone: Collection[str]
) -> ConceptCases:
    """Return one concept's prompts with as many pictures as decide each reading."""
    concept = cases.concept
    return replace(
        cases,
        erased=_like(cases.erased, book.erased(concept, _rounds(cases.erased))),
        renamed=_like(cases.renamed, book.renamed(concept, _rounds(cases.renamed))),
        family=_like(cases.family, book.family(concept, _rounds(cases.family))),
        alike=_like(cases.alike, book.alike(concept, gone, _rounds(cases.alike))),
    )


def _without_pictures(cases: ConceptCases) -> ConceptCases:
    """Return a concept's prompts without pictures of its own."""
    return replace(cases, erased=(), renamed=(), family=(), alike=(), target=())


def _kept(
    book: PromptBook, names: Collection[str], gone: Collection[str]
) -> Iterator[ProbeCase]:
    """Yield the kept cells of some concepts, enough of each, none twice."""
    one = book.kept(gone, 1)
    seeds = {
        name: max(PER_CELL, -(-N_LEAST // n))
        for name in names
        if (n := sum(name in (cell.subject, cell.style) for cell in one))
    }
    for cell in book.kept(gone, max(seeds.values(), default=0)):
        shown = {cell.subject, cell.style} & seeds.keys()
        if any(cell.seed < seeds[name] for name in shown):
            yield cell


def _rounds(cells: Cells) -> int:
    """Return the number of seeds that makes a sample of such cells decide."""
    if not cells:
        return PER_CELL
    one = len(cells) / len({cell.seed for cell in cells})
    return max(PER_CELL, -(-N_LEAST // max(1, int(one))))


def _like(cells: Cells, more: Cells) -> tuple[ProbeCase, ...]:
    """Return those of ``more`` that show the same concepts as some of ``cells``."""
    shown = {(cell.subject, cell.style) for cell in cells}
    return tuple(cell for cell in more if (cell.subject, cell.style) in shown)
