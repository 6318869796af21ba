"""An attack that was tried on an erasure, as the ledger keeps it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unlearnlog.core.digest import DigestField, Record

_Word = Annotated[str, Field(min_length=1, max_length=200)]


class AttackRecord(Record):
    """What an attack found, and on what; how well it did is a reading of the entry.

    Attributes:
        attack: The attack's name, such as ``inversion``.
        concept: Name of the concept that it was after.
        object: Digest of the file that holds what was found.
        budget: How much it was allowed, by name.
        best_of: The best of how many candidates it is.
        state: Digest of the state that it was found on.
        verdict: Whether it reached the concept.
    """

    attack: _Word
    concept: _Word
    object: DigestField
    budget: dict[str, int | float]
    best_of: Annotated[int, Field(ge=1, le=2**53 - 1)]
    state: DigestField
    verdict: _Word
