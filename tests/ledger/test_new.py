import errno
import os
from pathlib import Path

import pytest

from tests.ledger.making import (
    DEATHS,
    Death,
    DyingDisk,
    FailingDisk,
    FakeDisk,
    erase,
    files,
    new_ledger,
)
from unlearnlog.errors import DiskFull, LedgerError
from unlearnlog.ledger.repository import Repository


def _n_changes(folder):
    disk = FakeDisk()
    new_ledger(folder, disk=disk)
    return disk.n_changes


def test_there_is_one_ledger_in_a_folder(history, tmp_path):
    before = files(tmp_path)

    with pytest.raises(LedgerError, match="there is a ledger in") as caught:
        new_ledger(tmp_path)

    assert "unlearnlog log" in caught.value.fix
    assert files(tmp_path) == before
    assert history


def test_a_file_in_the_way_is_no_ledger_to_overwrite(tmp_path):
    (tmp_path / ".unlearnlog").write_bytes(b"precious")

    with pytest.raises(LedgerError):
        new_ledger(tmp_path)

    assert (tmp_path / ".unlearnlog").read_bytes() == b"precious"


def test_folders_that_lead_to_a_ledger_are_made(tmp_path):
    ledger = new_ledger(tmp_path / "a" / "b")

    assert ledger.folder == tmp_path / "a" / "b"
    assert ledger.fsck() == ()


def test_a_new_ledger_survives_a_power_cut(tmp_path):
    disk = FakeDisk()

    new_ledger(tmp_path / "a", disk=disk)
    disk.lose_power()

    assert Repository.open(tmp_path / "a").fsck() == ()


@pytest.mark.parametrize(("moment", "power_too"), DEATHS)
def test_whoever_dies_at_any_point_leaves_a_whole_ledger_or_none(
    tmp_path, moment, power_too
):
    (tmp_path / "whole" / "a").mkdir(parents=True)
    n_changes = _n_changes(tmp_path / "whole" / "a")

    for n in range(1, n_changes + 1):
        folder = tmp_path / f"{n}"
        folder.mkdir()
        disk = DyingDisk(n, moment)
        with pytest.raises(Death):
            new_ledger(folder, disk=disk)
        if power_too:
            disk.lose_power()
        if (folder / ".unlearnlog").exists():
            assert Repository.open(folder).fsck() == ()
        else:
            again = new_ledger(folder)
            assert os.listdir(folder) == [".unlearnlog"]  # noqa: PTH208
            assert again.fsck() == ()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, None])
def test_a_failure_at_any_point_leaves_nothing_behind(tmp_path, error):
    what = OSError(error, os.strerror(error)) if error else KeyboardInterrupt()
    told = {errno.ENOSPC: DiskFull, errno.EIO: LedgerError}.get(
        error, KeyboardInterrupt
    )
    (tmp_path / "whole").mkdir()
    n_changes = _n_changes(tmp_path / "whole" / "a")

    for n in range(1, n_changes + 1):
        folder = tmp_path / f"{n}"
        folder.mkdir()
        with pytest.raises(told):
            new_ledger(folder / "a", disk=FailingDisk(n, what, lasting=bool(error)))
        assert list(folder.iterdir()) == []


class _Rival(FakeDisk):
    """Another process creates the ledger while this one is at it."""

    def sync(self, folder: Path) -> None:
        super().sync(folder)
        home = folder.parent
        if folder.name.startswith(".unlearnlog.new-") and not self.came:
            self.came = True
            erase(new_ledger(home), 1)

    came = False


def test_of_two_who_create_a_ledger_the_second_leaves_the_first_alone(tmp_path):
    with pytest.raises(LedgerError, match="there is a ledger in"):
        new_ledger(tmp_path, disk=_Rival())

    assert os.listdir(tmp_path) == [".unlearnlog"]  # noqa: PTH208
    assert len(Repository.open(tmp_path).history(Repository.open(tmp_path).head)) == 1
