"""Which erasers do all that is wanted of one erasure, and what the others miss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from docs.duels import Row, entrant_of, measured_in, of_base, one

AIMS: Final = {"ua": 0.99, "ira": 0.98, "cra": 0.98, "alike": 0.95}
"""What is wanted at least; all but UA as a share of what the base itself shows."""

_NAMES: Final = {"ua": "UA", "ira": "IRA", "cra": "CRA", "alike": "look-alike"}


def aims_table(cells: Mapping[str, Row], which: str = "default") -> str:
    """Return one row an eraser, those that miss least first; nothing if not measured.

    Args:
        cells: What was measured, by name.
        which: ``default`` or ``equal``.
    """
    found: dict[str, dict[str, str]] = {}
    for stem, cell in measured_in(cells, "default"):
        label, concept = entrant_of(stem, cell)
        found.setdefault(label, {})[concept] = missed(cell[which])
    if not found:
        return ""
    rows = [
        "| eraser | does it all on | of | misses |",
        "|---|--:|--:|---|",
    ]
    for label, by_concept in sorted(found.items(), key=_least_first):
        wrong = [f"{name}: {what}" for name, what in sorted(by_concept.items()) if what]
        done = len(by_concept) - len(wrong)
        said = (f"`{label}`", str(done), str(len(by_concept)), "; ".join(wrong))
        rows.append(f"| {' | '.join(said)} |")
    return "\n".join(rows)


def missed(read: dict[str, Any]) -> str:
    """Return what an erasure reads below what is wanted; empty where nothing is."""
    short = []
    for probe, least in AIMS.items():
        reading = one(read, probe)
        if not reading:
            continue  # a concept without a look-alike
        value = float(reading["value"]) if probe == "ua" else of_base(reading)
        if value < least:
            short.append(f"{_NAMES[probe]} {math.floor(1000 * value) / 1000:.3f}")
    return ", ".join(short)


def _least_first(pair: tuple[str, dict[str, str]]) -> tuple[float, int, str]:
    label, by_concept = pair
    wrong = sum(bool(what) for what in by_concept.values())
    return wrong / len(by_concept), -len(by_concept), label
