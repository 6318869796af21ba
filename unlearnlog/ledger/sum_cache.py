"""The cache of sums of deltas, so that a long history is not summed again.

Sums are exact, so any sum is a valid start: missing deltas are added, extra ones are
subtracted, and the bits are those of a sum from zero. A sum may be deleted at any time,
and is never trusted: its user checks the digest of the result, which is needed anyway.
So a sum is not hashed each time that it is read, as other pages of the cache are;
`fsck --full` does that.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.ledger.user_key import own_key

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Delta, Weights
    from unlearnlog.ledger.cache_folder import CacheFolder

EVERY: Final = 32
"""Number of deltas after which a sum is stored: fewer are summed quickly."""

ROOM: Final = 5 * 2**30
"""Bytes that stored sums may take: the newest stay."""

_KEPT: Final = 2  # in any case

_DELTAS: Final = "deltas"
_SEAL: Final = "seal"


@dataclass(frozen=True)
class NearestSum:
    """A stored sum and the few deltas between it and the sum of a plan.

    Attributes:
        start: Float64 sums by tensor, as stored; empty when zero is as near.
        missing: Deltas to add to it.
        extra: Deltas to subtract from it.
    """

    start: Weights
    missing: tuple[Digest, ...]
    extra: tuple[Digest, ...]

    @property
    def steps(self) -> tuple[tuple[Digest, ...], tuple[Digest, ...]]:
        """The deltas to add and those to subtract."""
        return self.missing, self.extra


@dataclass(frozen=True)
class SumCache:
    """The sums in one folder, each named by the digest of its deltas.

    Attributes:
        folder: The folder.
        secret: Returns the key of the seals.
    """

    folder: CacheFolder
    secret: Callable[[], bytes] = own_key

    def change(
        self,
        plan: Sequence[Digest],
        *,
        delta: Callable[[Digest], Delta],
        fresh: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Return the sum of a plan's deltas, from the nearest stored sum.

        Args:
            plan: Digests of the deltas.
            delta: Reads one delta.
            fresh: Start from zero, and use no stored sum.

        Returns:
            Float64 sums of all tensors touched; right if the stored sum was.
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
        """Return the stored sum nearest to a plan's; None when none is near."""
        deltas, start = self._nearest(Counter(plan))
        missing = _beyond(plan, deltas)
        extra = tuple((deltas - Counter(plan)).elements())
        if len(missing) + len(extra) >= EVERY:
            return None
        return NearestSum(start, tuple(missing), extra)

    def keep(self, deltas: Counter[Digest], change: Weights) -> None:
        """Store the sum of some deltas, if the disk allows it."""
        from safetensors.torch import save

        names = canonical_json(sorted(deltas.elements()))
        seal = _seal(names, change, self.secret())
        data = save(dict(change), {_DELTAS: names.decode(), _SEAL: seal})
        self.folder.write(digest_of(names), data, kept=_KEPT, room=ROOM)

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Yield every sum that is not as it was written, with the reason."""
        for path in self.folder.files():
            with suppress(FileNotFoundError):
                if why := _fault(path, self.secret()):
                    yield path, why

    def clear(self) -> None:
        """Remove every sum, after one of them was wrong."""
        for path in self.folder.files():
            with suppress(OSError):
                self.folder.disk.unlink(path)

    def _nearest(
        self, wanted: Counter[Digest]
    ) -> tuple[Counter[Digest], dict[str, torch.Tensor]]:
        """Return the stored sum that differs from the wanted one by the fewest deltas.

        Returns:
            Its deltas and its float64 sums; both empty when zero is as near.
        """
        steps, nearest, deltas = wanted.total(), None, Counter[Digest]()
        for path in self.folder.files():
            there = _deltas_of(path)
            if there is None:
                continue
            there_steps = _steps(there, wanted)
            if there_steps < steps:
                steps, nearest, deltas = there_steps, path, there
        change = None if nearest is None else self._read(nearest)
        return (Counter(), {}) if change is None else (deltas.copy(), change)

    def _read(self, path: Path) -> dict[str, torch.Tensor] | None:
        """Return one sum; None where the file holds none."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        with suppress(OSError, SafetensorError, ValueError, KeyError, RuntimeError):
            change = load_file(path)  # mapped, not copied
            fits = (tensor.dtype is torch.float64 for tensor in change.values())
            return change if all(fits) else None
        return None


def _steps(one: Counter[Digest], other: Counter[Digest]) -> int:
    """Return the number of deltas that are in one counter and not in the other."""
    n_one, n_other = one.total(), other.total()
    if n_one == len(one) and n_other == len(other):  # none is in it twice
        return n_one + n_other - 2 * len(one.keys() & other.keys())
    return ((one - other) + (other - one)).total()


def _beyond(plan: Sequence[Digest], done: Counter[Digest]) -> list[Digest]:
    """Return the deltas of a plan that are not done, in the plan's order."""
    left = done.copy()
    missing = []
    for digest in plan:
        if left[digest]:
            left[digest] -= 1
        else:
            missing.append(digest)
    return missing


def _deltas_of(path: Path) -> Counter[Digest] | None:
    """Return the deltas that a file lists; None when it lists none."""
    with suppress(OSError):
        found = path.stat()
        return _listed_in(path, found.st_mtime_ns, found.st_size)
    return None


@lru_cache(maxsize=128)
def _listed_in(path: Path, _changed: int, _size: int) -> Counter[Digest] | None:
    """Return the deltas that a file lists, read again only after it was written to."""
    from safetensors import SafetensorError, safe_open

    with suppress(OSError, SafetensorError, ValueError, KeyError, TypeError):
        with safe_open(path, framework="pt") as file:
            names = file.metadata()[_DELTAS]
        if digest_of(names.encode()) == path.name:
            return Counter(json.loads(names))
    return None


def _fault(path: Path, secret: bytes) -> str:
    """Return why a file is not the sum that was stored; empty where it is."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        change = load(path.read_bytes())
        if metadata[_SEAL] == _seal(metadata[_DELTAS].encode(), change, secret):
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
