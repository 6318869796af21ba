"""How the strength of an eraser is searched, on erasers that are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console

from benchmarks.duel import CLOSE, TRIES, Duel, off_target, searched
from benchmarks.erasers import FOLDER, cells, made_of, path_of
from benchmarks.files import CellFile, computed_in, imported
from benchmarks.sequence import Sequence
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


def test_a_cell_is_of_the_code_of_its_own_eraser_and_of_no_other():
    files = {path.name for path in imported("unlearnlog.erasers.hybrid")}

    assert {"hybrid.py", "ridge.py", "uce.py", "mim.py", "training.py"} <= files
    assert "esd.py" not in files
    codes = {made_of(cell)["eraser"] for cell in cells()}
    assert len(codes) == len(list(cells()))


def test_what_a_file_computes_is_not_what_it_says_of_itself(tmp_path):
    one, two, other = (tmp_path / f"{name}.py" for name in ("one", "two", "other"))
    one.write_text('"""Doubles."""\n\ndef f(x):\n    """Twice."""\n    return 2 * x\n')
    two.write_text("def f(x):\n    return 2 * x  # twice\n")
    other.write_text("def f(x):\n    return 3 * x  # twice\n")

    assert computed_in(one) == computed_in(two) != computed_in(other)


def test_the_code_that_reads_is_written_down_and_only_asked_about_when_told(tmp_path):
    def cell(reads: str, eraser: str = "e") -> CellFile:
        return CellFile(
            tmp_path / "cell.json",
            lambda: {"eraser": eraser},
            lambda _: {"value": 1},
            lambda: reads,
        )

    cell("old").make(Console(quiet=True))

    assert cell("new").is_made()
    assert not cell("new").is_made(fresh=True)
    assert cell("old").is_made(fresh=True)
    assert not cell("old", "another").is_made()


def test_a_joint_eraser_ends_every_order_in_the_same_weights():
    ends: dict[str, set[str]] = {}
    for cell in cells():
        if isinstance(cell, Sequence) and path_of(cell).exists():
            data = json.loads(path_of(cell).read_text())
            if data.get("joint"):
                ends.setdefault(cell.entrant.label, set()).add(data["end"])

    assert ends
    assert all(len(digests) == 1 for digests in ends.values()), ends


def test_every_measured_cell_is_one_that_the_bench_knows():
    known = {path_of(cell) for cell in cells()}

    assert {*FOLDER.glob("*.json")} <= known
