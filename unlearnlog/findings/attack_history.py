"""The attacks of a history and their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.reading import Reading


@dataclass(frozen=True)
class TriedAttack:
    """One attack on one erased concept, when it was made or when it was tried again.

    Attributes:
        at: Id of the entry with its record.
        kind: Kind of that entry.
        concept: The attacked concept.
        attack: Its name.
        verdict: ``reached``, ``not reached`` or ``undecided``.
        best_of: Number of candidates that it is the best of.
        shown: Share of pictures that show the concept; its base is the best of the null
            controls. None where none were judged.
    """

    at: EntryId
    kind: str
    concept: str
    attack: str
    verdict: str
    best_of: int
    shown: Reading | None


def attacks(entries: Iterable[Entry]) -> tuple[TriedAttack, ...]:
    """Return the attacks of a history, oldest first."""
    return tuple(
        TriedAttack(
            at=entry.id,
            kind=entry.kind,
            concept=attempt.concept,
            attack=attempt.attack,
            verdict=attempt.verdict,
            best_of=attempt.best_of,
            shown=_shown(entry, attempt.attack, attempt.concept),
        )
        for entry in entries
        for attempt in entry.attacks
    )


def _shown(entry: Entry, attack: str, concept: str) -> Reading | None:
    wanted = f"attack.{attack}", concept
    return next((r for r in entry.readings if (r.probe, r.concept) == wanted), None)
