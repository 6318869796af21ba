"""``blame``: the entries that moved a concept, by how much, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from unlearnlog.core.concept import concept_id
from unlearnlog.core.doubt import HistoryCourse
from unlearnlog.core.suggestions import advice
from unlearnlog.errors import ConceptError, UsageError

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.reading import Reading

FOLLOWED: Final = ("presence", "moved.nats", "moved")
"""Readings that entries hold of every concept; the first that there is counts."""

_OF_SEVERAL: Final = re.compile(r"^\(|,")
"""A reading of all kept concepts, or of several that were erased together."""

Role = Literal["erased", "taken back", "measured"]


@dataclass(frozen=True)
class BlameLine:
    """One entry, and what it did to the concept.

    Attributes:
        entry: The entry.
        date: Its time.
        author: Its author; empty where none is recorded.
        kind: The kind of entry.
        names: The concepts that it is about.
        role: Whether it erased the concept, took that back, or only moved it.
        before: The reading before it: of the entry before, or of the base; None where
            there is none.
        after: The reading after it; None where it was not measured.
        low: Lower end of that reading's interval.
        high: Upper end of that reading's interval.
        change: ``after`` less ``before``; None where one of them is missing.
        is_sure: Whether ``before`` lies outside of the interval.
    """

    entry: EntryId
    date: str
    author: str
    kind: str
    names: tuple[str, ...]
    role: Role
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    change: float | None
    is_sure: bool


@dataclass(frozen=True)
class Blame:
    """The entries that moved a concept, oldest first.

    Attributes:
        concept: The concept's name.
        reading: The reading that says how far.
        unit: Its unit.
        lines: The entries.
    """

    concept: str
    reading: str
    unit: str
    lines: tuple[BlameLine, ...]

    def row(self) -> dict[str, Any]:
        """Return the fields as ``blame --json`` prints them."""
        return asdict(self)


def is_about(entry: Entry, name: str) -> bool:
    """Return whether an entry is about a concept, by its name or another of its names.

    Raises:
        ConceptError: The text cannot name a concept.
    """
    wanted = concept_id(name)
    return any(wanted in _ids(concept) for concept in entry.concepts)


def check_recorded(entries: Sequence[Entry], name: str) -> None:
    """Refuse a concept that no entry is about, and that none measured.

    Raises:
        ConceptError: It is not in the history.
    """
    wanted = concept_id(name)
    about = {c.name for entry in entries for c in entry.concepts}
    known = about | {r.concept for e in entries for r in e.readings if _is_one(r)}
    if not any(is_about(entry, name) for entry in entries) and not any(
        concept_id(each) == wanted for each in known
    ):
        raise ConceptError(
            f"no entry up to here is about '{name}', and none measured it",
            fix=advice(name, sorted(known)) if known else "erase something first",
        )


def blamed(
    history: Sequence[tuple[EntryId, Entry]], name: str, reading: str = ""
) -> Blame:
    """Return the entries that erased, took back or moved a concept.

    Args:
        history: The entries, oldest first.
        name: The concept, by any of its names.
        reading: One of `FOLLOWED`; empty for the first that the concept has.

    Raises:
        ConceptError: The concept is not in the history.
        UsageError: There is no such reading of it.
    """
    entries = [entry for _, entry in history]
    check_recorded(entries, name)
    same = _same(entries, name)
    chosen = reading or _first_reading(entries, same)
    found = [_reading(entry, chosen, same) for entry in entries]
    if reading and not any(found):
        known = [
            each for each in FOLLOWED if any(_reading(e, each, same) for e in entries)
        ]
        raise UsageError(
            f"no entry up to here has a reading of {reading} of '{name}'",
            fix=advice(reading, known or FOLLOWED),
        )
    lines = tuple(_lines(history, found, same))
    unit = next((each.unit for each in found if each), "")
    return Blame(_shown(entries, same, name), chosen, unit, lines)


def _lines(
    history: Sequence[tuple[EntryId, Entry]],
    found: Sequence[Reading | None],
    same: frozenset[str],
) -> Iterator[BlameLine]:
    """Yield the entries with a role, and those with another reading than before."""
    last, course = _base(found), HistoryCourse()
    for (entry_id, entry), now in zip(history, found, strict=True):
        course.add(entry_id, entry)
        role = _role(course, same)
        change = None if now is None or last is None else now.value - last
        if role != "measured" or change:
            yield BlameLine(
                entry_id,
                entry.date,
                entry.note.author.text if entry.note and entry.note.author else "",
                entry.kind,
                tuple(concept.name for concept in entry.concepts),
                role,
                last,
                now.value if now else None,
                now.low if now else None,
                now.high if now else None,
                change,
                bool(now and last is not None and not now.low <= last <= now.high),
            )
        last = now.value if now else last


def _role(course: HistoryCourse, same: frozenset[str]) -> Role:
    """Return what the entry that a course read last did to a concept."""
    if any(concept_id(name) in same for name in course.began):
        return "erased"
    if any(concept_id(name) in same for name in course.ended):
        return "taken back"
    return "measured"


def _base(found: Sequence[Reading | None]) -> float | None:
    """Return the base's own number, of the first reading that has it."""
    return next((r.base for r in found if r is not None and r.base is not None), None)


def _same(entries: Sequence[Entry], name: str) -> frozenset[str]:
    """Return the ids of a concept's names, aliases among them."""
    wanted = concept_id(name)
    found: set[str] = {wanted}
    for entry in entries:
        for concept in entry.concepts:
            if wanted in _ids(concept):
                found |= _ids(concept)
    return frozenset(found)


def _ids(concept: Concept) -> set[str]:
    return {concept_id(each) for each in (concept.name, *concept.aliases)}


def _is_one(reading: Reading) -> bool:
    """Return whether a reading is about one concept, and not about a group."""
    return bool(reading.concept) and not _OF_SEVERAL.search(reading.concept)


def _reading(entry: Entry, probe: str, same: frozenset[str]) -> Reading | None:
    for each in entry.readings:
        if each.probe == probe and _is_one(each) and concept_id(each.concept) in same:
            return each
    return None


def _first_reading(entries: Sequence[Entry], same: frozenset[str]) -> str:
    for probe in FOLLOWED:
        if any(_reading(entry, probe, same) for entry in entries):
            return probe
    return FOLLOWED[0]


def _shown(entries: Sequence[Entry], same: frozenset[str], name: str) -> str:
    """Return the concept's name as the newest entry about it spells it."""
    for entry in reversed(entries):
        for concept in entry.concepts:
            if concept.id in same:
                return concept.name
    return name
