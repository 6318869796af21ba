"""The table of methods as their authors run them, beside ours; `make.py` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from docs.duels import measured_in, of_base, one
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.presets.preset_table import presets_of

CONCEPTS: Final = ("Picasso", "Hokusai", "cat", "castle")
NOT_YET: Final = "not measured"
BESIDE: Final = {
    "esd-best": ("as published, at equal erasure", "equal"),
    "esd-official-1e-3": ("`preset=official rate=1e-3`", "default"),
}
"""Further rows: a label, what the row is called, and which readings it shows."""

Row = Mapping[str, Any]


def peers_table(cells: Mapping[str, Row], theirs: Mapping[str, Row]) -> str:
    """Return a few rows for each eraser that has a preset.

    Args:
        cells: What was measured, by name.
        theirs: Figures of the authors' own programs, by name.
    """
    duels = dict(measured_in(cells, "default"))
    head = (
        f"| eraser | as | {' | '.join(f'UA {name}' for name in CONCEPTS)} | IRA / base "
        "| CRA / base | look-alike / base | drift, nats | apart |"
    )
    rows = [head, f"|---|---|{'---|' * len(CONCEPTS)}--:|--:|--:|--:|--:|"]
    for name in ERASERS:
        if presets_of(name):
            rows += _rows(name, duels, theirs)
    return "\n".join(rows)


def _rows(name: str, duels: Mapping[str, Row], own: Mapping[str, Row]) -> Iterator[str]:
    for preset in presets_of(name):
        label = f"{name}-{preset}"
        program, mine = _of(own, label), _of(duels, label)
        if any(program):
            yield _row(name, f"their program, {_said(preset)}", program)
        yield _row(name, f"`preset={preset}`", [d and d["default"] for d in mine])
    mine = _of(duels, name)
    yield _row(name, "by default", [d and d["default"] for d in mine])
    yield _row(name, "at equal erasure", [d and d["equal"] for d in mine])
    for label, (said, which) in BESIDE.items():
        if label.startswith(f"{name}-"):
            yield _row(name, said, [d and d[which] for d in _of(duels, label)])


def _said(preset: str) -> str:
    return preset.replace("-", " ")


def _of(found: Mapping[str, Row], label: str) -> list[Row | None]:
    """Return what was measured of each concept, in the order of the table."""
    return [found.get(f"{label}-{name.casefold()}") for name in CONCEPTS]


def _row(name: str, said: str, found: Sequence[Row | None]) -> str:
    there = [each for each in found if each]
    drifts = [float(one(e, "drift")["value"]) for e in there if one(e, "drift")]
    cells = [
        f"`{name}`",
        said,
        *(_ua(each) for each in found),
        *(_least(there, probe) for probe in ("ira", "cra", "alike")),
        f"{max(drifts):.2f}" if drifts else "",
        _apart(there),
    ]
    return f"| {' | '.join(cells)} |"


def _ua(found: Row | None) -> str:
    if not found:
        return NOT_YET
    ua = one(found, "ua") or found.get("screen")
    if not ua:
        return NOT_YET
    return f"{ua['value']:.3f} ({ua['low']:.2f} to {ua['high']:.2f}, n = {ua['n']})"


def _apart(found: Sequence[Row]) -> str:
    """Say how far a program's tensors are from the preset's, and two seeds of it."""
    apart, seeds = (
        [each[key] for each in found if key in each] for key in ("apart", "seeds_apart")
    )
    if not apart:
        return ""
    between = f"; its own seeds {max(seeds):.2g}" if seeds else ""
    return f"{max(apart):.2g}{between}"


def _least(found: Sequence[Row], probe: str) -> str:
    """Return the least of a probe's readings, as a share of the base's."""
    shares = [of_base(one(each, probe)) for each in found if one(each, probe)]
    return f"{min(shares):.3f}" if shares else ""
