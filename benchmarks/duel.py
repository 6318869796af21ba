"""Duels of erasers on one concept: with default settings, and at equal erasure."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console

from benchmarks.looks import N_DRIFT, Entrant, panel_of, readings_of
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.commands import add, joint_set
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import concept_id
from unlearnlog.core.delta import Delta, state_after
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.presets.preset_table import PRESET
from unlearnlog.probes.statistics import share
from unlearnlog.report.entry_tables import ProgressBars

LOOK: Final = {
    "erased": 6,
    "renamed": 0,
    "family": 0,
    "alike": 6,
    "kept": 1,
    "information": N_DRIFT,
    "nodes": 0,
}
"""Pictures of each cell: 96 of the concept and of its look-alike, 16 of the others."""

RESIDUAL: Final = 0.05
CLOSE: Final = (0.02, 0.10)
TRIES: Final = 3
STEP: Final = 32.0
STEPS: Final = {"strength": 2.0}
"""Factors between strengths while all are too weak, or all too strong: in general, and
by the name of the setting."""

SCREENS: Final = (32, 96)
"""Pictures of a try: the second number where the first do not show "too weak"."""


@dataclass(frozen=True)
class Duel:
    """One eraser, one concept."""

    entrant: Entrant
    concept: str

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"{self.entrant.label}-{concept_id(self.concept)}"

    @property
    def slot(self) -> str:
        """Whether it erases a style or a subject."""
        return world().concept(self.concept).slot

    @property
    def tries(self) -> int:
        """Number of strengths that are tried; a preset is measured unchanged."""
        return 1 if PRESET in dict(self.entrant.settings) else TRIES

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes and number of the measurements, which the cell is bound to."""
        said = {
            "look": LOOK,
            "tries": self.tries,
            "screen": SCREENS[-1],
            "close": CLOSE,
        }
        if ERASERS[self.entrant.eraser].knob in STEPS:
            said["step"] = STEPS[ERASERS[self.entrant.eraser].knob]
        return said

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase with default settings and at equal erasure, and return the readings."""
        with tempfile.TemporaryDirectory() as folder, ProgressBars(console) as bars:
            ring = Ring(open_session(Path(folder), may_create=True), self, bars)
            tries = searched(ring, self.tries)
            best = min(tries, key=off_target)
            first = tries[0]
            return {
                "eraser": self.entrant.eraser,
                "settings": ring.plan.eraser.settings,
                "concept": self.concept,
                "knob": ring.knob,
                "threads": torch.get_num_threads(),
                "tries": tries,
                "default": {**first, "readings": ring.read(first["strength"])},
                "equal": {
                    **best,
                    "reached": CLOSE[0] <= best["residual"]["value"] <= CLOSE[1],
                    "readings": ring.read(best["strength"]),
                },
            }


class Ring:
    """The deltas of an eraser for a concept by strength, and their residuals."""

    def __init__(self, at: Session, duel: Duel, bars: ProgressBars) -> None:
        """Set the concept and the eraser; nothing is painted yet."""
        self.at, self.duel = at, duel
        self.concept = at.world.concept(duel.concept)
        policy = duel.entrant.policy(LOOK)
        self.plan = add.plan_of(at, add.AddRequest((self.concept,), policy, watch=bars))
        self.panel = panel_of(policy, self.plan.look.book, bars)
        self.knob = self.plan.eraser.knob
        self._deltas: dict[float, tuple[Delta, float]] = {}
        self._read: dict[float, list[dict[str, Any]]] = {}

    @property
    def usual(self) -> float:
        """The default strength."""
        return float(self.plan.eraser.settings[self.knob])

    def delta(self, strength: float) -> tuple[Delta, float]:
        """Return the delta at a strength, and its processor time in s.

        A trained eraser is trained once: its strength is a factor of its delta.
        """
        if strength not in self._deltas:
            if self.knob == "strength" and strength != self.usual:
                delta, seconds = self.delta(self.usual)
                self._deltas[strength] = delta.times(strength / self.usual), seconds
            else:
                self._deltas[strength] = self._made(strength)
        return self._deltas[strength]

    def _made(self, strength: float) -> tuple[Delta, float]:
        policy = self.duel.entrant.policy(LOOK, **{self.knob: strength})
        eraser = policy.chosen_eraser({self.concept.slot})
        started = time.process_time()  # independent of other load
        if eraser.joint:
            group = joint_set.group_of(self.at, eraser).holding([self.concept])
            _, delta = joint_set.set_to(self.at, group)
            assert delta is not None
        else:
            delta = eraser.erase(self.plan.request)
        return delta, time.process_time() - started

    @cached_property
    def screen(self) -> list[ProbeCase]:
        """Prompts of the forget set, with latents that the erasure did not use."""
        prompts, kind = self.plan.request.forget[0], self.concept.kind
        style = kind == "style"
        return [
            ProbeCase(
                prompts[i % len(prompts)].text,
                1000 + i // len(prompts),
                "" if style else self.concept.name,
                self.concept.name if style else "",
            )
            for i in range(SCREENS[-1])
        ]

    def residual(self, strength: float) -> dict[str, Any]:
        """Return the share of pictures that still show the concept, with its interval.

        Where a few pictures show that a strength is too weak, the others are not
        painted: only the next strength depends on it.
        """
        few, all_of_them = SCREENS
        found = self._shown(strength, few)
        if found["low"] > CLOSE[1]:
            return found
        return self._shown(strength, all_of_them)

    def _shown(self, strength: float, n: int) -> dict[str, Any]:
        answers = self.panel.judged(
            self.screen[:n], self.weights(strength), "looking at the residual"
        )
        kind, name = self.concept.kind, self.concept.name
        found = share(sum(each.of(kind) == name for each in answers), len(answers))
        return {
            "value": found.value,
            "n": found.n,
            "low": found.low,
            "high": found.high,
        }

    def weights(self, strength: float) -> dict[str, torch.Tensor]:
        """Return every text projection after the erasure."""
        base = self.at.model.base
        return {**base, **state_after(base, [self.delta(strength)[0]])}

    def read(self, strength: float) -> list[dict[str, Any]]:
        """Return the readings of every probe."""
        if strength not in self._read:
            asked, new = self.plan.look.asked, self.weights(strength)
            self._read[strength] = readings_of(self.panel, asked, new)
        return self._read[strength]


def searched(ring: Ring, most: int = TRIES) -> list[dict[str, Any]]:
    """Return the strengths tried, with their residuals, the default first."""
    step = STEPS.get(ring.knob, STEP)
    strength, tries = ring.usual, list[dict[str, Any]]()
    while True:
        left = ring.residual(strength)
        delta, seconds = ring.delta(strength)
        tries.append(
            {
                "strength": strength,
                "residual": left,
                "seconds": round(seconds, 2),
                "bytes": delta.n_bytes,
            }
        )
        if CLOSE[0] <= left["value"] <= CLOSE[1] or len(tries) == most:
            return tries
        strength = next_strength(tries, step)


def next_strength(tries: list[dict[str, Any]], step: float) -> float:
    """Return the next strength to try.

    Between a strength that is too weak and one that is too strong, it is where the line
    through their log-odds over log strength meets the wanted residual; otherwise it is
    a step beyond the last one.
    """
    weak = [t for t in tries if too_much(t) > 0]
    strong = [t for t in tries if too_much(t) <= 0]
    if not weak:
        return min(float(t["strength"]) for t in strong) / step
    if not strong:
        return max(float(t["strength"]) for t in weak) * step
    one = max(weak, key=lambda t: t["strength"])
    other = min(strong, key=lambda t: t["strength"])
    part = too_much(one) / (too_much(one) - too_much(other))
    part = min(max(part, 0.1), 0.9)
    low, high = math.log(one["strength"]), math.log(other["strength"])
    return math.exp(low + part * (high - low))


def too_much(found: dict[str, Any]) -> float:
    """Return a residual less the wanted one, in log-odds."""
    residual = found["residual"]
    least = 1 / (2 * residual["n"])
    p = min(max(residual["value"], least), 1 - least)
    return math.log(p / (1 - p)) - math.log(RESIDUAL / (1 - RESIDUAL))


def off_target(found: dict[str, Any]) -> tuple[float, float]:
    """Return the distance of a try from the wanted residual, in log-odds.

    Of two at the same distance, the one nearer in strength comes first: the weaker one
    where too little is left, the stronger one where too much is.
    """
    off, strength = too_much(found), float(found["strength"])
    return abs(off), strength if off < 0 else -strength
