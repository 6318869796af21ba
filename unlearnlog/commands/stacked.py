"""A session with an unrecorded entry on top, which is recorded with the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from unlearnlog.commands.retry import patiently
from unlearnlog.commands.session import Session
from unlearnlog.core.delta import Delta, Weights
from unlearnlog.core.digest import Digest
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import Moved

if TYPE_CHECKING:
    from unlearnlog.commands.entry_builder import EntryBuilder


@dataclass(frozen=True)
class _Top:
    """An entry that is not recorded yet.

    Attributes:
        entry: The entry.
        brought: Its deltas that are not in the ledger yet.
        change: The exact change of its state, float64, by tensor.
        state: The tensors that differ from the base.
    """

    entry: Entry
    brought: tuple[Delta, ...]
    change: Weights
    state: Weights


@dataclass(frozen=True)
class StackedSession(Session):
    """A session at an entry that is not recorded yet.

    Recording here records that entry first: a command that is refused, stopped or
    killed leaves neither.
    """

    top: _Top | None = None

    @classmethod
    def of(cls, at: Session, builder: EntryBuilder) -> Self:
        """Put an entry on top of a pinned session, without readings."""
        state = builder.state(at)
        entry = builder.concluded(at, state, (), VerdictRecord(passed=True))
        top = _Top(entry, builder.brought, builder.change(at), state)
        known = {each.name: getattr(at, each.name) for each in fields(Session)}
        return cls(**known, top=top)

    @property
    def _own(self) -> _Top:
        assert self.top is not None
        return self.top

    @property
    def head(self) -> EntryId | None:
        """The entry on top."""
        return self._own.entry.id

    def caught_up(self) -> Session:
        """Refuse: the entry on top was made for the old head.

        Raises:
            Moved: Always; the caller begins again.
        """
        raise Moved(
            "another command recorded something meanwhile", fix="run the same again"
        )

    def pinned(self) -> Session:
        """Return itself: it was pinned when the entry was put on top."""
        return self

    def history(self) -> list[tuple[EntryId, Entry]]:
        """Every entry up to the one on top, oldest first."""
        entry = self._own.entry
        return [*self.the_ledger().history(entry.parent), (entry.id, entry)]

    def delta(self, digest: Digest) -> Delta:
        """Read one delta of the ledger, or of the entry on top."""
        own = {delta.digest: delta for delta in self._own.brought}
        return own.get(digest) or super().delta(digest)

    def change(self) -> Weights:
        """Return the exact change of the state on top, float64, by tensor."""
        return self._own.change

    def state_digest(self) -> Digest:
        """Digest of the state on top."""
        return self._own.entry.state.after

    def weights(self, rev: EntryId | None) -> Weights:
        """Every text projection as it is at a revision."""
        if rev == self.head:
            return {**self.model.base, **self._own.state}
        return super().weights(rev)

    def record(
        self,
        entry: Entry,
        *deltas: Delta,
        attacks: Sequence[Weights] = (),
        under: Entry | None = None,
    ) -> None:
        """Append the entry on top and another one after it, by one move of the branch.

        Raises:
            Moved: Another command recorded an entry in the meantime.
        """
        own, ledger = self._own, self.the_ledger()
        patiently(lambda: ledger.stage(own.entry, *own.brought))
        super().record(entry, *deltas, attacks=attacks, under=under or own.entry)
