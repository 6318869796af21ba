"""Entries, built from a change of the weights: replay it, attach its readings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unlearnlog.core.delta import (
    Delta,
    Weights,
    change_after,
    check_bounds,
    rounded,
    state_digest,
)
from unlearnlog.core.entry import Change, DeltaRecord, Entry, Kind, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.provenance import NO_NATS, TRAINED_ON, made_with
from unlearnlog.core.replay_plan import plan
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import LedgerError

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.note import Note
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class EntryBuilder:
    """An entry before its result is measured.

    Attributes:
        kind: Kind of the entry.
        concepts: Its concepts.
        made: The eraser, or other origin, with all settings.
        changes: Its changes to the replay.
        brought: Its deltas that are not in the ledger yet.
        policy: The policy that judges it; None where none does.
        seed: Seed of the random numbers.
        started: Start time on the monotonic clock, in s.
        note: Reason, reference and author for the entry; None for none.
        trained_on: Digest of the state that its own delta was trained on; None where
            that is the head's, or nothing was trained.
    """

    kind: Kind
    concepts: tuple[Concept, ...]
    made: EraserRecord
    changes: tuple[Change, ...]
    brought: tuple[Delta, ...] = ()
    policy: Policy | None = None
    seed: int = 0
    started: float = field(default_factory=time.monotonic)
    note: Note | None = None
    trained_on: Digest | None = None

    def entry(self, at: Session) -> Entry:
        """Return the entry on top of the head, without state and readings."""
        delta = None
        if len(self.brought) == 1:
            (own,) = self.brought
            delta = DeltaRecord(digest=own.digest, n_bytes=own.n_bytes)
        before = at.state_digest()
        return Entry(
            parent=at.head,
            kind=self.kind,
            concepts=self.concepts,
            eraser=self.made,
            seed=self.seed,
            policy=self.policy.name if self.policy else "none",
            rules=self.policy.rules if self.policy else None,
            changes=self.changes,
            delta=delta,
            state=StateRecord(before=before, after=before),
            verdict=VerdictRecord(passed=True),
            seconds=0.0,
            made_with={
                **made_with(),
                **at.crew.provenance(),
                **self._origin(before),
                **_blind(at),
            },
            note=self.note,
        )

    def _origin(self, before: Digest) -> dict[str, str]:
        """Return the state the delta was trained on, where that is not the head's."""
        if self.trained_on in {None, before}:
            return {}
        return {TRAINED_ON: str(self.trained_on)}

    def change(self, at: Session) -> Weights:
        """Return the exact change of the head with this on top, float64, by tensor.

        Raises:
            LedgerError: The deltas together may exceed the bound of exact sums.
        """
        own = {delta.digest: delta for delta in self.brought}
        chain = [entry for _, entry in at.history()]
        before, after = (Counter(plan(c)) for c in (chain, [*chain, self.entry(at)]))
        added = [own.get(d) or at.delta(d) for d in (after - before).elements()]
        taken = [at.delta(d).negated() for d in (before - after).elements()]
        try:
            # No partial sum is larger, in any order of a later replay.
            check_bounds(own.get(d) or at.delta(d) for d in after.elements())
            return change_after([*taken, *added], at.change())
        except ValueError as error:
            raise _too_much(error) from error

    def state(self, at: Session) -> Weights:
        """Replay the head with this on top of it.

        Returns:
            The tensors that differ from the base, in its dtype.

        Raises:
            LedgerError: The result exceeds the bound of exact sums, or the dtype's
                range.
        """
        change = self.change(at)
        try:
            return rounded(at.model.base, change)
        except ValueError as error:
            raise _too_much(error) from error

    def concluded(
        self,
        at: Session,
        state: Weights,
        readings: Sequence[Reading],
        verdict: VerdictRecord,
    ) -> Entry:
        """Return the entry with its state, readings and verdict."""
        entry = self.entry(at)
        after = state_digest(state, at.manifest.root)
        return entry.model_copy(
            update={
                "state": StateRecord(before=entry.state.before, after=after),
                "readings": tuple(readings),
                "verdict": verdict,
                "seconds": round(time.monotonic() - self.started, 3),
            }
        )


def _blind(at: Session) -> dict[str, str]:
    """Return why the model's predictions tell no information, where they do not."""
    return {NO_NATS: at.model.no_nats} if at.model.no_nats else {}


def _too_much(error: ValueError) -> LedgerError:
    return LedgerError(
        f"the erasures together cannot be recorded: {error}",
        fix="nothing was recorded; revert one that changes the weights this much",
    )
