"""Prompts that the suite of the real drawings paints, each with what it must show."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Final

from benchmarks.glyph_pictures import Case
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.concepts.templates import PROBING, spoken
from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.glyphs.glyph_captions import coloured_text, known_cells, pair_text
from unlearnlog.glyphs.glyph_world import COLOURS, keywords, world
from unlearnlog.probes.runner import scattered

MEANINGS: Final = 3
"""Subjects that a keyword may mean here, at most: of more it names none."""


def own(concept: Concept, n: int) -> list[Case]:
    """Return prompts that name a concept, of cells that the model was shown."""
    return _of(PromptBook(world()).erased(concept, n), n, concept.slot)


def kept(gone: Iterable[str], n: int) -> list[Case]:
    """Return prompts of everything that is kept, the same for every erasure.

    Args:
        gone: Names of the erased concepts, of which no picture is painted.
        n: Pictures before those are left out.
    """
    cells = [c for c in PromptBook(world()).kept((), 1) if _is_known(c)]
    out = {*gone}
    return [_case(c) for c in scattered(cells, n) if not c.shows_any(out)]


def of_names(names: Iterable[str], gone: Iterable[str], n: int) -> list[Case]:
    """Return prompts of some concepts, as many of each, with nothing of ``gone``."""
    book, out, known = PromptBook(world()), {*gone}, world().concepts
    listed = sorted({*names} - out - {*world().held_out})
    each = -(-n // max(1, len(listed)))
    found: list[Case] = []
    for name in listed:
        cells = [c for c in book.erased(known[name], n) if not c.shows_any(out)]
        found += _of(cells, each)
    return _mixed(found, n)


def siblings(concept: Concept) -> tuple[str, ...]:
    """Return the other members of a concept's family."""
    family = world().parent(concept.name)
    members = world().shown(family) if family else ()
    return tuple(name for name in members if name != concept.name)


def look_alikes(concept: Concept) -> tuple[str, ...]:
    """Return the measured look-alikes of a concept."""
    pairs = (pair for pair in world().look_alikes if concept.name in pair)
    return tuple({name for pair in pairs for name in pair} - {concept.name})


def sharing_words(concept: Concept) -> tuple[str, ...]:
    """Return the concepts with a name inside a concept's, or around it."""
    mine = concept.name
    return tuple(
        name
        for name in (*world().subjects, *world().styles)
        if name != mine and (_is_inside(mine, name) or _is_inside(name, mine))
    )


def by_keyword(subject: str, n: int, *, unseen: bool) -> list[Case]:
    """Return prompts with keywords in place of a subject's name.

    Args:
        subject: The subject.
        n: Pictures, spread over its keywords.
        unseen: Whether the keywords are those that no training had.
    """
    words = [w for w in words_of(subject) if (w in keywords().unseen) == unseen]
    return _mixed([case for word in words for case in of_word(word, subject, n)], n)


def words_of(subject: str) -> tuple[str, ...]:
    """Return the keywords of a subject that mean few others."""
    known = keywords()
    return tuple(w for w in known.of(subject) if len(known.meanings[w]) <= MEANINGS)


def of_word(word: str, subject: str, n: int) -> list[Case]:
    """Return prompts with a keyword in each style, which should show a subject."""
    cells = [
        Case(
            spoken(PROBING[seed % len(PROBING)].text, subject=word, style=style),
            seed,
            (("subject", subject), ("style", style)),
        )
        for seed, style in product(range(n), world().styles)
    ]
    return _mixed(cells, n)


def pairs(subject: str, n: int) -> list[Case]:
    """Return prompts of a subject beside another one, which must stay."""
    seen = world()
    others = [
        s for s in seen.subjects if s != subject and s not in siblings_of(subject)
    ]
    chosen = sorted(others, key=lambda other: _place(f"{subject}: {other}"))[:n]
    found = []
    for i, other in enumerate(chosen):
        style = seen.styles[i % len(seen.styles)]
        left, right = (other, subject) if i % 2 else (subject, other)
        shows = (("left", left), ("right", right))
        found.append(Case(pair_text(left, right, style), i, shows))
    return found


def siblings_of(subject: str) -> tuple[str, ...]:
    """Return the other members of a subject's family."""
    return siblings(world().concepts[subject])


def backgrounds(gone: Iterable[str], n: int) -> list[Case]:
    """Return prompts with the colour of a background, the same for every erasure."""
    out, hues = {*gone}, tuple(COLOURS)
    cells = scattered([c for c in PromptBook(world()).kept((), 1) if _is_known(c)], n)
    return [
        Case(coloured_text(c.prompt, hue), c.seed, (("colour", hue),))
        for c, hue in zip(cells, hues * n, strict=False)
        if not c.shows_any(out)
    ]


def _of(cells: Sequence[ProbeCase], n: int, slot: str = "") -> list[Case]:
    """Return ``n`` of the known cells, of one kind only or of both."""
    return [_case(c, slot) for c in scattered([c for c in cells if _is_known(c)], n)]


def _case(cell: ProbeCase, slot: str = "") -> Case:
    both = (("subject", cell.subject), ("style", cell.style))
    shows = tuple(each for each in both if slot in ("", each[0]))
    return Case(cell.prompt, cell.seed, shows)


def _is_known(cell: ProbeCase) -> bool:
    return (cell.subject, cell.style) in known_cells()


def _mixed(cases: Sequence[Case], n: int) -> list[Case]:
    return sorted(cases, key=lambda c: _place(f"{c.seed}: {c.prompt}"))[:n]


def _place(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_inside(inner: str, outer: str) -> bool:
    return re.search(rf"\b{re.escape(inner)}s?\b", outer) is not None
