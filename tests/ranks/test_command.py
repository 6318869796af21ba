"""Whole commands in two processes that accelerate starts, beside one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.golden.held import HERE
from tests.ranks.test_pair import environment
from tests.tiny import build_pipeline
from unlearnlog.api import Ledger

pytestmark = pytest.mark.slow

POLICY = """
name = "small"
judge = "base"
[eraser]
name = "esd"
steps = {steps}
n_pictures = 24
batch = 4
micro_batches = 2
[sampling]
steps = 2
guidance = 3.0
batch = 4
[probes]
erased = 2
renamed = 0
family = 0
kept = 1
information = 4
nodes = 1
[require]
base_presence = 0.0
"""
TWO = (
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
    *("-m", "unlearnlog"),
)
ONE = ("-m", "unlearnlog")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_pipeline(tmp_path_factory.mktemp("base") / "tiny")


def begun(folder: Path, base: Path, steps: int = 3) -> None:
    folder.mkdir()
    Ledger.init(folder, str(base))
    (folder / "small.toml").write_text(POLICY.format(steps=steps))
    (folder / "concepts.toml").write_text((HERE / "concepts.toml").read_text())


def started(folder: Path, how: tuple[str, ...], *words: str) -> subprocess.Popen[str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    }
    launch = list(how)
    if how is TWO:
        launch[2:2] = ["--main_process_port", environment()["MASTER_PORT"]]
    return subprocess.Popen(
        [sys.executable, *launch, *words, "--concepts", "concepts.toml"],
        cwd=folder,
        env={**own, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, how: tuple[str, ...], *words: str) -> tuple[int, str, str]:
    process = started(folder, how, *words)
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def recorded(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of a ledger, without what says who made them and when."""
    found = []
    for entry in Ledger.open(folder).entries():
        row = json.loads(entry.to_json())
        found.append({k: v for k, v in row.items() if k not in OWN})
    return found


OWN = {"made_with", "seconds", "parent"}
COMMANDS = {
    "add": ("add", "Picasso", "--policy", "small.toml", "--accept-undecided"),
    "probe": ("probe", "--policy", "small.toml", "--json"),
    "attack": ("attack", "--policy", "small.toml", "--attack", "recovery", "--record"),
}


@pytest.fixture(scope="module")
def both(base, tmp_path_factory):
    """The same commands in one process and in two."""
    place, found = tmp_path_factory.mktemp("both"), {}
    for name, how in (("one", ONE), ("two", TWO)):
        begun(place / name, base)
        found[name] = {
            command: run(place / name, how, *words)
            for command, words in COMMANDS.items()
        }
    return place, found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_in_two_processes_as_in_one(both, command):
    _, found = both
    (code, _, err), (wanted, _, _) = found["two"][command], found["one"][command]

    assert code in ({0} if wanted == 0 else {1, wanted}), err


def test_two_processes_record_what_one_records(both):
    place, _ = both

    assert recorded(place / "two") == recorded(place / "one") != []


def test_an_entry_says_how_many_processes_computed_it(both):
    place, _ = both

    made = [Ledger.open(place / name).entries()[0].made_with for name in ("one", "two")]

    assert "computed_by" not in made[0]
    assert made[1]["computed_by"] == "2 processes"


def test_readings_that_are_only_shown_are_equal_and_shown_once(both):
    _, found = both

    one, two = (json.loads(found[name]["probe"][1]) for name in ("one", "two"))

    assert one == two


def test_a_batch_that_cannot_be_shared_is_refused_with_the_number(base, tmp_path):
    begun(tmp_path / "odd", base)

    words = ("--set", "batch=5", "--set", "micro_batches=1")
    code, out, err = run(tmp_path / "odd", TWO, *COMMANDS["add"], *words)

    assert code
    assert not out
    assert "2 processes cannot share esd's batch of 5 evenly" in err
    assert "--set micro_batches=2 --set batch=6" in err
    assert err.count("cannot share") == 1
    assert recorded(tmp_path / "odd") == []


def test_a_process_that_is_killed_ends_the_command_without_an_entry(base, tmp_path):
    begun(tmp_path / "killed", base, steps=5000)
    process = started(tmp_path / "killed", TWO, *COMMANDS["add"])
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if line.startswith("erasing: "):
            break

    (other,) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.environ().get("RANK") == "1"
    ]
    other.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=120)

    assert process.returncode
    assert "nothing was recorded" in err, "".join(said) + err
    assert recorded(tmp_path / "killed") == []
