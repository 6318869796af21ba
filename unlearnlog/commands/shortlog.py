"""``shortlog``: how many entries each author or signer made, and which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.core.active import said_of

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.ledger.entry_standing import Standing

UNKNOWN: Final = "(unknown)"
"""Who made an entry that names no author, or that no allowed signer signed."""


@dataclass(frozen=True)
class Share:
    """The entries of one person.

    Attributes:
        who: The author or the signer.
        n: Number of entries.
        entries: Id and subject of each, oldest first.
    """

    who: str
    n: int
    entries: tuple[tuple[EntryId, str], ...]

    def row(self) -> dict[str, Any]:
        """Return the fields as ``shortlog --json`` prints them."""
        listed = [{"id": name, "subject": subject} for name, subject in self.entries]
        return {**asdict(self), "entries": listed}


def by_author(history: Sequence[tuple[EntryId, Entry]]) -> list[Share]:
    """Return the entries by their author; those with most come first."""
    made = {
        name: entry.note.author.text
        for name, entry in history
        if entry.note and entry.note.author
    }
    return _shares(history, made)


def by_signer(
    history: Sequence[tuple[EntryId, Entry]], standings: Sequence[Standing]
) -> list[Share]:
    """Return the entries by who signed them; a tag's signer signed the tag only.

    Args:
        history: The entries.
        standings: What their signatures say.
    """
    made = {
        each.entry: ", ".join(each.signers)
        for each in standings
        if each.entry is not None and each.word == "good"
    }
    return _shares(history, made)


def _shares(
    history: Sequence[tuple[EntryId, Entry]], made: Mapping[EntryId, str]
) -> list[Share]:
    found: dict[str, list[tuple[EntryId, str]]] = {}
    for name, entry in history:
        subject = f"{entry.kind} {said_of(entry)}".strip()
        found.setdefault(made.get(name, UNKNOWN), []).append((name, subject))
    shares = [Share(who, len(each), tuple(each)) for who, each in found.items()]
    return sorted(shares, key=lambda share: (-share.n, share.who))
