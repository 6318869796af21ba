"""Tables of readings and what they mean, from the package's own registry."""

from __future__ import annotations

from typing import Final

from unlearnlog.core.reading_registry import MEANINGS

_UNITS: Final = {"nats": "nats", "difference": "difference of shares"}
_WAYS: Final = {"higher": "higher", "lower": "lower", "either": ""}


def readings_table(names: str) -> str:
    """Return one row a reading.

    Args:
        names: Which ones, separated by spaces.
    """
    rows = [
        "| title | standard name | name | what its number is | unit | better |",
        "|---|---|---|---|---|---|",
    ]
    for name in names.split():
        known = MEANINGS[name]
        unit, way = _UNITS.get(known.unit, known.unit), _WAYS[known.better]
        rows.append(
            f"| {known.title} | {known.standard} | `{name}` | {known.says} "
            f"| {unit} | {way} |"
        )
    return "\n".join(rows)
