"""Processes that write to ledgers, or read them, until they are killed or time is up.

``python -m tests.ledger.nursery`` imports what it needs once. Each line it reads names
a role, a folder, a seed and a number of seconds; it answers with the id of the new
process that plays the role. ``wait ID`` answers when that process is gone.

A process writes what it was told has been done into a file of its own, one line at a
time: what stands there was acknowledged.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from tests.ledger.making import (
    base_weights,
    erase,
    erase_jointly,
    full_delta,
    record,
)
from unlearnlog.core.delta import state_digest
from unlearnlog.core.entry import Append, Drop
from unlearnlog.errors import LedgerError, LockBusy
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.repository import Repository

GROUP = ("monet", "picasso", "hokusai")


class Told:
    """What a process was told; it is on the disk's way before the next word."""

    def __init__(self, folder, role):
        self.path = folder / f"told.{role}.{os.getpid()}"

    def __call__(self, *words):
        with self.path.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")


def act(ledger, chance):
    """Do one thing of all that change a ledger; return the entry that it made."""
    which = chance.choice(["add", "add", "joint", "import", "revert", "collect"])
    chain = [entry for entry, _ in ledger.history(ledger.head)]
    if which == "joint":
        members = chance.sample(GROUP, chance.randrange(len(GROUP) + 1))
        return erase_jointly(ledger, members)
    if which == "import":
        delta = full_delta(chance.randrange(10**6))
        changes = (Append(object=delta.digest),)
        entry = record(ledger, changes, delta=delta, kind="import")
        return ledger.append(entry, delta)
    if which == "revert" and chain:
        drop, seed = Drop(entry=chance.choice(chain)), chance.randrange(10**6)
        return ledger.append(record(ledger, (drop,), kind="revert", seed=seed))
    if which == "collect":
        ledger.collect()
        return ledger.head
    return erase(ledger, chance.randrange(10**6))


def write(folder, seed, told, until):
    """Change the ledger, again and again; say what was acknowledged."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        try:
            told("done", act(Repository.open(folder), chance))
        except LockBusy:
            told("busy")
        except LedgerError as error:
            told("moved" if "the ledger moved" in error.message else f"! {error}")
        except ValueError as error:  # it moved while the entry was written
            told("moved" if "entry starts from" in str(error) else f"! {error}")


def read(folder, seed, told, until):
    """Read the ledger, again and again; say when anything was not whole."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        ledger = Repository.open(folder)
        head = ledger.head
        history = ledger.history(head)
        entry = chance.choice([None, *(entry for entry, _ in history)])
        state = state_digest(ledger.state(entry, base_weights()), ledger.base.root)
        moves = ledger.moves
        damage = ledger.fsck()
        if damage or state != ledger.state_digest(entry) or not moves:
            told("!", damage, entry, state)
        told("read", head)


def hold(folder, _seed, told, until):
    """Hold the lock."""
    with held(folder / ".unlearnlog"):
        told("held")
        time.sleep(max(0, until - time.monotonic()))


ROLES = {"write": write, "read": read, "hold": hold}


def born(role, folder, seed, seconds):
    """Play a role in a new process; return its id."""
    child = os.fork()
    if child:
        return child
    told = Told(Path(folder), role)
    try:
        until = time.monotonic() + float(seconds)
        ROLES[role](Path(folder), int(seed), told, until)
    except BaseException as error:
        told("!", type(error).__name__, repr(str(error)))
    finally:
        os._exit(0)


def main():
    for line in sys.stdin:
        words = line.split()
        if words[0] == "wait":
            os.waitpid(int(words[1]), 0)
            answer = words[1]
        else:
            answer = born(*words)
        print(answer, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
