"""A hundred subjects of the real drawings, erased one after another by one eraser.

A joint eraser's state after k erasures is a function of these k alone, so it is solved
at the marks only. What any other eraser adds depends on what was erased before: its
history is a ledger below ``build/``, and a stopped one is resumed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from benchmarks import glyph_cases
from benchmarks.glyph_alone import Sizes, made_by, policy_of
from benchmarks.glyph_pictures import Count, Panel, glyph_weights, written
from benchmarks.looks import Entrant
from benchmarks.suite import BUILD
from unlearnlog.commands import add
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.concepts.concept_graph import hops
from unlearnlog.core.delta import Weights
from unlearnlog.core.entry import EntryId
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.glyphs.glyph_model import SOURCE
from unlearnlog.glyphs.glyph_world import world
from unlearnlog.report.entry_tables import ProgressBars

N: Final = 100
MARKS: Final = (1, 10, 25, 50, 100)
CLOSE_ORDER: Final = 1
"""The order that every eraser has; others have it in more."""

SIZES: Final = {"each": 2, "kept": 120, "styles": 36}
"""Pictures of each erased subject; of those that are kept, and of the styles."""

FAR: Final = "others"
DISTANCES: Final = {1: "siblings", 2: "kin", 3: "kin"}
"""Names of distances in the concept graph, in edges: of one family, or look-alikes; a
family that is near."""


@dataclass(frozen=True)
class Hundred:
    """A hundred subjects in one order, by one eraser.

    Attributes:
        entrant: The eraser with its settings.
        order: Number of the order.
        sizes: Pictures of each question.
        marks: Numbers of erasures after which everything is measured.
    """

    entrant: Entrant
    order: int
    sizes: Sizes
    marks: tuple[int, ...] = MARKS

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"hundred-{self.entrant.label}-{self.order}"

    @property
    def concepts(self) -> list[str]:
        """The erased subjects, in order."""
        return in_order(self.order)[: self.marks[-1]]

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase up to each mark, and measure there."""
        names, joint = self.concepts, ERASERS[self.entrant.eraser].joint
        rows: list[dict[str, Any]] = []
        with ProgressBars(console) as bars:
            for k in self.marks:
                state = solved if joint else lived
                weights, cost = state(self, names[:k], bars)
                counts = measured_at(weights, names[:k], self.sizes)
                rows.append({"erased": k, **cost, **counts})
        return {"eraser": self.entrant.eraser, "joint": joint, "rows": rows}


def in_order(order: int) -> list[str]:
    """Return the same hundred subjects in one of the orders."""
    chosen = random.Random(0).sample(world().subjects, min(N, len(world().subjects)))
    random.Random(order).shuffle(chosen)
    return chosen


def solved(
    run: Hundred, names: Sequence[str], bars: ProgressBars
) -> tuple[Weights, dict[str, Any]]:
    """Return a joint eraser's weights for a set, with the cost of the last entry."""
    made = made_by(run.entrant, [world().concept(name) for name in names], bars)
    cost = {"seconds": round(made.seconds, 2), "bytes": made.delta.n_bytes}
    return made.weights, cost


def lived(
    run: Hundred, names: Sequence[str], bars: ProgressBars
) -> tuple[Weights, dict[str, Any]]:
    """Return the weights of a history, continued to these names, with its mean cost."""
    folder = BUILD / f"{run.name}-{glyph_weights()[:12]}"
    if not (folder / ".unlearnlog").exists():
        folder.mkdir(parents=True, exist_ok=True)
        init(folder, SOURCE)
    rules = policy_of(run.entrant, 1).saying(judge="none")
    started, at = time.process_time(), open_session(folder)
    done = len(at.history())
    for name in names[done:]:
        concept = at.world.concept(name)
        add.add(at, add.AddRequest((concept,), rules, watch=bars))
        at = open_session(folder)
    spent = (time.process_time() - started) / max(1, len(names) - done)
    entry_id, _ = at.history()[len(names) - 1]
    weights = {**at.model.base, **at.weights(entry_id)}
    return weights, {"seconds": round(spent, 2), "bytes": _bytes_of(at, entry_id)}


def _bytes_of(at: Session, entry_id: EntryId) -> int:
    row = dict(at.history())[entry_id].row()
    return int((row["delta"] or {"bytes": 0})["bytes"])


def measured_at(weights: Weights, gone: Sequence[str], sizes: Sizes) -> dict[str, Any]:
    """Return what is left of each erased subject, and of the rest by distance."""
    known = world().concepts
    erased = [c for name in gone for c in glyph_cases.own(known[name], sizes["each"])]
    kept = glyph_cases.of_names(
        [s for s in world().subjects if s not in gone], gone, sizes["kept"]
    )
    near = distances(gone)
    styles = glyph_cases.kept(gone, sizes["styles"])
    whole = Panel.of([*erased, *kept, *styles], weights)
    end = len(erased) + len(kept)
    shown = _part(whole, 0, len(erased)).by_concept("subject")
    rest = _part(whole, len(erased), end)
    return {
        "shown": written(shown),
        "kept": written(_by_group(rest, near)),
        "styles": _part(whole, end, len(whole.cases)).count("style").written(),
    }


def _part(whole: Panel, begin: int, end: int) -> Panel:
    part = slice(begin, end)
    return Panel(whole.cases[part], whole.now[part], whole.base[part])


def _by_group(rest: Panel, near: Mapping[str, str]) -> dict[str, Count]:
    found: dict[str, Count] = {}
    for name, count in rest.by_concept("subject").items():
        group = near.get(name, FAR)
        found[group] = found.get(group, Count(0, 0, 0)) + count
    return found


def distances(gone: Sequence[str]) -> dict[str, str]:
    """Return how near each kept subject is to the nearest erased one, by its name."""
    nearest: dict[str, int] = {}
    for name in gone:
        for other, n in hops(world(), name).items():
            nearest[other] = min(n, nearest.get(other, n))
    return {
        name: DISTANCES.get(n, FAR) for name, n in nearest.items() if name not in gone
    }
