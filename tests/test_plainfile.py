"""Files of strangers: nothing is waited for, nothing endless is read."""

import errno
import os
import socket
import time
from pathlib import Path

import pytest

import unlearnlog
from tests.fakes import LinearModel
from unlearnlog.audits.image_folder import read_folder
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.plain_files import (
    NotPlain,
    bytes_of,
    expanded,
    fix_of,
    text_of,
    unwritten,
)
from unlearnlog.errors import DiskFull, UnlearnlogError, UsageError
from unlearnlog.ledger.disk import explained
from unlearnlog.ledger.drafts import write_file
from unlearnlog.models.foreign_file import SafetensorsFile
from unlearnlog.policy import Policy


def pipe(path):
    os.mkfifo(path)


def a_socket(path):
    """Bind by a short name: that of a socket may have a hundred letters."""
    old = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(old)


def device(path):
    path.symlink_to("/dev/zero")


def endless(path):
    with path.open("wb") as file:
        file.truncate(2**40)


def folder(path):
    path.mkdir()


KINDS = (pipe, a_socket, device, endless, folder)


def read_pictures(path):
    return read_folder(path.parent, LinearModel())


READERS = {
    "x.toml": lambda path: Policy.load(str(path)),
    "y.toml": ConceptSet.read,
    "x.safetensors": SafetensorsFile.open,
    "metadata.jsonl": read_pictures,
    "metadata.csv": read_pictures,
}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_plain_file_is_refused_at_once(tmp_path, name, make):
    """A pipe named metadata.jsonl was waited for until somebody wrote into it."""
    make(tmp_path / name)
    began = time.monotonic()

    with pytest.raises(UnlearnlogError) as error:
        READERS[name](tmp_path / name)

    assert time.monotonic() - began < 5.0
    assert str(tmp_path / name) in error.value.message
    assert "UTF-8" not in error.value.fix


def test_a_picture_that_is_a_pipe_is_not_waited_for(tmp_path):
    pipe(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a cat")

    with pytest.raises(UsageError, match=r"a\.png' cannot be read: it is a pipe"):
        read_pictures(tmp_path / "a.png")


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345\r\n7")

    assert bytes_of(path, most=8) == b"12345\r\n7"
    assert text_of(path) == "12345\n7"
    with pytest.raises(NotPlain, match="more than 7 bytes"):
        bytes_of(path, most=7)


def test_a_home_that_nobody_has_is_a_path_like_any_other(tmp_path):
    """`audit ~nobody` ended in a traceback: there is no such home directory."""
    assert expanded("~no-such-user/x") == Path("~no-such-user/x")
    assert expanded(Path("~/x")) == Path.home() / "x"
    assert expanded(tmp_path) == tmp_path


def test_each_fault_has_a_fix_of_its_own():
    """ "Save it as text in UTF-8" was said of a file that could not be read at all."""
    errors = (
        *(NotPlain("x"), PermissionError(), FileNotFoundError()),
        *(UnicodeDecodeError("utf-8", b"", 0, 1, ""), ValueError()),
    )

    assert len({fix_of(error, "otherwise") for error in errors}) == len(errors)
    assert fix_of(errors[-1], "otherwise") == "otherwise"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_where_there_is_no_room_no_other_path_is_advised(number, tmp_path):
    """A full disk said: give another path after -o."""
    error = unwritten(tmp_path / "x.html", OSError(number, "no room"))

    assert isinstance(error, DiskFull)
    assert "free some space" in error.fix
    assert "path" not in error.fix


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.EACCES, "may write"),
        (errno.EROFS, "read-only"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.EIO, "the disk reports a fault"),
        (errno.EMFILE, "too many files"),
    ],
)
def test_what_cannot_be_written_says_what_helps(number, fix, tmp_path):
    error = unwritten(tmp_path / "x.html", OSError(number, os.strerror(number)))

    assert isinstance(error, UsageError)
    assert fix in error.fix


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "check the permissions"),
        (errno.EROFS, "writable"),
        (errno.EIO, "copy the ledger"),
        (errno.EMFILE, "too many files"),
        (errno.ENOENT, "fsck"),
    ],
)
def test_a_ledger_that_cannot_be_used_says_what_helps(number, fix):
    """For a broken disk the fix was to check permissions."""
    assert fix in explained(OSError(number, os.strerror(number), "x")).fix


def test_a_report_on_a_full_disk_is_no_report_and_nothing_is_left(
    tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(DiskFull, match="no room left to write"):
        write_file(tmp_path / "x.html", b"x")

    assert not [*tmp_path.iterdir()]


def test_a_home_that_is_not_there_ends_no_command():
    """`Path.expanduser` raises where `~name` is nobody; `expanded` does not."""
    package = Path(unlearnlog.__file__).parent
    allowed = {"plain_files.py", "user_key.py"}  # the latter needs a home

    found = [
        path.name
        for path in package.rglob("*.py")
        if ".expanduser(" in path.read_text(encoding="utf-8")
    ]

    assert {*found} == allowed
