"""Checks that an entry can be replayed once it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unlearnlog.core.entry import DeltaRecord, Entry
from unlearnlog.ledger.store import attack_digest

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Delta
    from unlearnlog.ledger.ledger_reader import LedgerReader


def check_fit(ledger: LedgerReader, entry: Entry, deltas: Sequence[Delta]) -> None:
    """Refuse an entry that could not be replayed afterwards."""
    if Entry.from_json(entry.to_json()).state.before != (
        before := ledger.state_digest(entry.parent)
    ):
        message = f"entry starts from {entry.state.before}, its parent is {before}"
        raise ValueError(message)
    given = [DeltaRecord(digest=d.digest, n_bytes=d.n_bytes) for d in deltas]
    if given and entry.delta != (given[0] if len(given) == 1 else None):
        message = f"entry records {entry.delta}, its delta is {given[0]}"
        raise ValueError(message)
    wanted = {*entry.objects}
    brought = {record.digest for record in given}
    if strange := (brought | {r.digest for r in [entry.delta] if r}) - wanted:
        message = f"no change of the entry uses its delta {min(strange)}"
        raise ValueError(message)
    for delta in deltas:
        ledger.base.check_fits(delta)
    for digest in wanted - brought:
        ledger.base.check_fits(ledger.delta(digest))


def check_attacks(
    ledger: LedgerReader, entry: Entry, brought: Sequence[Mapping[str, torch.Tensor]]
) -> None:
    """Refuse an entry with an attack that is neither given nor on disk."""
    wanted = {each.object for each in entry.attacks}
    given = {attack_digest(tensors) for tensors in brought}
    if strange := given - wanted:
        message = f"no attack of the entry is {min(strange)}"
        raise ValueError(message)
    for digest in wanted - given:
        ledger.attack(digest)
