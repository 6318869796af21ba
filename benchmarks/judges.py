"""Agreement of the base as judge with the trained judge.

Both judge the same pictures of every concept, in states from untouched to erased, and
count those that show the concept. Reported are the rank correlation of the two counts
over concepts x states, and the share of equal answers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from benchmarks.__main__ import ERASER, full_policy
from benchmarks.computed import eraser_witness
from benchmarks.making import MadeOf, Measured, bundled_weights, make_missing
from benchmarks.suite import Suite
from benchmarks.witnesses import Row, Witness, lines_of
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.bundled_model import bundled_judge
from unlearnlog.commands import add
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.delta import Weights, state_after
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.policy import Policy
from unlearnlog.probes.rank_correlation import rank_correlation
from unlearnlog.probes.runner import scattered
from unlearnlog.report.entry_tables import ProgressBars

N_EACH: Final = 8
"""Pictures of each concept in each state."""

ERASED: Final = (
    ("Picasso", "Monet", "Mondrian", "Warhol", "Rembrandt", "Hokusai"),
    ("cat", "car", "castle", "flower", "guitar", "fish"),
)
"""Concepts that are erased together, one set a time."""

SHARES: Final = (0.35, 0.5, 0.65, 1.0)
"""Shares of an erasure's delta that are applied: the first ones damage in part."""


def main() -> None:
    """Measure, unless the result of these weights is there."""
    suite = Suite.called("judges")
    make_missing([Measured(suite, "judges", made_of, measured)], __doc__)


def made_of() -> MadeOf:
    """Return the inputs of the result."""
    rules = full_policy("anchor", {})
    plain = {
        "weights": bundled_weights(),
        "eraser": ERASER,
        "settings": rules.chosen_eraser().settings,
        "erased": ERASED,
        "shares": SHARES,
        "pictures": N_EACH,
        "sampling": rules.model_dump(mode="json")["sampling"],
    }
    computed = {
        "eraser": eraser_witness(ERASER, (("target", "anchor"),)),
        "judges": witness(),
    }
    return MadeOf(plain, computed)


def witness() -> Witness:
    """Return the witness of both judges."""
    return Witness("judges", in_small)


def in_small() -> Row:
    """Return both judges' answers to a picture of each concept, at half of a delta."""
    with tempfile.TemporaryDirectory() as folder:
        at = open_session(Path(folder), may_create=True)
        half = {name: tensor / 2 for name, tensor in at.model.base.items()}
        rows = [*_rows(at, [("half", half)], 1)]
    return dict(lines_of({row["concept"]: row for row in rows}))


def measured(console: Console) -> dict[str, Any]:
    """Return the answers of both judges in every state."""
    with tempfile.TemporaryDirectory() as folder:
        at = open_session(Path(folder), may_create=True)
        rows = [*_rows(at, _states(at), N_EACH, console)]
    return {"agreement": agreement(rows), "rows": rows}


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


def _rows(
    at: Session,
    states: Iterable[tuple[str, Weights | None]],
    n_each: int,
    console: Console | None = None,
) -> Iterator[dict[str, Any]]:
    model, seen, sampling = at.model, world(), Policy.load("default").painting()
    pages = book()
    cells = {
        name: scattered(pages.erased(seen.concepts[name]), n_each)
        for name in (*seen.styles, *seen.subjects)
    }
    for state, weights in states:
        with ProgressBars(console or Console(quiet=True)) as bars:
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
    """Yield the base, then each erasure from a third of its delta to the whole."""
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
