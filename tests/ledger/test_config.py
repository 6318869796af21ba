"""A ledger's configuration: a file that a person may write, and that is no record."""

from __future__ import annotations

import errno
import shutil

import pytest

from tests.ledger.making import FakeDisk, new_ledger
from unlearnlog.errors import LedgerError, UsageError
from unlearnlog.ledger.config_file import KEYS, parsed, written
from unlearnlog.ledger.repository import Repository
from unlearnlog.ledger.store import FOLDER

SOME = {"policy": "mine.toml", "device": "cpu", "author.name": 'Ada "the" Löve\\lace'}


def config(ledger):
    return ledger.folder / FOLDER / "config"


def test_a_new_ledger_has_no_configuration(ledger):
    assert ledger.config == {}
    assert not config(ledger).exists()


def test_what_is_chosen_is_read_by_whoever_opens_the_ledger_next(ledger):
    for key, value in SOME.items():
        ledger.configure(key, value)

    assert Repository.open(ledger.folder, disk=FakeDisk()).config == SOME


def test_what_is_taken_out_is_gone_and_the_rest_stays(ledger):
    for key, value in SOME.items():
        ledger.configure(key, value)

    ledger.configure("policy", None)

    assert ledger.config == {k: v for k, v in SOME.items() if k != "policy"}


@pytest.mark.parametrize("key", KEYS)
def test_every_key_comes_back_as_it_was_written(tmp_path, key):
    values = {key: "a 'b' \"c\" \\d #e = é [f]"}

    assert parsed(written(values), tmp_path) == values


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ('polcy = "x"', "unknown key 'polcy'", "did you mean 'policy'?"),
        ('[author]\nnam = "x"', "unknown key 'author.nam'", "'author.name'"),
        ("device = 3", "device to 3, which is no text", 'device = "..."'),
        ('author = "Ada"', "unknown key 'author'", "author.name"),
        ("device = ", "cannot be read", "by hand"),
        ('device = ""', "device cannot be ''", "give one"),
    ],
)
def test_a_file_that_says_nothing_of_use_is_explained(ledger, text, message, fix):
    config(ledger).write_text(text, encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        _ = ledger.config

    assert message in caught.value.message
    assert fix in caught.value.fix


def test_fsck_says_of_it_only_whether_it_can_be_read(history):
    ledger, _ = history
    ledger.configure("device", "cpu")

    assert ledger.fsck() == ()

    config(ledger).write_text('polcy = "x"', encoding="utf-8")
    (damage,) = ledger.fsck()
    assert damage.path == "config"
    assert "polcy" in damage.problem
    assert damage.entries == ()


def test_gc_leaves_it_and_a_copy_of_the_ledger_has_it(history, tmp_path):
    ledger, _ = history
    ledger.configure("policy", "fast")

    ledger.collect()
    shutil.copytree(ledger.folder, tmp_path / "copy")

    assert ledger.config == {"policy": "fast"}
    assert Repository.open(tmp_path / "copy", disk=FakeDisk()).config == {
        "policy": "fast"
    }


def test_a_disk_that_is_full_leaves_what_was_chosen_before(tmp_path):
    class Full(FakeDisk):
        full = False

        def replace(self, source, target):
            if self.full and target.name == "config":
                raise OSError(errno.ENOSPC, "No space left on device", str(target))
            super().replace(source, target)

    disk = Full()
    ledger = new_ledger(tmp_path, disk=disk)
    ledger.configure("policy", "fast")
    disk.full = True

    with pytest.raises(LedgerError, match="no room"):
        ledger.configure("policy", "strict")

    assert ledger.config == {"policy": "fast"}


def test_a_link_in_its_place_is_not_followed(ledger, tmp_path):
    """A ledger from a stranger could make `config set` write where the link leads."""
    other = tmp_path / "other"
    other.write_text("untouched", encoding="utf-8")
    config(ledger).symlink_to(other)

    with pytest.raises(Exception, match="symbolic link"):
        _ = ledger.config
    with pytest.raises(Exception, match="symbolic link"):
        ledger.configure("policy", "fast")

    assert other.read_text(encoding="utf-8") == "untouched"
