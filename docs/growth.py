"""The table of what each command costs as a ledger grows; `make.py` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def growth_table(result: Path) -> str:
    """Return one row a command: its time by size, how it grows, its memory."""
    if not result.is_file():
        return ""
    data = json.loads(result.read_text(encoding="utf-8"))
    sizes = data["sizes"]
    heads = " | ".join(f"{n:,}" for n in sizes)
    rows = [
        f"| command | {heads} | per doubling | MiB at {sizes[-1]:,} |",
        f"|---|{'--:|' * len(sizes)}--:|--:|",
    ]
    rows += [_row(name, found, sizes) for name, found in data["commands"].items()]
    return "\n".join(rows)


def _row(name: str, found: dict[str, Any], sizes: list[int]) -> str:
    """Return a command's row; the last two steps say how it grows."""
    took = " | ".join(f"{found['at'][str(n)]['seconds']:.2f}" for n in sizes)
    grows = max(found["per_doubling"][-2:])
    room = found["at"][str(sizes[-1])]["bytes"] / 2**20
    shown = f"`{name}`" if "," not in name else f"`{name.replace(',', '`,', 1)}"
    return f"| {shown} | {took} | {grows:.2f} | {room:.0f} |"
