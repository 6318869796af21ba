"""What an erasure leaves of the neighbour's own information, and of the family's.

Picasso is erased by each eraser; the chain rule splits what pictures say of him and of
Braque into what the movement's word says and what only the name says. All losses
are taken on the base's pictures, under the same noise before and after.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console

from benchmarks.__main__ import RESULTS
from benchmarks.duel import Duel, Ring
from benchmarks.edges import PER_CELL, losses_of, painted
from benchmarks.files import CellFile, code_digest, make_missing
from benchmarks.looks import Entrant
from unlearnlog.atelier.studio import base_answers
from unlearnlog.probes.information import Pictures, over_cells
from unlearnlog.report.terminal import Bars
from unlearnlog.run.place import place

ERASED: Final = "Picasso"
NEIGHBOUR: Final = "Braque"
ERASERS: Final = ("mim-unique", "mim", "ridge", "uce")
KEPT: Final = 0.95
"""Share of the neighbour's own nats that is to stay."""

_CONTEXT, _FAMILY, _OWN = range(3)


def main() -> None:
    """Measure it unless it was measured with these weights and this code."""
    path = RESULTS / "unique.json"
    make_missing([CellFile(path, made_of, measured)], __doc__)


def made_of() -> dict[str, str]:
    """Return digests of the weights and of everything that decides the result."""
    settings = [ERASED, NEIGHBOUR, *ERASERS, PER_CELL]
    return {"weights": base_answers().root, "code": code_digest(settings)}


def measured(console: Console) -> dict[str, Any]:
    """Erase with each eraser and split what is left."""
    rows = []
    for name in ERASERS:
        console.print(name)
        with tempfile.TemporaryDirectory() as folder, Bars(console) as bars:
            duel = Duel(Entrant(name, name), ERASED)
            ring = Ring(place(Path(folder), may_create=True), duel, bars)
            weights = ring.weights(ring.usual)
        model = ring.at.model
        for style in (ERASED, NEIGHBOUR):
            pictures = painted(model, style)
            before = parts(losses_of(model, pictures, style, []))
            after = parts(losses_of(model, pictures, style, [], weights))
            split = {
                part: {
                    "base": asdict(over_cells(before[part].tolist(), pictures.cells)),
                    "now": asdict(over_cells(after[part].tolist(), pictures.cells)),
                    "above": above(before[part], after[part], pictures),
                }
                for part in before
            }
            rows.append({"eraser": name, "style": style, **split})
    return {"erased": ERASED, "neighbour": NEIGHBOUR, "rows": rows}


def parts(nats: torch.Tensor) -> dict[str, torch.Tensor]:
    """Split losses ``[3, n]`` into what the family says and what the name adds."""
    context, family, own = nats[_CONTEXT], nats[_FAMILY], nats[_OWN]
    return {"shared": context - family, "unique": family - own}


def above(
    before: torch.Tensor, after: torch.Tensor, pictures: Pictures
) -> dict[str, Any]:
    """Return the share that stayed, and how many nats it is above what shall stay."""
    margin = over_cells((after - KEPT * before).tolist(), pictures.cells)
    return {"kept": float(after.mean() / before.mean()), "margin": asdict(margin)}


if __name__ == "__main__":
    main()
