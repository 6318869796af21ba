"""Sequences of styles erased one after another by one eraser, with resurgence.

Each history is a ledger under ``build/``, so that a stopped sequence is resumed. All
erasures come first; then each revision is measured.
"""

from __future__ import annotations

import random
from collections.abc import Sequence as Several
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console

from benchmarks.looks import (
    N_DRIFT,
    Entrant,
    Sharing,
    panel_of,
    readings_of,
)
from benchmarks.suite import BUILD
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.commands import add
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import Concept
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.probes.runner import ConceptCases, ProbePlan, scattered
from unlearnlog.report.entry_tables import ProgressBars

CLOSE_ORDER: Final = 1
"""The order with the larger sizes at each step."""

STEP: Final = {"own": 6, "earlier": 4, "kept": 32}
PASSING: Final = {"own": 2, "earlier": 0, "kept": 0}
END: Final = {"own": 6, "earlier": 6, "kept": 96, "drift": N_DRIFT}
"""Pictures of each cell of the newest style; of each earlier one, in all, at the end of
each cell; of everything that is kept, in all, at the end at least."""


@dataclass(frozen=True)
class Sequence:
    """Styles erased one after another by one eraser, in one of the orders."""

    entrant: Entrant
    order: int
    n: int

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"{self.entrant.label}-sequence-{self.order}"

    @property
    def slot(self) -> str:
        """Kind of the erased concepts: styles."""
        return "style"

    @property
    def step(self) -> dict[str, int]:
        """Sizes after a step."""
        return STEP if self.order == CLOSE_ORDER else PASSING

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes of the measurements, which the cell is bound to."""
        return {"steps": self.n, "step": self.step, "end": END}

    @property
    def styles(self) -> list[str]:
        """The erased styles, in order."""
        styles = list(world().styles)
        random.Random(self.order).shuffle(styles)
        return styles[: self.n]

    def measured(self, console: Console, of: str) -> dict[str, Any]:
        """Run the history, or the rest of it, and measure each of its steps.

        Args:
            console: Console of the progress.
            of: Digest of the inputs, for the ledger's name.
        """
        folder = BUILD / f"{self.name}-{of[:12]}"
        with ProgressBars(console) as bars:
            at = lived(folder, self, bars)
            rows = [row_of(at, self, i, bars) for i in range(self.n)]
        return {
            "eraser": self.entrant.eraser,
            "joint": ERASERS[self.entrant.eraser].joint,
            "threads": torch.get_num_threads(),
            "end": rows[-1]["state"]["after"],
            "rows": rows,
        }


def lived(folder: Path, sequence: Sequence, bars: ProgressBars) -> Session:
    """Erase the remaining styles, and return the session of the history."""
    rules = sequence.entrant.blind()
    while True:
        at = Sharing(**vars(open_session(folder, may_create=True)))
        done = len(at.history())
        if done == sequence.n:
            return at
        concept = at.world.concept(sequence.styles[done])
        add.add(at, add.AddRequest((concept,), rules, watch=bars))


def row_of(
    at: Session, sequence: Sequence, i: int, bars: ProgressBars
) -> dict[str, Any]:
    """Return a step's entry with its measurements."""
    entry_id, entry = at.history()[i]
    (concept,) = entry.concepts
    before = [each for _, e in at.history()[:i] for each in e.concepts]
    last = i == sequence.n - 1
    asked = asked_at(at, concept, before, END if last else sequence.step)
    panel = panel_of(sequence.entrant.policy({}), at.book(), bars)
    n_drift = N_DRIFT if last else 0
    readings = readings_of(panel, asked, at.weights(entry_id), n_drift=n_drift)
    return {**entry.row(), "readings": readings}


def asked_at(
    at: Session, concept: Concept, before: Several[Concept], sizes: dict[str, int]
) -> ProbePlan:
    """Return the plan of measurements after a step.

    Args:
        at: Session of the history.
        concept: The concept that the step erased.
        before: The concepts erased before it.
        sizes: ``STEP``, ``PASSING`` or ``END``.
    """
    book = at.book()
    own = ConceptCases(
        concept, erased=book.erased(concept, sizes["own"]), information=()
    )
    gone = {concept.name, *(each.name for each in before)}
    kept = book.kept(gone, 1)
    if sizes is END:
        more = book.kept(gone) if len(kept) < sizes["kept"] else kept
        earlier = {e.name: book.erased(e, sizes["earlier"]) for e in before}
        return ProbePlan((own,), kept=more, earlier=earlier)
    earlier = {
        e.name: scattered(book.erased(e, 1), sizes["earlier"])
        for e in before
        if sizes["earlier"]
    }
    return ProbePlan((own,), kept=scattered(kept, sizes["kept"]), earlier=earlier)
