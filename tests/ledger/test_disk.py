import errno
import os
import shutil

import pytest

from tests.ledger.making import DEATHS, Death, DyingDisk, FailingDisk, FakeDisk
from unlearnlog.errors import DiskFull, LedgerError
from unlearnlog.ledger.disk import Disk, Transaction


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def _files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_file_is_written_whole_and_the_scratch_folder_is_left_empty(
    tmp_path, scratch
):
    Disk().write_atomic(tmp_path / "file", b"new", scratch)

    assert _files(tmp_path) == {"file": b"new"}
    assert _files(scratch) == {}


def test_a_file_and_its_name_are_flushed_in_that_order(tmp_path, scratch, monkeypatch):
    flushed = []

    def noted(handle):
        flushed.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))  # noqa: PTH115, PTH119

    monkeypatch.setattr(os, "fsync", noted)

    Disk().write_atomic(tmp_path / "file", b"new", scratch)

    (unfinished, folder) = flushed
    assert len(unfinished) == 16
    assert folder == tmp_path.name


@pytest.mark.parametrize(("moment", "power_too"), DEATHS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_whoever_dies_while_writing_leaves_the_old_file_or_the_new(
    tmp_path, scratch, n, moment, power_too
):
    (tmp_path / "file").write_bytes(b"old")
    disk = DyingDisk(n, moment)

    with pytest.raises(Death):
        disk.write_atomic(tmp_path / "file", b"brand new", scratch)
    if power_too:
        disk.lose_power()

    assert _files(tmp_path)["file"] in {b"old", b"brand new"}


def test_what_was_written_survives_a_power_cut(tmp_path, scratch):
    disk = FakeDisk()

    disk.write_atomic(tmp_path / "file", b"new", scratch)
    disk.lose_power()

    assert _files(tmp_path) == {"file": b"new"}


@pytest.mark.parametrize("n", [1, 2])
def test_a_failed_write_leaves_no_unfinished_file(tmp_path, scratch, n):
    disk = FailingDisk(n, OSError(errno.EIO, "broken"))

    with pytest.raises(OSError, match="broken"):
        disk.write_atomic(tmp_path / "file", b"new", scratch)

    assert _files(scratch) == {}
    assert _files(tmp_path) == {}


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert Disk().names(tmp_path / "nowhere") == []


class Raced(Disk):
    """A disk on which somebody else always makes a folder just before."""

    def mkdir(self, folder):
        folder.mkdir()
        super().mkdir(folder)


def test_a_folder_that_somebody_makes_in_between_is_taken(tmp_path):
    Raced().lead_to(tmp_path / "one" / "two")

    assert (tmp_path / "one" / "two").is_dir()


def test_a_file_in_a_folder_s_place_is_told(tmp_path):
    (tmp_path / "one").write_bytes(b"file")

    with pytest.raises(FileExistsError):
        Disk().have(tmp_path / "one")


def test_a_transaction_makes_the_folders_it_needs(tmp_path):
    with Transaction(Disk(), tmp_path / "new" / "scratch") as writing:
        writing.put(tmp_path / "a" / "b" / "file", b"new")

    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_new_folders_survive_a_power_cut_with_what_is_in_them(tmp_path, scratch):
    disk = FakeDisk()

    with Transaction(disk, scratch) as writing:
        writing.put(tmp_path / "a" / "b" / "file", b"new")
    disk.lose_power()

    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_a_folder_of_a_crashed_writer_survives_a_power_cut_too(tmp_path, scratch):
    """It was there, so it was not made again, but nobody had flushed its name."""
    disk = FakeDisk()
    disk.mkdir(tmp_path / "a")

    with Transaction(disk, scratch) as writing:
        writing.put(tmp_path / "a" / "file", b"new")
    disk.lose_power()

    assert (tmp_path / "a" / "file").read_bytes() == b"new"


def _write_two(disk, scratch, error):
    """Overwrite one file, create another, then fail."""
    with Transaction(disk, scratch) as writing:
        writing.put(scratch.parent / "file", b"new")
        writing.put(scratch.parent / "a" / "file", b"new")
        raise error


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_a_transaction_is_taken_back_as_a_whole(tmp_path, scratch, error):
    (tmp_path / "file").write_bytes(b"old")

    with pytest.raises((LedgerError, KeyboardInterrupt)):
        _write_two(Disk(), scratch, error)

    assert _files(tmp_path) == {"file": b"old"}
    assert not (tmp_path / "a").exists()


def test_what_cannot_be_undone_does_not_hide_the_first_error(tmp_path, scratch):
    whole, first = FakeDisk(), OSError(errno.EIO, "first of all")
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(LedgerError):
        _write_two(whole, scratch, first)

    for n in range(whole.n_changes - 4, whole.n_changes):  # the last is rmdir
        disk = FailingDisk(n, OSError(errno.EACCES, "not allowed"))
        with pytest.raises(LedgerError, match=r"first of all.*not taken back"):
            _write_two(disk, scratch, first)
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        (tmp_path / "file").write_bytes(b"old")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_has_an_error_of_its_own(tmp_path, scratch, number):
    with (
        pytest.raises(DiskFull) as caught,
        Transaction(Disk(), scratch),
    ):
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))

    assert str(tmp_path / "file") in caught.value.message
    assert "free some space" in caught.value.fix
    assert caught.value.exit_code == 1


def test_a_tree_is_removed_with_what_is_in_it(tmp_path):
    (tmp_path / "tree" / "a" / "b").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "file").write_bytes(b"")
    (tmp_path / "tree" / "link").symlink_to(tmp_path)

    Disk().remove_tree(tmp_path / "tree")

    assert list(tmp_path.iterdir()) == []
