"""What a caption means, read off its words alone: a second opinion, slow and plain."""

import re
from functools import cache

from unlearnlog.atelier.world import EMPTY, PLAIN, world


def names(concept):
    return (concept, *world().synonyms.get(concept, ()))


def says(text, phrase):
    """Whether the words of ``phrase`` stand in ``text`` as whole words."""
    return phrase in text and _whole(phrase).search(text) is not None


@cache
def _whole(phrase):
    return re.compile(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])")


def named(text, concepts):
    return tuple(c for c in concepts if any(says(text, name) for name in names(c)))


@cache
def meaning(text):
    """Return the set of (subject, style) cells that a caption may show."""
    return frozenset(
        (subject, style) for subject in _subjects(text) for style in _styles(text)
    )


def _styles(text):
    seen = world()
    if artists := named(text, seen.styles):
        return artists
    for movement, adjective in seen.adjectives.items():
        if says(text, adjective):
            return tuple(a for a in seen.movements[movement] if a in seen.styles)
    nouns = {name for subject in seen.subjects for name in names(subject)}
    if (
        text.removeprefix("an ").removeprefix("a ") in nouns
        or says(text, "photo")
        or says(text, "photograph")
    ):
        return (PLAIN,)
    return seen.styles


def _subjects(text):
    seen = world()
    rest = text
    for artist in seen.styles:  # "the painter of Water Lilies" names no flower
        for name in names(artist):
            rest = rest.replace(name, "")
    if subjects := named(rest, seen.subjects):
        return subjects
    for category, members in seen.categories.items():
        if says(rest, category):
            return tuple(s for s in members if s in seen.subjects)
    return (EMPTY,) if says(rest, "empty") else seen.subjects
