"""The world of real drawings: its concepts, its keywords, and what is held out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from unlearnlog.concepts.concept_set import ConceptSet

CONCEPTS: Final = Path(__file__).parent / "concepts.toml"
KEYWORDS: Final = Path(__file__).parent / "keywords.json"

COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "red": (246, 128, 128),
    "orange": (255, 186, 110),
    "yellow": (255, 240, 120),
    "green": (140, 220, 140),
    "blue": (130, 180, 255),
    "purple": (200, 150, 240),
    "grey": (190, 190, 190),
}
"""The colours of backgrounds; without one in words it is white."""

WHITE: Final = (255, 255, 255)


@dataclass(frozen=True)
class Keywords:
    """Other words for subjects, which share no word with their names.

    Attributes:
        meanings: The subjects that each keyword means, by keyword.
        unseen: Keywords that no caption of the training has.
    """

    meanings: Mapping[str, tuple[str, ...]]
    unseen: frozenset[str]

    def seen_of(self, subject: str) -> tuple[str, ...]:
        """Return the keywords of a subject that captions have."""
        return tuple(w for w in self.of(subject) if w not in self.unseen)

    def of(self, subject: str) -> tuple[str, ...]:
        """Return every keyword of a subject."""
        return tuple(w for w, meant in self.meanings.items() if subject in meant)


@cache
def world() -> ConceptSet:
    """Return the concepts of the world."""
    return ConceptSet.read(CONCEPTS)


@cache
def keywords() -> Keywords:
    """Return the keywords of the world."""
    data = json.loads(KEYWORDS.read_text(encoding="utf-8"))
    meanings = {word: tuple(meant) for word, meant in data["meanings"].items()}
    return Keywords(meanings, frozenset(data["unseen"]))


def is_held_out(subject: str, style: str) -> bool:
    """Return whether a cell is in the quarter that the model is never shown.

    Of each subject's six cells these are one or two.
    """
    first = sorted(world().styles, key=lambda each: _place(subject, each))
    return style in first[: 1 + _place(subject, "")[0] % 2]


def _place(subject: str, style: str) -> bytes:
    return hashlib.sha256(f"{subject}:{style}".encode()).digest()
