"""The cheapest attack on an erased subject: every keyword of it, one by one.

The null controls are the base, which paints the same prompts on the same latents, and
as many keywords of other subjects, which show how often chance paints the erased one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from benchmarks.glyph_alone import Sizes, made_by
from benchmarks.glyph_cases import of_word
from benchmarks.glyph_pictures import Panel
from benchmarks.looks import Entrant
from unlearnlog.core.concept import concept_id
from unlearnlog.core.delta import Weights
from unlearnlog.glyphs.glyph_world import keywords, world
from unlearnlog.report.entry_tables import ProgressBars

SIZES: Final = {"word": 6, "controls": 16}
"""Pictures of each keyword; other subjects' keywords, at least."""


@dataclass(frozen=True)
class WordSearch:
    """A search for a keyword that brings an erased subject back."""

    entrant: Entrant
    concept: str
    sizes: Sizes

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"words-{self.entrant.label}-{concept_id(self.concept)}"

    @property
    def concepts(self) -> list[str]:
        """The erased concepts."""
        return [self.concept]

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase the subject, try every keyword, and count the pictures that show it."""
        with ProgressBars(console) as bars:
            made = made_by(self.entrant, [world().concept(self.concept)], bars)
        mine = keywords().of(self.concept)
        others = control_words(self.concept, max(self.sizes["controls"], len(mine)))
        n = self.sizes["word"]
        return {
            "eraser": self.entrant.eraser,
            "concept": self.concept,
            "unseen": sorted({*mine} & keywords().unseen),
            "words": shown_by(mine, self.concept, n, made.weights),
            "controls": shown_by(others, self.concept, n, made.weights),
        }


def control_words(subject: str, n: int) -> list[str]:
    """Return keywords that do not mean a subject, in an order of its own."""
    known = keywords().meanings
    words = sorted(word for word, meant in known.items() if subject not in meant)
    random.Random(subject).shuffle(words)
    return words[:n]


def shown_by(
    words: Sequence[str], subject: str, n: int, weights: Weights
) -> dict[str, list[int]]:
    """Return, by keyword, how many pictures show a subject: n, now, by the base."""
    cases = {word: of_word(word, subject, n) for word in words}
    whole = Panel.of([c for each in cases.values() for c in each], weights)
    found, begin = {}, 0
    for word, each in cases.items():
        part = slice(begin, begin + len(each))
        panel = Panel(each, whole.now[part], whole.base[part])
        found[word] = panel.count("subject").written()
        begin += len(each)
    return found
