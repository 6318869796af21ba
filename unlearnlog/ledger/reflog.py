"""The log of a branch: its newest moves in one sealed file, older ones in pages.

A page is never written again. It is named by its own hash, and its first line names the
page before it: to add a move costs as much in a long log as in a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from unlearnlog.core.digest import HEX, Digest, Record, canonical_json

PAGE: Final = 64
"""So many lines are a page; the next move begins a new one."""

_OLDER: Final = "older "


class ReflogEntry(Record):
    """One line of a branch's log: where it stood, where it went, and why."""

    at: str
    old: str
    new: str
    why: str


def move_line(move: ReflogEntry) -> str:
    """Write a move as a line."""
    return canonical_json(move.model_dump()).decode()


def older_line(page: Digest) -> str:
    """Write where the moves before these are."""
    return f"{_OLDER}{page}"


def page_bytes(lines: Sequence[str]) -> bytes:
    """Write a page."""
    return "".join(f"{line}\n" for line in lines).encode()


def page_lines(data: bytes) -> list[str]:
    """Read a page."""
    return data.decode().split("\n")[:-1]


def read_lines(lines: Sequence[str]) -> tuple[Digest | None, list[ReflogEntry]]:
    """Read the page before these lines, or None, and their moves, oldest first.

    Raises:
        ValueError: They are not what was written.
    """
    if not lines or not lines[0].startswith(_OLDER):
        return None, [ReflogEntry.model_validate_json(line) for line in lines]
    older = lines[0].removeprefix(_OLDER)
    if not HEX.fullmatch(older):
        message = f"{older[:80]!r} is no page of a log"
        raise ValueError(message)
    return Digest(older), [ReflogEntry.model_validate_json(line) for line in lines[1:]]
