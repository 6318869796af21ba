"""Tables of readings and what they mean, from the package's own registry."""

from __future__ import annotations

from typing import Final

from unlearnlog.core.reading_registry import MEANINGS

_GOOD: Final = {"higher": "higher", "lower": "lower", "either": ""}


def readings_table(names: str) -> str:
    """Return one row a reading.

    Args:
        names: Which ones, separated by spaces.
    """
    rows = ["| reading | what it says | unit | better |", "|---|---|---|---|"]
    for name in names.split():
        known = MEANINGS[name]
        said = known.brief
        if known.full:
            said = f"**{said}**: {known.full}"
        rows.append(f"| `{name}` | {said} | {known.unit} | {_GOOD[known.better]} |")
    return "\n".join(rows)
