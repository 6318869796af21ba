"""A suite of measured cells is one file, and no writer loses what another measured."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.suite import RESULTS, WIDTH, Suite, laid_out

ROOT = Path(__file__).parents[1]
WRITER = """
import sys
import time
from pathlib import Path
from benchmarks.suite import Suite
path, who, n = sys.argv[1:]
for i in range(int(n)):
    Suite(Path(path)).put(f"{who}-{i}", {"value": i})
"""


@pytest.fixture
def suite(tmp_path):
    return Suite(tmp_path / "results" / "suite.json")


def test_a_cell_comes_back_to_the_bit_and_the_others_stay(suite):
    cell = {"a": 0.1 + 0.2, "b": [1e-300, -0.0, None, True], "c": {"d": "ö"}, "e": {}}

    suite.put("two", {"value": 2})
    suite.put("one", cell)
    suite.put("two", {"value": 3})

    assert suite.cells() == {"one": cell, "two": {"value": 3}}
    assert [*suite.cells()] == ["one", "two"]
    assert repr(suite.cells()["one"]["b"]) == repr(cell["b"])


def test_no_file_has_no_cells(suite):
    assert suite.cells() == {}


def test_what_changes_in_one_cell_changes_its_own_lines_alone(suite):
    rows = [{"probe": "ua", "value": i / 7, "n": 96} for i in range(40)]
    suite.put("a", {"made_of": {"weights": "0"}, "rows": rows})
    suite.put("b", {"rows": rows})
    before = suite.path.read_text(encoding="utf-8").splitlines()

    suite.put("b", {"rows": [{**rows[0], "value": 1.0}, *rows[1:]]})
    after = suite.path.read_text(encoding="utf-8").splitlines()

    assert len(before) == len(after) > 80
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert max(map(len, after)) <= WIDTH + 1


def test_two_processes_fill_one_suite_and_lose_nothing(suite):
    words = [sys.executable, "-c", WRITER, str(suite.path)]

    both = [subprocess.Popen([*words, who, "25"], cwd=ROOT) for who in "ab"]

    assert [each.wait(60) for each in both] == [0, 0]
    assert suite.cells().keys() == {f"{who}-{i}" for who in "ab" for i in range(25)}


def test_a_writer_that_is_killed_leaves_a_whole_file_behind(suite):
    words = [sys.executable, "-c", WRITER, str(suite.path), "a", "100000"]
    suite.put("long", {"values": [i / 7 for i in range(20_000)]})

    with subprocess.Popen(words, cwd=ROOT) as writer:
        while len(suite.cells()) < 4:
            time.sleep(0.01)
        writer.kill()

    n = len(suite.cells())
    assert suite.cells().keys() == {"long", *(f"a-{i}" for i in range(n - 1))}
    suite.put("next", {"value": 1})
    assert len(suite.cells()) == n + 1


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.slow if path.stem == "erasers" else ())
        for path in sorted(RESULTS.glob("*.json"))
    ],
    ids=lambda path: path.stem,
)
def test_what_is_checked_in_is_laid_out_as_it_is_written(path):
    text = path.read_text(encoding="utf-8")
    data = json.loads(text)

    if all(isinstance(each, dict) for each in data.values()):
        assert text == laid_out(data)
