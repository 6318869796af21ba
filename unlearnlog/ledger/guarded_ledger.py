"""The part of a repository that signs, seals and redacts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.errors import UsageError
from unlearnlog.ledger.disk import explaining
from unlearnlog.ledger.entry_standing import Standings
from unlearnlog.ledger.ledger_reader import LedgerReader
from unlearnlog.ledger.lock import held
from unlearnlog.ledger.redaction_file import put_redactions, redactions
from unlearnlog.ledger.sealed_files import SealResult, closed, seal, unseal
from unlearnlog.ledger.signature_checks import SignatureChecks
from unlearnlog.ledger.signature_files import (
    check_signing,
    entry_signature,
    put_signature,
)
from unlearnlog.ledger.store import CACHE

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.ledger.disk import Transaction


class GuardedLedger(LedgerReader):
    """A ledger whose entries are signed, deltas sealed and names redacted on demand."""

    def check_signing(self) -> None:
        """Refuse work that ends in an entry which could not be signed.

        Raises:
            UsageError: Entries are to be signed, and there is no usable key.
        """
        check_signing(self.config, self.folder)

    def standings(self, signers: Path) -> Standings:
        """Return what signatures say of the entries and tags.

        Args:
            signers: The file of allowed signers.

        Raises:
            UsageError: There is no such file.
        """
        checks = SignatureChecks(signers, self._caches.pages["signed"])
        return Standings(self, self._store, checks)

    def check_open(self, entry: EntryId | None) -> None:
        """Refuse work on an entry that needs a delta which is sealed.

        Raises:
            Sealed: A delta is sealed.
        """
        for digest in self.plan(entry):
            path = self._store.object_path(digest)
            if self._store.is_sealed(path):
                raise closed(path)

    def is_sealed(self, entry: EntryId | None) -> bool:
        """Return whether an entry's state needs a delta that is sealed."""
        paths = map(self._store.object_path, self.plan(entry))
        return any(self._store.is_sealed(path) for path in paths)

    def seal(self, encrypt: Callable[[bytes], bytes]) -> SealResult:
        """Encrypt every delta and attack, and remove the cache, which holds sums.

        Args:
            encrypt: Returns bytes that only the recipients can decrypt.

        Raises:
            LedgerError: There is nothing to seal.
            IntegrityError: A file is damaged; nothing is sealed.
            LockBusy: Another writer holds the ledger.
            DiskFull: There was no room; nothing is sealed.
        """
        with held(self._store.root), explaining():
            self._store.sweep()
            self._forget_sums()  # also those that a killed command left
            done = seal(self._store, encrypt)
            self._forget_sums()  # a reader needs no lock, and may have added some
        return done

    def unseal(self, decrypt: Callable[[bytes], bytes | None]) -> SealResult:
        """Decrypt every sealed delta and attack.

        Args:
            decrypt: Returns the decrypted bytes; None where the key is another.

        Raises:
            LedgerError: Nothing is sealed.
            UsageError: The key is not one that the ledger was sealed for.
            IntegrityError: A file is damaged; the ledger is sealed as before.
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            self._store.sweep()
            return unseal(self._store, decrypt)

    @property
    def redactions(self) -> dict[str, str]:
        """The words that are shown in place of each redacted name."""
        return redactions(self._store)

    def redact(self, name: str, shown: str | None) -> dict[str, str]:
        """Set the words that are shown in place of a name, or show it again.

        Args:
            name: The name.
            shown: The words; None to redact it no more.

        Returns:
            All redacted names.

        Raises:
            UsageError: It is to be shown again, and was not redacted.
            LockBusy: Another writer holds the ledger.
        """
        with held(self._store.root), explaining():
            names = self.redactions
            if shown is None:
                if name not in names:
                    raise UsageError(
                        f"'{name}' is not redacted",
                        fix=f"redacted are {len(names)} names; see: unlearnlog redact",
                    )
                del names[name]
            else:
                names[name] = shown
            self._store.sweep()
            with self._store.writing() as writing:
                put_redactions(self._store, writing, names)
        return names

    def _signature(self, entry: Entry) -> bytes | None:
        """Return a signature of an entry, where the configuration asks for one."""
        return entry_signature(self.config, self.folder, entry.to_json())

    def _put_entry(
        self, writing: Transaction, entry: Entry, signature: bytes | None
    ) -> None:
        """Write an entry, after its signature if it has one."""
        if signature is not None:
            put_signature(self._store, writing, entry.to_json(), signature)
        self._store.put_entry(writing, entry)

    def _forget_sums(self) -> None:
        """Remove the cache: sums of deltas undo an erasure as well as deltas do."""
        for path in [*self._store.files(CACHE)]:
            with suppress(FileNotFoundError):  # readers tidy their cache, too
                self._store.disk.unlink(self._store.root / path)
