"""Sums of deltas that were needed before, so that a long history is not summed again.

Sums are exact, so any sum will do to begin with: what it lacks is added, what it has
too much is taken away, and the bits are those of summing from nothing. A sum may be
deleted at any time, and is never trusted: whoever uses one checks the digest of the
result. That costs nothing beyond what is done anyway, so a sum is not hashed each time
that it is read, as other pages of the cache are; `fsck --full` does it.
"""

from __future__ import annotations

import hmac
import json
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.ledger.path_safety import check_plain
from unlearnlog.ledger.user_key import own_key

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Delta, Weights
    from unlearnlog.ledger.disk import Disk

EVERY: Final = 32
"""After how many deltas a sum is kept: fewer are summed in a blink."""

ROOM: Final = 5 * 2**30
"""Bytes that kept sums may take: the newest stay, two of them in any case."""

_DELTAS: Final = "deltas"
_SEAL: Final = "seal"


@dataclass(frozen=True)
class NearestSum:
    """A sum and the few deltas between it and a plan's.

    Attributes:
        start: Float64 sums by tensor, as they were kept; empty when to begin with
            nothing is as near.
        missing: What it lacks.
        extra: What it has too much.
    """

    start: Weights
    missing: tuple[Digest, ...]
    extra: tuple[Digest, ...]

    @property
    def steps(self) -> tuple[tuple[Digest, ...], tuple[Digest, ...]]:
        """What is to be added, and what is to be taken away."""
        return self.missing, self.extra


@dataclass(frozen=True)
class SumCache:
    """The sums in one folder, under the digest of the deltas they sum up.

    Attributes:
        folder: Two levels below the ledger's.
        disk: The file system's operations.
        secret: Returns what the seals are keyed by.
    """

    folder: Path
    disk: Disk
    secret: Callable[[], bytes] = own_key

    def change(
        self,
        plan: Sequence[Digest],
        *,
        delta: Callable[[Digest], Delta],
        fresh: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Sum a plan's deltas, going on from the kept sum that is nearest to it.

        Args:
            plan: Digests of the deltas.
            delta: Reads one delta.
            fresh: Start from nothing, whatever there is.

        Returns:
            Float64 sums of all tensors touched; right if the kept sum was.
        """
        from unlearnlog.core.delta import add_deltas, change_after

        done, change = (Counter(), {}) if fresh else self._nearest(Counter(plan))
        extra = (done - Counter(plan)).elements()
        change = change_after((delta(digest).negated() for digest in extra), change)
        done &= Counter(plan)
        missing = _beyond(plan, done)
        for at in range(0, len(missing), EVERY):
            some = missing[at : at + EVERY]
            add_deltas(change, map(delta, some))
            done.update(some)
            if len(some) == EVERY:
                self.keep(done, change)
        return change

    def near(self, plan: Sequence[Digest]) -> NearestSum | None:
        """Find the kept sum nearest to a plan's; None when it is a long way off."""
        deltas, start = self._nearest(Counter(plan))
        missing = _beyond(plan, deltas)
        extra = tuple((deltas - Counter(plan)).elements())
        if len(missing) + len(extra) >= EVERY:
            return None
        return NearestSum(start, tuple(missing), extra)

    def keep(self, deltas: Counter[Digest], change: Weights) -> None:
        """Save the sum of some deltas, if the disk lets us."""
        from safetensors.torch import save

        with suppress(OSError):
            check_plain(self.folder.parents[1], self.folder)
            self.disk.lead_to(self.folder)
            names = canonical_json(sorted(deltas.elements()))
            seal = _seal(names, change, self.secret())
            data = save(dict(change), {_DELTAS: names.decode(), _SEAL: seal})
            path = self.folder / digest_of(names)
            self.disk.write_atomic(path, data, self.folder, durable=False)
            self._prune()

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Read every sum; find those that are no longer what was put there."""
        for path in self._paths():
            with suppress(FileNotFoundError):
                if why := _fault(path, self.secret()):
                    yield path, why

    def clear(self) -> None:
        """Remove every sum: one of them was not what it said."""
        for path in self._paths():
            with suppress(OSError):
                self.disk.unlink(path)

    def _nearest(
        self, wanted: Counter[Digest]
    ) -> tuple[Counter[Digest], dict[str, torch.Tensor]]:
        """Find the sum from which the fewest deltas lead to those wanted.

        Returns:
            The deltas it sums up, and the float64 sums; none when to begin with
            nothing is as near.
        """
        steps, nearest, deltas = wanted.total(), None, Counter[Digest]()
        for path in self._paths():
            there = _deltas_of(path)
            if there is None:
                continue
            there_steps = _steps(there, wanted)
            if there_steps < steps:
                steps, nearest, deltas = there_steps, path, there
        change = None if nearest is None else self._read(nearest)
        return (Counter(), {}) if change is None else (deltas.copy(), change)

    def _paths(self) -> list[Path]:
        """List the sums, newest first."""
        aged, root = [], self.folder.parents[1]
        with suppress(OSError):  # a link, or not there
            check_plain(root, self.folder)
            names = self.disk.names(self.folder)
            for path in (self.folder / name for name in names):
                with suppress(OSError):  # a link; or somebody else removed it
                    found = check_plain(root, path)
                    if found and stat.S_ISREG(found.st_mode):
                        aged.append((found.st_mtime_ns, path))
        return [path for _, path in sorted(aged, reverse=True)]

    def _read(self, path: Path) -> dict[str, torch.Tensor] | None:
        """Read one sum, or nothing when it is not what it should be."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        with suppress(OSError, SafetensorError, ValueError, KeyError, RuntimeError):
            change = load_file(path)  # mapped, not copied
            fits = (tensor.dtype is torch.float64 for tensor in change.values())
            return change if all(fits) else None
        return None

    def _prune(self) -> None:
        """Remove the oldest sums beyond the room there is."""
        taken = 0
        for i, path in enumerate(self._paths()):
            taken += path.stat().st_size
            if i > 1 and taken > ROOM:
                self.disk.unlink(path)


def _steps(one: Counter[Digest], other: Counter[Digest]) -> int:
    """Count the deltas that one has and the other has not."""
    n_one, n_other = one.total(), other.total()
    if n_one == len(one) and n_other == len(other):  # none is in it twice
        return n_one + n_other - 2 * len(one.keys() & other.keys())
    return ((one - other) + (other - one)).total()


def _beyond(plan: Sequence[Digest], done: Counter[Digest]) -> list[Digest]:
    """Return what of a plan is not done, in the plan's order."""
    left = done.copy()
    missing = []
    for digest in plan:
        if left[digest]:
            left[digest] -= 1
        else:
            missing.append(digest)
    return missing


def _deltas_of(path: Path) -> Counter[Digest] | None:
    """Read which deltas a file says it sums up; None when it says nothing."""
    with suppress(OSError):
        found = path.stat()
        return _said_by(path, found.st_mtime_ns, found.st_size)
    return None


@lru_cache(maxsize=128)
def _said_by(path: Path, _changed: int, _size: int) -> Counter[Digest] | None:
    """Read it once for all; a file that was written anew is read anew."""
    from safetensors import SafetensorError, safe_open

    with suppress(OSError, SafetensorError, ValueError, KeyError, TypeError):
        with safe_open(path, framework="pt") as file:
            said = file.metadata()[_DELTAS]
        if digest_of(said.encode()) == path.name:
            return Counter(json.loads(said))
    return None


def _fault(path: Path, secret: bytes) -> str:
    """Say in what way a file is not the sum that was kept; empty where it is."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata()
        change = load(path.read_bytes())
        if said[_SEAL] == _seal(said[_DELTAS].encode(), change, secret):
            return ""
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        return f"it is no sum: {error}"
    return "its content is not what was written"


def _seal(names: bytes, change: Weights, secret: bytes) -> str:
    """Return a keyed digest over a sum: its deltas, and its numbers by tensor."""
    from unlearnlog.core.delta import raw_bytes

    seal = hmac.new(secret, names, "sha256")
    for name in sorted(change):
        tensor = change[name]
        seal.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        seal.update(raw_bytes(tensor))
    return seal.hexdigest()
