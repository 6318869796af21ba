"""The table of erasers: source, needs and settings of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from rich.table import Table

from unlearnlog.erasers.presets.differences import DIFFERS
from unlearnlog.erasers.presets.preset_table import presets_of
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser_table import Eraser


def eraser_row(eraser: type[Eraser]) -> dict[str, Any]:
    """Return an eraser as data: description, needs, default settings, presets."""
    defaults = {f.name: f.default for f in fields(eraser) if f.default is not MISSING}
    description = (eraser.__doc__ or "").strip()
    return {
        "name": eraser.name,
        "says": description.splitlines()[0] if description else "",
        "source": eraser.source,
        "differs": DIFFERS.get(eraser.name, ""),
        "joint": eraser.joint,
        "needs": list(eraser.needs),
        "touches": defaults.get("touch", eraser.touches),
        "strength": eraser.knob,
        "settings": defaults,
        "presets": {
            name: {
                "says": each.says,
                "code": each.code,
                "differs": each.differs,
                "settings": [vars(choice) for choice in each.choices],
            }
            for name, each in presets_of(eraser.name).items()
        },
    }


def erasers_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of erasers, a few lines each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        joint = "joint; " if row["joint"] else ""
        strength = f"{row['strength']}={row['settings'][row['strength']]:g}"
        small = (
            f"{joint}changes {row['touches']}; needs {', '.join(row['needs'])}; "
            f"strength {strength}{_presets(row)}\n{row['source']}"
        )
        says = as_text(f"{row['says']}\n{_differs(row)}")
        table.add_row(as_text(row["name"]), says.append(as_text(small, "dim")))
    return table


def _presets(row: Mapping[str, Any]) -> str:
    """Return the names of an eraser's presets; empty for none."""
    return f"; preset {' or '.join(row['presets'])}" if row["presets"] else ""


def _differs(row: Mapping[str, Any]) -> str:
    """Return a line on differences from the published method; empty for none."""
    return f"not as published: {row['differs']}\n" if row["differs"] else ""
