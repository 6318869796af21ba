"""The retain set: prompts of all concepts, each with those that it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from unlearnlog.concepts.concept_file import Family
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.templates import (
    EMPTY_PAINTING,
    EMPTY_PHOTO,
    ERASING,
    ERASING_PHOTOS,
    PLAIN,
    empty,
    spoken,
    with_article,
)
from unlearnlog.core.prompt import where_spelt

Said = tuple[str, frozenset[str]]
"""A prompt and the concepts that it names."""

NOBODY: Final[frozenset[str]] = frozenset()


def kept_prompts(world: ConceptSet) -> Iterator[Said]:
    """Yield every prompt of the retain set, with the concepts that it names."""
    yield from ((text, NOBODY) for text in ("", EMPTY_PHOTO, EMPTY_PAINTING))
    for style in world.styles:
        yield empty(style), frozenset({style})
    yield from _of_templates(world)
    for photo in ERASING_PHOTOS:
        yield photo.no_subject, NOBODY
        for subject in world.subjects:
            yield spoken(photo.text, subject=subject), frozenset({subject})
    yield from _of_families(world)
    for text in world.kept:
        named = (n for n in world.concepts if spells(text, world.names(n)))
        yield text, frozenset(named)


def _of_templates(world: ConceptSet) -> Iterator[Said]:
    """Yield each style and each subject in every template, and each pair in one."""
    for i, template in enumerate(ERASING):
        yield template.neither, NOBODY
        for style in world.styles:
            yield spoken(template.no_subject, style=style), frozenset({style})
        for subject in world.subjects:
            yield spoken(template.no_style, subject=subject), frozenset({subject})
        for j, style in enumerate(world.styles):
            names = world.names(style)
            for k, subject in enumerate(world.subjects):
                nouns = world.names(subject)
                if (j + k) % len(ERASING) == i:
                    noun = nouns[(j + i) % len(nouns)]
                    name = names[(k + i) % len(names)]
                    text = spoken(template.text, subject=noun, style=name)
                    yield text, frozenset({style, subject})


def _of_families(world: ConceptSet) -> Iterator[Said]:
    """Yield prompts that name only a family, with the member that each stands for."""
    for i, style in enumerate(world.styles):
        family = world.families.get(world.parent(style) or "")
        if family and world.subjects and family.name in world.spoken_movements:
            subject = world.subjects[i % len(world.subjects)]
            yield family_phrase(family, subject), frozenset({style, subject})
    for subject in world.subjects:
        if family := world.families.get(world.parent(subject) or ""):
            yield family_phrase(family, PLAIN), frozenset({subject})
    for family in world.families.values():
        if family.kind == "style":
            yield with_article(f"{family.word} painting"), NOBODY


def family_phrase(family: Family, other: str) -> str:
    """Return the prompt that names only a family, with a subject or a style.

    Args:
        family: The family.
        other: The subject for a style, the style for a subject; may be empty.
    """
    if family.kind == "style":
        return with_article(f"{family.word} {other or 'painting'}")
    thing = with_article(family.word)
    if other in ("", PLAIN):
        return f"a photo of {thing}"
    return f"a painting of {thing} by {other}"


def spells(text: str, names: Iterable[str]) -> bool:
    """Return whether a text contains one of these names, in any case."""
    return any(where_spelt(text, [name]) for name in names)
