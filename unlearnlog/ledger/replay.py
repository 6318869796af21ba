"""The replay of an entry's deltas to weights, checked against the record."""

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
"""Errors of a damaged sum, or of the deltas that it names."""


@dataclass(frozen=True)
class Recorded:
    """The plan of an entry's state and its digest.

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
        recorded: The recorded plan and digest.
        manifest: The base's manifest.
        sums: Stored sums to start from; none of them is trusted.
        delta: Reads one delta.
        parts: Reads the tensors of one delta, unchecked.
    """

    recorded: Recorded
    manifest: BaseManifest
    sums: SumCache
    delta: Callable[[Digest], Delta]
    parts: Callable[[Digest], Mapping[str, torch.Tensor]]

    def state(self, base: Weights, *, fresh: bool = False) -> dict[str, torch.Tensor]:
        """Return the tensors that differ from the base's, in its dtype.

        Args:
            base: The base's tensors; not changed.
            fresh: Sum all of the deltas, and use no stored sum.

        Raises:
            WrongBase: A tensor of ``base`` is not the ledger's.
            IntegrityError: A delta is damaged, or the result is not what was recorded.
        """
        if not fresh and (state := self._quickly(base)) is not None:
            return state
        return self._checked(base, fresh=fresh)[1]

    def change(self, base: Weights) -> dict[str, torch.Tensor]:
        """Return the exact change in float64, checked like `state`."""
        return self._checked(base)[0]

    def _quickly(self, base: Weights) -> dict[str, torch.Tensor] | None:
        """Return the state from the nearest stored sum; None where it is not right."""
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
        """Return the change and the state; sum again where a stored sum was wrong."""
        from unlearnlog.core.delta import rounded, state_digest, tensor_record

        summed = partial(self.sums.change, self.recorded.plan, delta=self.delta)
        with suppress(*_NOT_A_SUM):  # damage of a delta is reported below
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
                raise  # an error of the caller, not of the ledger
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
