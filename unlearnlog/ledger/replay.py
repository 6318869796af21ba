"""From deltas to weights, and never without a look at what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import Digest
from unlearnlog.errors import IntegrityError

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Delta, Weights
    from unlearnlog.ledger.base_manifest import BaseManifest
    from unlearnlog.ledger.sum_cache import SumCache

_NOT_A_SUM: Final = (ValueError, KeyError, TypeError, RuntimeError, IntegrityError)
"""What goes wrong where a kept sum is not what it was: in it, or in what it names."""


@dataclass(frozen=True)
class Recorded:
    """What an entry's state is made of, and what it must come out as.

    Attributes:
        entry: The entry's id, or ``base``.
        plan: Digests of the deltas.
        state: Digest of the result.
    """

    entry: str
    plan: tuple[Digest, ...]
    state: Digest


@dataclass(frozen=True)
class Replay:
    """The replay of one entry.

    Attributes:
        recorded: What is replayed.
        manifest: The base's.
        sums: Sums that may be gone on from; none of them is trusted.
        delta: Reads one delta.
        parts: Reads the tensors of one delta, unchecked.
    """

    recorded: Recorded
    manifest: BaseManifest
    sums: SumCache
    delta: Callable[[Digest], Delta]
    parts: Callable[[Digest], Mapping[str, torch.Tensor]]

    def state(self, base: Weights, *, fresh: bool = False) -> dict[str, torch.Tensor]:
        """Return the tensors that are not the base's, in its dtype.

        Args:
            base: The base's tensors; left alone.
            fresh: Sum all of the deltas, whatever sums are kept.

        Raises:
            WrongBase: A tensor of ``base`` is not the ledger's.
            IntegrityError: A delta is damaged, or the result is not what was recorded.
        """
        if not fresh and (state := self._quickly(base)) is not None:
            return state
        return self._checked(base, fresh=fresh)[1]

    def change(self, base: Weights) -> dict[str, torch.Tensor]:
        """Return the exact change, float64, checked like `state`."""
        return self._checked(base)[0]

    def _quickly(self, base: Weights) -> dict[str, torch.Tensor] | None:
        """Replay from a kept sum nearby, where that gives what was recorded."""
        from unlearnlog.ledger.fast_replay import ReplaySteps, quick_state

        with suppress(*_NOT_A_SUM):
            if (near := self.sums.near(self.recorded.plan)) is not None:
                added, taken = ([*map(self.parts, each)] for each in near.steps)
                steps = ReplaySteps(near.start, added, taken)
                state, found = quick_state(base, steps, self.manifest.root)
                return state if found == self.recorded.state else None
        return None

    def _checked(
        self, base: Weights, *, fresh: bool = False
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Return the change and the state; sum anew where a kept sum was wrong."""
        from unlearnlog.core.delta import rounded, state_digest, tensor_record

        summed = partial(self.sums.change, self.recorded.plan, delta=self.delta)
        with suppress(*_NOT_A_SUM):  # what is damaged for certain is found below
            change = summed(fresh=fresh)
            state = rounded(base, change)
            if state_digest(state, self.manifest.root) == self.recorded.state:
                return change, state
        records = {name: tensor_record(tensor) for name, tensor in base.items()}
        self.manifest.check({**self.manifest.tensors, **records})
        self.sums.clear()
        try:
            change = summed(fresh=True)
            state = rounded(base, change)
        except ValueError as error:
            if not base.keys() >= self.manifest.tensors.keys():
                raise  # the caller's doing, not the ledger's
            raise self._wrong(f"cannot be replayed: {error}") from error
        found = state_digest(state, self.manifest.root)
        if found != self.recorded.state:
            raise self._wrong(f"replays to {found}, recorded is {self.recorded.state}")
        return change, state

    def _wrong(self, what: str) -> IntegrityError:
        entry = self.recorded.entry
        return IntegrityError(
            f"entry {entry} {what}",
            fix=f"go back to before it: unlearnlog reset {entry[:12]}~1",
        )
