"""A cell is stale when something else is computed, not when it is spelt otherwise."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import witnesses
from benchmarks.computed import (
    attack_witness,
    eraser_witness,
    reading_witness,
    tuning_witness,
)
from benchmarks.erasers import SUITE, cells
from benchmarks.making import MadeOf, Measured
from benchmarks.suite import Suite
from benchmarks.witnesses import (
    WITNESSES,
    Witness,
    Witnesses,
    agree,
    lines_of,
    row_digest,
    sketch,
    with_one_thread,
)
from unlearnlog.erasers.eraser_table import ERASERS

ROOT = Path(__file__).parents[1]
ROW = {"Picasso: k": (10.0, -3.0, 0.01), "cat: k": (2.0, 1.0)}


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Rows in a folder of their own, nothing computed yet."""
    table = Witnesses(Suite(tmp_path / "witnesses.json"))
    monkeypatch.setattr(witnesses, "WITNESSES", table)
    monkeypatch.setattr(witnesses, "_TODAY", {})
    return table


def moved(by):
    return {**ROW, "Picasso: k": (10.0, -3.0, 0.01 + by)}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ROW, True),
        (moved(0.19), True),
        (moved(0.21), False),
        (moved(-0.21), False),
        (moved(float("nan")), False),
        ({**ROW, "cat: k": (2.0,)}, False),
        ({"Picasso: k": ROW["Picasso: k"]}, False),
        ({**ROW, "dog: k": (0.0,)}, False),
    ],
)
def test_rows_agree_to_a_fiftieth_of_the_largest_number_of_a_line(other, same):
    assert agree(ROW, other) is same
    assert agree(other, ROW) is same


@pytest.mark.parametrize(("by", "same"), [(0.001, True), (0.05, False)])
def test_a_sketch_sees_a_change_in_whatever_direction(by, same):
    source = torch.Generator().manual_seed(1)
    one, way = (torch.randn(40, 30, generator=source) for _ in range(2))

    other = one + by * way

    assert agree({"it": sketch(one)}, {"it": sketch(other)}) is same
    assert sketch(one) == sketch(one.clone())
    assert sketch(torch.zeros(3)) == (0.0,) * 4


def test_numbers_of_an_object_are_measures_and_counts():
    data = {"a": {"value": 0.5, "low": 0.25, "n": 4, "of": "cat"}, "b": [{"k": 1.0}, 2]}

    assert dict(lines_of(data)) == {
        "a": (0.5, 0.25),
        "a counts": (4.0,),
        "b counts": (2.0,),
        "b 0": (1.0,),
    }


def test_a_row_that_agrees_stays_and_one_that_does_not_is_replaced(known):
    first = known.confirmed(Witness("it", lambda: ROW))

    assert known.confirmed(Witness("it", lambda: moved(0.19))) == first
    assert known.known("it") == ROW
    second = known.confirmed(Witness("it", lambda: moved(0.5)))

    assert second == row_digest(moved(0.5)) != first
    assert known.known("it") == moved(0.5)


@pytest.mark.usefixtures("known")
def test_a_cell_is_stale_once_its_witness_or_one_of_its_values_differs(
    tmp_path, monkeypatch
):
    row, reads = ROW, ROW
    plain: dict[str, Any] = {"settings": {"ridge": 1.0}}

    def cell():
        monkeypatch.setattr(witnesses, "_TODAY", {})
        return Measured(
            Suite(tmp_path / "suite.json"),
            "cell",
            lambda: MadeOf(plain, {"eraser": Witness("it", lambda: row)}),
            lambda _: {"value": 1},
            Witness("reads", lambda: reads),
        )

    assert not cell().is_made()
    cell().make(_Quiet())

    assert cell().is_made(fresh=True)
    reads = moved(1.0)
    assert cell().is_made()
    assert not cell().is_made(fresh=True)
    plain = {"settings": {"ridge": 1.0, "later": 0}}
    assert cell().is_made()  # what a setting that came later does, the witness says
    plain = {"settings": {"ridge": 2.0}}
    assert not cell().is_made()
    plain = {"settings": {"ridge": 1.0}, "weights": "others"}
    assert not cell().is_made()
    plain = {"settings": {"ridge": 1.0}}
    assert cell().is_made()
    row = moved(1.0)
    assert not cell().is_made()


@pytest.mark.usefixtures("known")
def test_nothing_is_computed_for_a_cell_of_other_values():
    def computed():
        raise AssertionError

    made = MadeOf({"weights": "new"}, {"eraser": Witness("it", computed)})

    assert not made.is_of({"weights": "old", "computed": {"eraser": "0"}})
    assert not made.is_of({"weights": "new", "code": "of an older rule"})


def test_every_witness_is_named_in_the_words_of_the_field():
    kinds = ("eraser ", "attack ", "fine-tune ")

    for name in WITNESSES.suite.cells():
        if name not in ("readings", "edges", "judges"):
            assert name.startswith(kinds)
        if name.startswith("eraser "):
            assert name.split()[1] in ERASERS


def agrees(witness: Witness) -> bool:
    """Say whether what is computed now is what the checked-in row says."""
    row = WITNESSES.known(witness.name)
    return row is not None and agree(row, with_one_thread(witness.computed))


@pytest.mark.slow
@pytest.mark.parametrize(
    "witness",
    [
        *(eraser_witness(name) for name in ERASERS),
        *(attack_witness(name) for name in ("recovery", "inversion", "prefix")),
        tuning_witness("target:5", "full"),
        tuning_witness("unrelated", "lora"),
        reading_witness(),
    ],
    ids=lambda witness: witness.name,
)
def test_what_is_computed_today_is_what_the_cells_are_bound_to(witness):
    assert agrees(witness)


ASKED = (
    *("ridge", "uce", "speed", "oce", "rece", "scapre", "mace"),
    *("cure", "double-projection", "esd", "hardened"),
)
"""Those that take seconds, what is built on them, and one that is trained."""

PROGRAM = """
import json, sys
from benchmarks.erasers import cells, measured_of
print(json.dumps([c.name for c in cells() if c.entrant.eraser in sys.argv[1:]
                  and measured_of(c).cell and not measured_of(c).is_made()]))
"""


@pytest.fixture
def copy(tmp_path):
    """The project's code and cells in a folder of their own."""
    for name in ("unlearnlog", "benchmarks", "policies"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def stale_in(copy):
    """Return which cells of a few erasers are out of date, to the code of a copy."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *ASKED],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def file_of(copy, eraser):
    module = ERASERS[eraser].__module__
    return copy.joinpath(*module.split(".")).with_suffix(".py")


@pytest.mark.slow
def test_a_new_name_for_a_file_and_a_class_makes_no_cell_stale(copy):
    kind = ERASERS["ridge"]
    named = kind.__module__.rpartition(".")[0] + ".tame"
    file_of(copy, "ridge").rename(file_of(copy, "ridge").with_name("tame.py"))
    for path in copy.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(rf"\b{re.escape(kind.__module__)}\b", named, text)
        path.write_text(re.sub(rf"\b{kind.__name__}\b", "Tame", text), encoding="utf-8")

    assert stale_in(copy) == set()


@pytest.mark.slow
def test_another_factor_in_a_formula_makes_the_cells_of_its_eraser_stale(copy):
    path, was = file_of(copy, "cure"), "Factors(-(old @ left), right)"
    text = path.read_text(encoding="utf-8")
    assert was in text
    changed = text.replace(was, "Factors(-1.05 * (old @ left), right)")
    path.write_text(changed, encoding="utf-8")

    own = {each.name for each in cells() if each.entrant.eraser == "cure"}
    assert stale_in(copy) == own & SUITE.cells().keys()


class _Quiet:
    """A console that says nothing."""

    def print(self, *_):
        pass
