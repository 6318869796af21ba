"""Agreement of cheap measurements with costly ones, where an erasure does damage.

Concepts are erased one after another by erasers that damage others, under a policy
without limits. At every entry the movement of weights and of predictions and the
presence of every kept concept are measured; their rank correlations are readings too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.__main__ import LEAN, added
from benchmarks.computed import eraser_witness, reading_witness
from benchmarks.looks import Entrant
from benchmarks.making import MadeOf, Measured, bundled_weights, make_missing
from benchmarks.suite import Suite
from unlearnlog.report.entry_tables import ProgressBars

ENTRANTS: Final = {
    "cure": Entrant("cure", "cure"),
    "esd": Entrant("esd", "esd", (("project", False),)),
}
"""Erasers by their name; `esd` as it damages others, its gradients as they are."""

STEPS: Final = (("cure", "Picasso"), ("cure", "cat"), ("esd", "Monet"))
"""The concepts, each with its eraser."""

SIZES: Final = {**LEAN, "erased": 2, "kept": 2, "information": 4, "nodes": 2}
"""32 pictures of a kept style or 34 of a kept subject; nats of two of them."""


def main() -> None:
    """Measure, unless the result of these weights is there."""
    suite = Suite.called("tiers")
    make_missing([Measured(suite, "tiers", made_of, measured)], __doc__)


def made_of() -> MadeOf:
    """Return the inputs of the result."""
    chosen = {name: each.policy({}).chosen_eraser() for name, each in ENTRANTS.items()}
    plain = {
        "weights": bundled_weights(),
        "steps": STEPS,
        "settings of each": {name: each.settings for name, each in chosen.items()},
        "sizes": SIZES,
    }
    computed = {
        f"eraser {name}": eraser_witness(name, each.settings)
        for name, each in ENTRANTS.items()
    }
    return MadeOf(plain, {**computed, "readings": reading_witness()})


def measured(console: Console) -> dict[str, Any]:
    """Run the history in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        return lived(Path(folder), console)


def lived(folder: Path, console: Console) -> dict[str, Any]:
    """Run the history and return the readings of all tiers after each entry."""
    rows, gone = [], set[str]()
    for eraser, concept in STEPS:
        with ProgressBars(console) as bars:
            rules = ENTRANTS[eraser].policy(SIZES)
            row = added(folder, (concept,), rules, bars)
        gone.add(concept)
        read = [r for r in row["readings"] if r["probe"].startswith("tiers.")]
        rows.append(
            {
                "eraser": eraser,
                "concept": concept,
                "tiers": read,
                "damage": damage(row["readings"], gone),
            }
        )
    return {"sizes": SIZES, "rows": rows}


def damage(readings: list[dict[str, Any]], gone: set[str]) -> list[dict[str, Any]]:
    """Return the loss of each kept concept, the worst first."""
    seen = [r for r in readings if r["probe"] == "presence"]
    kept = [r for r in seen if r["concept"] not in gone]
    found = [
        {"concept": r["concept"], "lost": r["base"] - r["value"], "n": r["n"]}
        for r in kept
    ]
    return sorted(found, key=lambda row: -row["lost"])


if __name__ == "__main__":
    main()
