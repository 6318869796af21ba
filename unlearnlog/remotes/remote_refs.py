"""The refs of a remote: one small sealed file for all branches and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from unlearnlog.core.digest import HEX, Digest
from unlearnlog.core.entry import EntryId
from unlearnlog.core.provenance import now
from unlearnlog.errors import IntegrityError, RemoteError, UsageError
from unlearnlog.ledger.checksummed import id_line, line_id, sealed, unsealed
from unlearnlog.ledger.revision import below, check_name

MAJOR: Final = 1
_FIRST: Final = "unlearnlog-remote "
_LIST: Final = "list "
_KINDS: Final = ("heads/", "tags/")


@dataclass(frozen=True)
class RemoteRefs:
    """Where the branches and tags of a remote are.

    Attributes:
        base: Root digest of the base's tensors.
        manifest: SHA-256 of the base's manifest, a file of the remote.
        head: The branch that a copy begins on.
        refs: Entry by ref, such as ``heads/main``; None for the base.
        creates: Whether the store can write a file only where there is none; else a
            lock is taken for each move.
        listed: SHA-256 of the newest list of signatures and sealed files; empty where
            there is none.
        at: Time of the move that led here: UTC, ISO 8601.
    """

    base: Digest
    manifest: Digest
    head: str
    refs: Mapping[str, EntryId | None]
    creates: bool = True
    listed: str = ""
    at: str = field(default_factory=now, compare=False)

    @property
    def heads(self) -> dict[str, EntryId | None]:
        """Entry by branch."""
        return {name: self.refs[f"heads/{name}"] for name in below("heads", self.refs)}

    @property
    def tags(self) -> dict[str, EntryId | None]:
        """Entry by tag."""
        return {name: self.refs[f"tags/{name}"] for name in below("tags", self.refs)}

    def to_bytes(self, name: str) -> bytes:
        """Return the bytes of the file with a name."""
        lines = [
            f"{_FIRST}{MAJOR}",
            f"moves by {'create' if self.creates else 'lock'}",
            f"base {self.base} {self.manifest}",
            f"head {self.head}",
            f"at {self.at}",
            *([f"{_LIST}{self.listed}"] if self.listed else []),
            *(f"{ref} {id_line(self.refs[ref])}" for ref in sorted(self.refs)),
        ]
        return sealed(name, lines)


def refs_of(name: str, data: bytes, origin: str) -> RemoteRefs:
    """Return the refs of a file's bytes.

    Args:
        name: The file's path in the remote.
        data: Its bytes.
        origin: The remote's name, for messages.

    Raises:
        RemoteError: A newer program wrote it.
        IntegrityError: The bytes are not what was written.
    """
    try:
        lines = unsealed(name, data)
        number = lines[0].removeprefix(_FIRST)
        if lines[0] != number and number.isdecimal() and int(number) > MAJOR:
            raise RemoteError(
                f"{origin} has format {number}, this program reads {MAJOR}",
                fix="pip install --upgrade unlearnlog",
            )
        return _parsed(lines)
    except (ValueError, IndexError, UsageError) as error:
        raise damaged_there(name, origin, str(error).partition("\n")[0]) from error


def _parsed(lines: list[str]) -> RemoteRefs:
    """Return the refs of unsealed lines; raise ValueError for any other lines."""
    first, moves, base, head, at, *rest = lines
    root, manifest = base.removeprefix("base ").split(" ")
    named = (first, base[:5], head[:5], at[:3])
    if named != (f"{_FIRST}{MAJOR}", "base ", "head ", "at "):
        message = "its first lines are not those of a remote"
        raise ValueError(message)
    if not (HEX.fullmatch(root) and HEX.fullmatch(manifest)):
        message = f"{base[:80]!r} names no base"
        raise ValueError(message)
    creates = {"moves by create": True, "moves by lock": False}.get(moves)
    if creates is None:
        message = f"{moves[:80]!r} is no way to move"
        raise ValueError(message)
    listed = _list_of(rest)
    refs: dict[str, EntryId | None] = {}
    for line in rest[bool(listed) :]:
        ref, _, to = line.partition(" ")
        if not ref.startswith(_KINDS):
            message = f"{ref[:80]!r} is no branch or tag"
            raise ValueError(message)
        check_name(ref.partition("/")[2])
        refs[ref] = line_id(to)
    _check_files(refs)
    check_name(head[5:])
    return RemoteRefs(
        Digest(root),
        Digest(manifest),
        head[5:],
        refs,
        creates=creates,
        listed=listed,
        at=at[3:],
    )


def _check_files(refs: Mapping[str, EntryId | None]) -> None:
    """Refuse refs that cannot all be files: one is the folder of another."""
    for ref in refs:
        parts = ref.split("/")
        for n in range(2, len(parts)):
            if (folder := "/".join(parts[:n])) in refs:
                message = f"it names {folder!r} and {ref!r}"
                raise ValueError(message)


def _list_of(lines: list[str]) -> str:
    """Return the digest in the first line, where that names a list; else ''."""
    if not lines or not lines[0].startswith(_LIST):
        return ""
    listed = lines[0].removeprefix(_LIST)
    if not HEX.fullmatch(listed):
        message = f"{listed[:80]!r} names no list"
        raise ValueError(message)
    return listed


def damaged_there(path: str, origin: str, why: str) -> IntegrityError:
    """Return the error for a file of a remote that is not as it was written."""
    return IntegrityError(
        f"{path} of {origin} is damaged: {why}; nothing was taken from there",
        fix="put that file back there from a copy of the remote",
    )
