"""The forget set of a concept: the prompts that it is erased by.

They never name a reserved quarter of the subject x style cells, which probes measure.
(A prompt without a subject, "a painting by Picasso", may still show any of them: it
names none.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from itertools import cycle

from unlearnlog.concepts.concept_file import EMPTY_SCENE
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.retain_prompts import spells
from unlearnlog.concepts.targets import (
    TargetWords,
    in_place_of_style,
    in_place_of_subject,
)
from unlearnlog.concepts.templates import (
    EMPTY,
    EMPTY_PAINTING,
    ERASING,
    ERASING_PHOTOS,
    PHOTOS,
    PLAIN,
    Template,
    spoken,
)
from unlearnlog.core.concept import Concept
from unlearnlog.core.prompt import Prompt


def forget_prompts(
    instead: TargetWords, concept: Concept, gone: Collection[str]
) -> tuple[Prompt, ...]:
    """Return prompts that name ``concept``, in a fixed, well mixed order.

    None names another erased concept: the base would paint that beside the target. The
    concept's own free prompts are included, with their contexts as anchors.
    """
    beside = [o for o in instead.beside(concept) if o not in gone and o != PLAIN]
    free = [
        Prompt(text, context, context, named=_name_in(text, concept))
        for text, context in concept.prompts
    ]
    form = _of_style if concept.slot == "style" else _of_subject
    return _mixed(free + form(instead, concept, beside, instead.stay(concept, gone)))


def is_reserved(world: ConceptSet, subject: str, style: str) -> bool:
    """Return whether a cell is in the quarter that no forget set names.

    Cells of the plain style, of the empty scene and of held-out concepts are never
    reserved.

    Raises:
        ValueError: The subject or the style is unknown.
    """
    if subject == EMPTY or style == PLAIN:
        return False
    if subject in world.held_out or style in world.held_out:
        return False
    return (world.subjects.index(subject) + world.styles.index(style)) % 4 == 3


def _of_style(
    instead: TargetWords, concept: Concept, subjects: Sequence[str], stay: Sequence[str]
) -> list[Prompt]:
    names = cycle((concept.name, concept.name, *concept.aliases))
    found: list[Prompt] = []

    def add(template: Template, subject: str, name: str) -> None:
        has, lacks = template.text, template.no_style
        if not subject:
            has, lacks = template.no_subject, template.neither
        others = [s for s in stay if not is_reserved(instead.world, subject, s)]
        other = others[len(found) % len(others)] if others else ""
        found.append(
            Prompt(
                spoken(has, subject=subject, style=name),
                spoken(lacks, subject=subject),
                in_place_of_style(concept, subject, template, PHOTOS[0]),
                named=name,
                parent=instead.parent(concept, subject),
                sibling=other and spoken(has, subject=subject, style=other),
            )
        )

    for template in ERASING:
        for subject in subjects:
            if not is_reserved(instead.world, subject, concept.name):
                add(template, subject, next(names))
        for name in (concept.name, *concept.aliases):
            add(template, EMPTY, name)
    return found


def _of_subject(
    instead: TargetWords, concept: Concept, styles: Sequence[str], stay: Sequence[str]
) -> list[Prompt]:
    world = instead.world
    names = cycle((concept.name, concept.name, *concept.aliases))
    found: list[Prompt] = []

    def add(text: str, name: str, style: str, context: str, anchor: str) -> None:
        others = [s for s in stay if not style or not is_reserved(world, s, style)]
        other = others[len(found) % len(others)] if others else ""
        found.append(
            Prompt(
                spoken(text, subject=name, style=style),
                context,
                anchor,
                named=name,
                parent=instead.parent(concept, style),
                sibling=other and spoken(text, subject=other, style=style),
            )
        )

    for template in ERASING:
        for style in styles:
            if is_reserved(world, concept.name, style):
                continue
            context = spoken(template.no_subject, style=style)
            anchor = in_place_of_subject(concept, style, template, PHOTOS[0])
            add(template.text, next(names), style, context, anchor)
        anchor = (
            EMPTY_PAINTING
            if concept.anchor == EMPTY_SCENE
            else spoken(template.no_style, subject=concept.anchor)
        )
        add(template.no_style, next(names), "", template.neither, anchor)
    for photo in ERASING_PHOTOS:
        for name in (concept.name, concept.name, *concept.aliases):
            anchor = in_place_of_subject(concept, PLAIN, photo, photo)
            add(photo.text, name, PLAIN, photo.no_subject, anchor)
    return found


def _name_in(text: str, concept: Concept) -> str:
    """Return the longest name of a concept in a free prompt; empty if there is none."""
    names = sorted((concept.name, *concept.aliases), key=len, reverse=True)
    return next((name for name in names if spells(text, (name,))), "")


def _mixed(prompts: list[Prompt]) -> tuple[Prompt, ...]:
    """Return the unique prompts in a fixed pseudo-random order."""
    unique = {p.text: p for p in reversed(prompts)}
    return tuple(
        sorted(
            unique.values(), key=lambda p: hashlib.sha256(p.text.encode()).hexdigest()
        )
    )
