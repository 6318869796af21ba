"""Tables of what erasers did to one concept each; `make.py` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def duels_table(cells: Mapping[str, Row], which: str) -> str:
    """Return one row an eraser and concept.

    Args:
        cells: What was measured, by name.
        which: ``default`` or ``equal``.
    """
    duels = sorted(measured_in(cells, "default"), key=lambda pair: entrant_of(*pair))
    if which == "equal":
        duels = [pair for pair in duels if was_searched(pair[1])]
    found = [_duel_row(entrant_of(*pair)[0], pair[1], which) for pair in duels]
    if not found:
        return ""
    shown = "residual" if which == "default" else "strength, residual"
    head = (
        f"| eraser | concept | {shown} | UA | IRA / base | CRA / base | "
        "look-alike / base | worst kept / base | drift, nats | s | kB |"
    )
    return "\n".join([head, "|---|---|--:|--:|--:|--:|--:|---|--:|--:|--:|", *found])


def measured_in(cells: Mapping[str, Row], key: str) -> Iterator[tuple[str, Row]]:
    """Yield the name and the content of each cell that has this key."""
    yield from ((name, cell) for name, cell in cells.items() if key in cell)


def was_searched(cell: Row) -> bool:
    """Whether an equal erasure was looked for: a preset is measured as it is."""
    return len(cell["tries"]) > 1 or bool(cell["equal"]["reached"])


def entrant_of(name: str, cell: Row) -> tuple[str, str]:
    """Return the label of a duel's eraser, and the concept."""
    concept = cell["concept"]
    return name.removesuffix(f"-{concept.casefold().replace(' ', '-')}"), concept


def worst_of(kept: Sequence[Row], ratio: Callable[[Row], float]) -> str:
    """Return which kept concept lost most, where any did.

    Args:
        kept: A reading of each.
        ratio: What is left of it, as a share of the base's.
    """
    worst = min(kept, key=ratio)
    return f"{worst['concept']} {ratio(worst):.3f}" if ratio(worst) < 1 else "none"


def _strength(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _duel_row(label: str, cell: Row, which: str) -> str:
    found = cell[which]
    residual = found["residual"]
    left = f"{residual['value']:.3f}"
    if which == "equal":
        mark = "" if cell["equal"]["reached"] else " (not reached)"
        left = f"{_strength(found['strength'])}, {left}{mark}"
    ua, drift = one(found, "ua"), one(found, "drift")
    alike = one(found, "alike")
    kept = [
        r
        for r in found["readings"]
        if r["probe"] == "presence" and r["concept"] != ua["concept"] and r["base"]
    ]
    cells = (
        f"`{label}`",
        cell["concept"],
        left,
        f"{ua['value']:.3f} ({ua['low']:.3f} to {ua['high']:.3f}, n = {ua['n']})",
        _share_of_base(one(found, "ira")),
        _share_of_base(one(found, "cra")),
        _share_of_base(alike) if alike else "none known",
        worst_of(kept, of_base),
        f"{drift['value']:.2f}" if drift else "",
        f"{found['seconds']:.1f}",
        f"{found['bytes'] / 1e3:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def one(row: Row, probe: str) -> Row:
    """Return the reading of a probe, empty where there is none."""
    return next((r for r in row["readings"] if r["probe"] == probe), {})


def of_base(reading: Row) -> float:
    """Return a reading as a share of the base's own."""
    return float(reading["value"]) / float(reading["base"])


def _share_of_base(reading: Row) -> str:
    low, high = (reading[end] / reading["base"] for end in ("low", "high"))
    return f"{of_base(reading):.3f} ({low:.2f} to {high:.2f})"
