"""Small ledgers with a remote in a folder, and stores that fail on purpose."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import torch

from tests.ledger.making import FailingDisk, FakeDisk, erase, new_ledger
from unlearnlog import Ledger
from unlearnlog.core.delta import Delta, LowRank
from unlearnlog.core.entry import Entry, EntryId, StateRecord
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.core.progress import NoProgress
from unlearnlog.ledger.repository import Repository
from unlearnlog.remotes.path_store import PathStore
from unlearnlog.remotes.remote_store import Connection
from unlearnlog.remotes.remote_url import remote_url

QUIET = NoProgress()


def shared(folder: Path, n: int = 2, name: str = "one") -> Ledger:
    """Return a ledger with erasures that its remote, the folder ``store``, has."""
    made = new_ledger(folder / name)
    for seed in range(n):
        erase(made, seed)
    ledger = Ledger.open(made.folder)
    ledger.add_remote("origin", str(folder / "store"))
    ledger.push()
    return ledger


def other(folder: Path, name: str = "two") -> Ledger:
    """Return a clone of the remote in the folder ``store``."""
    return Ledger.clone(str(folder / "store"), folder / name)


def more(ledger: Ledger, seed: int) -> EntryId:
    """Record one more erasure in a ledger; return its id."""
    made: EntryId = erase(Repository.open(ledger.folder, disk=FakeDisk()), seed)
    return made


@contextmanager
def at(folder: Path, disk=None):
    """Yield the connection to a folder."""
    store = PathStore(folder, disk or FakeDisk())
    yield Connection(store, remote_url(str(folder)), "origin")


def failing(n: int) -> FailingDisk:
    """Return a disk that cannot write from its change ``n`` on."""
    return FailingDisk(n, ConnectionResetError("the link is cut"), lasting=True)


def entry_at(ledger: Ledger, rev: str) -> Entry:
    """Return the entry of a revision, which is not the base."""
    found = ledger.show(rev)
    assert isinstance(found, Entry)
    return found


def files_below(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def long_history(folder, n):
    """Make a ledger of so many entries, of which few change a weight."""
    ledger = new_ledger(folder)
    erase(ledger, 0)
    head = ledger.head
    state = StateRecord(
        before=ledger.state_digest(head), after=ledger.state_digest(head)
    )
    model = ledger.entry(head)
    fields = {"kind": "audit", "changes": (), "delta": None, "state": state}
    made: list[Entry] = []
    with uncollected():
        for seed in range(1, n):
            entry = model.model_copy(
                update={**fields, "parent": made[-1].id if made else head, "seed": seed}
            )
            made.append(entry)
    store = ledger._store
    for entry in made:
        path = store.entry_path(entry.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.to_json())
    ledger.advance("main", head, made[-1].id if made else head, why="made")
    return Ledger.open(folder)


def big_delta(rank: int = 500) -> Delta:
    """Return a delta as large as one of the bundled model, 22 kB, or larger."""
    numbers = torch.Generator().manual_seed(1)
    left = 0.001 * torch.randn(6, rank, generator=numbers)
    right = torch.randn(rank, 4, generator=numbers)
    return Delta({"unet.a": LowRank(left, right)})
