"""``make bench``: erase, look with every probe at full size, write what was read.

Each cell is one erasure of one concept with one target, judged on six pictures of every
cell of the world. A finished cell is not made again unless the weights or the eraser
have changed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from unlearnlog.policy import Policy
from unlearnlog.report.terminal import Bars
from unlearnlog.run import erase
from unlearnlog.run.place import place
from unlearnlog.watch import Watch

RESULTS: Final = Path(__file__).parent.parent / "docs" / "results"
ALONE: Final = ("Picasso", "Hokusai", "cat", "castle")
TARGETS: Final = ("anchor", "context", "unconditional")
CHAIN: Final = ("Picasso", "Monet", "Warhol", "Hokusai", "Mondrian", "Klimt")
FULL: Final = {"erased": 6, "kept": 6, "earlier": 6, "information": 32}
COARSE: Final = {**FULL, "kept": 1}
"""For the comparison of targets: means are as sure, single concepts are screens."""


@dataclass(frozen=True)
class Cell:
    """One erasure to be measured: its concept, its target, what was erased before."""

    concept: str
    target: str

    @property
    def name(self) -> str:
        """Name of the cell's file."""
        return f"{self.concept.lower().replace(' ', '-')}-{self.target}"


def full_policy(target: str, probes: dict[str, int]) -> Policy:
    """Return the default policy with this target, these probes and no limits."""
    data = Policy.load("default").model_dump()
    data["name"] = "bench"
    data["eraser"] = {**data["eraser"], "target": target}
    data["probes"] = probes
    data["limits"] = ()
    return Policy.of(data, "bench")


def added(
    folder: Path, names: Sequence[str], policy: Policy, watch: Watch
) -> dict[str, Any]:
    """Erase concepts on top of the folder's ledger and return the entry's row."""
    at = place(folder, may_create=True)
    concepts = tuple(at.world.concept(name) for name in names)
    return erase.add(at, erase.Order(concepts, policy, watch=watch)).entry.row()


def alone(cell: Cell, console: Console) -> dict[str, Any]:
    """Erase one concept on the base and return the entry's row."""
    with tempfile.TemporaryDirectory() as folder, Bars(console) as bars:
        probes = FULL if cell.target == TARGETS[0] else COARSE
        rules = full_policy(cell.target, probes)
        return added(Path(folder), [cell.concept], rules, bars)


def chain(console: Console) -> list[dict[str, Any]]:
    """Erase six styles one after another and return the entries' rows."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for concept in CHAIN:
            with Bars(console) as bars:
                rules = full_policy(TARGETS[0], COARSE)
                rows.append(added(Path(folder), [concept], rules, bars))
    return rows


def main() -> None:
    """Make what is missing, in the order people read it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="make every cell again")
    asked = parser.parse_args()
    console = Console(stderr=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    cells = [Cell(c, TARGETS[0]) for c in ALONE]
    cells += [Cell(c, t) for c in ("Picasso", "cat") for t in TARGETS[1:]]
    for cell in cells:
        path = RESULTS / f"{cell.name}.json"
        if asked.again or not path.exists():
            console.print(f"{cell.concept}, target {cell.target}")
            _write(path, alone(cell, console))
    path = RESULTS / "six-styles.json"
    if asked.again or not path.exists():
        _write(path, chain(console))


def _write(path: Path, data: object) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()
