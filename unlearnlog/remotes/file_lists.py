"""Lists of the files of a remote that no entry names: signatures and sealed files.

    lists/ab/<sha256 of the list>

The refs name the newest list, and each list may name an older one, in its first line. A
push of a few files writes one short list, and a fetch reads those that are new to it:
the others are kept in the cache, and never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import HEX, digest_of
from unlearnlog.ledger.ledger_file import LISTS, LedgerFile, check_bytes, file_beside
from unlearnlog.remotes.remote_refs import damaged_there

if TYPE_CHECKING:
    from unlearnlog.ledger.repository import Repository
    from unlearnlog.remotes.remote_store import Connection

_FULL: Final = 32
"""Files from which on a list is not written anew, but named as the older one."""

_OLDER: Final = "older "


@dataclass(frozen=True)
class FileList:
    """Some files, and the list of those before them.

    Attributes:
        files: Names of files.
        older: SHA-256 of the older list; empty where there is none.
    """

    files: tuple[LedgerFile, ...]
    older: str = ""

    def to_bytes(self) -> bytes:
        """Return the list as it is written, a line for each file."""
        first = [f"{_OLDER}{self.older}"] if self.older else []
        lines = [*first, *(file.path for file in self.files)]
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def of(cls, data: bytes) -> FileList:
        """Return the list that was written.

        Raises:
            ValueError: The bytes are no list.
        """
        lines = data.decode().splitlines()
        older = ""
        if lines and lines[0].startswith(_OLDER):
            older = lines.pop(0).removeprefix(_OLDER)
            if not HEX.fullmatch(older):
                message = f"{older[:80]!r} names no list"
                raise ValueError(message)
        return cls(tuple(file_beside(line) for line in lines), older)


def lists_there(here: Repository, there: Connection, newest: str) -> list[FileList]:
    """Return the lists of a remote, newest first.

    Args:
        here: The own ledger, which keeps what was read.
        there: The remote.
        newest: SHA-256 of the newest one; empty where there is none.

    Raises:
        IntegrityError: One is missing or damaged.
        RemoteError: The remote cannot be reached.
    """
    found = list[FileList]()
    while newest:
        found.append(_list(here, there, LedgerFile(LISTS, newest)))
        newest = found[-1].older
    return found


def _list(here: Repository, there: Connection, file: LedgerFile) -> FileList:
    data, known = here.lists.get(file), True
    if data is None:
        data, known = there.read(file.path), False
    try:
        if data is None:
            message = "it is missing"
            raise ValueError(message)
        check_bytes(file, data)
        found = FileList.of(data)
    except ValueError as error:
        raise damaged_there(file.path, there.name, str(error)) from error
    if not known:
        here.lists.put(file, data)
    return found


def listed_too(
    here: Repository,
    there: Connection,
    lists: Sequence[FileList],
    files: Sequence[LedgerFile],
) -> str:
    """Write a list with more files; return its SHA-256.

    Args:
        here: The own ledger.
        there: The remote.
        lists: The remote's lists, newest first.
        files: Files that none of them has.

    Raises:
        RemoteError: The remote cannot be written to.
    """
    new = FileList(tuple(files))
    if lists:
        last = lists[0]
        new = FileList((*last.files, *files), last.older)
        if len(last.files) >= _FULL:
            new = FileList(tuple(files), digest_of(last.to_bytes()))
    data = new.to_bytes()
    file = LedgerFile(LISTS, digest_of(data))
    there.write(file.path, data)
    here.lists.put(file, data)
    return file.digest
