"""What a crash, a full disk or a flipped byte does to a ledger: nothing unnoticed."""

import errno
import os
import shutil

import pytest

from tests.ledger.making import (
    FailingDisk,
    FakeDisk,
    base_weights,
    erase,
    files,
    new_ledger,
    next_entry,
    same,
    some_delta,
)
from unlearnlog.core.delta import state_after
from unlearnlog.core.entry import Drop
from unlearnlog.errors import DiskFull, IntegrityError, LedgerError
from unlearnlog.ledger.checksummed import sealed
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.repository import Repository

N_BEFORE = 2
ACTS = {
    "append": lambda ledger: ledger.append(
        next_entry(ledger, some_delta(9)), some_delta(9)
    ),
    "reset": lambda ledger: ledger.reset("HEAD~1"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a sound ledger to copy, and what each act does to it."""
    folder = tmp_path_factory.mktemp("model")
    ledger = new_ledger(folder)
    ids = [erase(ledger, seed) for seed in range(N_BEFORE)]
    ledger.reset(ids[0])
    erase(ledger, 7)
    return folder


def _copy(model, folder, disk):
    """Copy the model ledger; open it on a disk that starts to count now."""
    shutil.copytree(model, folder)
    return Repository.open(folder, disk=disk)


def _done(model, folder, act):
    """Do an act undisturbed: changes it took, and the heads before and after."""
    disk = FakeDisk()
    ledger = _copy(model, folder, disk)
    old = ledger.head
    ACTS[act](ledger)
    return disk.n_changes, old, ledger.head


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, None])
@pytest.mark.parametrize("act", ACTS)
def test_a_failure_at_any_point_leaves_the_ledger_exactly_as_it_was(
    model, tmp_path, act, error
):
    what = OSError(error, os.strerror(error)) if error else KeyboardInterrupt()
    told = {errno.ENOSPC: DiskFull, errno.EIO: LedgerError}.get(
        error, KeyboardInterrupt
    )
    n_changes, old, new = _done(model, tmp_path / "whole", act)
    before = files(model)

    for n in range(1, n_changes + 1):
        ledger = _copy(model, tmp_path / f"{n}", FailingDisk(n, what))
        with pytest.raises(told):
            ACTS[act](ledger)

        assert files(tmp_path / f"{n}") == before
        assert ledger.head == old
        ACTS[act](ledger)
        assert ledger.head == new


@pytest.mark.parametrize("act", ACTS)
def test_a_disk_that_stays_full_leaves_the_ledger_as_it_was(model, tmp_path, act):
    n_changes, _, _ = _done(model, tmp_path / "whole", act)
    before = files(model)

    for n in range(1, n_changes + 1):
        disk = FailingDisk(n, OSError(errno.ENOSPC, "full"), lasting=True)
        ledger = _copy(model, tmp_path / f"{n}", disk)
        with pytest.raises(DiskFull):
            ACTS[act](ledger)

        assert files(tmp_path / f"{n}") == before


def test_what_is_left_over_in_the_scratch_folder_is_swept_by_the_next_writer(
    model, tmp_path
):
    ledger = _copy(model, tmp_path / "it", Disk())
    scratch = tmp_path / "it" / ".unlearnlog" / "tmp"
    (scratch / "unfinished").write_bytes(b"half a fi")

    erase(ledger, 9)

    assert not (scratch / "unfinished").exists()
    assert len(list(scratch.iterdir())) == 2  # the old ref, the old log


def test_a_ledger_that_may_not_be_written_says_so(model, tmp_path):
    disk = FailingDisk(1, OSError(errno.EROFS, "Read-only file system", "a/file"))
    ledger = _copy(model, tmp_path / "it", disk)

    with pytest.raises(LedgerError) as caught:
        erase(ledger, 1)

    assert "cannot use a/file (Read-only file system)" in caught.value.message
    assert "file system writable" in caught.value.fix


def _flipped(data, i):
    flipped = bytearray(data)
    flipped[i] ^= 1
    return bytes(flipped)


@pytest.mark.parametrize("folder", ["entries", "objects"])
def test_a_file_that_does_not_belong_is_noticed(model, tmp_path, folder):
    ledger = _copy(model, tmp_path / "it", Disk())
    (tmp_path / "it" / ".unlearnlog" / folder / "stray").write_bytes(b"")

    (damage,) = ledger.fsck()

    assert damage.path == f"{folder}/stray"
    assert "not named as" in damage.problem


def test_a_ledger_says_which_entries_a_damaged_object_takes_with_it(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    digest = ledger.plan(ledger.head)[-1]
    path = ledger._store.object_path(digest)
    path.write_bytes(_flipped(path.read_bytes(), 400))

    (damage,) = ledger.fsck()

    assert damage.path == str(path.relative_to(tmp_path / "it" / ".unlearnlog"))
    assert damage.entries == (ledger.head,)


def test_using_a_damaged_object_names_its_entry_and_the_way_back(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    head = ledger.head
    assert head is not None
    path = ledger._store.object_path(ledger.plan(head)[-1])
    path.write_bytes(_flipped(path.read_bytes(), -1))  # of a number

    with pytest.raises(IntegrityError) as caught:
        ledger.state(head, base_weights())

    assert f"{path} is damaged" in caught.value.message
    assert f"entry {head[:12]} needs it" in caught.value.message
    assert f"unlearnlog reset {head[:12]}~1" in caught.value.fix
    assert caught.value.exit_code == 4


def test_a_missing_object_that_nobody_needs_names_no_entry(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())

    with pytest.raises(IntegrityError, match="is damaged: it is missing\n"):
        ledger.delta(some_delta(5).digest)


def test_what_was_recorded_before_the_damage_still_replays(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    ledger._store.object_path(ledger.plan(ledger.head)[-1]).unlink()

    head = ledger.reset("HEAD~1")

    state = ledger.state(head, base_weights())
    assert same(state, state_after(base_weights(), [some_delta(0)]))


def test_an_entry_in_anothers_place_is_noticed(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    one, two = (ledger._store.entry_path(e) for e in ledger._store.entry_ids()[:2])
    one.write_bytes(two.read_bytes())

    (damage, *_) = ledger.fsck()

    assert damage.path.endswith(one.name)
    assert "its content is" in damage.problem


def test_an_entry_that_does_not_continue_its_parent_is_noticed(model, tmp_path):
    """It could only come from a program that skipped the check when it appended."""
    ledger = _copy(model, tmp_path / "it", Disk())
    delta = some_delta(9)
    entry = next_entry(ledger, delta)
    wrong = entry.state.model_copy(update={"before": delta.digest})
    with ledger._store.writing() as writing:
        ledger._store.put_object(writing, delta)
        ledger._store.put_entry(writing, entry.model_copy(update={"state": wrong}))

    (damage,) = ledger.fsck()

    assert damage.problem == f"it starts from {delta.digest}"


def test_a_branch_whose_history_drops_a_stranger_is_noticed(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    stranger = next_entry(ledger, some_delta(9)).id
    entry = next_entry(ledger, changes=(Drop(entry=stranger),))
    with ledger._store.writing() as writing:
        ledger._store.put_entry(writing, entry)
        ledger._store.put_ref(writing, "heads/main", entry.id)

    (damage,) = ledger.fsck()

    assert damage.path == "refs/heads/main"
    assert "not before it" in damage.problem


def test_a_branch_that_points_nowhere_is_noticed(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    with ledger._store.writing() as writing:
        ledger._store.put_branch(writing, "nowhere")

    (damage,) = ledger.fsck()

    assert (damage.path, damage.problem) == ("HEAD", "its branch nowhere is missing")
    with pytest.raises(IntegrityError, match="refs/heads/nowhere is damaged"):
        _ = ledger.head


def test_a_branch_with_two_ids_is_damaged(model, tmp_path):
    ledger = _copy(model, tmp_path / "it", Disk())
    two = sealed("refs/heads/main", ["base", "base"])
    (tmp_path / "it" / ".unlearnlog" / "refs" / "heads" / "main").write_bytes(two)

    with pytest.raises(IntegrityError, match="2 lines where one is due"):
        _ = ledger.head


@pytest.mark.parametrize(
    "branch", ["../../etc/passwd", "", ".hidden", "a//b", "a/../b"]
)
def test_a_branch_cannot_lead_out_of_the_ledger(model, tmp_path, branch):
    ledger = _copy(model, tmp_path / "it", Disk())
    with ledger._store.writing() as writing:
        ledger._store.put_branch(writing, branch)

    with pytest.raises(IntegrityError, match="names no branch"):
        _ = ledger.head


def test_a_folder_that_is_no_ledger_is_damaged(tmp_path):
    (tmp_path / ".unlearnlog").mkdir()

    with pytest.raises(IntegrityError, match="FORMAT is damaged: it is missing"):
        Repository.open(tmp_path)


def test_a_file_that_cannot_be_read_says_why(model, tmp_path):
    class Unreadable(FakeDisk):
        def read(self, path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    ledger = _copy(model, tmp_path / "it", FakeDisk())
    object.__setattr__(ledger._store, "disk", Unreadable())

    with pytest.raises(LedgerError, match="HEAD \\(Permission denied\\)"):
        _ = ledger.head
