"""Bits flipped at random in what a ledger keeps for speed: found, or without effect."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from tests.ledger.making import base_weights, erase, new_ledger, same
from tests.test_looking import SMALL
from unlearnlog.commands import add as erasing
from unlearnlog.commands.session_opening import open_session
from unlearnlog.ledger import sum_cache
from unlearnlog.ledger.cache_pages import CacheDamaged, Pages, _key_of
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

N_FAST = 60
N_PAGES = 3_000
N_READINGS = 1_500
N_SUMS = 400


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A ledger that erased Picasso, with all that this left in its cache."""
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "small.toml").write_text(SMALL)
    policy = Policy.load(str(folder / "small.toml"))
    here = open_session(folder, may_create=True)
    erasing.add(here, erasing.AddRequest((here.world.concept("Picasso"),), policy))
    Repository.open(folder).reset("base")
    here = open_session(folder)  # now there is a ledger from the first step on
    erasing.add(here, erasing.AddRequest((here.world.concept("Picasso"),), policy))
    return folder


def flipped(path: Path, bit: int) -> bytes:
    """Flip one bit of a file; return what it was."""
    data = path.read_bytes()
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    return data


def objects_of(ledger: Repository) -> list[str]:
    """Return the deltas of the newest entry."""
    assert ledger.head
    return [*ledger.entry(ledger.head).objects]


def found_in(ledger: Repository, name: str, n: int) -> int:
    """Flip ``n`` bits in pages of one folder; count those that left a page to read.

    Every page is flipped as often as its share of all bytes says, and at least once.
    """
    draw = random.Random(n)
    pages: Pages = ledger._caches.pages[name]
    paths = sorted(pages.folder.files())
    assert paths
    sizes = [path.stat().st_size for path in paths]
    unfound = 0
    for path in [*paths, *draw.choices(paths, sizes, k=n - len(paths))]:
        key = _key_of(path.read_bytes())
        before = flipped(path, draw.randrange(8 * path.stat().st_size))
        with warnings.catch_warnings(action="ignore", category=CacheDamaged):
            unfound += pages.get(key) is not None
        path.write_bytes(before)
        assert pages.get(key) is not None
    return unfound


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("painted", N_FAST),
        ("seen", N_FAST),
        pytest.param("painted", N_PAGES, marks=pytest.mark.slow),
        pytest.param("seen", N_READINGS, marks=pytest.mark.slow),
    ],
)
def test_no_flipped_bit_of_a_page_is_ever_read(made, name, n):
    """1,001 of 1,001 flips in numbers went by undetected."""
    assert found_in(Repository.open(made), name, n) == 0


def test_an_encoding_with_a_flipped_bit_changes_no_delta(made, tmp_path):
    """Three of three changed the delta that was recorded, and fsck said sound."""
    shutil.copytree(made, tmp_path / "copy")
    ledger = Repository.open(tmp_path / "copy")
    recorded = objects_of(ledger)
    ledger.reset("base")
    kept = (tmp_path / "copy" / ".unlearnlog" / "cache" / "painted").iterdir()
    largest = max(kept, key=lambda path: path.stat().st_size)
    flipped(largest, 8 * largest.stat().st_size // 2)
    policy = Policy.load(str(tmp_path / "copy" / "small.toml"))

    here = open_session(tmp_path / "copy")
    concept = here.world.concept("Picasso")
    with pytest.warns(CacheDamaged, match="made again"):
        erasing.add(here, erasing.AddRequest((concept,), policy))

    ledger = Repository.open(tmp_path / "copy")
    assert objects_of(ledger) == recorded
    assert ledger.tidy() == ()


@pytest.mark.parametrize("n", [N_FAST, pytest.param(N_SUMS, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_a_kept_sum_changes_a_state(tmp_path, monkeypatch, n):
    """A sum that named another delta was said to be a damaged delta."""
    monkeypatch.setattr(sum_cache, "EVERY", 2)
    base = base_weights()
    ledger = new_ledger(tmp_path)
    for seed in range(5):
        erase(ledger, seed)
    state = ledger.state(ledger.head, base)
    draw, sums = random.Random(n), tmp_path / ".unlearnlog" / "cache" / "sums"
    kept = {path.name: path.read_bytes() for path in sums.iterdir()}
    assert kept
    for _ in range(n):
        path = sums / draw.choice(sorted(kept))
        flipped(path, draw.randrange(8 * len(kept[path.name])))

        assert same(Repository.open(tmp_path).state(ledger.head, base), state)
        change = Repository.open(tmp_path).change(ledger.head, base)
        assert all(torch.isfinite(each).all() for each in change.values())

        for name, data in kept.items():
            (sums / name).write_bytes(data)


def test_a_check_of_all_finds_every_flipped_bit_of_a_kept_sum(tmp_path, monkeypatch):
    monkeypatch.setattr(sum_cache, "EVERY", 2)
    ledger = new_ledger(tmp_path)
    for seed in range(3):
        erase(ledger, seed)
    ledger.state(ledger.head, base_weights())
    assert ledger.tidy() == ()
    draw, sums = random.Random(0), tmp_path / ".unlearnlog" / "cache" / "sums"
    (path,) = sums.iterdir()
    for _ in range(N_FAST):
        before = flipped(path, draw.randrange(8 * path.stat().st_size))

        assert [each.path for each in ledger.tidy()] == [f"cache/sums/{path.name}"]

        path.write_bytes(before)
