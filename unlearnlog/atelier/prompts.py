"""Which prompts erase a concept of the bundled world, and which ones look at it.

The two never meet: probes have templates and latents of their own, and no forget set
names a reserved quarter of the subject x style cells. (A prompt without a subject, "a
painting by Picasso", may still show any of them: it names none.)
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
from unlearnlog.concept import Concept, concept_id
from unlearnlog.errors import ConceptError
from unlearnlog.prompt import Prompt, Target

ERASING: Final = TEMPLATES[:-N_PROBE_TEMPLATES]
PROBING: Final = TEMPLATES[-N_PROBE_TEMPLATES:]
ERASING_PHOTOS: Final = PHOTOS[:-1]
PROBING_PHOTO: Final = PHOTOS[-1]
PER_CELL: Final = 6
"""The most seeds of one cell that any probe looks at."""

_REMAINS: Final = frozenset(
    {"photo", "a-photo", "photograph", "plain", "plain-photo", "plain-style"}
    | {"empty", "empty-photo", "empty-scene", "an-empty-photo"}
)
"""Ids of what is left when nothing is named."""


def concept_called(name: str) -> Concept:
    """Return the concept of the bundled world that ``name`` names.

    Case and spaces do not matter, and a synonym will do.

    Raises:
        ConceptError: It is what remains when nothing is named, or nothing known.
    """
    wanted = Concept(name, "style")
    if wanted.id in _REMAINS:
        raise ConceptError(
            f"'{wanted.name}' is what remains when nothing is named",
            fix="name an artist or a subject: unlearnlog concepts lists them",
        )
    seen = world()
    for kind, families in (("style", seen.movements), ("subject", seen.categories)):
        for parent, members in families.items():
            _refuse_family(wanted, parent, members)
            for each in members:
                aliases = seen.synonyms.get(each, ())
                if wanted.id in {concept_id(n) for n in (each, *aliases)}:
                    anchor = PLAIN if kind == "style" else "empty scene"
                    return Concept(each, kind, aliases, anchor=anchor, parent=parent)
    raise _unknown(wanted)


def _refuse_family(wanted: Concept, parent: str, members: Sequence[str]) -> None:
    adjective = world().adjectives.get(parent, parent)
    if wanted.id in (concept_id(parent), concept_id(adjective)):
        raise ConceptError(
            f"'{wanted.name}' is a family of {len(members)}, not one concept",
            fix=f"erase its members one after another: {', '.join(members)}",
        )


def _unknown(wanted: Concept) -> ConceptError:
    seen = world()
    families = (*seen.movements.values(), *seen.categories.values())
    known = {name.casefold(): name for members in families for name in members}
    near = get_close_matches(wanted.name.casefold(), known, n=1, cutoff=0.5)
    hint = f"did you mean '{known[near[0]]}'? " if near else ""
    return ConceptError(
        f"this model was never shown '{wanted.name}': nothing to erase",
        fix=f"{hint}known: {', '.join(known[name] for name in sorted(known))}",
    )


def is_reserved(subject: str, style: str) -> bool:
    """Say whether a cell is one of the quarter that no forget set names.

    Only cells of a concept with another are: the plain style and the empty scene are
    what remains, so they are never reserved.

    Raises:
        ValueError: The model does not know the subject or the style.

    Example:
        >>> is_reserved("cat", "Picasso"), is_reserved("cat", "Renoir")
        (False, True)
    """
    if subject == EMPTY or style == PLAIN:
        return False
    seen = world()
    return (seen.subjects.index(subject) + seen.styles.index(style)) % 4 == 3


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
    texts += _parents(styles, subjects)
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


def _target_text(
    concept: Concept, target: Target, other: str, template: Template
) -> str:
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


def _parents(styles: list[str], subjects: list[str]) -> list[str]:
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
