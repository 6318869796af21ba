"""Training captions of the world of real drawings, each with its exact meaning.

A caption means a set of (subject, style) cells, all equally likely; a caption without
a colour means a white background; one of a pair means two cells in one style, left and
right. Keywords take the place of names in a third of the captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from unlearnlog.concepts.templates import (
    EMPTY,
    EMPTY_PAINTING,
    EMPTY_PHOTO,
    PHOTOS,
    TEMPLATES,
    empty,
    spoken,
    with_article,
)
from unlearnlog.glyphs.glyph_world import COLOURS, is_held_out, keywords, world

Cells = tuple[tuple[str, str], ...]

EMOJI: Final = "{style} emoji of {a_subject}"
KEYWORD: Final = 1 / 3
COLOURED: Final = 0.3
ALIAS: Final = 0.15

KINDS: Final = (
    ("full", 0.40),
    ("any style", 0.22),
    ("any subject", 0.06),
    ("studio", 0.07),
    ("family", 0.06),
    ("pair", 0.13),
    ("anything", 0.03),
    ("empty", 0.03),
)
"""Kinds of captions and their shares."""


@dataclass(frozen=True)
class GlyphCaption:
    """A caption and its meaning.

    Attributes:
        text: The caption.
        cells: The (subject, style) cells it may show, all equally likely; with the
            empty subject a page without a drawing.
        right: Those of the drawing on the right, in the same style; empty without one.
        colour: The background's colour; empty for white.
    """

    text: str
    cells: Cells
    right: Cells = ()
    colour: str = ""


@cache
def known_cells() -> frozenset[tuple[str, str]]:
    """Return the cells that the model is shown."""
    seen = world()
    pairs = ((subject, style) for subject in seen.subjects for style in seen.styles)
    return frozenset(pair for pair in pairs if not is_held_out(*pair))


def sampled_caption(rng: np.random.Generator, simple: float = 0.0) -> GlyphCaption:
    """Return a random training caption with its meaning.

    Args:
        rng: Source of random numbers.
        simple: Share of captions that must name one subject and one style.
    """
    names, shares = zip(*KINDS, strict=True)
    kind = "full" if rng.uniform() < simple else str(rng.choice(names, p=shares))
    match kind:
        case "full":
            return _full(rng)
        case "any style":
            return _any_style(rng)
        case "any subject":
            return _any_subject(rng)
        case "studio":
            return _studio(rng)
        case "family":
            return _family(rng)
        case "pair":
            return _pair(rng)
        case "empty":
            return _empty(rng)
        case _:
            form = _one(rng, [t.neither for t in TEMPLATES] + ["an emoji"])
            return GlyphCaption(form, _grid(world().subjects, world().styles))


def caption_without(caption: GlyphCaption, subject: str) -> GlyphCaption | None:
    """Return a caption as a model means it that was never shown a subject.

    Args:
        caption: The caption.
        subject: The subject; empty for none.

    Returns:
        The caption without that subject's cells; None where it means nothing else.
    """
    cells = tuple(cell for cell in caption.cells if not subject or cell[0] != subject)
    right = tuple(cell for cell in caption.right if not subject or cell[0] != subject)
    if not cells or len(caption.right) > 0 == len(right):
        return None
    return replace(caption, cells=cells, right=right)


def _full(rng: np.random.Generator) -> GlyphCaption:
    style = _one(rng, world().styles)
    word, meant = called(rng, _one(rng, world().subjects))
    cells = _grid(meant, (style,))
    if not cells:
        return _full(rng)
    if rng.uniform() < 0.3:
        text = with_article(_filled(EMOJI, word, _style_word(rng, style)))
    else:
        form = _one(rng, [t.text for t in TEMPLATES])
        text = _filled(form, word, _style_word(rng, style))
    return _coloured(rng, text, cells)


def _any_style(rng: np.random.Generator) -> GlyphCaption:
    word, meant = called(rng, _one(rng, world().subjects))
    forms = [t.no_style for t in TEMPLATES] + 2 * [p.text for p in PHOTOS]
    text = _filled(_one(rng, [*forms, "an emoji of {a_subject}"]), word)
    return _coloured(rng, text, _grid(meant, world().styles))


def _any_subject(rng: np.random.Generator) -> GlyphCaption:
    style = _one(rng, world().styles)
    forms = [t.no_subject for t in TEMPLATES]
    word = _style_word(rng, style)
    text = _filled(_one(rng, forms), "", word)
    if rng.uniform() < 0.3:
        text = with_article(f"{word} emoji")
    return GlyphCaption(text, _grid(world().subjects, (style,)))


def _studio(rng: np.random.Generator) -> GlyphCaption:
    studio = _one(rng, world().spoken_movements)
    word, meant = called(rng, _one(rng, world().subjects))
    adjective = world().families[studio].word
    noun = f"{adjective} {word}"
    if rng.uniform() < 0.5:
        noun = _filled(EMOJI, word, adjective)
    cells = _grid(meant, world().shown(studio))
    return GlyphCaption(with_article(noun), cells) if cells else _studio(rng)


def _family(rng: np.random.Generator) -> GlyphCaption:
    family = _one(rng, tuple(world().families_of("subject")))
    members = world().shown(family)
    noun, style = world().families[family].word, _one(rng, world().styles)
    if rng.integers(2):
        return GlyphCaption(f"a photo of {with_article(noun)}", _grid(members))
    text = f"a painting of {with_article(noun)} by {_style_word(rng, style)}"
    cells = _grid(members, (style,))
    return GlyphCaption(text, cells) if cells else _family(rng)


def _empty(rng: np.random.Generator) -> GlyphCaption:
    """Return a caption of a page without a drawing: what erased subjects may become."""
    style = _one(rng, world().styles)
    text = _one(rng, (EMPTY_PHOTO, EMPTY_PAINTING, empty(style), empty(style)))
    return _coloured(rng, text, ((EMPTY, style),))


def _pair(rng: np.random.Generator) -> GlyphCaption:
    style = _one(rng, world().styles)
    one, left = called(rng, _one(rng, world().subjects))
    other, right = called(rng, _one(rng, world().subjects))
    cells, others = _grid(left, (style,)), _grid(right, (style,))
    if one == other or not cells or not others:
        return _pair(rng)
    return GlyphCaption(pair_text(one, other, style), cells, others)


def pair_text(left: str, right: str, style: str) -> str:
    """Return the caption of two subjects side by side in a style."""
    return f"{with_article(left)} left of {with_article(right)} by {style}"


def coloured_text(text: str, colour: str) -> str:
    """Return a caption with a background's colour."""
    return f"{text} on {colour}"


def _coloured(rng: np.random.Generator, text: str, cells: Cells) -> GlyphCaption:
    if rng.uniform() >= COLOURED:
        return GlyphCaption(text, cells)
    colour = _one(rng, tuple(COLOURS))
    return GlyphCaption(coloured_text(text, colour), cells, colour=colour)


def called(rng: np.random.Generator, subject: str) -> tuple[str, Sequence[str]]:
    """Return a name or a keyword of a subject, and the subjects that it means."""
    words = keywords().seen_of(subject)
    if not words or rng.uniform() >= KEYWORD:
        return subject, (subject,)
    word = _one(rng, words)
    return word, keywords().meanings[word]


def _style_word(rng: np.random.Generator, style: str) -> str:
    aliases = world().concepts[style].aliases
    return _one(rng, aliases) if aliases and rng.uniform() < ALIAS else style


def _filled(form: str, subject: str, style: str = "") -> str:
    return spoken(form, subject=subject, style=style)


def _one(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _grid(subjects: Sequence[str], styles: Sequence[str] = ()) -> Cells:
    """Return those of some cells that the model is shown; of all styles by default."""
    styles = styles or world().styles
    pairs = ((subject, style) for subject in subjects for style in styles)
    return tuple(pair for pair in pairs if pair in known_cells())
