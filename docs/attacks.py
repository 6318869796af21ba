"""The table of attacks that `benchmarks.attacks` measured; `make.py` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


def attacks_table(cells: Mapping[str, Row]) -> str:
    """Return one row an attack, eraser and concept; empty where none was measured."""
    if not cells:
        return ""
    rows = [
        "| concept | erased by | attack | verdict | shown with it | without it "
        "| random | held out | twin | search, s |",
        "|---|---|---|---|--:|--:|--:|--:|---|--:|",
    ]
    return "\n".join([*rows, *map(_row, cells.values())])


def _row(cell: Row) -> str:
    nulls = {each["null"]: each for each in cell["controls"]}
    cells = (
        cell["concept"],
        "nobody" if cell["eraser"] == "base" else f"`{cell['eraser']}`",
        f"`{cell['attack']}`",
        cell["verdict"],
        _share(cell["success"]),
        f"{cell['plain']['value']:.3f}",
        _null(nulls.get("random")),
        _null(nulls.get("held-out")),
        _null(nulls.get("twin")),
        f"{cell['search_s']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _share(found: Row) -> str:
    low, high = found["low"], found["high"]
    return f"{found['value']:.3f} ({low:.3f} to {high:.3f}, n = {found['n']})"


def _null(control: Row | None) -> str:
    if control is None:
        return "none"
    found = control["success"]
    about = "" if control["null"] == "random" else f"{control['about']} "
    return f"{about}{found['value']:.3f} (n = {found['n']})"
