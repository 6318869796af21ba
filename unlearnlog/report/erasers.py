"""What there is to say of an eraser before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

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
    """Return a few lines for each eraser, beside its name."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        joint = "joint; " if row["joint"] else ""
        strength = f"{row['strength']}={row['settings'][row['strength']]:g}"
        table.add_row(
            row["name"],
            f"{row['says']}\n"
            f"[dim]{joint}changes {row['touches']}; needs {', '.join(row['needs'])}; "
            f"strength {strength}\n{row['source']}[/dim]",
        )
    return table
