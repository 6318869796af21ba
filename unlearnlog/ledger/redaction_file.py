"""The names that a ledger redacts: a file of names and replacements, with a checksum.

    redactions      a line {"name": ..., "shown": ...} for each name

It stays with the ledger, which holds the names in its entries anyway, and is no part of
what is given away.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from unlearnlog.core.digest import Record, canonical_json
from unlearnlog.ledger.checksummed import sealed, unsealed

if TYPE_CHECKING:
    from unlearnlog.ledger.store import Store, Writing

REDACTIONS: Final = "redactions"
"""Name of the file, in the ledger's folder."""

_Text = Annotated[str, Field(min_length=1, max_length=200)]


class RedactedName(Record):
    """One name, and the words that are shown in its place."""

    name: _Text
    shown: _Text


def redactions(store: Store) -> dict[str, str]:
    """Read the names that are redacted; none where there is no file.

    Raises:
        IntegrityError: The file is damaged.
    """
    if not store.holds(Path(REDACTIONS)):
        return {}
    return store.checked_text(REDACTIONS, _parsed)


def put_redactions(store: Store, writing: Writing, names: Mapping[str, str]) -> None:
    """Write the names that are redacted."""
    rows = (RedactedName(name=name, shown=shown) for name, shown in names.items())
    lines = [canonical_json(row.model_dump()).decode() for row in rows]
    writing.put(store.root / REDACTIONS, sealed(REDACTIONS, lines))


def _parsed(data: bytes) -> dict[str, str]:
    rows = map(RedactedName.model_validate_json, unsealed(REDACTIONS, data))
    return {row.name: row.shown for row in rows}
