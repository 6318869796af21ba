"""The rule by which the subjects are chosen among the characters that all six draw.

Whole subgroups of Unicode give families of near neighbours; parts of subgroups are
those characters with one of a few words in their name or keywords; the rest is named:
names inside of names, and what people have had taken out of such sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from recipes.glyphs.drawings import Character

WHOLE: Final = (
    "face-smiling",
    "cat-face",
    "heart",
    "animal-mammal",
    "animal-marine",
    "food-fruit",
    "drink",
    "musical-instrument",
)
"""Subgroups of which every character is a subject."""

PART: Final = {
    "sky-weather": ("moon", "star", "sun", "umbrella"),
    "transport-ground": ("train", "railway", "tram"),
    "book-paper": ("book",),
    "sport": ("ball",),
    "game": ("ball",),
    "sound": ("bell",),
}
"""Words in the names or keywords of the subjects of other subgroups."""

NAMED: Final = (
    "hot dog",
    "carousel horse",
    "fish cake with swirl",
    "fried shrimp",
    "bellhop bell",
    "water pistol",
    "kitchen knife",
    "syringe",
    "cigarette",
    "bomb",
    "pill",
    "fire",
    "fire engine",
    "house",
    "house with garden",
)

HELD_OUT: Final = (
    "guitar",
    "lion",
    "crab",
    "pineapple",
    "beer mug",
    "basketball",
    "umbrella",
    "tram",
)
"""Subjects that the judge knows and the model is never shown."""


def chosen(characters: Iterable[Character]) -> list[Character]:
    """Return the subjects, in Unicode's order."""
    return [c for c in characters if _is_subject(c)]


def _is_subject(each: Character) -> bool:
    words = PART.get(each.subgroup, ())
    texts = " ".join((each.name, *each.keywords)).lower()
    part = any(re.search(rf"{word}s?\b", texts) for word in words)
    return each.subgroup in WHOLE or part or each.name in NAMED
