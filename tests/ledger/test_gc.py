"""What may go and what never may."""

from __future__ import annotations

import pytest

from tests.ledger.making import (
    FakeDisk,
    base_weights,
    erase,
    files,
    new_ledger,
    next_entry,
    same,
    some_delta,
)
from unlearnlog.errors import IntegrityError
from unlearnlog.ledger import sum_cache
from unlearnlog.ledger.repository import Repository
from unlearnlog.ledger.store import Store


@pytest.fixture
def ledger(tmp_path):
    made = new_ledger(tmp_path)
    for seed in (1, 2, 3):
        erase(made, seed)
    return made


def orphan(ledger, folder):
    """Leave what a process leaves that died before it moved the branch."""
    store = Store(folder / ".unlearnlog", FakeDisk())
    delta = some_delta(9)
    entry = next_entry(ledger, delta)
    with store.writing() as writing:
        store.put_object(writing, delta)
        store.put_entry(writing, entry)
    return entry


def test_what_was_recorded_is_never_garbage(ledger, tmp_path):
    """Not even what only the branch's log still names."""
    states = {e: ledger.state(e, base_weights()) for e in ledger.reachable()}
    ledger.create_tag("first", "HEAD~2")
    ledger.reset("base")
    before = files(tmp_path)

    ledger.collect()

    assert files(tmp_path) == before
    again = Repository.open(tmp_path)
    for entry, state in states.items():
        assert same(again.state(entry, base_weights()), state)


def test_what_a_crash_left_goes_and_is_named_with_its_size(ledger, tmp_path):
    before = files(tmp_path)
    entry = orphan(ledger, tmp_path)
    crowded = files(tmp_path)

    would = ledger.collect(dry_run=True)
    assert files(tmp_path) == crowded
    went = ledger.collect()

    kept = {path: data for path, data in files(tmp_path).items() if data is not None}
    assert kept == {path: data for path, data in before.items() if data is not None}
    lasting = ("entries", "objects")
    assert [g.path for g in would if g.path.startswith(lasting)] == [
        f"entries/{entry.id[:2]}/{entry.id}.json",
        f"objects/{entry.objects[0][:2]}/{entry.objects[0]}",
    ]
    assert {g.path for g in would} >= {g.path for g in went}
    assert all(g.n_bytes > 0 for g in would)
    assert ledger.collect() == ()


def test_the_cache_may_go_at_any_time(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(sum_cache, "EVERY", 4)
    base = base_weights()
    for seed in range(4, 12):
        erase(ledger, seed)
    state = ledger.state(ledger.head, base)
    folder = tmp_path / ".unlearnlog" / "cache"
    assert any(path.is_file() for path in folder.rglob("*"))

    ledger.collect()

    assert not any(path.is_file() for path in folder.rglob("*"))
    assert same(Repository.open(tmp_path).state(ledger.head, base), state)


def test_a_damaged_ledger_is_not_tidied(ledger, tmp_path):
    entry = ledger.resolve("HEAD~1")
    path = tmp_path / ".unlearnlog" / "entries" / entry[:2] / f"{entry}.json"
    path.write_bytes(b"{}")
    before = files(tmp_path)

    with pytest.raises(IntegrityError):
        Repository.open(tmp_path).collect()

    assert files(tmp_path) == before
