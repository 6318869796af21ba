"""Two entries that are one step: the first is staged, and the branch goes to both."""

from __future__ import annotations

import pytest

from tests.ledger.making import erase, new_ledger, next_entry, some_delta
from unlearnlog.core.entry import Drop
from unlearnlog.errors import Moved


@pytest.fixture
def ledger(tmp_path):
    made = new_ledger(tmp_path)
    erase(made, seed=1)
    return made


def staged(ledger, **more):
    """Stage an entry that leaves the head out; the state is the base's again."""
    head = ledger.head
    drop = (Drop(entry=head),)
    state = {"before": ledger.state_digest(head), "after": ledger.state_digest(None)}
    entry = next_entry(ledger, changes=drop, kind="revert", state=state, **more)
    ledger.stage(entry)
    return entry


def upon(ledger, entry):
    """Return an entry on a staged one."""
    delta = some_delta(2)
    first = next_entry(ledger, delta)
    state = {"before": entry.state.after, "after": first.state.after}
    return delta, first.model_copy(
        update={"parent": entry.id, "state": type(first.state)(**state)}
    )


def test_what_is_staged_is_led_to_by_nothing_and_swept_away(ledger):
    """A process that is killed in between left every concept of a batch given back."""
    head, n = ledger.head, len(ledger.moves)

    entry = staged(ledger)

    assert ledger.head == head
    assert len(ledger.moves) == n
    assert ledger.fsck() == ()
    assert any(entry.id in str(each.path) for each in ledger.collect())


def test_the_branch_goes_to_both_in_one_move(ledger):
    n = len(ledger.moves)
    entry = staged(ledger)
    delta, second = upon(ledger, entry)

    ledger.append(second, delta, under=entry)

    assert [i for i, _ in ledger.history(ledger.head)][1:] == [entry.id, second.id]
    assert len(ledger.moves) == n + 1
    assert ledger.fsck() == ()


def test_what_others_recorded_is_not_passed_over(ledger):
    entry = staged(ledger)
    delta, second = upon(ledger, entry)
    erase(ledger, seed=3)
    head = ledger.head

    with pytest.raises(Moved):
        ledger.append(second, delta, under=entry)

    assert ledger.head == head


def test_an_entry_stands_on_what_is_staged_under_it(ledger):
    entry = staged(ledger)
    delta = some_delta(2)
    beside = next_entry(ledger, delta)

    with pytest.raises(ValueError, match="stands on"):
        ledger.append(beside, delta, under=entry)
