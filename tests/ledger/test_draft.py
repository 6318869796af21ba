"""What is written for others: whole or absent, and no draft stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ledger.making import DEATHS, Death, DyingDisk, FakeDisk, erase, new_ledger
from unlearnlog.errors import DiskFull, LockBusy, UsageError
from unlearnlog.ledger.disk import Disk
from unlearnlog.ledger.drafts import begun_folder, new_file, new_folder, write_file
from unlearnlog.ledger.gc import Garbage
from unlearnlog.ledger.repository import Repository

KEY = "0123456789abcdef" * 4


def names(folder):
    return Disk().names(folder)


def put(path, disk=None):
    with new_file(path, b"brand new", disk):
        pass


def built(target, disk):
    """Build a folder of two files and one folder, as a rebase would, step by step."""
    with begun_folder(target, KEY, disk) as folder:
        for name in ("one", "two"):
            if not (folder / name).exists():
                with new_file(folder / name, b"done", disk):
                    pass
        disk.lead_to(folder / "inside")


def points(folder, act):
    disk = FakeDisk()
    act(folder / "whole", disk)
    return [(n, *how) for n in range(1, disk.n_changes + 1) for how in DEATHS]


def die(path, act, point):
    """Die at a point of an act; give back the disk as it is found afterwards."""
    n, moment, power_too = point
    disk = DyingDisk(n, moment)
    with pytest.raises(Death):
        act(path, disk)
    if power_too:
        disk.lose_power()


def test_a_file_is_the_old_one_or_the_new_wherever_its_writer_dies(tmp_path):
    for i, point in enumerate(points(tmp_path, put)):
        file = tmp_path / str(i) / "out.png"
        file.parent.mkdir()
        file.write_bytes(b"old")

        die(file, put, point)
        found = file.read_bytes()
        put(file, FakeDisk())

        assert found in (b"old", b"brand new"), point
        assert file.read_bytes() == b"brand new"
        assert names(file.parent) == ["out.png"], point


def test_a_folder_of_long_work_is_absent_or_whole_and_the_same_work_goes_on(tmp_path):
    """Killed half-way, a rebase left a ledger with half of the erasures and no mark."""
    for i, point in enumerate(points(tmp_path, built)):
        target = tmp_path / str(i) / "new"
        target.parent.mkdir()

        die(target, built, point)
        found = names(target)
        if not found:
            built(target, FakeDisk())

        assert found in ([], ["inside", "one", "two"]), point
        assert names(target) == ["inside", "one", "two"], point
        assert names(target.parent) == ["new"], point


def kill(target, name, data):
    """Be killed in the midst of long work, with a file of it on disk."""
    with suppress(Death), begun_folder(target, KEY) as folder:
        (folder / name).write_bytes(data)
        raise Death


def test_long_work_goes_on_from_where_a_killed_process_was(tmp_path):
    kill(tmp_path / "new", "one", b"an hour's work")

    with begun_folder(tmp_path / "other", KEY[1:]) as other:
        fresh = names(other)
    with begun_folder(tmp_path / "new", KEY) as folder:
        kept = (folder / "one").read_bytes()

    assert fresh == []
    assert kept == b"an hour's work"
    assert names(tmp_path) == ["new", "other"]


def test_long_work_that_an_error_ends_is_taken_away(tmp_path):
    with pytest.raises(ZeroDivisionError), begun_folder(tmp_path / "new", KEY):
        raise ZeroDivisionError

    assert names(tmp_path) == []


def test_two_processes_do_not_do_the_same_long_work(tmp_path):
    with (
        begun_folder(tmp_path / "new", KEY) as folder,
        pytest.raises(LockBusy, match="right now"),
        begun_folder(tmp_path / "new", KEY),
    ):
        pytest.fail("it was done twice")

    assert names(tmp_path) == ["new"]
    assert not folder.exists()


def test_the_draft_of_a_living_writer_is_left_to_it(tmp_path):
    with new_folder(tmp_path / "slow") as building:
        put(tmp_path / "quick")

        assert building.is_dir()
    assert names(tmp_path) == ["quick", "slow"]


def test_what_is_not_called_as_a_draft_is_never_swept(tmp_path):
    for name in (".unlearnlog-draft-mine", ".unlearnlog-draft-", ".out.1a2b3c4d"):
        (tmp_path / name).mkdir()
    elsewhere = tmp_path / "precious"
    elsewhere.mkdir()
    (tmp_path / f".unlearnlog-draft-{KEY[:16]}").symlink_to(elsewhere)
    before = names(tmp_path)

    put(tmp_path / "quick")

    assert names(tmp_path) == sorted([*before, "quick"])


def remember(folder, place):
    """Leave the note of a process that was killed while it wrote to a place."""
    disk = DyingDisk(0, "")
    with suppress(Death), Repository.open(folder, disk=disk).giving(place):
        disk.dead = True
        raise Death


def test_gc_removes_what_killed_commands_left_elsewhere_and_no_living_draft(tmp_path):
    """A checkout that was killed left a folder as large as the model, for ever."""
    ledger = new_ledger(tmp_path / "ledger")
    dead, begun, alive = places = [tmp_path / name for name in ("a", "b", "c")]
    for place in places:
        place.mkdir()
        remember(tmp_path / "ledger", place)
    die(dead / "out", put, (3, "halfway", False))
    kill(begun / "new", "model", b"0" * 1000)
    left = [next(place.iterdir()) for place in (dead, begun)]

    with new_folder(alive / "out") as building:
        would, found = ledger.collect(dry_run=True), ledger.collect()
        assert building.is_dir()

    assert would == found
    drafts = [each for each in found if Path(each.path).is_absolute()]
    assert drafts == [
        Garbage(str(path), n) for path, n in zip(left, (9, 1000), strict=True)
    ]
    assert [names(place) for place in places] == [[], [], ["out"]]


@pytest.mark.parametrize("write", [put, lambda path: write_file(path, b"x")])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("ledger/.unlearnlog/out.png", "inside a ledger"),
        ("ledger/.UnlearnLog/refs/out.png", "inside a ledger"),
        ("way/entries/out.png", "inside a ledger"),
        ("link.png", "symbolic link"),
        ("dangling.png", "symbolic link"),
    ],
)
def test_nothing_is_written_into_a_ledger_or_through_a_link(
    tmp_path, place, said, write
):
    new_ledger(tmp_path / "ledger")
    (tmp_path / "way").symlink_to(tmp_path / "ledger" / ".unlearnlog")
    (tmp_path / "mine.png").write_bytes(b"mine")
    (tmp_path / "link.png").symlink_to(tmp_path / "mine.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(UsageError, match=said):
        write(tmp_path / place)

    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_a_full_disk_is_told_as_one(tmp_path):
    """The advice was to give another path, which is on the same disk."""

    class Full(Disk):
        def write(self, path, data, *, durable=True):  # noqa: ARG002
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(DiskFull) as caught:
        write_file(tmp_path / "out.png", b"x", Full())

    assert "free some space" in caught.value.fix
    assert names(tmp_path) == []


class Unflushable(Disk):
    """A file system that can flush files and no folder, as some of networks do."""

    def __init__(self, number):
        self.number = number

    def flush(self, handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            raise OSError(self.number, "Invalid argument")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells")
def test_where_folders_cannot_be_flushed_everything_is_written_all_the_same(tmp_path):
    disk = Unflushable(errno.EINVAL)
    ledger = new_ledger(tmp_path / "ledger", disk=disk)
    entry = erase(ledger, 1)
    put(tmp_path / "file", disk)

    assert Repository.open(tmp_path / "ledger").head == entry
    assert ledger.fsck() == ()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells")
def test_a_folder_that_fails_to_be_flushed_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        put(tmp_path / "file", Unflushable(errno.EIO))


WITHOUT = """
import os, sys
sys.modules["fcntl"] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY"):
    delattr(os, name)
from pathlib import Path
from unlearnlog.core.digest import merkle_root
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.drafts import new_folder, write_file
from unlearnlog.ledger.repository import Repository
here = Path(sys.argv[1])
manifest = BaseManifest(source="x", family="sd1", tensors={}, root=merkle_root([]))
ledger = Repository.init(here, manifest)
ledger.create_branch("june")
with new_folder(here / "out") as building:
    (building / "file").write_text("whole")
write_file(here / "report.md", b"whole")
print(ledger.branches, ledger.fsck())
"""


def test_a_system_without_locks_on_folders_writes_whole_things_too(tmp_path):
    """Neither `fcntl` nor `O_NOFOLLOW` is everywhere; nothing is swept there."""
    left = tmp_path / f".unlearnlog-draft-{KEY[:16]}"
    left.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == "('june', 'main') ()", done.stderr
    assert names(tmp_path) == [".unlearnlog", left.name, "out", "report.md"]
