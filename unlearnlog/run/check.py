"""``fsck --full``: replay every entry, not only read its files."""

from __future__ import annotations

from pathlib import Path

from unlearnlog.errors import UnlearnlogError
from unlearnlog.ledger import Ledger
from unlearnlog.ledger.fsck import Damage
from unlearnlog.run.place import place


def replayed(folder: Path) -> tuple[Damage, ...]:
    """Check every file, and that every reachable entry replays to its digest.

    Raises:
        NoLedger: There is none.
        WrongBase: The model is not the one the ledger was made for.
    """
    ledger = Ledger.find(folder)
    damage = ledger.fsck()
    if damage:
        return damage
    base = place(folder).model.base
    found = []
    for entry_id in ledger.reachable():
        try:
            ledger.state(entry_id, base, fresh=True)
        except UnlearnlogError as error:
            path = f"entries/{entry_id[:2]}/{entry_id}.json"
            found.append(Damage(path, error.message, (entry_id,)))
    return tuple(found)
