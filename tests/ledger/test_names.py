"""Branches, tags and the way between them."""

from __future__ import annotations

import pytest

from tests.ledger.making import (
    DEATHS,
    Death,
    DyingDisk,
    FakeDisk,
    erase,
    files,
    new_ledger,
)
from unlearnlog.errors import LedgerError, RevisionError
from unlearnlog.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    made = new_ledger(tmp_path)
    erase(made, 1)
    erase(made, 2)
    return made


def test_a_branch_begins_where_it_is_told_and_goes_its_own_way(ledger):
    first = ledger.resolve("HEAD~1")

    ledger.create_branch("other", "HEAD~1")
    assert (ledger.branch, ledger.resolve("other")) == ("main", first)
    ledger.switch("other")
    third = erase(ledger, 3)

    assert ledger.branches == ("main", "other")
    assert ledger.entry(third).parent == first
    assert ledger.resolve("main") != third
    assert len(ledger.reachable()) == 3
    assert [move.why for move in ledger.moves] == ["branch HEAD~1", "erase"]
    assert ledger.fsck() == ()


def test_a_branch_can_begin_on_the_base(ledger):
    ledger.create_branch("empty", "base")

    assert ledger.switch("empty") is None
    assert ledger.history(ledger.head) == []


def test_a_tag_stays_where_it_is(ledger):
    tagged = ledger.create_tag("june/first")

    erase(ledger, 3)

    assert ledger.resolve("june/first") == tagged
    assert ledger.resolve("HEAD~1") == tagged
    assert ledger.tags == ("june/first",)


@pytest.mark.parametrize(
    "name",
    [
        *("", "-x", "a b", "../up", "a/../b", ".hidden", "HEAD", "base", "abcd"),
        *("a//b", "a/", "/a", "a\nb", "naïve", "x.lock", "x" * 101),
    ],
)
def test_what_cannot_be_a_name_is_refused(ledger, tmp_path, name):
    before = files(tmp_path)

    for make in (ledger.create_branch, ledger.create_tag):
        with pytest.raises(RevisionError):
            make(name)

    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["main", "Main", "main/sub", "v", "v/1", "V/1/x"])
def test_a_name_that_is_taken_is_not_taken_again(ledger, tmp_path, name):
    """Two refs that one file system holds apart and another does not."""
    ledger.create_tag("v/1")
    before = files(tmp_path)

    for make in (ledger.create_branch, ledger.create_tag):
        with pytest.raises(LedgerError, match="already"):
            make(name)

    assert files(tmp_path) == before


def test_there_is_no_way_to_a_branch_that_is_not_there(ledger):
    with pytest.raises(RevisionError, match="no branch 'nowhere'") as caught:
        ledger.switch("nowhere")

    assert "main" in caught.value.fix


@pytest.mark.parametrize(("moment", "power_goes"), DEATHS)
@pytest.mark.parametrize("act", ["create_branch", "create_tag", "switch"])
def test_whenever_it_dies_the_names_are_the_old_or_the_new_ones(
    tmp_path, act, moment, power_goes
):
    """Every point at which the process can die, one after another."""

    def begun(folder, disk):
        ledger = new_ledger(folder, disk=FakeDisk())
        erase(ledger, 1)
        ledger.create_branch("there")
        opened = Ledger.open(folder, disk=disk)
        old = (opened.refs, opened.branch)
        return opened, old

    n, died = 0, True
    while died:
        n += 1
        folder = tmp_path / str(n)
        disk = DyingDisk(n, moment)
        ledger, old = begun(folder, disk)
        try:
            getattr(ledger, act)("there" if act == "switch" else "new")
            died = False
        except Death:
            pass
        if power_goes:
            disk.lose_power()
        after = Ledger.open(folder)
        assert after.fsck() == ()
        if died and (after.refs, after.branch) != old:
            assert act == "switch" or "new" in (*after.branches, *after.tags)
        if not died:
            assert (after.refs, after.branch) != old
    assert n > 3
