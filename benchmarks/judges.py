"""Does the judge that needs no network agree with the one that was trained?

Both look at the same pictures of every concept, in states from untouched to erased, and
each counts in how many it sees the concept. What is reported is the rank correlation of
the two counts over concepts x states, and how often single answers are the same.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from benchmarks.__main__ import ERASER, RESULTS, full_policy
from benchmarks.files import code_digest
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.bundled_model import base_answers, bundled_judge
from unlearnlog.commands import add
from unlearnlog.commands.session import Session, open_session
from unlearnlog.core.delta import Weights, state_after
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.policy import Policy
from unlearnlog.probes.rank_correlation import rank_correlation
from unlearnlog.probes.runner import scattered
from unlearnlog.report.entry_tables import ProgressBars

PATH: Final = RESULTS / "judges.json"
N_EACH: Final = 8
"""Pictures of each concept in each state."""

ERASED: Final = (
    ("Picasso", "Monet", "Mondrian", "Warhol", "Rembrandt", "Hokusai"),
    ("cat", "car", "castle", "flower", "guitar", "fish"),
)
"""What is erased together, once each."""

SHARES: Final = (0.35, 0.5, 0.65, 1.0)
"""How much of an erasure's change is applied: the states between are half damaged."""


def main() -> None:
    """Measure it unless it was measured with these weights and this code."""
    made_of = {
        "weights": base_answers().root,
        "code": code_digest([ERASED, SHARES, N_EACH], ERASER),
    }
    if PATH.exists():
        there = json.loads(PATH.read_text(encoding="utf-8"))
        if there["made_of"] == made_of:
            return
    with tempfile.TemporaryDirectory() as folder:
        rows = list(_rows(open_session(Path(folder), may_create=True)))
    data = {"made_of": made_of, "agreement": agreement(rows), "rows": rows}
    PATH.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def agreement(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return Spearman's rho over the rows, with a bootstrap over concepts."""
    rho = rank_correlation(
        [row["atelier"] for row in rows],
        [row["base"] for row in rows],
        clusters=[row["concept"] for row in rows],
    )
    return {
        "rank_correlation": rho.value,
        "low": rho.low,
        "high": rho.high,
        "n": rho.n,
        "same_answer": float(np.mean([row["same"] for row in rows])),
        "n_pictures": sum(row["n"] for row in rows),
    }


def _rows(at: Session) -> Iterator[dict[str, Any]]:
    model, seen, sampling = at.model, world(), Policy.load("default").painting()
    pages = book()
    cells = {
        name: scattered(pages.erased(seen.concepts[name]), N_EACH)
        for name in (*seen.styles, *seen.subjects)
    }
    for state, weights in _states(at):
        with ProgressBars(Console(stderr=True)) as bars:
            asked = [cell for part in cells.values() for cell in part]
            painted = model.paint(
                [cell.prompt for cell in asked],
                [cell.seed for cell in asked],
                sampling=sampling,
                weights=weights,
            )
            told = bundled_judge().judged(painted)
            guessed = BaseJudge(model, seen, bars).judged(painted)
        at_hand = iter(zip(told, guessed, strict=True))
        for name, part in cells.items():
            kind = "style" if name in seen.styles else "subject"
            pairs = [(a.of(kind), b.of(kind)) for a, b in (next(at_hand) for _ in part)]
            yield {
                "state": state,
                "concept": name,
                "n": len(part),
                "atelier": float(np.mean([a == name for a, _ in pairs])),
                "base": float(np.mean([b == name for _, b in pairs])),
                "same": float(np.mean([a == b for a, b in pairs])),
            }


def _states(at: Session) -> Iterator[tuple[str, Weights | None]]:
    """Give the base, then each erasure from a third of the way to the whole."""
    yield "base", None
    base = at.model.base
    for names in ERASED:
        concepts = tuple(at.world.concept(name) for name in names)
        plan = add.plan_of(at, add.AddRequest(concepts, full_policy("anchor", {})))
        new = state_after(base, [plan.eraser.erase(plan.request)])
        for share in SHARES:
            partly = {name: base[name].lerp(new[name], share) for name in new}
            yield f"{share} of {', '.join(names)}", {**base, **partly}


if __name__ == "__main__":
    main()
