"""Training captions of the bundled world, each with the cells that it may show.

The meaning of a caption is a set of (subject, style) cells, all equally likely: "a
painting of a cat" is any known artist's cat, "a painting by Picasso" is any known
subject. So the information between a name and the picture is well defined:
I(X; style | subject) <= log(number of styles).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.templates import (
    EMPTY,
    EMPTY_PAINTING,
    EMPTY_PHOTO,
    PHOTOS,
    PLAIN,
    TEMPLATES,
    Template,
    empty,
    spoken,
    with_article,
)


@dataclass(frozen=True)
class Caption:
    """A caption and its meaning.

    Attributes:
        text: The caption.
        cells: The (subject, style) pairs it may show, all equally likely.
    """

    text: str
    cells: tuple[tuple[str, str], ...]


def sampled(rng: np.random.Generator, seen: ConceptSet | None = None) -> Caption:
    """Return a random training caption with the cells that it may show.

    Args:
        rng: Source of random numbers.
        seen: The world that is learned; None for the bundled one.
    """
    seen = seen or world()
    kinds: Sequence[str] = (
        "full",
        "photo",
        "any-style",
        "any-subject",
        "movement",
        "category",
        "empty",
        "anything",
    )
    shares = (0.38, 0.10, 0.20, 0.09, 0.07, 0.05, 0.09, 0.02)
    kind = str(rng.choice(kinds, p=shares))
    style = str(rng.choice(seen.styles))
    subject = str(rng.choice(seen.subjects))
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    artist, noun = _name(seen, style, rng), _name(seen, subject, rng)
    match kind:
        case "full":
            text = spoken(template.text, subject=noun, style=artist)
            return Caption(text, ((subject, style),))
        case "photo":
            photo = PHOTOS[int(rng.integers(len(PHOTOS)))]
            return Caption(spoken(photo.text, subject=noun), ((subject, PLAIN),))
        case "any-style":
            return Caption(
                spoken(template.no_style, subject=noun),
                tuple((subject, s) for s in seen.styles),
            )
        case "any-subject":
            return _any_subject(rng, seen, template, artist=artist, style=style)
        case "movement":
            return _movement(rng, seen, subject=subject, noun=noun)
        case "category":
            return _category(rng, seen, style=style, artist=artist)
        case "empty":
            return _empty(rng, seen, style=style, artist=artist)
        case _:
            return Caption(template.neither, _grid(seen.subjects, seen.styles))


def _name(seen: ConceptSet, concept: str, rng: np.random.Generator) -> str:
    """Return the concept's own name, or once in five times an alias, if it has any."""
    aliases = seen.concepts[concept].aliases
    if rng.uniform() < 0.8 or not aliases:
        return concept
    return str(rng.choice(aliases))


def _any_subject(
    rng: np.random.Generator,
    seen: ConceptSet,
    template: Template,
    *,
    artist: str,
    style: str,
) -> Caption:
    subjects = seen.subjects
    if rng.uniform() < 0.25:
        photo = PHOTOS[int(rng.integers(len(PHOTOS)))]
        return Caption(photo.no_subject, _grid(subjects, (PLAIN,)))
    text = artist if rng.uniform() < 0.2 else spoken(template.no_subject, style=artist)
    return Caption(text, _grid(subjects, (style,)))


def _movement(
    rng: np.random.Generator, seen: ConceptSet, *, subject: str, noun: str
) -> Caption:
    movement = str(rng.choice(seen.spoken_movements))
    adjective = seen.families[movement].word
    artists = seen.shown(movement)
    if rng.uniform() < 0.15:
        text = with_article(f"{adjective} painting")
        return Caption(text, _grid(seen.subjects, artists))
    text = with_article(f"{adjective} {noun}")
    return Caption(text, _grid((subject,), artists))


def _category(
    rng: np.random.Generator, seen: ConceptSet, *, style: str, artist: str
) -> Caption:
    category = str(rng.choice(list(seen.families_of("subject"))))
    members = seen.shown(category)
    phrase = with_article(category)
    if rng.integers(2):
        return Caption(f"a photo of {phrase}", _grid(members, (PLAIN,)))
    return Caption(f"a painting of {phrase} by {artist}", _grid(members, (style,)))


def _empty(
    rng: np.random.Generator, seen: ConceptSet, *, style: str, artist: str
) -> Caption:
    match int(rng.integers(3)):
        case 0:
            return Caption(EMPTY_PHOTO, ((EMPTY, PLAIN),))
        case 1:
            return Caption(EMPTY_PAINTING, _grid((EMPTY,), seen.styles))
        case _:
            return Caption(empty(artist), ((EMPTY, style),))


def _grid(
    subjects: Sequence[str], styles: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    return tuple((subject, style) for subject in subjects for style in styles)


def every_caption() -> tuple[str, ...]:
    """Return captions that together contain every word of the vocabulary."""
    seen = world()
    styles = [n for s in seen.styles for n in seen.names(s)]
    subjects = [n for s in seen.subjects for n in seen.names(s)]
    texts: list[str] = [EMPTY_PHOTO, EMPTY_PAINTING]
    for template in (*TEMPLATES, *PHOTOS):
        for style in styles:
            texts += [
                spoken(form, subject=subject, style=style)
                for subject in subjects
                for form in (template.text, template.no_style, template.no_subject)
            ]
        texts.append(template.neither)
    for style in seen.styles:
        texts.append(empty(style))
        if seen.parent(style) in seen.spoken_movements:
            texts += [book().parent_phrase(style, other=s) for s in subjects]
    for subject in seen.subjects:
        texts += [book().parent_phrase(subject, other=s) for s in styles]
    return tuple(sorted({text for text in texts if text}))
