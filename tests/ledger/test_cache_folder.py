"""A folder of the cache keeps its newest files, and any of them may vanish."""

import os

import pytest

from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.disk import Disk


@pytest.fixture
def folder(tmp_path):
    return CacheFolder(tmp_path / "cache" / "sums", Disk())


def filled(folder, *names, n_bytes=10):
    """Write files of one size, each a second older than the one after it."""
    for age, name in enumerate(reversed(names)):
        folder.write(name, b"x" * n_bytes, kept=len(names))
        os.utime(folder.path / name, (1000 - age, 1000 - age))


def test_the_newest_files_stay_and_come_first(folder):
    filled(folder, "a", "b", "c")

    folder.write("d", b"new", kept=2)

    assert [path.name for path in folder.files()] == ["d", "c"]


@pytest.mark.parametrize(("room", "n_left"), [(100, 4), (33, 4), (32, 3), (0, 2)])
def test_older_files_stay_while_there_is_room_for_all(folder, room, n_left):
    filled(folder, "a", "b", "c")

    folder.write("d", b"new", kept=2, room=room)

    assert len(folder.files()) == n_left


def test_a_link_is_neither_read_nor_counted_nor_removed(folder, tmp_path):
    filled(folder, "a")
    (tmp_path / "precious").write_text("keep me")
    (folder.path / "link").symlink_to(tmp_path / "precious")

    folder.write("b", b"new", kept=1)

    assert [path.name for path in folder.files()] == ["b"]
    assert (folder.path / "link").is_symlink()
    with pytest.raises(OSError, match="symbolic link"):
        folder.read("link")


def test_a_folder_that_cannot_be_made_is_done_without(folder, tmp_path):
    (tmp_path / "cache").write_text("in the way")

    folder.write("a", b"new", kept=1)

    assert folder.files() == []
    assert folder.read("a") is None
