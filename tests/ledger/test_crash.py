"""Dying at every operation of every verb: the ledger is the old one or the new one.

A point is a change to the disk, and how the process dies there: halfway through it, or
right after it, with the power or without.
"""

from __future__ import annotations

import shutil

import pytest

from tests.ledger.making import (
    DEATHS,
    Death,
    DyingDisk,
    FakeDisk,
    erase,
    erase_jointly,
    full_delta,
    new_ledger,
    next_entry,
    record,
    replay_everything,
    some_delta,
)
from unlearnlog.core.entry import Append, Drop
from unlearnlog.ledger.reflog import PAGE
from unlearnlog.ledger.repository import Repository


def add(ledger):
    delta = some_delta(99)
    ledger.append(record(ledger, (Append(object=delta.digest),), delta=delta), delta)


def revert(ledger):
    (first, _), *_ = ledger.history(ledger.head)
    ledger.append(record(ledger, (Drop(entry=first),), kind="revert"))


def take_in(ledger):
    delta = full_delta(98)
    changes = (Append(object=delta.digest),)
    ledger.append(record(ledger, changes, delta=delta, kind="import"), delta)


def collect(ledger):
    ledger.collect()


def reset(ledger):
    ledger.reset("HEAD~1")


ACTS = {f.__name__: f for f in (add, revert, take_in, collect, reset)}


def small(folder):
    """Two entries, what a crashed writer left, and a line that was left."""
    ledger = new_ledger(folder)
    erase(ledger, 1)
    erase(ledger, 2)
    ledger.reset("HEAD~1")
    erase(ledger, 3)
    orphan(ledger)


def named(folder):
    """Branches and tags, some of them on another line."""
    ledger = new_ledger(folder)
    erase(ledger, 1)
    ledger.create_branch("other/line")
    ledger.create_tag("june/first")
    erase(ledger, 2)
    ledger.switch("other/line")
    for seed in (3, 4):
        erase(ledger, seed)
    ledger.create_tag("june/second")
    orphan(ledger)


def grouped(folder):
    """A joint group that grew and shrank, between entries that stand alone."""
    ledger = new_ledger(folder)
    erase(ledger, 1)
    for members in (["monet"], ["monet", "picasso"], ["picasso"], []):
        erase_jointly(ledger, members)
    erase(ledger, 2)
    erase_jointly(ledger, ["monet"])
    orphan(ledger)


def logged(folder):
    """A log whose first page is full: the next move begins another."""
    ledger = new_ledger(folder)
    first, second = (erase(ledger, seed) for seed in (1, 2))
    for i in range(PAGE - 3):
        ledger.reset(second if i % 2 else first)
    orphan(ledger)


def orphan(ledger):
    """Leave what processes leave that died before they moved the branch."""
    for seed in (95, 96, 97):
        delta = some_delta(seed)
        with ledger._store.writing() as writing:
            ledger._store.put_object(writing, delta)
            ledger._store.put_entry(writing, next_entry(ledger, delta))


LEDGERS = {f.__name__: f for f in (small, named, grouped, logged)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Give a folder with each of the ledgers, made once."""
    made = {}

    def model(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            LEDGERS[name](made[name])
        return made[name]

    return model


def copied(model, folder, disk):
    shutil.copytree(model, folder)
    return Repository.open(folder, disk=disk)


def state_of(ledger):
    """Return all that a ledger answers for."""
    return ledger.branch, ledger.refs


def die_everywhere(model, folder, act, *, stride=1):
    """Die at every point of an act; return how many points there were."""
    disk = FakeDisk()
    whole = copied(model, folder / "whole", disk)
    old, recorded = state_of(whole), set(whole.reachable())
    ACTS[act](whole)
    new, n_changes = state_of(whole), disk.n_changes
    points = [(n, *how) for n in range(1, n_changes + 1) for how in DEATHS][::stride]
    for i, point in enumerate(points):
        it = folder / str(i)
        die(copied(model, it, at := DyingDisk(*point[:2])), act, at)
        if point[2]:
            at.lose_power()
        found = Repository.open(it, disk=FakeDisk())
        assert found.fsck() == (), point
        assert state_of(found) in (old, new), point
        assert recorded <= set(found.reachable()) or act == "reset", point
        replay_everything(it)
        if state_of(found) == old:
            ACTS[act](found)
        assert state_of(found) == new, point
        assert found.fsck() == (), point
    return len(points)


def die(ledger, act, disk):
    with pytest.raises(Death):
        ACTS[act](ledger)
    assert disk.dead


def test_whoever_dies_at_any_of_a_hundred_points_leaves_the_old_ledger_or_the_new(
    models, tmp_path
):
    points = {
        act: die_everywhere(models("small"), tmp_path / act, act, stride=3)
        for act in ACTS
    }

    assert min(points.values()) >= 5
    assert 80 <= sum(points.values()) <= 150


def test_whoever_dies_when_a_page_of_the_log_is_full_loses_no_move(models, tmp_path):
    points = die_everywhere(models("logged"), tmp_path, "add", stride=5)

    assert points >= 20


@pytest.mark.slow
def test_whoever_dies_at_any_of_a_thousand_points_leaves_the_old_ledger_or_the_new(
    models, tmp_path
):
    points = {
        (name, act): die_everywhere(models(name), tmp_path / name / act, act)
        for name in LEDGERS
        for act in ACTS
    }

    assert min(points.values()) >= 30
    assert sum(points.values()) >= 1000


@pytest.mark.parametrize("act", ACTS)
def test_what_was_acknowledged_survives_a_power_cut(models, tmp_path, act):
    disk = FakeDisk()
    ledger = copied(models("named"), tmp_path / "it", disk)

    ACTS[act](ledger)
    done = state_of(ledger)
    disk.lose_power()

    assert state_of(Repository.open(tmp_path / "it")) == done
    assert Repository.open(tmp_path / "it").fsck() == ()
    replay_everything(tmp_path / "it")
