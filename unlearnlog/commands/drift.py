"""Readings of how far each concept has moved, entry by entry."""

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
"""Readings that entries hold for every concept."""


@dataclass(frozen=True)
class DriftSeries:
    """One reading of every concept over a history.

    Attributes:
        reading: Name of the reading.
        concepts: For each concept one reading per entry, None where it was not
            measured; those that moved most come first.
    """

    reading: str
    concepts: dict[str, tuple[Reading | None, ...]]

    def __repr__(self) -> str:
        n = max(map(len, self.concepts.values()), default=0)
        return f"<Series of {self.reading}: {len(self.concepts)} concepts, {n} entries>"

    def row(self) -> dict[str, list[dict[str, Any] | None]]:
        """Return the series as ``drift --json`` prints it."""
        return {
            name: [None if each is None else each.row() for each in readings]
            for name, readings in self.concepts.items()
        }


def followed(
    entries: Sequence[Entry], reading: str, names: Sequence[str] = ()
) -> DriftSeries:
    """Return one reading of some concepts, or of all that have any, over a history.

    Raises:
        UsageError: No entry has such a reading, or none of a named concept.
    """
    if reading not in FOLLOWED:
        raise UsageError(
            f"there is no drift of the reading '{reading}'",
            fix=advice(reading, FOLLOWED),
        )
    found = [
        {r.concept: r for r in entry.readings if r.probe == reading}
        for entry in entries
    ]
    measured = dict.fromkeys(name for each in found for name in each)
    if not measured:
        raise UsageError(
            f"no entry up to here has a reading of {reading}",
            fix="erase with a policy that sets probes.nodes, such as default, or give "
            "--reading presence",
        )
    if unknown := [name for name in names if name not in measured]:
        raise UsageError(
            f"no entry has a {reading} reading of '{unknown[0]}'",
            fix=advice(unknown[0], sorted(measured)),
        )
    chosen = list(names) or sorted(measured, key=lambda n: -_moved(found, n))
    return DriftSeries(reading, {n: tuple(e.get(n) for e in found) for n in chosen})


def _moved(found: Sequence[dict[str, Reading]], name: str) -> float:
    """Return a concept's largest distance from the base, over all entries."""
    read = [each[name] for each in found if name in each]
    return max(abs(each.value - (each.base or 0.0)) for each in read)
