"""Templates of prompts, with slots for a style and a subject.

Each :class:`Template` has *forms* without the style, without the subject, and without
either. So every prompt that names a concept has a context: the same words without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLAIN: Final = "photo"
"""The plain style: the one without an artist."""

EMPTY: Final = ""
"""The empty scene: the one without a subject."""


@dataclass(frozen=True)
class Template:
    """One wording of a prompt, in four forms.

    Attributes:
        text: The form with both names: slots ``{style}`` and ``{a_subject}``.
        no_style: The same without the artist: any known style.
        no_subject: The same without the subject: any known subject.
        neither: The same without both.
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
"""Templates of paintings; the last two are reserved for probes."""

PHOTOS: Final = (
    Template("a photo of {a_subject}", "", "a photo", ""),
    Template("{a_subject}", "", "a plain photo", ""),
    Template("a photograph showing {a_subject}", "", "a photograph", ""),
)
"""Templates of the plain style; the last one is reserved for probes."""

N_PROBE_TEMPLATES: Final = 2
"""Number of last templates that never occur in a forget set."""

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
    """Return one form of a template with its slots filled."""
    named = with_article(subject) if subject else ""
    return template.replace("{a_subject}", named).replace("{style}", style)


def empty(style: str) -> str:
    """Return the prompt of the empty scene in ``style``, which may be plain."""
    return EMPTY_PHOTO if style == PLAIN else f"{EMPTY_PAINTING} by {style}"
