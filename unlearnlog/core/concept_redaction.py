"""The redaction of concepts: their names, and the ids that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from unlearnlog.core.concept import concept_id
from unlearnlog.core.redaction import Redaction
from unlearnlog.errors import ConceptError


def concept_redaction(words: Mapping[str, str]) -> Redaction:
    """Return the redaction of concepts by name and by id.

    A reading names its concept by the id, which is not always spelled like the name.

    Args:
        words: The replacement of each name.

    Example:
        >>> concept_redaction({"Georgia O'Keeffe": "X"}).text("georgia-o-keeffe.png")
        'X.png'
    """
    ids = dict[str, str]()
    for name, shown in words.items():
        with suppress(ConceptError):  # no id, and so none that could be shown
            ids[concept_id(name)] = shown
    return Redaction({**ids, **words})
