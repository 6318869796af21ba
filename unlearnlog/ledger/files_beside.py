"""Files of a ledger that no entry names, by what they belong to: those that travel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.ledger.ledger_file import (
    SEALED,
    SIGNATURES,
    LedgerFile,
    file_beside,
)

if TYPE_CHECKING:
    from unlearnlog.ledger.store import Store


def signatures_by_subject(store: Store) -> dict[str, list[LedgerFile]]:
    """Return the names of all signatures, by the SHA-256 of what is signed."""
    found = defaultdict[str, list[LedgerFile]](list)
    for file in _named_well(store, SIGNATURES):
        found[file.subject].append(file)
    return dict(found)


def sealed_only(store: Store) -> list[LedgerFile]:
    """Return the names of the sealed files of what does not lie open as well."""
    return [
        file
        for file in _named_well(store, SEALED)
        if not store.holds(Path(content_of(file).path))
    ]


def stored(store: Store, file: LedgerFile) -> list[LedgerFile]:
    """Return the files that hold a delta or an attack: itself, or its sealed copies.

    Empty where it is missing.
    """
    if store.holds(Path(file.path)):
        return [file]
    return [*_named_well(store, f"{SEALED}/{file.path}")]


def content_of(file: LedgerFile) -> LedgerFile:
    """Return the name of the delta or attack in a sealed file."""
    return LedgerFile(file.kind.removeprefix(f"{SEALED}/"), file.subject)


def _named_well(store: Store, folder: str) -> Iterator[LedgerFile]:
    """Yield the files of a folder; `fsck` names those whose path is none of theirs."""
    for path in store.files(folder):
        with suppress(ValueError):
            yield file_beside(path.as_posix())
