"""Every byte of every file counts, and damage names the entries that it concerns."""

from __future__ import annotations

import shutil
from itertools import combinations
from pathlib import Path

import pytest

from tests.ledger.making import (
    FakeDisk,
    erase,
    erase_jointly,
    files,
    new_ledger,
    revert,
    some_delta,
)
from unlearnlog.errors import UnlearnlogError
from unlearnlog.ledger import store
from unlearnlog.ledger.fsck import Damage, fsck
from unlearnlog.ledger.repository import Repository
from unlearnlog.ledger.store import Store

STRIDE = 37


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a ledger with something in every kind of file."""
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PAGE", 2)
        ledger = new_ledger(folder)
        first = erase(ledger, 1)
        ledger.create_branch("other")
        ledger.create_tag("june/first")
        revert(ledger, first, [])
        erase_jointly(ledger, ["monet"])
        ledger.create_tag("second")
        ledger.switch("other")
        erase(ledger, 2)
        ledger.reset("HEAD~1")
    return folder


@pytest.fixture
def root(model, tmp_path):
    shutil.copytree(model, tmp_path / "it")
    return tmp_path / "it" / ".unlearnlog"


def worth(root):
    """List the files that hold something of value, from the root."""
    return [path for path, data in files(root.parent).items() if data is not None]


def kind(path):
    """Say what sort of file this is; two of a sort could be swapped."""
    return path.parts[:2] if path.parts[0] == "logs" else path.parts[:1]


def found(root):
    """Return what one look finds; a ledger that cannot be opened is damage, too."""
    try:
        Repository.open(root, disk=FakeDisk())
        return fsck(Store(root, FakeDisk()))
    except UnlearnlogError as error:
        return (Damage("FORMAT", error.message),)


def concerned(root):
    """Return the entries that each file concerns."""
    ledger = Repository.open(root, disk=FakeDisk())
    named: dict[Path, set[str]] = {}
    for entry in ledger._store.entry_ids():
        entry_path = ledger._store.entry_path(entry).relative_to(root)
        named.setdefault(entry_path, set()).add(entry)
        for digest in ledger.entry(entry).objects:
            path = ledger._store.object_path(digest).relative_to(root)
            named.setdefault(path, set()).add(entry)
    return named


def assert_found(root, path, entries, what):
    """See damage found, and all of these entries named."""
    damage = found(root)
    assert damage, f"{what} of {path}"
    named = {entry for each in damage for entry in each.entries}
    assert named >= entries, f"{what} of {path}: {damage}"
    assert all(each.problem for each in damage)


def flip_bytes(root, stride):
    """Flip every so many bytes of every file; return how many there were."""
    n, entries = 0, concerned(root)
    for path in worth(root):
        data = (root / path).read_bytes()
        for i in range(n % stride, len(data), stride):
            flipped = bytearray(data)
            flipped[i] ^= 1 << (i % 8)
            (root / path).write_bytes(flipped)
            assert_found(root, path, entries.get(path, set()), f"byte {i}")
            n += 1
        (root / path).write_bytes(data)
    assert found(root) == ()
    return n


def test_the_ledger_that_is_damaged_here_has_every_kind_of_file(root):
    kinds = {"/".join(kind(path)) for path in worth(root)}

    assert kinds == {
        *("FORMAT", "HEAD", "base.json", "entries", "objects", "refs"),
        *("logs/heads", "logs/names", "logs/older"),
    }
    assert found(root) == ()


def test_a_flipped_byte_in_any_file_is_found_and_names_its_entries(root):
    assert flip_bytes(root, STRIDE) > 150


@pytest.mark.slow
def test_every_flipped_byte_in_every_file_is_found_and_names_its_entries(root):
    n = sum((root / path).stat().st_size for path in worth(root))

    assert flip_bytes(root, 1) == n > 5_000


CUTS = {
    "nothing": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "all but a byte": lambda data: data[:-1],
    "a line more": lambda data: data + b"\n",
    "a zero more": lambda data: data + b"\0",
    "itself twice": lambda data: data + data,
}


@pytest.mark.parametrize("cut", CUTS)
def test_every_file_that_was_cut_or_added_to_is_found(root, cut):
    entries = concerned(root)
    for path in worth(root):
        data = (root / path).read_bytes()
        (root / path).write_bytes(CUTS[cut](data))
        assert_found(root, path, entries.get(path, set()), cut)
        (root / path).write_bytes(data)

    assert found(root) == ()


def test_every_missing_file_is_found_and_names_its_entries(root):
    entries = concerned(root)
    for path in worth(root):
        data = (root / path).read_bytes()
        (root / path).unlink()
        assert_found(root, path, entries.get(path, set()), "absence")
        (root / path).write_bytes(data)

    assert found(root) == ()


def test_two_files_in_each_others_place_are_found(root):
    entries, swapped = concerned(root), set()
    for one, other in combinations(worth(root), 2):
        if kind(one) != kind(other):
            continue
        datas = [(root / path).read_bytes() for path in (one, other)]
        (root / one).write_bytes(datas[1])
        (root / other).write_bytes(datas[0])
        both = entries.get(one, set()) | entries.get(other, set())
        assert_found(root, one, both, f"exchange with {other}")
        (root / one).write_bytes(datas[0])
        (root / other).write_bytes(datas[1])
        swapped.add("/".join(kind(one)))

    assert swapped == {"entries", "objects", "refs", "logs/heads", "logs/older"}
    assert found(root) == ()


def test_a_tag_that_was_moved_by_hand_is_found(root):
    """An older or another ref under a seal that fits."""
    entry = Repository.open(root).resolve("second~1")
    with Store(root, FakeDisk()).writing() as writing:
        Store(root, FakeDisk()).put_ref(writing, "tags/second", entry)

    (damage,) = found(root)

    assert damage.path == "refs/tags/second"
    assert f"it names {entry}" in damage.problem


def test_what_nothing_needs_may_be_missing(root):
    """A crashed writer's delta is no part of the ledger, whole or not."""
    ledger = Repository.open(root, disk=FakeDisk())
    with ledger._store.writing() as writing:
        ledger._store.put_object(writing, some_delta(9))
    path = ledger._store.object_path(some_delta(9).digest)

    path.unlink()

    assert found(root) == ()
