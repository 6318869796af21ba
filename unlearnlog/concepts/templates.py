"""How prompts speak of a style and a subject, as values with slots.

A :class:`Template` has a slot for the style and one for the subject; each of its
*forms* says the same picture with something taken away. So every prompt that names a
concept has its own context: the same words without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLAIN: Final = "photo"
"""The plain style: what remains when no artist is named."""

EMPTY: Final = ""
"""The empty scene: what remains when no subject is named."""


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

N_PROBE_TEMPLATES: Final = 2
"""So many of the last templates never occur in a forget set."""

ERASING: Final = TEMPLATES[:-N_PROBE_TEMPLATES]
PROBING: Final = TEMPLATES[-N_PROBE_TEMPLATES:]
ERASING_PHOTOS: Final = PHOTOS[:-1]
PROBING_PHOTO: Final = PHOTOS[-1]

EMPTY_PHOTO: Final = "an empty photo"
EMPTY_PAINTING: Final = "an empty painting"


def with_article(noun: str) -> str:
    """Return ``noun`` with its indefinite article.

    Example:
        >>> with_article("umbrella"), with_article("cat")
        ('an umbrella', 'a cat')
    """
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def spoken(template: str, *, subject: str = "", style: str = "") -> str:
    """Fill the slots of one form of a template."""
    named = with_article(subject) if subject else ""
    return template.replace("{a_subject}", named).replace("{style}", style)


def empty(style: str) -> str:
    """Return the caption of the empty scene in ``style``, which may be plain."""
    return EMPTY_PHOTO if style == PLAIN else f"{EMPTY_PAINTING} by {style}"
