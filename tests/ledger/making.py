"""Small real ledgers for tests, and disks that fail on purpose."""

import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, Full, LowRank, state_after, state_digest
from unlearnlog.core.digest import digest_of
from unlearnlog.core.entry import (
    Append,
    DeltaRecord,
    Drop,
    Entry,
    SetGroup,
    StateRecord,
)
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.replay_plan import plan
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.repository import Repository

CREATED = "2026-01-01T00:00:00+00:00"
NOT_TRUTH = {"cache", "tmp", "lock", "lock.holder"}


def base_weights(dtype=torch.float16):
    random = torch.Generator().manual_seed(0)
    shapes = {"unet.a": (6, 4), "unet.b": (5, 4), "unet.c": (3, 4)}
    return {n: torch.randn(s, generator=random).to(dtype) for n, s in shapes.items()}


def some_delta(seed):
    random = torch.Generator().manual_seed(seed)
    left = 0.1 * torch.randn(6, 2, generator=random)
    right = torch.randn(2, 4, generator=random)
    value = 0.1 * torch.randn(5, 4, generator=random)
    return Delta({"unet.a": LowRank(left, right), "unet.b": Full(value)})


def new_ledger(folder, dtype=torch.float16, disk=None):
    manifest = BaseManifest.of("a tiny model", "sd1", base_weights(dtype))
    return Repository.init(folder, manifest, disk=disk or FakeDisk())


def next_entry(ledger, delta=None, changes=None, dtype=torch.float16, **changed):
    """Write the entry that an eraser's delta would get on top of the head."""
    head = ledger.head
    after = _after(ledger, delta, dtype) if "state" not in changed else {}
    record = delta and DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes)
    fields = {
        "parent": head,
        "kind": "erase",
        "concepts": (Concept("Picasso", "style"),),
        "eraser": EraserRecord(name="mim"),
        "seed": 0,
        "policy": "default",
        "changes": changes or (Append(object=delta.digest),),
        "delta": record,
        "state": StateRecord(
            before=ledger.state_digest(head),
            after=state_digest(after, ledger.base.root),
        ),
        "verdict": VerdictRecord(passed=True),
        "seconds": 1.0,
        "made_with": {"created": CREATED},
    }
    return Entry(**{**fields, **changed})


def _after(ledger, delta, dtype):
    deltas = [ledger.delta(digest) for digest in ledger.plan(ledger.head)]
    return state_after(base_weights(dtype), [*deltas, *([delta] if delta else [])])


def record(ledger, changes, *, delta=None, dtype=torch.float16, **fields):
    """Write the entry with any changes, and with the state that a replay gives."""
    before = ledger.state_digest(ledger.head)
    same_state = StateRecord(before=before, after=before)
    draft = next_entry(ledger, delta, changes, dtype, state=same_state, **fields)
    chain = [*(entry for _, entry in ledger.history(ledger.head)), draft]
    known = {delta.digest: delta} if delta else {}
    deltas = [known.get(digest) or ledger.delta(digest) for digest in plan(chain)]
    after = state_digest(state_after(base_weights(dtype), deltas), ledger.base.root)
    state = StateRecord(before=before, after=after)
    return next_entry(ledger, delta, changes, dtype, state=state, **fields)


def solved(members):
    """Return a joint group's delta: a pure function of the set of its concepts."""
    return some_delta(int(digest_of(" ".join(sorted(members)).encode())[:8], 16))


def erase_jointly(ledger, members, dtype=torch.float16):
    """Append the entry that gives the joint group another live set; return its id."""
    delta = solved(members) if members else None
    change = SetGroup(
        group="uce",
        eraser=EraserRecord(name="uce"),
        members=tuple(sorted(members)),
        object=delta.digest if delta else None,
    )
    entry = record(ledger, (change,), delta=delta, dtype=dtype, seed=len(members))
    return ledger.append(entry, *([delta] if delta else []))


def full_delta(seed):
    """Return what an import brings: every tensor, written out."""
    random = torch.Generator().manual_seed(seed)
    base = base_weights()
    return Delta(
        {n: Full(0.1 * torch.randn(t.shape, generator=random)) for n, t in base.items()}
    )


def replay_everything(folder, dtype=torch.float16):
    """Replay every entry that a branch or a tag leads to, from nothing."""
    ledger = Repository.open(folder, disk=FakeDisk())
    for entry in ledger.reachable():
        ledger.state(entry, base_weights(dtype), fresh=True)


def erase(ledger, seed, dtype=torch.float16):
    """Append an erasure to the ledger; return its id."""
    delta = some_delta(seed)
    return ledger.append(next_entry(ledger, delta, dtype=dtype), delta)


def revert(ledger, entry, deltas):
    """Append an entry that drops another, leaving these deltas; return its id."""
    after = state_digest(state_after(base_weights(), deltas), ledger.base.root)
    before = ledger.state_digest(ledger.head)
    return ledger.append(
        next_entry(
            ledger,
            kind="revert",
            changes=(Drop(entry=entry),),
            state=StateRecord(before=before, after=after),
        )
    )


def same(one, two):
    """Whether two states have the same names, dtypes and bits."""
    return one.keys() == two.keys() and all(
        one[name].dtype == two[name].dtype and torch.equal(one[name], two[name])
        for name in one
    )


def files(folder):
    """Read every file and folder of a ledger that holds something of value."""
    root = folder / ".unlearnlog"
    return {
        path.relative_to(root): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if path.relative_to(root).parts[0] not in NOT_TRUTH
    }


class Death(BaseException):
    """The process is gone: nothing catches this, and nothing works afterwards."""


class FakeDisk(Disk):
    """A real disk without the wait for the platter; counts what changes it.

    It remembers what a power cut could still take away: every name that was made,
    moved or removed since its folder was last flushed.
    """

    def __init__(self):
        self.n_changes = 0
        self.unsynced: list[tuple[Path, Callable[[], None]]] = []

    def before(self, _act):
        """Count one change; subclasses fail here."""
        self.n_changes += 1

    def after(self):
        """Be called after each change; subclasses fail here, too."""

    def write(self, path, data, *, durable=True):  # noqa: ARG002
        self.before(lambda: path.write_bytes(data[: len(data) // 2]))
        with path.open("xb") as file:
            file.write(data)
        self._remember(path.parent, lambda: path.unlink(missing_ok=True))
        self.after()

    def copy(self, source, target, *, durable=True):  # noqa: ARG002
        self.write(target, source.read_bytes())

    def patch(self, path, pieces):
        pieces = [*pieces]
        self.before(lambda: super(FakeDisk, self).patch(path, pieces[:1]))
        super().patch(path, pieces)
        self.after()

    def flush(self, handle):
        """Wait for no platter."""

    def replace(self, source, target):
        self.before(None)
        if source.is_dir():
            super().replace(source, target)
            self._remember(target.parent, lambda: target.replace(source))
        else:
            old = target.read_bytes() if target.exists() else None
            super().replace(source, target)
            self._remember(target.parent, lambda: _put_back(target, old))
        self.after()

    def sync(self, folder):
        self.before(None)
        self.unsynced = [(f, undo) for f, undo in self.unsynced if f != folder]
        self.after()

    def mkdir(self, folder):
        self.before(None)
        super().mkdir(folder)
        self._remember(folder.parent, lambda: shutil.rmtree(folder, ignore_errors=True))
        self.after()

    def unlink(self, path):
        self.before(None)
        old = path.read_bytes()
        super().unlink(path)
        self._remember(path.parent, lambda: _put_back(path, old))
        self.after()

    def rmdir(self, folder):
        self.before(None)
        super().rmdir(folder)
        self.after()

    def lose_power(self):
        """Take away all that was never flushed, newest first."""
        for _, undo in reversed(self.unsynced):
            undo()
        self.unsynced = []

    def _remember(self, folder, undo):
        self.unsynced.append((folder, undo))


def _put_back(path, old):
    if old is None:
        path.unlink(missing_ok=True)
    elif path.parent.is_dir():
        path.write_bytes(old)


# Right before change N is right after change N - 1.
DEATHS = [("halfway", False), ("after", False), ("after", True)]
"""When in a change to die, and whether the power goes, too."""


class DyingDisk(FakeDisk):
    """Dies at change N: halfway through it, or right after it."""

    def __init__(self, n, moment):
        super().__init__()
        self.n, self.moment, self.dead = n, moment, False

    def before(self, act):
        self._breathe()
        super().before(act)
        if self.n_changes == self.n and self.moment == "halfway":
            if act:
                act()
            self._die()

    def after(self):
        if self.n_changes == self.n:
            self._die()

    def read(self, path):
        self._breathe()
        return super().read(path)

    def names(self, folder):
        self._breathe()
        return super().names(folder)

    def _breathe(self):
        if self.dead:
            raise Death

    def _die(self):
        self.dead = True
        raise Death


class FailingDisk(FakeDisk):
    """Raises an error at change N: once, or from then on for all that takes room."""

    def __init__(self, n, error, lasting=False):
        super().__init__()
        self.n, self.error, self.lasting = n, error, lasting

    def before(self, act):
        super().before(act)
        full = self.lasting and self.n_changes > self.n and act is not None
        if self.n_changes == self.n or full:
            if act:
                act()
            raise self.error
