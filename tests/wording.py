"""What a caption means, read off its words alone: a second opinion, slow and plain."""

import re
from functools import cache

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.concepts.templates import EMPTY, PLAIN


def names(concept):
    known = world().concepts.get(concept)
    return known_names(known) if known else (concept,)


def known_names(concept):
    return (concept.name, *concept.aliases)


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
    for family in seen.families.values():
        if family.kind == "style" and says(text, family.word):
            return tuple(a for a in family.members if a in seen.styles)
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
    for category, members in seen.families_of("subject").items():
        if says(rest, category):
            return tuple(s for s in members if s in seen.subjects)
    return (EMPTY,) if says(rest, "empty") else seen.subjects
