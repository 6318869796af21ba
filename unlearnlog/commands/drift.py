"""How far each concept has moved, entry by entry, as the entries themselves say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.core.suggestions import advice
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.reading import Reading

FOLLOWED: Final = ("moved.nats", "moved", "presence")
"""Readings that entries have of every concept."""


@dataclass(frozen=True)
class DriftSeries:
    """One kind of reading of every concept over time.

    Attributes:
        reading: Which kind.
        concepts: For each concept one reading an entry, None where nobody looked; those
            that moved most come first.
    """

    reading: str
    concepts: dict[str, tuple[Reading | None, ...]]

    def __repr__(self) -> str:
        n = max(map(len, self.concepts.values()), default=0)
        return f"<Series of {self.reading}: {len(self.concepts)} concepts, {n} entries>"

    def row(self) -> dict[str, list[dict[str, Any] | None]]:
        """Give the series as ``drift --json`` shows it."""
        return {
            name: [None if each is None else each.row() for each in readings]
            for name, readings in self.concepts.items()
        }


def followed(
    entries: Sequence[Entry], reading: str, names: Sequence[str] = ()
) -> DriftSeries:
    """Return one kind of reading of some concepts, or of all that have any.

    Raises:
        UsageError: No entry has such a reading, or none of a concept that was named.
    """
    if reading not in FOLLOWED:
        raise UsageError(
            f"'{reading}' is not read of every concept",
            fix=advice(reading, FOLLOWED),
        )
    found = [
        {r.concept: r for r in entry.readings if r.probe == reading}
        for entry in entries
    ]
    seen = dict.fromkeys(name for each in found for name in each)
    if not seen:
        raise UsageError(
            f"no entry up to here has a reading of {reading}",
            fix="erase with a policy whose probes look at nodes, such as default, or "
            "ask for --reading presence",
        )
    if unknown := [name for name in names if name not in seen]:
        raise UsageError(
            f"no entry says how far '{unknown[0]}' has moved",
            fix=advice(unknown[0], sorted(seen)),
        )
    chosen = list(names) or sorted(seen, key=lambda n: -_moved(found, n))
    return DriftSeries(reading, {n: tuple(e.get(n) for e in found) for n in chosen})


def _moved(found: Sequence[dict[str, Reading]], name: str) -> float:
    """Return how far a concept was from the base at the most, in all entries."""
    read = [each[name] for each in found if name in each]
    return max(abs(each.value - (each.base or 0.0)) for each in read)
