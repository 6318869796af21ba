"""The name of a sample that stands for many concepts in readings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.core.limits import MANY

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept, Slot

_NAMED: Final = 3
_SAMPLE: Final = re.compile(r"[\d,]+ of [\d,]+ (?P<slot>style|subject)s")


def sample_name(n: int, of: int, slot: Slot) -> str:
    """Return the name of a sample of ``n`` concepts.

    Example:
        >>> sample_name(92, 1000, "style")
        '92 of 1,000 styles'
    """
    return f"{n:,} of {of:,} {slot}s"


def stands_for(name: str, concept: Concept, among: Sequence[Concept]) -> bool:
    """Return whether a reading's name is of a sample that a concept belongs to.

    Args:
        name: The name.
        concept: The concept.
        among: All concepts that were erased with it.
    """
    match = _SAMPLE.fullmatch(name) if len(among) > MANY else None
    return match is not None and match["slot"] == concept.slot


def few_of(names: Sequence[str]) -> str:
    """Return all names of a few, or the first of many and the number of the others."""
    if len(names) <= MANY:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"
