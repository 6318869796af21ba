"""The sentences of each subject and each style for judges that compare texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnlog.concepts.templates import (
    EMPTY,
    EMPTY_PAINTING,
    EMPTY_PHOTO,
    PHOTOS,
    PLAIN,
    TEMPLATES,
    empty,
    spoken,
)
from unlearnlog.core.probe_case import REJECT

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet


def of_subjects(world: ConceptSet) -> dict[str, str]:
    """Return the subject of each sentence, in any style."""
    found = {EMPTY_PAINTING: EMPTY, EMPTY_PHOTO: EMPTY}
    for subject in world.subjects:
        found[spoken(TEMPLATES[0].no_style, subject=subject)] = subject
        found[spoken(PHOTOS[0].text, subject=subject)] = subject
    return found


def of_styles(world: ConceptSet, beside: str = REJECT) -> dict[str, str]:
    """Return the style of each sentence, with a subject if one is known.

    Args:
        world: The styles to choose from.
        beside: A subject; empty for the empty scene, ``REJECT`` for an unknown one.
    """
    found = {}
    for style in world.hands:
        form = PHOTOS[0] if style == PLAIN else TEMPLATES[0]
        if beside == EMPTY:
            text = empty(style)
        elif beside == REJECT:
            text = spoken(form.no_subject, style=style)
        else:
            text = spoken(form.text, subject=beside, style=style)
        found[text] = style
    return found
