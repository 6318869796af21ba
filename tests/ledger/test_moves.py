"""A long log reads like a short one, and is written like one."""

from __future__ import annotations

import pytest

from tests.ledger.making import FakeDisk, erase, new_ledger
from unlearnlog.errors import IntegrityError
from unlearnlog.ledger.reflog import PAGE, read_lines
from unlearnlog.ledger.repository import Repository


@pytest.fixture
def back_and_forth(tmp_path):
    """A ledger with more moves than two pages hold, and where each went."""
    ledger = new_ledger(tmp_path)
    ends = [erase(ledger, 1), erase(ledger, 2)]
    went = ["base", *ends]
    for i in range(2 * PAGE):
        went.append(ledger.reset(ends[i % 2]))
    return tmp_path, went


def test_every_move_is_read_in_order_across_pages(back_and_forth):
    folder, went = back_and_forth

    moves = Repository.open(folder).moves

    assert [move.new for move in moves] == went
    assert [move.old for move in moves[1:]] == went[:-1]
    assert Repository.open(folder).fsck() == ()


def test_what_a_move_writes_does_not_grow_with_the_log(back_and_forth):
    folder, _ = back_and_forth

    class Weighing(FakeDisk):
        written = 0

        def write(self, path, data, *, durable=True):
            self.written += len(data)
            super().write(path, data, durable=durable)

    sizes = []
    for _ in range(PAGE + 2):
        disk = Weighing()
        ledger = Repository.open(folder, disk=disk)
        ledger.reset("HEAD~1" if ledger.resolve("HEAD~1") else "HEAD")
        ledger.reset(max(ledger._store.entry_ids()))
        sizes.append(disk.written)

    assert max(sizes) < 4 * PAGE * 400  # each is less than two pages, kept and new


def test_pages_that_a_log_needs_are_never_garbage(back_and_forth):
    folder, went = back_and_forth
    older = folder / ".unlearnlog" / "logs" / "older"
    assert len([path for path in older.rglob("*") if path.is_file()]) == 2

    Repository.open(folder).collect()

    assert len([path for path in older.rglob("*") if path.is_file()]) == 2
    assert len(Repository.open(folder).moves) == len(went)


def test_a_damaged_page_is_damage_of_the_log(back_and_forth):
    folder, _ = back_and_forth
    page = next(
        path
        for path in (folder / ".unlearnlog" / "logs" / "older").rglob("*")
        if path.is_file()
    )
    page.write_bytes(page.read_bytes()[:-1])

    with pytest.raises(IntegrityError, match=f"{page.name} is damaged"):
        _ = Repository.open(folder).moves


@pytest.mark.parametrize("line", ["older ", "older ../../x", "older " + "A" * 64, "{}"])
def test_what_is_no_move_and_no_page_is_refused(line):
    with pytest.raises(ValueError, match=r"no page of a log|Field required"):
        read_lines([line])
