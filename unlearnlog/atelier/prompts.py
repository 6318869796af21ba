"""Which prompts erase a concept of the bundled world, and which ones look at it.

The two never meet: probes have templates and latents of their own, and a quarter of the
subject x style cells never occurs in a forget set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from itertools import cycle
from typing import Final

from unlearnlog.atelier.captions import (
    EMPTY_PAINTING,
    EMPTY_PHOTO,
    N_PROBE_TEMPLATES,
    PHOTOS,
    TEMPLATES,
    Template,
    empty,
    parent_phrase,
    spoken,
    with_article,
)
from unlearnlog.atelier.world import EMPTY, PLAIN, world
from unlearnlog.cell import Cell
from unlearnlog.concept import Concept
from unlearnlog.errors import ConceptError
from unlearnlog.prompt import Prompt, Target

ERASING: Final = TEMPLATES[:-N_PROBE_TEMPLATES]
PROBING: Final = TEMPLATES[-N_PROBE_TEMPLATES:]
ERASING_PHOTOS: Final = PHOTOS[:-1]
PROBING_PHOTO: Final = PHOTOS[-1]
PER_CELL: Final = 6
"""The most seeds of one cell that any probe looks at."""


def concept_called(name: str) -> Concept:
    """Return the concept of the bundled world that ``name`` names.

    Case and spaces do not matter, and a synonym will do.

    Raises:
        ConceptError: It is what remains when nothing is named, or nothing known.
    """
    wanted = Concept(name, "style")
    seen = world()
    if wanted.id in ("photo", "photograph", "plain", "empty", "empty-scene"):
        raise ConceptError(
            f"'{wanted.name}' is what remains when nothing is named",
            fix="name an artist or a subject: unlearnlog concepts lists them",
        )
    styles = (*seen.styles, *(a for v in seen.movements.values() for a in v))
    subjects = (*seen.subjects, *(s for v in seen.categories.values() for s in v))
    for kind, names in (("style", styles), ("subject", subjects)):
        for each in names:
            aliases = seen.synonyms.get(each, ())
            if wanted.id in {Concept(n, kind).id for n in (each, *aliases)}:
                parent = seen.parent(each) or ""
                anchor = PLAIN if kind == "style" else "empty scene"
                return Concept(each, kind, aliases, anchor=anchor, parent=parent)
    known = sorted({*styles, *subjects}, key=str.casefold)
    near = get_close_matches(wanted.name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ConceptError(
        f"the concept graph of this model has no '{wanted.name}'",
        fix=f"{hint}known: {', '.join(known)}",
    )


def is_reserved(subject: str, style: str) -> bool:
    """Say whether a cell is one of the quarter that no forget set shows.

    Example:
        >>> is_reserved("cat", "Picasso")
        False
    """
    seen = world()
    row = (*seen.subjects, EMPTY).index(subject)
    column = (*seen.styles, PLAIN).index(style)
    return (row + column) % 4 == 3


def forget_prompts(concept: Concept) -> tuple[Prompt, ...]:
    """Return prompts that name ``concept``, in a fixed, well mixed order."""
    if concept.kind == "style":
        return _mixed(_style_prompts(concept))
    return _mixed(_subject_prompts(concept))


def kept_prompts(concept: Concept) -> tuple[str, ...]:
    """Return prompts of everything but ``concept``, the empty prompt among them."""
    seen = world()
    styles = [s for s in seen.styles if s != concept.name]
    subjects = [s for s in seen.subjects if s != concept.name]
    texts = ["", EMPTY_PHOTO, EMPTY_PAINTING, *(empty(style) for style in styles)]
    for i, template in enumerate(ERASING):
        texts.append(template.neither)
        texts += [spoken(template.no_subject, style=style) for style in styles]
        texts += [spoken(template.no_style, subject=subject) for subject in subjects]
        for j, style in enumerate(styles):
            names = (style, *seen.synonyms[style])
            for k, subject in enumerate(subjects):
                nouns = (subject, *seen.synonyms[subject])
                if (j + k) % len(ERASING) == i:
                    noun, name = nouns[(j + i) % 3], names[(k + i) % 3]
                    texts.append(spoken(template.text, subject=noun, style=name))
    for photo in ERASING_PHOTOS:
        texts.append(photo.no_subject)
        texts += [spoken(photo.text, subject=subject) for subject in subjects]
    texts += _parents(concept, styles, subjects)
    return tuple(dict.fromkeys(texts))


def erased_cells(concept: Concept, per_cell: int = PER_CELL) -> tuple[Cell, ...]:
    """Return the probe's cells that show ``concept``."""
    seen = world()
    if concept.kind == "style":
        pairs = [(subject, concept.name) for subject in seen.subjects]
    else:
        pairs = [(concept.name, style) for style in (*seen.styles, PLAIN)]
    return _cells(pairs, per_cell)


def kept_cells(gone: Collection[str], per_cell: int = PER_CELL) -> tuple[Cell, ...]:
    """Return the probe's cells that show none of the concepts in ``gone``."""
    seen = world()
    pairs = [
        (subject, style)
        for style in (*seen.styles, PLAIN)
        for subject in seen.subjects
        if style not in gone and subject not in gone
    ]
    return _cells(pairs, per_cell)


def target_cells(
    concept: Concept, target: Target, per_cell: int = PER_CELL
) -> tuple[Cell, ...]:
    """Return prompts for what is painted instead of ``concept``.

    Their ``subject`` and ``style`` say what they must show beside it; the other is
    empty, since anything the target stands for may appear.
    """
    seen = world()
    others = seen.subjects if concept.kind == "style" else (*seen.styles, PLAIN)
    found = []
    for i, other in enumerate(others):
        for seed in range(per_cell):
            text = _target_text(concept, target, other, PROBING[seed % len(PROBING)])
            if target == "unconditional":
                seed = i * per_cell + seed  # one prompt, so one latent each
            subject, style = (other, "") if concept.kind == "style" else ("", other)
            found.append(Cell(text, seed, subject, style))
    return tuple(found)


def information_prompts(cells: Iterable[Cell], concept: Concept) -> tuple[Prompt, ...]:
    """Return each cell's prompt with its context and its anchor."""
    found = []
    for cell in cells:
        other = cell.subject if concept.kind == "style" else cell.style
        template = PROBING[cell.seed % len(PROBING)]
        context = _target_text(concept, "context", other, template)
        anchor = _target_text(concept, "anchor", other, template)
        found.append(Prompt(cell.prompt, context, anchor))
    return tuple(found)


def _target_text(concept: Concept, target: Target, other: str, template: Template) -> str:
    if target == "unconditional":
        return ""
    if concept.kind == "style":
        if target == "anchor":
            return spoken(PROBING_PHOTO.text, subject=other)
        return spoken(template.no_style, subject=other)
    if target == "anchor":
        return empty(other)
    if other == PLAIN:
        return PROBING_PHOTO.no_subject
    return spoken(template.no_subject, style=other)


def _cells(pairs: Sequence[tuple[str, str]], per_cell: int) -> tuple[Cell, ...]:
    return tuple(
        Cell(_probe_text(subject, style, seed), seed, subject, style)
        for seed in range(per_cell)
        for subject, style in pairs
    )


def _probe_text(subject: str, style: str, seed: int) -> str:
    if style == PLAIN:
        return spoken(PROBING_PHOTO.text, subject=subject)
    template = PROBING[seed % len(PROBING)]
    return spoken(template.text, subject=subject, style=style)


def _style_prompts(concept: Concept) -> list[Prompt]:
    names = cycle((concept.name, concept.name, *concept.aliases))
    found = []
    for template in ERASING:
        for subject in world().subjects:
            if is_reserved(subject, concept.name):
                continue
            text = spoken(template.text, subject=subject, style=next(names))
            context = spoken(template.no_style, subject=subject)
            anchor = spoken(PHOTOS[0].text, subject=subject)
            found.append(Prompt(text, context, anchor))
        for name in (concept.name, *concept.aliases):
            text = spoken(template.no_subject, style=name)
            found.append(Prompt(text, template.neither, PHOTOS[0].no_subject))
    return found


def _subject_prompts(concept: Concept) -> list[Prompt]:
    names = cycle((concept.name, concept.name, *concept.aliases))
    found = []
    for template in ERASING:
        for style in world().styles:
            if is_reserved(concept.name, style):
                continue
            text = spoken(template.text, subject=next(names), style=style)
            context = spoken(template.no_subject, style=style)
            found.append(Prompt(text, context, empty(style)))
        text = spoken(template.no_style, subject=next(names))
        found.append(Prompt(text, template.neither, EMPTY_PAINTING))
    for photo in ERASING_PHOTOS:
        for name in (concept.name, concept.name, *concept.aliases):
            text = spoken(photo.text, subject=name)
            found.append(Prompt(text, photo.no_subject, EMPTY_PHOTO))
    return found


def _parents(concept: Concept, styles: list[str], subjects: list[str]) -> list[str]:
    seen = world()
    spoken_of = [s for s in styles if seen.parent(s) in seen.spoken_movements]
    texts = [
        parent_phrase("style", style, other=subjects[i % len(subjects)])
        for i, style in enumerate(spoken_of)
    ]
    texts += [parent_phrase("subject", s, other=PLAIN) for s in subjects]
    texts += [with_article(f"{seen.adjectives[m]} painting") for m in seen.movements]
    return texts


def _mixed(prompts: list[Prompt]) -> tuple[Prompt, ...]:
    """Return the prompts in an order that is fixed and has nothing to do with them."""
    unique = dict.fromkeys(prompts)
    return tuple(
        sorted(unique, key=lambda p: hashlib.sha256(p.text.encode()).hexdigest())
    )
