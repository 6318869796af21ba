"""A ledger that an earlier version wrote opens, replays and goes on, for ever."""

import json

import pytest

from tests.golden.held import HERE, held
from unlearnlog.ledger.repository import Repository

pytestmark = pytest.mark.filterwarnings(
    "ignore:this ledger recorded only the tensors of its base:UserWarning"
)


def test_every_state_of_the_chain_has_the_digest_that_it_had(kept, golden_base, typed):
    ledger = Repository.open(kept)
    chain = {
        entry: ledger.state_digest(entry) for entry, _ in ledger.history(ledger.head)
    }

    checked = typed("fsck", "--full", "--ledger", str(kept), "--json")

    assert golden_base.is_dir()
    assert checked.code == 0
    assert checked.json() == {"damage": []}
    assert held("states", "chain", chain) == chain


def test_nothing_that_was_recorded_is_written_anew(kept, typed):
    before = {
        path.relative_to(kept / ".unlearnlog"): path.read_bytes()
        for name in ("entries", "objects", "attacks", "logs", "refs")
        for path in (kept / ".unlearnlog" / name).rglob("*")
        if path.is_file()
    }

    typed("fsck", "--full", "--ledger", str(kept))
    typed("status", "--ledger", str(kept))

    for path, data in before.items():
        assert (kept / ".unlearnlog" / path).read_bytes() == data


def test_it_can_be_continued_and_taken_back(kept, typed):
    at = ("--ledger", str(kept))
    rules = (
        *("--policy", str(HERE / "small.toml")),
        *("--concepts", str(HERE / "concepts.toml"), "--judge", "none"),
    )
    before = json.loads(typed("status", *at, "--json").out)

    added = typed("add", "Klimt", *at, *rules, "--accept-undecided", "--json")
    checked = typed("fsck", "--full", *at)
    back = typed("reset", "HEAD~1", *at)

    assert added.code == 0, added.err
    assert checked.code == back.code == 0
    assert json.loads(typed("status", *at, "--json").out)["head"] == before["head"]
