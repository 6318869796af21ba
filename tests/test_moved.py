"""Two commands at once on one ledger: what one computed is not put on the other's."""

from __future__ import annotations

import pytest
import torch

from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta, LowRank
from unlearnlog.core.entry import Append
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import LedgerError
from unlearnlog.ledger.repository import Repository

PASSED = VerdictRecord(passed=True)


def draft(at, seed):
    """Return a draft that nobody trained."""
    name = next(iter(at.model.base))
    rng = torch.Generator().manual_seed(seed)
    d_out, d_in = at.model.base[name].shape
    left = 1e-3 * torch.randn(d_out, 1, generator=rng)
    delta = Delta({name: LowRank(left, torch.randn(1, d_in, generator=rng))})
    concepts = (Concept(f"concept {seed}", "style"),)
    made, change = EraserRecord(name="mim"), Append(object=delta.digest)
    return EntryBuilder("erase", concepts, made, (change,), brought=(delta,))


def test_what_was_computed_on_one_entry_is_not_recorded_on_another(tmp_path):
    """It was: the head was read anew after minutes of looking at pictures.

    The entry then said what its weights had been without the one before it, and no
    replay gave them.
    """
    ledger = Repository.init(tmp_path, open_session(tmp_path, may_create=True).manifest)
    one, other = open_session(tmp_path).pinned(), open_session(tmp_path)
    mine, theirs = draft(one, 1), draft(other, 2)
    state = mine.state(one)

    entry = theirs.concluded(other, theirs.state(other), (), PASSED)
    ledger.append(entry, *theirs.brought)

    with pytest.raises(LedgerError, match="the ledger moved to"):
        ledger.append(mine.concluded(one, state, (), PASSED), *mine.brought)
    assert ledger.head == entry.id
    ledger.state(ledger.head, one.model.base)


def test_a_place_that_nobody_computes_on_follows_the_head(tmp_path):
    ledger = Repository.init(tmp_path, open_session(tmp_path, may_create=True).manifest)
    at = open_session(tmp_path)

    made = draft(at, 1)
    entry = made.concluded(at, made.state(at), (), PASSED)
    ledger.append(entry, *made.brought)

    assert at.head == ledger.head == entry.id
