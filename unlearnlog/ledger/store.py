"""The layout of the ledger on disk, and its checked reads and writes.

    FORMAT                      the layout's version
    base.json                   the base's manifest
    HEAD, refs/                 the current branch, and refs of entries
    logs/heads/, logs/older/    the newest moves of branches, pages of older ones
    logs/names                  all branches and tags, and the entries of tags
    entries/ab/<sha256>.json    canonical JSON, named by its own hash
    objects/cd/<sha256>         safetensors, named by the delta's digest
    attacks/ef/<sha256>         safetensors of an attack, named by its hash
    signatures/, sealed/        see `signature_files` and `sealed_files`
    redactions                  see `redaction_file`
    config                      the user's configuration, in TOML, without a seal
    remotes                     names and addresses of other copies of the ledger
    tmp/, cache/, lock          nothing of value

Every file is checked against its name or its seal before it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from unlearnlog.core.digest import HEX, Digest, digest_of
from unlearnlog.core.entry import Entry, EntryId, NewerFormat
from unlearnlog.errors import IntegrityError, LedgerError
from unlearnlog.ledger import config_file as config
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.checked_files import CheckedFiles, damaged
from unlearnlog.ledger.checksummed import id_line, line_id, sealed, unsealed
from unlearnlog.ledger.disk import Transaction
from unlearnlog.ledger.ledger_file import LedgerFile, check_bytes
from unlearnlog.ledger.path_safety import MAX_TEXT, check_plain
from unlearnlog.ledger.reflog import (
    PAGE,
    ReflogEntry,
    move_line,
    older_line,
    page_bytes,
    page_lines,
    read_lines,
)
from unlearnlog.ledger.remote_list import REMOTES, listed_bytes, listed_remotes
from unlearnlog.ledger.revision import REF_NAME
from unlearnlog.ledger.sealed_files import closed, sealed_copies

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Delta

FOLDER: Final = ".unlearnlog"
MAJOR: Final = 1
FORMAT: Final = f"unlearnlog {MAJOR}\n".encode()
FOLDERS: Final = (
    *("entries", "objects", "refs", "refs/heads", "refs/tags"),
    *("logs", "logs/heads", "tmp", "cache"),
)

CACHE: Final = "cache"
"""The folder that may be deleted at any time."""

NAMES: Final = "logs/names"
"""The file that lists all branches and tags."""

_LENGTH: Final = 8
"""Bytes at the beginning of a delta's file that hold the length of its header."""

T = TypeVar("T")


class Writing(Protocol):
    """A writer of whole files: a transaction, or the draft of a new ledger."""

    def put(self, path: Path, data: bytes) -> None:
        """Write one file."""


@dataclass(frozen=True)
class Store(CheckedFiles):
    """The files of a ledger as values: entries, deltas, refs and logs."""

    def writing(self) -> Transaction:
        """Return a transaction, whose writes are undone together when one fails."""
        return Transaction(self.disk, self.root / "tmp", self.root)

    def sweep(self) -> None:
        """Remove files that earlier writers left; only under the lock."""
        check_plain(self.root, self.root / "tmp")
        for name in self.disk.names(self.root / "tmp"):
            self.disk.unlink(self.root / "tmp" / name)

    def entry_path(self, entry: EntryId) -> Path:
        """Return the path of an entry, which may not exist."""
        return self.root / "entries" / _hex(entry)[:2] / f"{entry}.json"

    def object_path(self, digest: Digest) -> Path:
        """Return the path of a delta, which may not exist."""
        return self.root / "objects" / _hex(digest)[:2] / digest

    def attack_path(self, digest: Digest) -> Path:
        """Return the path of an attack, which may not exist."""
        return self.root / "attacks" / _hex(digest)[:2] / digest

    def page_path(self, digest: Digest) -> Path:
        """Return the path of a page of a log, which may not exist."""
        return self.root / "logs" / "older" / _hex(digest)[:2] / digest

    def check_format(self) -> None:
        """Refuse a layout of another version.

        Raises:
            LedgerError: A newer program wrote it.
            IntegrityError: The file is damaged.
        """
        data = self._bytes("FORMAT")
        newer = re.fullmatch(rb"unlearnlog (\d+)\n", data)
        if newer and int(newer[1]) > MAJOR:
            raise _too_new(str(self.root), int(newer[1]))
        if data != FORMAT:
            raise damaged(self.root / "FORMAT", f"it holds {data[:40]!r}")

    def base(self) -> BaseManifest:
        """Read the base's manifest."""
        return self._checked("base.json", BaseManifest.from_json)

    def config(self) -> dict[str, str]:
        """Read the user's configuration; empty where there is no file.

        Raises:
            UsageError: The file is not valid.
        """
        if self._found(Path(config.CONFIG)) is None:
            return {}
        return config.parsed(self._bytes(config.CONFIG), self.root / config.CONFIG)

    def remotes(self) -> dict[str, str]:
        """Read the address of each remote; empty where there is none."""
        if self._found(Path(REMOTES)) is None:
            return {}
        return self._checked(REMOTES, listed_remotes)

    def branch(self) -> str:
        """Read the branch of HEAD."""
        return self._checked("HEAD", _branch_of)

    def ref(self, name: str) -> EntryId | None:
        """Read a ref such as ``heads/main``; None when it stands on the base."""
        path = f"refs/{name}"
        return self._checked(path, lambda data: line_id(_only(unsealed(path, data))))

    def moves(self, branch: str) -> list[ReflogEntry]:
        """Read the log of a branch, oldest move first."""
        newest_first = [*self._log(branch)]
        return [move for _, moves in reversed(newest_first) for move in moves]

    def pages(self, branch: str) -> list[Digest]:
        """Return the pages of a branch's log, newest first."""
        return [page for page, _ in self._log(branch) if page is not None]

    def _log(self, branch: str) -> Iterator[tuple[Digest | None, list[ReflogEntry]]]:
        """Yield the moves of a log's end and of its pages, newest first."""
        path, page = f"logs/heads/{branch}", None
        older, moves = self._checked(path, lambda d: read_lines(unsealed(path, d)))
        yield page, moves
        while older is not None:
            page = older
            older, moves = self.page(page)
            yield page, moves

    def page(self, digest: Digest) -> tuple[Digest | None, list[ReflogEntry]]:
        """Read a page of a log: the page before it and its moves, oldest first."""
        return self._checked(
            self.below(self.page_path(digest)),
            lambda data: read_lines(page_lines(_named(data, digest_of(data), digest))),
        )

    def named(self) -> dict[str, str]:
        """Read the list of all refs that were made, with the entries of tags."""
        lines = self._checked(NAMES, lambda data: unsealed(NAMES, data))
        return {ref: to for ref, _, to in (line.partition(" ") for line in lines)}

    def entry(self, entry: EntryId) -> Entry:
        """Read an entry, checked against its id.

        Raises:
            LedgerError: A newer program wrote it.
            IntegrityError: It is missing, damaged, or no entry.
        """
        path = self.below(self.entry_path(entry))
        try:
            return self._checked(path, lambda data: Entry.recorded(data, entry))
        except IntegrityError as error:
            if isinstance(newer := error.__cause__, NewerFormat):
                raise _too_new(f"entry {entry}", newer.found) from error
            raise

    def object(self, digest: Digest) -> Delta:
        """Read a delta, checked against its digest."""
        from unlearnlog.ledger.delta_file import decoded

        def checked(data: bytes) -> Delta:
            delta = decoded(data)
            return _named(delta, delta.digest, digest)

        return self._unsealed(self.object_path(digest), checked)

    def changed_by(self, digest: Digest) -> tuple[str, ...]:
        """Return the names of the tensors that a delta changes, by its header alone.

        Empty where it is missing or damaged.
        """
        path = self.object_path(digest)
        try:
            if self._found(Path(self.below(path))) is None:
                return ()
            length = int.from_bytes(self.disk.begin(path, _LENGTH), "little")
            head = self.disk.begin(path, _LENGTH + min(length, MAX_TEXT))
            keys = dict(json.loads(head[_LENGTH:]))
        except (OSError, ValueError, TypeError):
            return ()
        parts = (key.rpartition("#")[0] for key in keys if key != "__metadata__")
        return tuple(sorted({*parts}))

    def parts(self, digest: Digest) -> dict[str, torch.Tensor]:
        """Read a delta's tensors, unchecked, for callers that check the result."""
        from unlearnlog.ledger.delta_file import parts_of

        return self._unsealed(self.object_path(digest), parts_of)

    def attack(self, digest: Digest) -> dict[str, torch.Tensor]:
        """Read an attack's tensors, checked against their digest."""
        from unlearnlog.ledger.tensors_file import decoded

        return self._unsealed(
            self.attack_path(digest),
            lambda data: decoded(_named(data, digest_of(data), digest)),
        )

    def is_sealed(self, path: Path) -> bool:
        """Return whether a delta or an attack is there only in encrypted form."""
        below = path.relative_to(self.root)
        return not self.holds(below) and bool(sealed_copies(self, below))

    def holds(self, path: Path) -> bool:
        """Return whether there is a file or a folder below the ledger's folder."""
        return self._found(path) is not None

    def open_bytes(self, path: Path) -> bytes:
        """Read a file below the ledger's folder, unchecked."""
        return self._bytes(str(path))

    def checked_text(self, path: str, read: Callable[[bytes], T]) -> T:
        """Read a file below the ledger's folder, with a check by its reader."""
        return self._checked(path, read)

    def _unsealed(self, path: Path, read: Callable[[bytes], T]) -> T:
        """Read a delta or an attack; one that is sealed has an error of its own."""
        try:
            return self._checked(self.below(path), read)
        except IntegrityError:
            if self.is_sealed(path):
                raise closed(path) from None
            raise

    def named_bytes(self, path: str, digest: Digest) -> bytes:
        """Read a file below the ledger's folder, checked against its own hash."""
        return self._checked(path, lambda d: _named(d, digest_of(d), digest))

    def ref_names(self) -> list[str]:
        """Return all refs, such as ``heads/main`` and ``tags/2026/june``, sorted."""
        return [str(path.relative_to("refs")) for path in self.files("refs")]

    def logs(self) -> list[str]:
        """Return the branches that have a log, sorted."""
        return [
            str(path.relative_to("logs/heads")) for path in self.files("logs/heads")
        ]

    def entry_ids(self) -> list[EntryId]:
        """Return the ids of all entries on disk, reachable or not, sorted."""
        return [EntryId(path.stem) for path in self.files("entries")]

    def put_object(self, writing: Writing, delta: Delta) -> None:
        """Write a delta under its digest."""
        from unlearnlog.ledger.delta_file import encoded

        writing.put(self.object_path(delta.digest), encoded(delta))

    def put_attack(self, writing: Writing, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write an attack's tensors under the hash of their bytes."""
        from unlearnlog.ledger.tensors_file import encoded

        data = encoded(tensors)
        writing.put(self.attack_path(digest_of(data)), data)

    def put_entry(self, writing: Writing, entry: Entry) -> None:
        """Write an entry under its id.

        Raises:
            ValueError: The entry was changed since its id was computed.
        """
        data = entry.to_json()
        writing.put(self.entry_path(_named(entry.id, digest_of(data), entry.id)), data)

    def put_ref(self, writing: Writing, name: str, entry: EntryId | None) -> None:
        """Point a ref such as ``heads/main`` at an entry that is on disk."""
        path = f"refs/{name}"
        writing.put(self.root / path, sealed(path, [id_line(entry)]))

    def begin_log(self, writing: Writing, branch: str, first: ReflogEntry) -> None:
        """Write the log of a new branch."""
        self._put_log(writing, branch, [move_line(first)])

    def put_move(self, writing: Writing, branch: str, move: ReflogEntry) -> None:
        """Add a line to the log of a branch; a full one becomes a page."""
        path = f"logs/heads/{branch}"
        lines = self._checked(path, lambda data: unsealed(path, data))
        if len(lines) >= PAGE:
            page = page_bytes(lines)
            digest = digest_of(page)
            writing.put(self.page_path(digest), page)
            lines = [older_line(digest)]
        self._put_log(writing, branch, [*lines, move_line(move)])

    def put_name(self, writing: Writing, ref: str, entry: EntryId | None) -> None:
        """Add a ref to the list of all refs, so that its loss is found."""
        made = {}
        if self._found(Path(NAMES)) is not None:
            made = self.named()
        to = id_line(entry) if ref.startswith("tags/") else ""
        made |= {ref: to}
        lines = [f"{each} {made[each]}" for each in sorted(made)]
        writing.put(self.root / NAMES, sealed(NAMES, lines))

    def put_branch(self, writing: Writing, branch: str) -> None:
        """Point HEAD at a branch."""
        writing.put(self.root / "HEAD", sealed("HEAD", [f"ref: refs/heads/{branch}"]))

    def put_config(self, writing: Writing, values: Mapping[str, str]) -> None:
        """Write the user's configuration."""
        writing.put(self.root / config.CONFIG, config.written(values))

    def put_remotes(self, writing: Writing, remotes: Mapping[str, str]) -> None:
        """Write the list of remotes."""
        writing.put(self.root / REMOTES, listed_bytes(remotes))

    def file(self, file: LedgerFile) -> bytes:
        """Read the bytes of a file that travels, checked against its name.

        Raises:
            Sealed: It is a delta or an attack, and only its encrypted form is here.
            IntegrityError: They are missing, or not what the name says.
        """

        def checked(data: bytes) -> bytes:
            check_bytes(file, data)
            return data

        return self._unsealed(self.root / file.path, checked)

    def _put_log(self, writing: Writing, branch: str, lines: list[str]) -> None:
        path = f"logs/heads/{branch}"
        writing.put(self.root / path, sealed(path, lines))


def attack_digest(tensors: Mapping[str, torch.Tensor]) -> Digest:
    """Return the hash that identifies an attack's tensors."""
    from unlearnlog.ledger.tensors_file import encoded

    return digest_of(encoded(tensors))


def _too_new(what: str, found: int) -> LedgerError:
    return LedgerError(
        f"{what} has format {found}, this program reads {MAJOR}",
        fix="pip install --upgrade unlearnlog",
    )


def _hex(name: str) -> str:
    """Return a digest, checked before a path is made of it.

    Raises:
        IntegrityError: The text is no digest.
    """
    if not HEX.fullmatch(name):
        raise IntegrityError(
            f"{name[:80]!r} is no digest, and so no name in a ledger",
            fix="`unlearnlog log` lists all entries",
        )
    return name


def _named(value: T, found: str, wanted: str) -> T:
    """Return a value, checked that its digest is the one wanted."""
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
    """Return the branch in the bytes of HEAD."""
    line = _only(unsealed("HEAD", data))
    name = line.removeprefix("ref: refs/heads/")
    if name == line or not REF_NAME.fullmatch(name):
        message = f"{line[:80]!r} names no branch"
        raise ValueError(message)
    return name
