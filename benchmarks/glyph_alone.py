"""One concept of the real drawings erased alone, and what is left of the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from benchmarks import glyph_cases
from benchmarks.glyph_pictures import (
    SAMPLING,
    Case,
    Count,
    Panel,
    Sight,
    glyph_session,
    written,
)
from benchmarks.looks import Entrant
from unlearnlog.commands import add, joint_set
from unlearnlog.commands.judge_choice import runner_for
from unlearnlog.core.concept import Concept, concept_id
from unlearnlog.core.delta import Delta, Weights, state_after
from unlearnlog.core.reading import Reading
from unlearnlog.errors import TrainingError
from unlearnlog.glyphs.glyph_world import world
from unlearnlog.policy import Policy
from unlearnlog.report.entry_tables import ProgressBars

Sizes = Mapping[str, int]

FULL: Final = {
    **{"own": 24, "seen words": 12, "unseen words": 12, "kept": 60, "near": 24},
    **{"alike": 12, "inside": 12, "pairs": 12, "backgrounds": 14, "nats": 4},
}
"""Pictures of each question; what is kept and its backgrounds before the concept's own
are left out. One concept is a screen; a table pools them."""

LEAN: Final = {
    **FULL,
    **{"own": 18, "seen words": 9, "unseen words": 9, "kept": 48, "near": 18},
    **{"inside": 6, "pairs": 0, "backgrounds": 0, "nats": 0},
}
"""Pictures of each question where many concepts are erased alone."""

NATS: Final = ("self-mi", "bound-mi", "drift")
"""Readings in nats that a cell stores, of the concept and of what is kept."""


@dataclass(frozen=True)
class Alone:
    """One eraser, one concept, from the base.

    Attributes:
        entrant: The eraser with its settings.
        concept: The concept's name.
        sizes: Pictures of each question.
        prefix: Begins the cell's name.
    """

    entrant: Entrant
    concept: str
    sizes: Sizes
    prefix: str = ""

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"{self.prefix}{self.entrant.label}-{concept_id(self.concept)}"

    @property
    def concepts(self) -> list[str]:
        """The erased concepts."""
        return [self.concept]

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase the concept and count what is shown, beside the base on the same.

        An eraser that refuses to erase it is a result as well.
        """
        concept = world().concept(self.concept)
        try:
            with ProgressBars(console) as bars:
                made = made_by(self.entrant, [concept], bars, nats=self.sizes["nats"])
        except TrainingError as error:
            return {"concept": self.concept, "failed": error.message}
        counts, worst = counts_of(concept, made.weights, self.sizes)
        return {
            "eraser": self.entrant.eraser,
            "concept": self.concept,
            "slot": concept.slot,
            "seconds": round(made.seconds, 2),
            "bytes": made.delta.n_bytes,
            "counts": counts,
            "worst": worst,
            "nats": nats_of(made, self.sizes["nats"]),
        }


@dataclass(frozen=True)
class Made:
    """An erasure.

    Attributes:
        plan: Its plan, with its probes.
        delta: Its change.
        seconds: Processor time of the change in s.
        weights: Every text projection after it.
    """

    plan: add.ErasurePlan
    delta: Delta
    seconds: float
    weights: Weights


def policy_of(entrant: Entrant, nats: int = 0) -> Policy:
    """Return the policy of the real drawings with an eraser and no limits."""
    data = Policy.load("glyphs").model_dump()
    changed = {
        "name": "bench",
        "eraser": {"name": entrant.eraser, **dict(entrant.settings)},
        "probes": {**data["probes"], "information": nats},
        "sampling": {"steps": SAMPLING.steps, "guidance": SAMPLING.guidance},
        "limits": (),
    }
    return Policy.of({**data, **changed}, "bench")


def made_by(
    entrant: Entrant,
    concepts: Sequence[Concept],
    watch: ProgressBars,
    *,
    nats: int = 0,
) -> Made:
    """Erase concepts together from the base; nothing is recorded."""
    at, policy = glyph_session(), policy_of(entrant, nats)
    plan = add.planned(at, add.AddRequest(tuple(concepts), policy, watch=watch))
    started = time.process_time()  # independent of other load
    if plan.eraser.joint:
        group = joint_set.group_of(at, plan.eraser).holding(concepts)
        _, found = joint_set.set_to(at, group, watch)
        assert found is not None
        delta = found
    else:
        delta = plan.eraser.erase(plan.request)
    seconds = time.process_time() - started
    base = at.model.base
    return Made(plan, delta, seconds, {**base, **state_after(base, [delta])})


def questions(concept: Concept, sizes: Sizes) -> dict[str, list[Case]]:
    """Return the cases of each question about one erasure."""
    name, gone = concept.name, (concept.name,)
    asked = {
        "own": glyph_cases.own(concept, sizes["own"]),
        "kept": glyph_cases.kept(gone, sizes["kept"]),
        "near": named(glyph_cases.siblings(concept), gone, sizes["near"]),
        "alike": named(glyph_cases.look_alikes(concept), gone, sizes["alike"]),
        "inside": named(glyph_cases.sharing_words(concept), gone, sizes["inside"]),
        "backgrounds": glyph_cases.backgrounds(gone, sizes["backgrounds"]),
    }
    if concept.slot == "style":
        return asked
    for kind, unseen in (("seen words", False), ("unseen words", True)):
        asked[kind] = glyph_cases.by_keyword(name, sizes[kind], unseen=unseen)
    return {**asked, "pairs": glyph_cases.pairs(name, sizes["pairs"])}


def named(names: Sequence[str], gone: Sequence[str], n: int) -> list[Case]:
    """Return cases of concepts, none without a name."""
    return glyph_cases.of_names(names, gone, n) if names and n else []


def counts_of(
    concept: Concept, weights: Weights, sizes: Sizes
) -> tuple[dict[str, list[int]], dict[str, Any]]:
    """Return the counts of each question, and the kept concept that lost most.

    Of the concept's own prompts the counts are of pictures that still show it.
    """
    asked = questions(concept, sizes)
    flat = [case for cases in asked.values() for case in cases]
    whole = Panel.of(flat, weights)
    panels, begin = {}, 0
    for question, cases in asked.items():
        part = slice(begin, begin + len(cases))
        panels[question] = Panel(cases, whole.now[part], whole.base[part])
        begin += len(cases)
    slot: Sight = "style" if concept.slot == "style" else "subject"
    other: Sight = "subject" if slot == "style" else "style"
    counts: dict[str, Count] = {
        q: panels[q].count(slot)
        for q in ("own", "seen words", "unseen words", "near", "alike", "inside")
        if q in panels
    }
    counts |= {
        "ira": panels["kept"].count(slot),
        "cra": panels["kept"].count(other),
        "background": panels["backgrounds"].count("colour"),
    }
    if "pairs" in panels:
        counts |= pair_counts(panels["pairs"], concept.name)
    return written(counts), worst_kept(panels, slot)


def pair_counts(panel: Panel, erased: str) -> dict[str, Count]:
    """Return the counts of the other subject of pairs, and of the erased one."""
    sides = {"left": panel.by_concept("left"), "right": panel.by_concept("right")}
    nothing = Count(0, 0, 0)
    gone = [found.pop(erased, nothing) for found in sides.values()]
    stays = [count for found in sides.values() for count in found.values()]
    return {
        "pairs": sum(stays, nothing),
        "erased of pairs": sum(gone, nothing),
    }


LEAST_SHOWN: Final = 4
"""Pictures of the base that show a concept, at least, for it to be the worst kept."""


def worst_kept(panels: Mapping[str, Panel], slot: Sight) -> dict[str, Any]:
    """Return the kept concept with the smallest share of the base's pictures left."""
    found: dict[str, Count] = {}
    for question in ("kept", "near", "alike", "inside"):
        for name, count in panels[question].by_concept(slot).items():
            found[name] = found.get(name, Count(0, 0, 0)) + count
    shown = {name: c for name, c in found.items() if c.base >= LEAST_SHOWN}
    if not shown:
        return {}
    worst = min(shown, key=lambda name: shown[name].now / shown[name].base)
    return {"concept": worst, "count": shown[worst].written()}


def nats_of(made: Made, n: int) -> dict[str, list[float | None]]:
    """Return readings in nats by name: now and by the base; empty where ``n`` is 0."""
    if not n:
        return {}
    look = made.plan.look
    runner = runner_for(glyph_session(), look.policy, look.book, look.panel.watch)
    found = runner.information(look.asked, made.weights)
    return {_called(r): [r.value, r.base] for r in found if r.probe in NATS}


def _called(reading: Reading) -> str:
    is_whole = reading.concept.startswith("(")
    return f"{reading.probe} {reading.concept}" if is_whole else reading.probe
