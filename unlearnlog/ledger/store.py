"""Which file of the ledger holds what, and what its bytes must look like.

    FORMAT                      the layout's version
    base.json                   the base's manifest
    HEAD, refs/, logs/          the branch we are on, names for entries, their moves
    entries/ab/<sha256>.json    canonical JSON, named by its own hash
    objects/cd/<sha256>         safetensors, named by the delta's digest
    tmp/, cache/, lock          nothing of value

Everything that is read is checked against its name or its seal before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from unlearnlog.digest import Digest, Record, canonical_json, digest_of
from unlearnlog.entry import Entry, EntryId
from unlearnlog.errors import IntegrityError, LedgerError
from unlearnlog.ledger.base import BaseManifest
from unlearnlog.ledger.disk import Disk, Transaction, explained
from unlearnlog.ledger.revision import REF_NAME
from unlearnlog.ledger.sealed import id_line, line_id, sealed, unsealed

if TYPE_CHECKING:
    from unlearnlog.delta import Delta

FOLDER: Final = ".unlearnlog"
MAJOR: Final = 1
FORMAT: Final = f"unlearnlog {MAJOR}\n".encode()
FOLDERS: Final = (
    *("entries", "objects", "refs", "refs/heads", "refs/tags"),
    *("logs", "logs/heads", "tmp", "cache"),
)

T = TypeVar("T")


class Writing(Protocol):
    """Whatever takes whole files: a transaction, or the draft of a new ledger."""

    def put(self, path: Path, data: bytes) -> None:
        """Write one file."""


class Move(Record):
    """One line of a branch's log: where it stood, where it went, and why."""

    at: str
    old: str
    new: str
    why: str


@dataclass(frozen=True)
class Store:
    """The files below one ``.unlearnlog`` folder.

    Attributes:
        root: The ``.unlearnlog`` folder itself.
        disk: The file system's operations.
    """

    root: Path
    disk: Disk

    def writing(self) -> Transaction:
        """Begin writes that are taken back together when one fails."""
        return Transaction(self.disk, self.root / "tmp")

    def sweep(self) -> None:
        """Remove what earlier writers left over; only under the lock."""
        for name in self.disk.names(self.root / "tmp"):
            self.disk.unlink(self.root / "tmp" / name)

    def entry_path(self, entry: EntryId) -> Path:
        """Say where an entry is, or would be."""
        return self.root / "entries" / entry[:2] / f"{entry}.json"

    def object_path(self, digest: Digest) -> Path:
        """Say where a delta is, or would be."""
        return self.root / "objects" / digest[:2] / digest

    def check_format(self) -> None:
        """Refuse a layout this program does not know.

        Raises:
            LedgerError: A newer program wrote it.
            IntegrityError: It is no layout at all.
        """
        data = self._bytes("FORMAT")
        newer = re.fullmatch(rb"unlearnlog (\d+)\n", data)
        if newer and int(newer[1]) > MAJOR:
            raise LedgerError(
                f"{self.root} has format {int(newer[1])}, this program knows {MAJOR}",
                fix="pip install --upgrade unlearnlog",
            )
        if data != FORMAT:
            raise damaged(self.root / "FORMAT", f"it says {data[:40]!r}")

    def base(self) -> BaseManifest:
        """Read the base's manifest."""
        return self._checked("base.json", BaseManifest.from_json)

    def branch(self) -> str:
        """Read which branch HEAD is on."""
        return self._checked("HEAD", _branch_of)

    def ref(self, name: str) -> EntryId | None:
        """Read a ref such as ``heads/main``; None when it stands on the base."""
        path = f"refs/{name}"
        return self._checked(path, lambda data: line_id(_only(unsealed(path, data))))

    def moves(self, branch: str) -> list[Move]:
        """Read the log of a branch, oldest move first."""
        path = f"logs/heads/{branch}"
        return self._checked(
            path,
            lambda data: [Move.model_validate_json(x) for x in unsealed(path, data)],
        )

    def entry(self, entry: EntryId) -> Entry:
        """Read an entry, and check that it is the one that was asked for."""
        return self._checked(
            str(self.entry_path(entry).relative_to(self.root)),
            lambda data: Entry.from_json(_named(data, digest_of(data), entry)),
        )

    def object(self, digest: Digest) -> Delta:
        """Read a delta, and check that it is the one that was asked for."""
        from unlearnlog.ledger.object import decoded

        def checked(data: bytes) -> Delta:
            delta = decoded(data)
            return _named(delta, delta.digest, digest)

        return self._checked(
            str(self.object_path(digest).relative_to(self.root)), checked
        )

    def ref_names(self) -> list[str]:
        """List all refs, such as ``heads/main`` and ``tags/2026/june``, sorted."""
        return [str(path.relative_to("refs")) for path in self.files("refs")]

    def entry_ids(self) -> list[EntryId]:
        """List the ids of all entries on disk, reachable or not, sorted."""
        return [EntryId(path.stem) for path in self.files("entries")]

    def files(self, folder: str) -> Iterator[Path]:
        """Walk the files below a folder, as paths below the root, sorted."""
        for name in self.disk.names(self.root / folder):
            path = Path(folder) / name
            if (self.root / path).is_dir():
                yield from self.files(str(path))
            else:
                yield path

    def size(self, path: Path) -> int:
        """Return the size of a file below the root, in bytes."""
        return (self.root / path).stat().st_size

    def put_object(self, writing: Writing, delta: Delta) -> None:
        """Write a delta under its digest."""
        from unlearnlog.ledger.object import encoded

        writing.put(self.object_path(delta.digest), encoded(delta))

    def put_entry(self, writing: Writing, entry: Entry) -> None:
        """Write an entry under its id."""
        writing.put(self.entry_path(entry.id), entry.to_json())

    def put_ref(self, writing: Writing, name: str, entry: EntryId | None) -> None:
        """Point a ref such as ``heads/main`` at an entry that is on disk."""
        path = f"refs/{name}"
        writing.put(self.root / path, sealed(path, [id_line(entry)]))

    def put_moves(self, writing: Writing, branch: str, moves: list[Move]) -> None:
        """Write the log of a branch, oldest move first."""
        path = f"logs/heads/{branch}"
        lines = [canonical_json(move.model_dump()).decode() for move in moves]
        writing.put(self.root / path, sealed(path, lines))

    def put_branch(self, writing: Writing, branch: str) -> None:
        """Attach HEAD to a branch."""
        writing.put(self.root / "HEAD", sealed("HEAD", [f"ref: refs/heads/{branch}"]))

    def _bytes(self, path: str) -> bytes:
        try:
            return self.disk.read(self.root / path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise damaged(self.root / path, "it is missing") from error
        except OSError as error:
            raise explained(error) from error

    def _checked(self, path: str, read: Callable[[bytes], T]) -> T:
        data = self._bytes(path)
        try:
            return read(data)
        except ValueError as error:
            raise damaged(self.root / path, str(error)) from error


def damaged(path: Path, why: str) -> IntegrityError:
    """Say which file is damaged, and in what way."""
    return IntegrityError(
        f"{path} is damaged: {why}",
        fix="put the file back from a copy of the ledger; nothing else was changed",
    )


def _named(value: T, found: str, wanted: str) -> T:
    """Return a value whose digest is its name."""
    if found != wanted:
        message = f"its content is {found}"
        raise ValueError(message)
    return value


def _only(lines: list[str]) -> str:
    """Return the only line of a file."""
    if len(lines) != 1:
        message = f"{len(lines)} lines where one is due"
        raise ValueError(message)
    return lines[0]


def _branch_of(data: bytes) -> str:
    """Read the branch out of HEAD."""
    line = _only(unsealed("HEAD", data))
    name = line.removeprefix("ref: refs/heads/")
    if name == line or not REF_NAME.fullmatch(name):
        message = f"{line[:80]!r} names no branch"
        raise ValueError(message)
    return name
