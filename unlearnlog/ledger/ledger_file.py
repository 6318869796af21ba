"""The files of a ledger that travel: entries, deltas and attacks, named by digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import HEX, Digest, digest_of
from unlearnlog.core.entry import Entry, EntryId

if TYPE_CHECKING:
    from unlearnlog.core.delta import Delta

ENTRIES: Final = "entries"
OBJECTS: Final = "objects"
ATTACKS: Final = "attacks"


@dataclass(frozen=True, order=True)
class LedgerFile:
    """The name of one file: it has the same path in a ledger and in a remote.

    Attributes:
        kind: The folder: ``entries``, ``objects`` or ``attacks``.
        digest: 64 lower-case hex digits.
    """

    kind: str
    digest: str

    @property
    def path(self) -> str:
        """The path below the ledger's folder, with ``/``.

        Raises:
            ValueError: The digest is none, and so no name of a file.
        """
        if not HEX.fullmatch(self.digest):
            message = f"{self.digest[:80]!r} is no digest"
            raise ValueError(message)
        ending = ".json" if self.kind == ENTRIES else ""
        return f"{self.kind}/{self.digest[:2]}/{self.digest}{ending}"


def file_of(entry: EntryId) -> LedgerFile:
    """Return the name of an entry's file."""
    return LedgerFile(ENTRIES, entry)


def files_of(entry: Entry) -> list[LedgerFile]:
    """Return the names of the deltas and attacks that an entry refers to."""
    objects = [LedgerFile(OBJECTS, digest) for digest in entry.objects]
    return [*objects, *(LedgerFile(ATTACKS, each.object) for each in entry.attacks)]


def checked_entry(data: bytes, entry: str) -> Entry:
    """Return the entry of a file's bytes, in canonical form.

    Raises:
        ValueError: The bytes are not those of the id.
    """
    found = Entry.from_json(data)
    if found.id != entry:
        message = f"its content is {found.id}"
        raise ValueError(message)
    return found


def check_bytes(file: LedgerFile, data: bytes) -> Delta | None:
    """Refuse bytes that are not exactly those of a file's name.

    Returns:
        The delta, where the file holds one.

    Raises:
        ValueError: The bytes are others.
    """
    if file.kind == ENTRIES:
        checked_entry(data, file.digest)
        return None
    if file.kind == OBJECTS:
        return _checked_delta(data, Digest(file.digest))
    if (found := digest_of(data)) != file.digest:
        message = f"its content is {found}"
        raise ValueError(message)
    from unlearnlog.ledger.tensors_file import decoded

    decoded(data)
    return None


def _checked_delta(data: bytes, digest: Digest) -> Delta:
    from unlearnlog.ledger.delta_file import decoded

    delta = decoded(data)
    if delta.digest != digest:
        message = f"its content is {delta.digest}"
        raise ValueError(message)
    return delta
