import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.ledger.making import base_weights, erase, new_ledger, same
from unlearnlog.delta import state_after
from unlearnlog.ledger import Ledger
from unlearnlog.ledger.cache import EVERY

N = 2 * EVERY + 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A long history whose snapshots are taken, the state at its end, its folder."""
    folder = tmp_path_factory.mktemp("long")
    ledger = new_ledger(folder)
    for seed in range(N):
        erase(ledger, seed)
    deltas = [ledger.delta(digest) for digest in ledger.plan(ledger.head)]
    ledger.state(ledger.head, base_weights())
    return folder, state_after(base_weights(), deltas)


@pytest.fixture
def long(recorded, tmp_path):
    folder, state = recorded
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return Ledger.open(tmp_path), state, tmp_path / ".unlearnlog" / "cache"


def _count_reads(ledger, monkeypatch):
    read = []
    delta = ledger.delta

    def counted(digest):
        read.append(digest)
        return delta(digest)

    monkeypatch.setattr(ledger, "delta", counted)
    return read


def test_a_replay_starts_from_the_nearest_snapshot(long, monkeypatch):
    ledger, state, _ = long
    read = _count_reads(ledger, monkeypatch)

    found = ledger.state(ledger.head, base_weights())

    assert same(found, state)
    assert len(read) == N - 2 * EVERY


@pytest.mark.parametrize("keep_folder", [True, False])
def test_the_cache_may_be_deleted_at_any_time(long, monkeypatch, keep_folder):
    ledger, state, cache = long
    shutil.rmtree(cache)
    if keep_folder:
        cache.mkdir()
    read = _count_reads(ledger, monkeypatch)

    found = ledger.state(ledger.head, base_weights())

    assert same(found, state)
    assert len(read) == N
    assert len(list(cache.iterdir())) == 2


def test_a_snapshot_with_other_numbers_is_not_trusted(long):
    ledger, state, cache = long
    for path in cache.iterdir():
        save_file({n: t + 1 for n, t in load_file(path).items()}, path)

    assert same(ledger.state(ledger.head, base_weights()), state)


def test_a_snapshot_that_was_replaced_once_is_good_afterwards(long, monkeypatch):
    ledger, state, cache = long
    for path in cache.iterdir():
        save_file({n: t + 1 for n, t in load_file(path).items()}, path)
    ledger.state(ledger.head, base_weights())
    read = _count_reads(ledger, monkeypatch)

    found = ledger.state(ledger.head, base_weights())

    assert same(found, state)
    assert len(read) == N - 2 * EVERY


@pytest.mark.parametrize(
    "totals",
    [
        {"unet.z": torch.ones(2)},
        {"unet.a": torch.ones(2)},
        {"unet.a": torch.ones(6, 4).half()},
        {"unet.a": torch.full((6, 4), float("nan"))},
        {},
    ],
)
def test_a_snapshot_that_does_not_fit_is_not_used(long, totals):
    ledger, state, cache = long
    for path in cache.iterdir():
        save_file(totals, path)

    assert same(ledger.state(ledger.head, base_weights()), state)


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", b"\xff" * 100])
def test_a_snapshot_that_is_no_file_of_tensors_is_not_used(long, data):
    ledger, state, cache = long
    for path in cache.iterdir():
        path.write_bytes(data)

    assert same(ledger.state(ledger.head, base_weights()), state)


def test_a_cache_that_cannot_be_written_is_done_without(long):
    ledger, state, cache = long
    shutil.rmtree(cache)
    cache.write_bytes(b"a file is in the way")

    assert same(ledger.state(ledger.head, base_weights()), state)


def test_only_the_newest_snapshots_are_kept(long):
    ledger, _, cache = long
    for i in range(10):
        save_file({}, cache / f"old{i}")

    for seed in range(N, 3 * EVERY):
        erase(ledger, seed)
    ledger.state(ledger.head, base_weights())

    assert len(list(cache.iterdir())) == 4
