"""``fsck --full``: replay every entry, not only read its files."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.commands.session import open_session
from unlearnlog.core.delta import Weights, change_after, rounded, state_digest
from unlearnlog.errors import UnlearnlogError
from unlearnlog.ledger.cache_pages import CacheDamaged
from unlearnlog.ledger.fsck import Damage
from unlearnlog.ledger.repository import Repository

if TYPE_CHECKING:
    from unlearnlog.core.digest import Digest
    from unlearnlog.core.entry import EntryId


def replayed(folder: Path, base: Path | None = None) -> tuple[Damage, ...]:
    """Check every file, and that every reachable entry replays to its digest.

    What is damaged in the cache is removed, to be made again, and warned of.

    Args:
        folder: Of the ledger.
        base: Where its base is; None to find it.

    Raises:
        NoLedger: There is no ledger.
        WrongBase: The model is not the one the ledger was made for.
    """
    ledger = Repository.find(folder)
    damage = ledger.fsck()
    if damage:
        return damage
    if lost := ledger.tidy():
        warnings.warn(
            f"{len(lost)} of what was kept for speed was damaged and is removed; it is "
            f"made again when it is needed: {lost[0].path}: {lost[0].problem}",
            CacheDamaged,
            stacklevel=2,
        )
    weights = open_session(folder, base=base).model.base
    return tuple(entries_that_lie(ledger, weights))


def entries_that_lie(ledger: Repository, base: Weights) -> Iterator[Damage]:
    """Replay each entry from the deltas alone, going on from the entry before it.

    Sums are exact, so what one entry has more or less than another is added or taken
    away: a long history is replayed once, not once for each of its entries.

    Args:
        ledger: The ledger; its files are sound.
        base: The base's tensors.

    Yields:
        One damage for each entry that is not what it says.
    """
    done: Counter[Digest] = Counter()
    change: Weights = {}
    for entry_id, entry in ledger.reachable().items():
        wanted = Counter(ledger.plan(entry_id))
        try:
            more = [ledger.delta(digest) for digest in (wanted - done).elements()]
            less = [ledger.delta(digest) for digest in (done - wanted).elements()]
            steps = [*more, *(delta.negated() for delta in less)]
            change, done = change_after(steps, change), wanted
            found = state_digest(rounded(base, change), ledger.base.root)
        except (UnlearnlogError, ValueError) as error:
            yield _damage(entry_id, f"it cannot be replayed: {error}")
            continue
        if found != entry.state.after:
            said = f"it replays to {found}, recorded is {entry.state.after}"
            yield _damage(entry_id, said)


def _damage(entry: EntryId, problem: str) -> Damage:
    return Damage(f"entries/{entry[:2]}/{entry}.json", problem, (entry,))
