import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.ledger.making import base_weights, erase, new_ledger, same
from unlearnlog.core.delta import change_after, state_after
from unlearnlog.ledger import sum_cache
from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.repository import Repository

EVERY = 4
N = 2 * EVERY + 1


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(sum_cache, "EVERY", EVERY)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A long history, the state at its end, its folder."""
    folder = tmp_path_factory.mktemp("long")
    ledger = new_ledger(folder)
    for seed in range(N):
        erase(ledger, seed)
    deltas = [ledger.delta(digest) for digest in ledger.plan(ledger.head)]
    return folder, state_after(base_weights(), deltas)


@pytest.fixture
def long(recorded, tmp_path):
    folder, state = recorded
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    ledger = Repository.open(tmp_path)
    ledger.state(ledger.head, base_weights())
    return ledger, state, tmp_path / ".unlearnlog" / "cache" / "sums"


class CountingDisk(Disk):
    """Remembers which deltas were read."""

    def __init__(self):
        self.deltas = []

    def read(self, path):
        if path.parent.parent.name == "objects":
            self.deltas.append(path.name)
        return super().read(path)


def _counting(ledger):
    """Open the ledger again, and count the deltas that are read."""
    disk = CountingDisk()
    return Repository.open(ledger.folder, disk=disk), disk.deltas


def test_a_replay_starts_from_the_nearest_sum(long):
    ledger, state, _ = long
    ledger, read = _counting(ledger)

    found = ledger.state(ledger.head, base_weights())

    assert same(found, state)
    assert len(read) == N - 2 * EVERY


@pytest.mark.parametrize("keep_folder", [True, False])
def test_the_cache_may_be_deleted_at_any_time(long, keep_folder):
    ledger, state, sums = long
    shutil.rmtree(sums)
    if keep_folder:
        sums.mkdir()
    ledger, read = _counting(ledger)

    found = ledger.state(ledger.head, base_weights())

    assert same(found, state)
    assert len(read) == N
    assert len(list(sums.iterdir())) == 2


def test_a_sum_with_other_numbers_is_not_trusted(long):
    ledger, state, sums = long
    for path in sums.iterdir():
        _spoil(path)

    assert same(ledger.state(ledger.head, base_weights()), state)


def test_a_sum_that_was_replaced_once_is_good_afterwards(long):
    ledger, state, sums = long
    for path in sums.iterdir():
        _spoil(path)
    ledger.state(ledger.head, base_weights())
    ledger, read = _counting(ledger)

    found = ledger.state(ledger.head, base_weights())

    assert same(found, state)
    assert len(read) == N - 2 * EVERY


@pytest.mark.parametrize(
    "change",
    [
        {"unet.z": torch.ones(2)},
        {"unet.a": torch.ones(2)},
        {"unet.a": torch.ones(6, 4).half()},
        {"unet.a": torch.full((6, 4), float("nan")).double()},
        {"unet.a": torch.full((6, 4), 1e30).double()},
        {},
    ],
)
def test_a_sum_that_does_not_fit_is_not_used(long, change):
    ledger, state, sums = long
    for path in sums.iterdir():
        save_file(change, path, _says(path))

    assert same(ledger.state(ledger.head, base_weights()), state)


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", b"\xff" * 100])
def test_a_sum_that_is_no_file_of_tensors_is_not_used(long, data):
    ledger, state, sums = long
    for path in sums.iterdir():
        path.write_bytes(data)

    assert same(ledger.state(ledger.head, base_weights()), state)


def test_a_cache_that_cannot_be_written_is_done_without(long):
    ledger, state, sums = long
    shutil.rmtree(sums)
    sums.write_bytes(b"a file is in the way")

    assert same(ledger.state(ledger.head, base_weights()), state)


def test_a_sum_that_says_nothing_of_its_deltas_is_not_used(long):
    ledger, state, sums = long
    for path, says in zip(sums.iterdir(), [None, {"deltas": "7"}], strict=True):
        save_file(load_file(path), path, says)
    ledger, read = _counting(ledger)

    assert same(ledger.state(ledger.head, base_weights()), state)
    assert len(read) == N


def test_what_a_sum_has_too_much_is_taken_away(long):
    """The way back is exact, too: one delta less is one delta read."""
    ledger, _, _ = long
    chain = [
        digest for _, entry in ledger.history(ledger.head) for digest in entry.objects
    ]
    plan = [digest for i, digest in enumerate(chain[: 2 * EVERY]) if i != 1]
    read = []

    def delta(digest):
        read.append(digest)
        return ledger.delta(digest)

    change = sum_cache.SumCache(
        CacheFolder(ledger.folder / ".unlearnlog/cache/sums", Disk())
    ).change(plan, delta=delta)

    wanted = change_after(map(ledger.delta, plan))
    assert all(torch.equal(change[name], wanted[name]) for name in wanted)
    assert read == [chain[1]]


def test_only_as_many_sums_are_kept_as_there_is_room_for(long, monkeypatch):
    ledger, _, sums = long
    (sums.parent / "painted").mkdir()
    for room, n_kept in [(10**6, 5), (1, 2)]:
        monkeypatch.setattr(sum_cache, "ROOM", room)
        for seed in range(N, 5 * EVERY):
            if room > 1:
                erase(ledger, seed)
        ledger.state(ledger.head, base_weights(), fresh=True)

        assert len(list(sums.iterdir())) == n_kept
    assert (sums.parent / "painted").is_dir()


def _says(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def _spoil(path):
    """Change numbers, but not what the file says of itself."""
    save_file({n: t + 1 for n, t in load_file(path).items()}, path, _says(path))
