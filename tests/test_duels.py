"""How the strength of an eraser is searched, on erasers that are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.duel import CLOSE, TRIES, Duel, off_target, searched
from benchmarks.erasers import SUITE, cells, made_of
from benchmarks.making import same_values
from benchmarks.sequence import Sequence
from benchmarks.witnesses import WITNESSES
from unlearnlog.core.delta import Delta
from unlearnlog.erasers.eraser_table import ERASERS


class Slope:
    """A ring in which a concept shows less the stronger it is erased."""

    def __init__(self, half: float, usual: float, knob: str = "erase_scale") -> None:
        self.half, self.usual, self.knob = half, usual, knob

    def residual(self, strength: float) -> dict[str, Any]:
        return {"value": 1 / (1 + (strength / self.half) ** 2), "n": 96}

    def delta(self, strength: float) -> tuple[Delta, float]:  # noqa: ARG002
        return Delta({}), 0.0


@pytest.mark.parametrize("half", [0.02, 0.1, 0.4, 1.0, 3.0, 12.0])
@pytest.mark.parametrize("knob", ["strength", "erase_scale"])
def test_the_search_begins_at_the_default_and_comes_nearer(half, knob):
    ring: Any = Slope(half, 1.0, knob)

    tries = searched(ring)

    assert tries[0]["strength"] == 1.0
    assert len(tries) <= TRIES
    best = min(tries, key=off_target)
    assert off_target(best)[0] <= off_target(tries[0])[0]
    if len(tries) < TRIES:
        assert CLOSE[0] <= tries[-1]["residual"]["value"] <= CLOSE[1]


def test_between_too_weak_and_too_strong_a_line_is_drawn():
    ring: Any = Slope(2.0, 1.0)

    tries = searched(ring)

    assert [t["strength"] for t in tries[:2]] == [1.0, 32.0]
    assert tries[2]["residual"]["value"] == pytest.approx(0.05, abs=0.03)
    assert CLOSE[0] <= tries[-1]["residual"]["value"] <= CLOSE[1]


def test_where_nothing_is_left_the_weakest_is_taken():
    tries = [
        {"strength": s, "residual": {"value": 0.0, "n": 96}} for s in (1.0, 0.25, 0.06)
    ]

    assert min(tries, key=off_target)["strength"] == 0.06


def test_every_eraser_meets_every_concept_and_lives_a_sequence():
    made = list(cells())
    duels = {(c.entrant.label, c.concept) for c in made if isinstance(c, Duel)}

    assert len({c.name for c in made}) == len(made)
    for name in ERASERS:
        assert sum(label == name for label, _ in duels) == 4
        assert any(c.name == f"{name}-sequence-1" for c in made)


def test_a_cell_is_of_its_own_eraser_its_settings_and_what_is_erased():
    said = [made_of(cell).written(lambda it: it.name) for cell in cells()]

    assert len({json.dumps(each, sort_keys=True) for each in said}) == len(said)
    assert all(each["computed"].keys() == {"eraser"} for each in said)


def test_what_is_stored_is_of_what_is_computed_today():
    known = {cell.name: cell for cell in cells()}

    for name, cell in SUITE.cells().items():
        today = made_of(known[name])
        assert same_values(cell["made_of"], today.written(WITNESSES.digest)), name


def test_a_joint_eraser_ends_every_order_in_the_same_weights():
    ends: dict[str, set[str]] = {}
    measured = SUITE.cells()
    for cell in cells():
        if isinstance(cell, Sequence) and cell.name in measured:
            data = measured[cell.name]
            if data.get("joint"):
                ends.setdefault(cell.entrant.label, set()).add(data["end"])

    assert ends
    assert all(len(digests) == 1 for digests in ends.values()), ends


def test_every_measured_cell_is_one_that_the_bench_knows():
    known = {cell.name for cell in cells()}

    assert SUITE.cells().keys() <= known
