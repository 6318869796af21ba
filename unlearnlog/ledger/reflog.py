"""The log of a branch: its newest moves in one sealed file, older ones in pages.

A page is never written again. It is named by its own hash, and its first line names the
page before it: to add a move costs as much in a long log as in a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from unlearnlog.core.digest import HEX, Digest, Record, canonical_json

PAGE: Final = 64
"""Lines of a full page; the next move begins a new one."""

_OLDER: Final = "older "


class ReflogEntry(Record):
    """One move of a branch: its time, the old and the new entry, and the reason."""

    at: str
    old: str
    new: str
    why: str


def move_line(move: ReflogEntry) -> str:
    """Return the line of a move."""
    return canonical_json(move.model_dump()).decode()


def older_line(page: Digest) -> str:
    """Return the line that refers to the page before."""
    return f"{_OLDER}{page}"


def page_bytes(lines: Sequence[str]) -> bytes:
    """Return the bytes of a page."""
    return "".join(f"{line}\n" for line in lines).encode()


def page_lines(data: bytes) -> list[str]:
    """Return the lines of a page."""
    return data.decode().split("\n")[:-1]


def read_lines(lines: Sequence[str]) -> tuple[Digest | None, list[ReflogEntry]]:
    """Return the digest of the page before these lines, or None, and their moves.

    Raises:
        ValueError: The lines are no log.
    """
    if not lines or not lines[0].startswith(_OLDER):
        return None, [ReflogEntry.model_validate_json(line) for line in lines]
    older = lines[0].removeprefix(_OLDER)
    if not HEX.fullmatch(older):
        message = f"{older[:80]!r} is no page of a log"
        raise ValueError(message)
    return Digest(older), [ReflogEntry.model_validate_json(line) for line in lines[1:]]
