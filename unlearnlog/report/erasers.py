"""What there is to say of an eraser before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from unlearnlog.erasers import Eraser


def eraser_row(eraser: type[Eraser]) -> dict[str, Any]:
    """Return an eraser's description: its own words, needs and default settings."""
    defaults = {f.name: f.default for f in fields(eraser) if f.default is not MISSING}
    said = (eraser.__doc__ or "").strip()
    return {
        "name": eraser.name,
        "says": said.splitlines()[0] if said else "",
        "source": eraser.source,
        "joint": eraser.joint,
        "needs": list(eraser.needs),
        "touches": defaults.get("touch", eraser.touches),
        "strength": eraser.knob,
        "settings": defaults,
    }


def erasers_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row an eraser."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("eraser", "what it does", "joint", "needs", "changes", "source"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row["name"],
            row["says"],
            "yes" if row["joint"] else "",
            ", ".join(row["needs"]),
            row["touches"],
            row["source"].removeprefix("https://"),
        )
    return table
