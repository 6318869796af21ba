"""``make bench``, second part: every eraser on the same concepts.

A *duel* erases one concept on the base with each eraser, as its defaults have it and at
equal erasure: its strength is searched, in three tries at most, until about one in
twenty pictures still shows the concept, on prompts of the forget set; what is read then
comes from the probes' own prompts. A *sequence* erases styles one after another. Each
cell is a file; one that is there is left alone while the weights, the eraser's own code
and the code that reads are the same.
"""

from __future__ import annotations

import ast
import math
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console

from benchmarks.__main__ import ALONE, COARSE, LEAN, RESULTS, added
from benchmarks.files import CellFile, make_missing
from unlearnlog.atelier.studio import base_answers
from unlearnlog.atelier.world import world
from unlearnlog.cell import Cell
from unlearnlog.concept import concept_id
from unlearnlog.delta import Delta, state_after
from unlearnlog.digest import canonical_json, digest_of
from unlearnlog.erasers import ERASERS
from unlearnlog.policy import Policy
from unlearnlog.probes.statistics import share
from unlearnlog.report.terminal import Bars
from unlearnlog.resources import PACKAGE
from unlearnlog.run import erase, joint
from unlearnlog.run.place import Place, place

FOLDER: Final = RESULTS / "erasers"
ALSO: Final = {
    "esd-context": ("esd", (("target", "context"),)),
    "sdd-context": ("sdd", (("target", "context"),)),
    "ridge-context": ("ridge", (("target", "context"),)),
    "mim-unique-parent": ("mim-unique", (("target", "parent"),)),
}
"""Rows beside those of the defaults: a label, an eraser, its settings."""

LONG: Final = ("mim", "mim-unique", "uce", "speed", "oce", "ridge", "hybrid")
N_ORDERS: Final = 5
N_SHORT: Final = 6
STEP: Final = {**LEAN, "erased": 2, "earlier": 1}
END: Final = {**LEAN, "earlier": 6, "kept": 6, "information": 16}
"""Pictures of each cell after a step of a sequence, and after its last one."""

RESIDUAL: Final = 0.05
CLOSE: Final = (0.02, 0.10)
TRIES: Final = 3
N_SCREEN: Final = 96

_READS: Final = ("graph", "judges", "model", "probes", "atelier")


@dataclass(frozen=True)
class Entrant:
    """An eraser with settings, under a label."""

    label: str
    eraser: str
    settings: tuple[tuple[str, Any], ...] = ()

    def policy(self, probes: dict[str, int], **settings: float) -> Policy:
        """Return the default policy with this eraser, these probes and no limits."""
        data = Policy.load("default").model_dump()
        chosen = {"name": self.eraser, **dict(self.settings), **settings}
        probes = {**data["probes"], **probes}
        return Policy.of(
            {**data, "name": "bench", "eraser": chosen, "probes": probes, "limits": ()},
            "bench",
        )


@dataclass(frozen=True)
class Duel:
    """One eraser, one concept."""

    entrant: Entrant
    concept: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.entrant.label}-{concept_id(self.concept)}"

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase as the defaults have it and at equal erasure, and read both."""
        with tempfile.TemporaryDirectory() as folder, Bars(console) as bars:
            ring = Ring(place(Path(folder), may_create=True), self, bars)
            tries = searched(ring)
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
    """Where an eraser meets a concept: deltas by strength, and what they show."""

    def __init__(self, at: Place, duel: Duel, bars: Bars) -> None:
        """Say what there is to erase; nothing is painted yet."""
        self.at, self.duel = at, duel
        self.concept = at.world.concept(duel.concept)
        self.order = erase.Order(
            (self.concept,), duel.entrant.policy(COARSE), watch=bars
        )
        self.plan = erase.plan_of(at, self.order)
        self.knob = self.plan.eraser.knob
        self._deltas: dict[float, tuple[Delta, float]] = {}
        self._read: dict[float, list[dict[str, Any]]] = {}

    @property
    def usual(self) -> float:
        """The default strength."""
        return float(self.plan.eraser.settings[self.knob])

    def delta(self, strength: float) -> tuple[Delta, float]:
        """Return the change at a strength, and the seconds that it took.

        What was trained is not trained again: its strength is a factor of its change.
        """
        if strength not in self._deltas:
            if self.knob == "strength" and strength != self.usual:
                delta, seconds = self.delta(self.usual)
                self._deltas[strength] = delta.times(strength / self.usual), seconds
            else:
                self._deltas[strength] = self._made(strength)
        return self._deltas[strength]

    def _made(self, strength: float) -> tuple[Delta, float]:
        policy = self.duel.entrant.policy(COARSE, **{self.knob: strength})
        eraser = policy.chosen_eraser()
        started = time.monotonic()
        if eraser.joint:
            group = joint.group_of(self.at, eraser).holding([self.concept])
            _, delta = joint.set_to(self.at, group)
            assert delta is not None
        else:
            delta = eraser.erase(self.plan.request)
        return delta, time.monotonic() - started

    @cached_property
    def screen(self) -> list[Cell]:
        """Prompts of the forget set, from latents that it never began with."""
        prompts, kind = self.plan.request.forget[0], self.concept.kind
        style = kind == "style"
        return [
            Cell(
                prompts[i % len(prompts)].text,
                1000 + i // len(prompts),
                "" if style else self.concept.name,
                self.concept.name if style else "",
            )
            for i in range(N_SCREEN)
        ]

    def residual(self, strength: float) -> dict[str, Any]:
        """Return how often the concept still shows, with its interval."""
        answers = self.plan.look.panel.judged(
            self.screen, self.weights(strength), "looking at the residual"
        )
        kind, name = self.concept.kind, self.concept.name
        hits = sum(answer.of(kind) == name for answer in answers)
        found = share(hits, len(answers))
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
        """Return what every probe reads."""
        if strength not in self._read:
            readings = self.plan.look.readings(self.weights(strength))
            self._read[strength] = [r.model_dump(mode="json") for r in readings]
        return self._read[strength]


def searched(ring: Ring) -> list[dict[str, Any]]:
    """Return the strengths that were tried, with what each left, the default first."""
    step = 4.0 if ring.knob == "strength" else 32.0
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
        if CLOSE[0] <= left["value"] <= CLOSE[1] or len(tries) == TRIES:
            return tries
        strength = next_strength(tries, step)


def next_strength(tries: list[dict[str, Any]], step: float) -> float:
    """Return where to look next.

    Between a strength that is too weak and one that is too strong it is where a line
    through their log-odds over the logarithm of the strength meets the wanted residual;
    otherwise it is a step beyond the last one.
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
    """Return how far a try's residual is above the wanted one, in log-odds."""
    residual = found["residual"]
    least = 1 / (2 * residual["n"])
    p = min(max(residual["value"], least), 1 - least)
    return math.log(p / (1 - p)) - math.log(RESIDUAL / (1 - RESIDUAL))


def off_target(found: dict[str, Any]) -> tuple[float, float]:
    """Return how far a try is from the wanted residual, in log-odds.

    Of two that are as far, the one nearer in strength comes first: the weaker one where
    too little is left, the stronger one where too much is.
    """
    off, strength = too_much(found), float(found["strength"])
    return abs(off), strength if off < 0 else -strength


@dataclass(frozen=True)
class Sequence:
    """Styles erased one after another by one eraser, in one of the orders."""

    entrant: Entrant
    order: int
    n: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.entrant.label}-sequence-{self.order}"

    def measured(self, console: Console) -> dict[str, Any]:
        """Live the history in an empty folder."""
        styles = list(world().styles)
        random.Random(self.order).shuffle(styles)
        sizes = [STEP] * (self.n - 1) + [END]
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            for style, probes in zip(styles[: self.n], sizes, strict=True):
                with Bars(console) as bars:
                    rules = self.entrant.policy(probes)
                    rows.append(added(Path(folder), (style,), rules, bars))
        return {"eraser": self.entrant.eraser, "rows": rows}


def entrants() -> list[Entrant]:
    """Return every eraser with its defaults, and some with other settings."""
    usual = [Entrant(name, name) for name in ERASERS]
    return usual + [Entrant(label, *said) for label, said in ALSO.items()]


def cells() -> Iterator[Duel | Sequence]:
    """Yield every cell: first what is fast, then what is asked most of."""
    all_of = sorted(entrants(), key=lambda e: not ERASERS[e.eraser].joint)
    yield from (Duel(each, concept) for each in all_of for concept in ALONE)
    n = len(world().styles)
    for order in range(1, N_ORDERS + 1):
        for each in all_of:
            if each.label in LONG:
                yield Sequence(each, order, n)
            elif each.label in ERASERS and order == 1:
                yield Sequence(each, order, N_SHORT)


def made_of(cell: Duel | Sequence) -> dict[str, str]:
    """Return digests of the weights and of all code that decides a cell's results."""
    entrant = cell.entrant
    code = code_of(ERASERS[entrant.eraser].__module__)
    said = [code, entrant.eraser, [*map(list, entrant.settings)], cell.name]
    return {"weights": base_answers().root, "code": digest_of(canonical_json(said))}


@cache
def code_of(module: str) -> dict[str, str]:
    """Return digests of all code that an eraser and its readings come from."""
    files = [p for part in _READS for p in (PACKAGE / part).rglob("*.py")]
    files = [p for p in files if "recipe" not in p.parts]
    files += [PACKAGE / f"{name}.py" for name in ("nats", "patch", "delta")]
    files += [PACKAGE / "run" / "measure.py", *imported(module)]
    return {str(p.relative_to(PACKAGE)): digest_of(p.read_bytes()) for p in files}


def imported(module: str) -> list[Path]:
    """Return the files of an eraser's module and of the erasers' that it imports."""
    found: dict[str, Path] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name in found or not name.startswith("unlearnlog.erasers."):
            continue
        found[name] = PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
        tree = ast.parse(found[name].read_text(encoding="utf-8"))
        wanted += [
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
        ]
    return [found[name] for name in sorted(found)]


def path_of(cell: Duel | Sequence) -> Path:
    """Return where a cell's results are."""
    return FOLDER / f"{cell.name}.json"


def file_of(cell: Duel | Sequence) -> CellFile:
    """Return the file of a cell."""
    return CellFile(path_of(cell), lambda: made_of(cell), cell.measured)


def main() -> None:
    """Make what is missing or out of date."""
    make_missing(map(file_of, cells()), __doc__)


if __name__ == "__main__":
    main()
