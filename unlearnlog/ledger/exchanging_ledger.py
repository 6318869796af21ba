"""The writes of a ledger that exchanges its history with remotes."""

from __future__ import annotations

from collections.abc import Mapping

from unlearnlog.core.entry import EntryId
from unlearnlog.core.provenance import now
from unlearnlog.errors import Moved
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.disk import Transaction, explaining
from unlearnlog.ledger.ledger_reader import LedgerReader
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.receiving import Arrival, receive
from unlearnlog.ledger.reflog import ReflogEntry
from unlearnlog.ledger.remote_list import TRACKING


class ExchangingLedger(LedgerReader):
    """A ledger that takes in entries, follows remotes and moves branches forward."""

    def receive(self, arrival: Arrival) -> tuple[str, ...]:
        """Put what a remote sent in place, all of it or nothing.

        Returns:
            The tags that were taken over.

        Raises:
            IntegrityError: A file is not what its name says, or does not fit here.
            LockBusy: Another writer holds the ledger.
            DiskFull: There was no room; nothing was changed.
        """
        with held(self._store.root), explaining():
            return receive(self, self._store, arrival)

    def advance(
        self, branch: str, old: EntryId | None, new: EntryId | None, *, why: str
    ) -> None:
        """Move a branch to an entry that is on disk, if it is still where it was.

        Args:
            branch: The branch.
            old: Its newest entry when the move was decided.
            new: The entry to move to.
            why: The reason, for the log.

        Raises:
            Moved: The branch has moved since.
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            if (at := self._store.ref(f"heads/{branch}")) != old:
                raise Moved(
                    f"{branch} moved to {id_line(at)[:12]} in the meantime",
                    fix="run the same command again",
                )
            self.history(new)
            self._store.sweep()
            with self._store.writing() as writing:
                self._move(writing, branch, (old, new), why=why)

    def set_remotes(self, remotes: Mapping[str, str]) -> None:
        """Write the list of remotes, and drop the refs that followed others.

        Raises:
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            self._store.sweep()
            for ref in self._store.ref_names():
                folder, _, rest = ref.partition("/")
                if folder == TRACKING and rest.partition("/")[0] not in remotes:
                    self._store.disk.unlink(self._store.root / "refs" / ref)
            with self._store.writing() as writing:
                self._store.put_remotes(writing, remotes)

    def _move(
        self,
        writing: Transaction,
        branch: str,
        ends: tuple[EntryId | None, EntryId | None],
        *,
        why: str,
    ) -> None:
        """Point a branch at an entry that is on disk; the log is written first.

        Args:
            writing: The transaction.
            branch: The branch.
            ends: The old and the new entry.
            why: The reason, for the log.
        """
        old, new = ends
        move = ReflogEntry(at=now(), old=id_line(old), new=id_line(new), why=why)
        self._store.put_move(writing, branch, move)
        self._store.put_ref(writing, f"heads/{branch}", new)
