"""Small text files with a checksum in the last line.

The checksum is the SHA-256 of the file's own name and of all lines before it: it
detects a flipped byte, a truncated file, and a file in another's place.
"""

from __future__ import annotations

from typing import Final

from unlearnlog.core.digest import HEX, Digest, digest_of, plain_json
from unlearnlog.core.entry import EntryId

NOTHING: Final = "base"
"""Content of a ref that stands on the base, before any entry."""


def sealed(name: str, lines: list[str]) -> bytes:
    """Return the bytes of lines and their checksum.

    Args:
        name: The file's path below the ledger's folder, with ``/``.
        lines: Without their line ends.
    """
    return "".join(f"{line}\n" for line in [*lines, _seal(name, lines)]).encode()


def unsealed(name: str, data: bytes) -> list[str]:
    """Return the lines that `sealed` wrote under this name.

    Raises:
        ValueError: The bytes are not exactly what was written.
    """
    lines = data.decode("utf-8", errors="replace").split("\n")[:-2]
    if sealed(name, lines) != data:
        message = f"{name} does not fit its checksum"
        raise ValueError(message)
    return lines


def id_line(entry: EntryId | None) -> str:
    """Return the line for an entry's id, or for the base."""
    return NOTHING if entry is None else entry


def line_id(line: str) -> EntryId | None:
    """Return the id of a line that `id_line` wrote; None for the base.

    Raises:
        ValueError: The line is neither 64 hex digits nor the word for the base.
    """
    if line == NOTHING:
        return None
    if not HEX.fullmatch(line):
        message = f"{line[:80]!r} is no entry's id"
        raise ValueError(message)
    return EntryId(line)


def _seal(name: str, lines: list[str]) -> Digest:
    return digest_of(plain_json([name, *lines]))
