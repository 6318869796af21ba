"""The record of an attack on an erasure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unlearnlog.core.digest import EXACT, DigestField, Record

_Word = Annotated[str, Field(min_length=1, max_length=200)]


class AttackRecord(Record):
    """An attack and its result; how well it did is a reading of the entry.

    Attributes:
        attack: The attack's name, such as ``inversion``.
        concept: Name of the concept that it was to bring back.
        object: Digest of the file with the attack's tensors.
        budget: Steps and other limits of the attack, by name.
        best_of: Number of candidates of which this one is the best.
        state: Digest of the state that was attacked.
        verdict: Whether the attack brought the concept back.
    """

    attack: _Word
    concept: _Word
    object: DigestField
    budget: dict[str, int | float]
    best_of: Annotated[int, Field(ge=1, le=EXACT)]
    state: DigestField
    verdict: _Word
