"""A ledger that an earlier version wrote travels, and the commands go on from there."""

import pytest

from tests.golden.held import HERE
from unlearnlog.ledger.repository import Repository

pytestmark = pytest.mark.filterwarnings(
    "ignore:this ledger recorded only the tensors of its base:UserWarning"
)

RULES = (
    *("--policy", str(HERE / "small.toml")),
    *("--concepts", str(HERE / "concepts.toml")),
)
ALONE = (*RULES, "--accept-undecided", "--judge", "none")


def test_every_branch_tag_delta_and_attack_travels(kept, typed, tmp_path):
    at = ("--ledger", str(kept))
    typed("remote", "add", "origin", str(tmp_path / "store"), *at)

    pushed = typed("push", "--all", "--tags", *at, "--json")
    cloned = typed("clone", str(tmp_path / "store"), str(tmp_path / "copy"), "--json")

    one, two = Repository.open(kept), Repository.open(tmp_path / "copy")
    assert pushed.code == cloned.code == 0, pushed.err + cloned.err
    assert cloned.json()["base_found"]
    assert two.tracked("origin") == {n: one.refs[f"heads/{n}"] for n in one.branches}
    assert two.reachable().keys() == one.reachable().keys()
    assert two.fsck() == ()
    for entry in two.reachable().values():
        for attack in entry.attacks:
            two.attack(attack.object)


@pytest.mark.slow
def test_a_copy_is_whole_and_what_diverged_is_put_on_top_as_the_error_says(
    kept, typed, tmp_path
):
    store, copy = str(tmp_path / "store"), str(tmp_path / "copy")
    mine, theirs = ("--ledger", str(kept)), ("--ledger", copy)
    typed("remote", "add", "origin", store, *mine)
    typed("push", *mine)
    typed("clone", store, copy)
    checked = typed("fsck", "--full", *theirs, "--json")
    typed("add", "Klimt", *theirs, *ALONE)
    typed("push", *theirs)
    typed("add", "horse", *mine, *ALONE)

    refused = typed("push", *mine)
    steps = refused.err.partition("fix: ")[2].split("; ")
    typed_next = [step.split()[1:] for step in steps if step.startswith("unlearnlog")]
    for words in typed_next[:4]:
        rules = RULES if words[0] == "compose" else ()
        done = typed(*words, *mine, *rules)
        assert done.code == 0, (words, done.err)
    pushed, pulled = typed("push", *mine), typed("pull", *theirs)

    assert checked.json() == {"damage": []}
    assert refused.code == 1
    assert [words[0] for words in typed_next[:4]] == [
        *("fetch", "branch", "reset", "compose"),
    ]
    assert pushed.code == pulled.code == 0, pushed.err + pulled.err
    for at in (mine, theirs):
        erased = typed("status", *at, "--json").json()
        known = {*erased["erased"], *erased["in_doubt"]}
        assert {"Klimt", "horse"} <= known
        assert typed("fsck", "--full", *at).code == 0
