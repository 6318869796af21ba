"""Information of a neighbour and of the family that an erasure leaves.

Picasso is erased by each eraser; the chain rule splits the information of pictures on
him and on Braque into that of the movement's word and that of the name alone. All
losses are on the base's pictures, under the same noise before and after. Beside them
stands his presence, by his name and by the movement's word.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console

from benchmarks.computed import eraser_witness, reading_witness
from benchmarks.duel import LOOK, Duel, Ring
from benchmarks.edges import PER_CELL, losses_of, painted, witness
from benchmarks.looks import Entrant
from benchmarks.making import MadeOf, Measured, bundled_weights, make_missing
from benchmarks.suite import Suite
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.probe_case import Answer
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.probes.information import PromptedPictures, over_cells
from unlearnlog.probes.statistics import share
from unlearnlog.report.entry_tables import ProgressBars

ERASED: Final = "Picasso"
NEIGHBOUR: Final = "Braque"
ENTRANTS: Final = (
    Entrant("mim-unique", "mim-unique"),
    Entrant("mim-unique", "mim-unique", (("target", "sibling"),)),
    Entrant("mim", "mim"),
    Entrant("ridge", "ridge"),
    Entrant("uce-last", "uce", (("span", "last"), ("erase_scale", 1.0))),
)
KEPT: Final = 0.95
"""Share of the neighbour's own nats that must stay."""

SEEDS: Final = 6
"""Pictures of each prompt that names only the movement: 48 in all."""

_CONTEXT, _FAMILY, _OWN = range(3)


def main() -> None:
    """Measure the cells that these weights lack."""
    make_missing(map(measured_of, ENTRANTS), __doc__)


def measured_of(entrant: Entrant) -> Measured:
    """Return the cell of one eraser with its measurement and its inputs."""
    target = dict(entrant.settings).get("target", "default")
    return Measured(
        Suite.called("unique"),
        f"{entrant.label}-{target}",
        lambda: made_of(entrant),
        lambda console: split_by(entrant, console),
    )


def made_of(entrant: Entrant) -> MadeOf:
    """Return the inputs of the result."""
    chosen = entrant.policy({}).chosen_eraser()
    plain = {
        "weights": bundled_weights(),
        "eraser": chosen.name,
        "settings": chosen.settings,
        "erased": ERASED,
        "neighbour": NEIGHBOUR,
        "sizes": {**LOOK, "pictures of a cell": PER_CELL, "seeds": SEEDS},
    }
    erasing = eraser_witness(chosen.name, entrant.settings)
    computed = {"eraser": erasing, "edges": witness(), "readings": reading_witness()}
    return MadeOf(plain, computed)


def split_by(entrant: Entrant, console: Console) -> dict[str, Any]:
    """Erase with one eraser; return the split of what is left, and his presence."""
    with tempfile.TemporaryDirectory() as folder, ProgressBars(console) as bars:
        at = open_session(Path(folder), may_create=True)
        ring = Ring(at, Duel(entrant, ERASED), bars)
        target = ring.plan.eraser.target
        console.print(f"{entrant.eraser}, target {target}")
        return {
            "eraser": entrant.label,
            "target": target,
            "erased": ERASED,
            "neighbour": NEIGHBOUR,
            "rows": [*splits(ring)],
            "shown": showing(ring),
        }


def splits(ring: Ring) -> Iterator[dict[str, Any]]:
    """Yield what each style's parts keep."""
    weights = ring.weights(ring.usual)
    for style in (ERASED, NEIGHBOUR):
        pictures, before = of_base(style)
        after = parts(losses_of(ring.at.model, pictures, style, [], weights))
        yield {
            "style": style,
            **{
                part: {
                    "base": asdict(over_cells(before[part].tolist(), pictures.cells)),
                    "now": asdict(over_cells(after[part].tolist(), pictures.cells)),
                    "above": above(before[part], after[part], pictures),
                }
                for part in before
            },
        }


@cache
def of_base(style: str) -> tuple[PromptedPictures, dict[str, torch.Tensor]]:
    """Return the base's pictures of a style, and their losses on the base."""
    model = DiffusersModel.load(FOLDER)
    pictures = painted(model, style)
    return pictures, parts(losses_of(model, pictures, style, []))


def parts(nats: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return losses ``[3, n]`` split into the family's part and the name's."""
    context, family, own = nats[_CONTEXT], nats[_FAMILY], nats[_OWN]
    return {
        "shared": context - family,
        "unique": family - own,
        "whole": context - own,
    }


def above(
    before: torch.Tensor, after: torch.Tensor, pictures: PromptedPictures
) -> dict[str, Any]:
    """Return the share that stayed, and its nats above the required share."""
    margin = over_cells((after - KEPT * before).tolist(), pictures.cells)
    return {"kept": float(after.mean() / before.mean()), "margin": asdict(margin)}


def showing(ring: Ring) -> dict[str, Any]:
    """Return his presence by his name and by the movement's, before and after."""
    panel, cells = ring.plan.look.panel, ring.plan.look.book.family(ring.concept, SEEDS)
    weights = ring.weights(ring.usual)
    before = panel.base_answers(cells)
    now = panel.judged(cells, weights, "looking at the movement")
    return {
        "name": ring.residual(ring.usual),
        "family": {"base": of_style(before), "now": of_style(now)},
    }


def of_style(answers: Iterable[Answer]) -> dict[str, dict[str, Any]]:
    """Return the share of pictures that shows each of the two styles."""
    found = [answer.style for answer in answers]
    return {
        style: asdict(share(found.count(style), len(found)))
        for style in (ERASED, NEIGHBOUR)
    }


if __name__ == "__main__":
    main()
