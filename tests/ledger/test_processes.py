"""Real processes: killed while they write, two that write, many that read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ledger.making import (
    FakeDisk,
    erase,
    new_ledger,
    replay_everything,
)
from unlearnlog.errors import LockBusy
from unlearnlog.ledger.repository import Repository

ROOT = Path(__file__).parents[2]
LONG = 60
"""More seconds than any process of these tests lives."""


class Nursery:
    """The process that gives birth to the others; see `tests.ledger.nursery`."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        )

    def ask(self, *words):
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(*words, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def close(self):
        self.process.communicate()
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def nursery():
    made = Nursery()
    yield made
    made.close()


def told(folder, role="write"):
    """Return every whole line that processes of a role were told, by their files."""
    return {
        path.name: path.read_text().split("\n")[:-1]
        for path in sorted(folder.glob(f"told.{role}.*"))
    }


def acknowledged(lines):
    """Return the entries that were acknowledged, in order."""
    done = (line.removeprefix("done ") for line in lines if line.startswith("done "))
    found: list[str] = []
    for entry in done:
        if entry != "None" and entry not in found[-1:]:
            found.append(entry)
    return found


def kill_writers(nursery, folder, *, seed, times):
    """Kill writers of one ledger, one after another; look at it each time."""
    chance = random.Random(seed)
    new_ledger(folder)
    before: list[str] = []
    for i in range(times):
        child = nursery.ask("write", folder, seed * 1000 + i, LONG)
        time.sleep(chance.uniform(0, 0.25))
        os.kill(child, signal.SIGKILL)
        nursery.ask("wait", child)

        ledger = Repository.open(folder, disk=FakeDisk())
        chain = [entry for entry, _ in ledger.history(ledger.head)]
        lines = told(folder).get(f"told.write.{child}", [])
        known = [*before, *(e for e in acknowledged(lines) if e not in before)]
        assert not [line for line in lines if line.startswith("!")]
        assert "busy" not in lines  # the lock of the one before it is free
        assert chain[: len(known)] == known
        assert len(chain) - len(known) in (0, 1)  # killed before it was told
        assert ledger.fsck() == ()
        replay_everything(folder)
        before = [*chain]
    assert erase(Repository.open(folder), 1) == Repository.open(folder).head
    return before


def test_a_writer_that_is_killed_loses_nothing_that_it_was_told(nursery, tmp_path):
    chain = kill_writers(nursery, tmp_path, seed=1, times=6)

    assert chain


@pytest.mark.slow
def test_a_hundred_writers_that_are_killed_lose_nothing(nursery, tmp_path):
    n = 0
    for seed in range(10):
        (tmp_path / str(seed)).mkdir()
        n += len(kill_writers(nursery, tmp_path / str(seed), seed=seed, times=11))

    assert n > 110  # they were not all killed before they wrote


def compete(nursery, folder, *, writers, readers, seconds):
    """Let processes write and read one ledger at once; return what they were told."""
    new_ledger(folder)
    roles = ["write"] * writers + ["read"] * readers
    children = [nursery.ask(role, folder, i, seconds) for i, role in enumerate(roles)]
    for child in children:
        nursery.ask("wait", child)
    said = {**told(folder), **told(folder, "read")}
    assert len(said) == writers + readers
    assert not [line for lines in said.values() for line in lines if line[:1] == "!"]
    return said


def assert_nothing_is_lost_or_mixed(folder, said):
    """Each acknowledged entry is in the one chain once, in its writer's order."""
    ledger = Repository.open(folder)
    chain = [entry for entry, _ in ledger.history(ledger.head)]
    assert ledger.fsck() == ()
    replay_everything(folder)
    every = set()
    for name, lines in said.items():
        if name.startswith("told.write"):
            places = [chain.index(entry) for entry in acknowledged(lines)]
            assert places == sorted(places)
            every |= {chain[place] for place in places}
    assert every == set(chain)


def test_of_writers_at_once_one_wins_and_the_others_are_told(nursery, tmp_path):
    said = compete(nursery, tmp_path, writers=2, readers=0, seconds=1)

    lines = [line for each in said.values() for line in each]
    assert {"busy", "moved"} & set(lines)
    assert_nothing_is_lost_or_mixed(tmp_path, said)


def test_whoever_reads_while_others_write_sees_a_whole_ledger(nursery, tmp_path):
    said = compete(nursery, tmp_path, writers=1, readers=3, seconds=1.5)

    seen = {line for name, lines in said.items() if "read" in name for line in lines}
    assert len(seen) > 3  # more heads than one
    assert_nothing_is_lost_or_mixed(tmp_path, said)


@pytest.mark.slow
def test_ten_seconds_of_four_writers_and_eight_readers(nursery, tmp_path):
    said = compete(nursery, tmp_path, writers=4, readers=8, seconds=10)

    assert_nothing_is_lost_or_mixed(tmp_path, said)


def test_a_live_writer_is_busy_and_a_stopped_one_still_is(nursery, tmp_path):
    """A process that is stopped, not dead, keeps the lock; killed, it lets go."""
    ledger = new_ledger(tmp_path)
    child = nursery.ask("hold", tmp_path, 0, LONG)
    while not told(tmp_path, "hold"):
        time.sleep(0.01)
    os.kill(child, signal.SIGSTOP)

    with pytest.raises(LockBusy, match=f"process {child} on "):
        erase(ledger, 1)

    os.kill(child, signal.SIGKILL)
    nursery.ask("wait", child)
    assert erase(ledger, 1) == ledger.head
