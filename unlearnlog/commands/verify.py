"""``fsck --full``: a replay of every entry, beside the check of its files."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.commands.session_opening import open_session
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

    Damaged cache files are removed with a warning, and computed again when needed.

    Args:
        folder: The ledger's folder.
        base: The base's location; None to find it.

    Returns:
        The damages; empty for a sound ledger.

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
            f"{len(lost)} cache files were damaged and are removed; they are made "
            f"again when needed: {lost[0].path}: {lost[0].problem}",
            CacheDamaged,
            stacklevel=2,
        )
    weights = open_session(folder, base=base).model.base
    return tuple(entries_that_lie(ledger, weights))


def entries_that_lie(ledger: Repository, base: Weights) -> Iterator[Damage]:
    """Replay each entry from the deltas alone, starting at the entry before it.

    Sums are exact, so deltas of one entry that the other lacks are added or subtracted:
    a long history is replayed once, not once for each of its entries.

    Args:
        ledger: The ledger; its files are sound.
        base: The base's tensors.

    Yields:
        A damage for each entry whose replay differs from its record.
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
            problem = f"it replays to {found}, recorded is {entry.state.after}"
            yield _damage(entry_id, problem)


def _damage(entry: EntryId, problem: str) -> Damage:
    return Damage(f"entries/{entry[:2]}/{entry}.json", problem, (entry,))
