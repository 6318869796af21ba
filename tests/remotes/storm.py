"""Clients that push to one remote and pull from it, and may be killed at any time.

``python -m tests.remotes.storm`` imports what it needs once. Each line that it reads,
``FOLDER SEED``, is one task of the client with that folder, in a process of its own; it
answers with the process's id. ``wait ID`` answers when that process is gone.

What a client was told has been done, it writes into a file before its next step.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tests.ledger.making import erase
from tests.ledger.nursery import Told
from unlearnlog import Ledger
from unlearnlog.errors import Diverged, LockBusy, RemoteError

TRIES = 6


def follow(ledger):
    """Go to where the remote is; what was never pushed there is given up."""
    try:
        ledger.pull()
    except Diverged:
        ledger.reset("origin/main")


def task(folder, seed, told):
    """Pull; then, most times, record an entry and push it."""
    ledger, chance = Ledger.open(folder), random.Random(seed)
    follow(ledger)
    told("pulled", ledger.chain.head)
    if chance.random() < 0.3:
        return
    for attempt in range(TRIES):
        entry = erase(ledger.chain, 1000 * seed + attempt)
        try:
            ledger.push()
        except Diverged:
            told("late", entry)
            follow(ledger)
        else:
            told("pushed", entry)
            return


def born(folder, seed):
    """Do a task in a new process; return its id."""
    import os

    child = os.fork()
    if child:
        return child
    told = Told(Path(folder).parent, "client")
    try:
        task(Path(folder), int(seed), told)
    except (RemoteError, LockBusy) as error:
        told("cut", type(error).__name__, repr(error.message))
    except BaseException as error:
        told("!", type(error).__name__, repr(str(error)))
    finally:
        os._exit(0)


def main():
    import os

    import torch

    torch.set_num_threads(1)
    for line in sys.stdin:
        first, second = line.split()
        if first == "wait":
            os.waitpid(int(second), 0)
            print(second, flush=True)  # noqa: T201
        else:
            print(born(first, second), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
