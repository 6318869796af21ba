"""Snapshots of the replay, so that a long history need not start at the base.

A snapshot holds the float32 sums after the first k deltas of a plan: to go on from
it gives the bits that starting over would. It may be deleted at any time, and is
never trusted: whoever uses one checks the digest of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.digest import Digest, canonical_json, digest_of

if TYPE_CHECKING:
    import torch

    from unlearnlog.delta import Delta, Weights
    from unlearnlog.ledger.disk import Disk

EVERY: Final = 8
"""After how many deltas a snapshot is taken."""

_KEPT: Final = 4


@dataclass(frozen=True)
class Snapshots:
    """The snapshots in one folder, under the digest of the deltas they sum up."""

    folder: Path
    disk: Disk

    def totals(
        self,
        plan: Sequence[Digest],
        base: Weights,
        *,
        delta: Callable[[Digest], Delta],
        fresh: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Replay a plan from its nearest snapshot, or from the base.

        Args:
            plan: Digests of the deltas, in replay order.
            base: The base's tensors; left alone.
            delta: Reads one delta.
            fresh: Start from the base, whatever there is.

        Returns:
            Float32 sums of all tensors touched; right if the snapshot was.
        """
        from unlearnlog.delta import totals_after

        done, totals = (0, {}) if fresh else self._nearest(plan, base)
        for k in range(done + 1, len(plan) + 1):
            totals = totals_after(base, delta(plan[k - 1]), totals)
            if k % EVERY == 0:
                self.keep(plan[:k], totals)
        return totals

    def keep(self, plan: Sequence[Digest], totals: Weights) -> None:
        """Save the sums after all of ``plan``, if the disk lets us."""
        from safetensors.torch import save

        with suppress(OSError):
            if not self.folder.is_dir():
                self.disk.mkdir(self.folder)
            data = save(dict(totals))
            self.disk.write_atomic(self._path(plan), data, self.folder)
            self._prune()

    def _nearest(
        self, plan: Sequence[Digest], base: Weights
    ) -> tuple[int, dict[str, torch.Tensor]]:
        """Find the longest beginning of a plan that has a snapshot.

        Returns:
            How many deltas it sums up, and the float32 sums; 0 and none when there
            is no snapshot that fits the base.
        """
        for k in range(len(plan) // EVERY * EVERY, 0, -EVERY):
            totals = self._read(plan[:k], base)
            if totals is not None:
                return k, totals
        return 0, {}

    def _path(self, plan: Sequence[Digest]) -> Path:
        return self.folder / digest_of(canonical_json(list(plan)))

    def _read(
        self, plan: Sequence[Digest], base: Weights
    ) -> dict[str, torch.Tensor] | None:
        """Read one snapshot, or nothing when it is not there or does not fit."""
        if not self._path(plan).exists():
            return None

        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load

        with suppress(OSError, SafetensorError, ValueError, KeyError, RuntimeError):
            totals = load(self.disk.read(self._path(plan)))
            fits = (
                name in base
                and t.shape == base[name].shape
                and t.dtype is torch.float32
                for name, t in totals.items()
            )
            return totals if all(fits) else None
        return None

    def _prune(self) -> None:
        """Remove all but the newest few snapshots."""
        paths = [self.folder / name for name in self.disk.names(self.folder)]
        paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in paths[_KEPT:]:
            self.disk.unlink(path)
