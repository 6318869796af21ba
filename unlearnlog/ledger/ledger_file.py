"""The files of a ledger that travel, named by digest.

Entries, deltas and attacks are named by what they are. A signature and a sealed file
have two digests in their name: of what they belong to, and of their own bytes. No entry
names those, so remotes have lists of them.
"""

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
SIGNATURES: Final = "signatures"
"""The folder, which a ledger without signatures does not have."""

SEALED: Final = "sealed"
"""The folder, which a ledger that was never sealed does not have."""

LISTS: Final = "lists"

_BESIDE: Final = (SIGNATURES, f"{SEALED}/{OBJECTS}", f"{SEALED}/{ATTACKS}")
_LONGEST: Final = 2**16
"""Most bytes of a signature."""


@dataclass(frozen=True, order=True)
class LedgerFile:
    """The name of one file: it has the same path in a ledger and in a remote.

    Attributes:
        kind: The folder, such as ``entries``, ``signatures`` or ``sealed/objects``.
        digest: 64 lower-case hex digits; of a signature or a sealed file its SHA-256.
        subject: Of a signature the SHA-256 of what is signed; of a sealed file the
            digest of the delta or attack in it; else empty.
    """

    kind: str
    digest: str
    subject: str = ""

    @property
    def path(self) -> str:
        """The path below the ledger's folder, with ``/``.

        Raises:
            ValueError: The digest is none, and so no name of a file.
        """
        for each in (self.digest, self.subject or self.digest):
            if not HEX.fullmatch(each):
                message = f"{each[:80]!r} is no digest"
                raise ValueError(message)
        if self.subject:
            return f"{self.kind}/{self.subject[:2]}/{self.subject}/{self.digest}"
        ending = ".json" if self.kind == ENTRIES else ""
        return f"{self.kind}/{self.digest[:2]}/{self.digest}{ending}"


def file_beside(path: str) -> LedgerFile:
    """Return the name of the signature or the sealed file with a path.

    Raises:
        ValueError: The path is not one of such a file.
    """
    *kind, _, subject, digest = ["", "", *path.split("/")]
    file = LedgerFile("/".join(filter(None, kind)), digest, subject)
    if file.kind not in _BESIDE or not subject or file.path != path:
        message = f"{path[:200]!r} names no signature and no sealed file"
        raise ValueError(message)
    return file


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
    if file.kind == SIGNATURES and len(data) > _LONGEST:
        message = f"it is {len(data)} bytes long, a signature at most {_LONGEST}"
        raise ValueError(message)
    if file.kind == ATTACKS:
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
