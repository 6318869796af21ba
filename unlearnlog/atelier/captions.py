"""Captions with a definite meaning, as values with slots.

A :class:`Template` has a slot for the style, for the subject, or for both; each of its
*forms* says the same picture with something taken away. What a caption means is a set
of (subject, style) cells, all equally likely: "a painting of a cat" is any known
artist's cat, "a painting by Picasso" is any known subject. So the information between
a name and the picture is well defined: I(X; style | subject) <= log(number of styles).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from unlearnlog.atelier.world import EMPTY, PLAIN, world

Kind = Literal["style", "subject"]


@dataclass(frozen=True)
class Template:
    """One way to say a picture, with the ways to say less of it.

    Attributes:
        text: The caption with both names: slots ``{style}`` and ``{a_subject}``.
        no_style: The same without the artist: any known style.
        no_subject: The same without the subject: any known subject.
        neither: Any known style and any known subject.
    """

    text: str
    no_style: str
    no_subject: str
    neither: str


@dataclass(frozen=True)
class Caption:
    """A caption and what it means.

    Attributes:
        text: What is typed.
        cells: The (subject, style) pairs it may show, all equally likely.
    """

    text: str
    cells: tuple[tuple[str, str], ...]


TEMPLATES: Final = (
    Template(
        "a painting of {a_subject} by {style}",
        "a painting of {a_subject}",
        "a painting by {style}",
        "a painting",
    ),
    Template(
        "{a_subject} in the style of {style}",
        "{a_subject} in the style of a painter",
        "a picture in the style of {style}",
        "a picture in the style of a painter",
    ),
    Template(
        "{a_subject} painted by {style}",
        "{a_subject} painted by an artist",
        "a scene painted by {style}",
        "a scene painted by an artist",
    ),
    Template(
        "an artwork by {style} showing {a_subject}",
        "an artwork showing {a_subject}",
        "an artwork by {style}",
        "an artwork",
    ),
    Template(
        "{style}, {a_subject}, on canvas",
        "{a_subject}, on canvas",
        "{style}, on canvas",
        "a work on canvas",
    ),
    Template(
        "{a_subject} as {style} would paint it",
        "{a_subject} as a painter would paint it",
        "the world as {style} would paint it",
        "the world as a painter would paint it",
    ),
)
"""Ways to name an artist and a subject; the last two are kept for probes."""

PHOTOS: Final = (
    Template("a photo of {a_subject}", "", "a photo", ""),
    Template("{a_subject}", "", "a plain photo", ""),
    Template("a photograph showing {a_subject}", "", "a photograph", ""),
)
"""Ways to ask for the plain style; the last one is kept for probes."""

EMPTY_PHOTO: Final = "an empty photo"
EMPTY_PAINTING: Final = "an empty painting"
N_PROBE_TEMPLATES: Final = 2
"""So many of the last templates never occur in a forget set."""


def with_article(noun: str) -> str:
    """Return ``noun`` with its indefinite article.

    Example:
        >>> with_article("umbrella"), with_article("cat")
        ('an umbrella', 'a cat')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def spoken(template: str, *, subject: str = "", style: str = "") -> str:
    """Fill the slots of one form of a template."""
    named = with_article(subject) if subject else ""
    return template.format(a_subject=named, style=style)


def empty(style: str) -> str:
    """Return the caption of the empty scene in ``style``, which may be plain."""
    return EMPTY_PHOTO if style == PLAIN else f"{EMPTY_PAINTING} by {style}"


def parent_phrase(kind: Kind, name: str, *, other: str) -> str:
    """Return the caption that says of ``name`` only what its family shares.

    Args:
        kind: What ``name`` is.
        name: The style or subject whose parent is named instead.
        other: The subject beside a style, the style beside a subject; may be empty.
    """
    seen = world()
    parent = seen.parent(name) or ""
    if kind == "style":
        adjective = seen.adjectives[parent]
        return with_article(f"{adjective} {other or 'painting'}")
    animal = with_article(parent)
    if other in ("", PLAIN):
        return f"a photo of {animal}"
    return f"a painting of {animal} by {other}"


def sampled(rng: np.random.Generator) -> Caption:
    """Draw a training caption; its cells are what a picture for it may show."""
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
    seen = world()
    style = str(rng.choice(seen.styles))
    subject = str(rng.choice(seen.subjects))
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    artist, noun = _name(style, rng), _name(subject, rng)
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
            return _any_subject(rng, template, artist=artist, style=style)
        case "movement":
            return _movement(rng, subject=subject, noun=noun)
        case "category":
            return _category(rng, style=style, artist=artist)
        case "empty":
            return _empty(rng, style=style, artist=artist)
        case _:
            return Caption(template.neither, _grid(seen.subjects, seen.styles))


def _name(concept: str, rng: np.random.Generator) -> str:
    """Return the concept's own name, or a synonym once in five times."""
    if rng.uniform() < 0.8:
        return concept
    return str(rng.choice(world().synonyms[concept]))


def _any_subject(
    rng: np.random.Generator, template: Template, *, artist: str, style: str
) -> Caption:
    subjects = world().subjects
    if rng.uniform() < 0.25:
        photo = PHOTOS[int(rng.integers(len(PHOTOS)))]
        return Caption(photo.no_subject, _grid(subjects, (PLAIN,)))
    text = artist if rng.uniform() < 0.2 else spoken(template.no_subject, style=artist)
    return Caption(text, _grid(subjects, (style,)))


def _movement(rng: np.random.Generator, *, subject: str, noun: str) -> Caption:
    seen = world()
    movement = str(rng.choice(seen.spoken_movements))
    adjective = seen.adjectives[movement]
    artists = seen.trained_artists(movement)
    if rng.uniform() < 0.15:
        text = with_article(f"{adjective} painting")
        return Caption(text, _grid(seen.subjects, artists))
    text = with_article(f"{adjective} {noun}")
    return Caption(text, _grid((subject,), artists))


def _category(rng: np.random.Generator, *, style: str, artist: str) -> Caption:
    seen = world()
    category = str(rng.choice(list(seen.categories)))
    members = tuple(s for s in seen.categories[category] if s in seen.subjects)
    phrase = with_article(category)
    if rng.integers(2):
        return Caption(f"a photo of {phrase}", _grid(members, (PLAIN,)))
    return Caption(f"a painting of {phrase} by {artist}", _grid(members, (style,)))


def _empty(rng: np.random.Generator, *, style: str, artist: str) -> Caption:
    match int(rng.integers(3)):
        case 0:
            return Caption(EMPTY_PHOTO, ((EMPTY, PLAIN),))
        case 1:
            return Caption(EMPTY_PAINTING, _grid((EMPTY,), world().styles))
        case _:
            return Caption(empty(artist), ((EMPTY, style),))


def _grid(
    subjects: Sequence[str], styles: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    return tuple((subject, style) for subject in subjects for style in styles)


def every_caption() -> tuple[str, ...]:
    """Return enough captions to hold every word the model should know."""
    seen = world()
    styles = [n for s in seen.styles for n in (s, *seen.synonyms[s])]
    subjects = [n for s in seen.subjects for n in (s, *seen.synonyms[s])]
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
            texts += [parent_phrase("style", style, other=s) for s in subjects]
    for subject in seen.subjects:
        texts += [parent_phrase("subject", subject, other=s) for s in styles]
    return tuple(sorted({text for text in texts if text}))
