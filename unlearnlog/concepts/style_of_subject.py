"""The refusal of a style of a subject, "cat by Picasso", which no eraser erases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from unlearnlog.core.concept import Concept, concept_id
from unlearnlog.errors import ConceptError

_JOINED: Final = re.compile(
    r"(?:(?:an?|the)\s+)?(?P<subject>.+?)\s+"
    r"(?:by|(?:painted|drawn|made)\s+by|in\s+the\s+style\s+of)\s+(?P<style>.+)",
    re.IGNORECASE,
)


def refuse_pair(name: str, concepts: Mapping[str, Concept]) -> None:
    """Refuse a name that is a subject and a style together, where both are known.

    An eraser combines its concept with all others: "a painting of a cat by Picasso by
    Monet" for this one. It would then erase every cat.

    Args:
        name: The name that was typed.
        concepts: The known concepts, by name.

    Raises:
        ConceptError: The name is such a pair; the error names both parts.
    """
    found = _JOINED.fullmatch(" ".join(name.split()))
    if found is None:
        return
    subject = _known(found["subject"], concepts)
    style = _known(found["style"], concepts)
    if subject is None or style is None:
        return
    if (subject.slot, style.slot) != ("subject", "style"):
        return
    raise ConceptError(
        f"'{name}' is one style of one subject, which cannot be erased alone here: "
        f"under that name every {subject.name} would go, in any style",
        fix=f'erase the style or the subject, everywhere: unlearnlog add "{style.name}"'
        f', or unlearnlog add "{subject.name}"',
    )


def _known(name: str, concepts: Mapping[str, Concept]) -> Concept | None:
    """Return the concept with a name or an alias, in any spelling; None if unknown."""
    if not any(c.isalnum() for c in name):
        return None
    wanted = concept_id(name)
    for concept in concepts.values():
        if wanted in {concept_id(n) for n in (concept.name, *concept.aliases)}:
            return concept
    return None
