"""``compose`` as people type it, on a tiny pipeline of random weights."""

from __future__ import annotations

import pytest

from tests.policy_texts import policy_text
from tests.test_api import ROWS, quick
from tests.test_history import some_delta
from tests.tiny import build_pipeline
from unlearnlog import Ledger
from unlearnlog.commands import add, compose, rebase
from unlearnlog.core.active import live_concepts
from unlearnlog.core.doubt import taking_back
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.errors import UsageError
from unlearnlog.policy import Policy

POLICY = policy_text(
    "quick", "mim", judge="none", probes={"earlier": 1, "information": 1}
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build_pipeline(tmp_path_factory.mktemp("compose") / "model")


@pytest.fixture
def ledger(model, tmp_path):
    """Two branches from the base: Picasso, and Monet with cat; main is empty."""
    ledger = Ledger.init(tmp_path, str(model))
    for branch, names in (("one", ["Picasso"]), ("two", ["Monet", "cat"])):
        ledger.chain.create_branch(branch, "base")
        ledger.chain.switch(branch)
        for name in names:
            forget(ledger, name)
    ledger.chain.switch("main")
    (tmp_path / "quick.toml").write_text(POLICY)
    (tmp_path / "strict.toml").write_text(
        POLICY + '[[limits]]\nreading = "bound-mi"\nat_most = -1.0\n'
    )
    return ledger


def forget(ledger, name, seed=0):
    delta = some_delta(ledger.place.model.base, seed or len(name), ROWS[name])
    order = add.AddRequest((ledger.concept(name),), quick())
    made = EraserRecord(name="elsewhere")
    add.add_delta(ledger.place, order, delta, made)


@pytest.mark.usefixtures("ledger")
def test_two_branches_are_put_together_on_a_third(typed):
    done = typed("compose", "one", "two", "--policy", "quick.toml", "--json")

    assert done.code == 0, done.err
    row = done.json()
    assert row["kind"] == "compose"
    assert [c["name"] for c in row["concepts"]] == ["Picasso", "Monet", "cat"]
    assert (row["gap"], row["conflicts"]) == (0, [])
    assert row["eraser"]["how"] == "replay"
    status = typed("status", "--json").json()
    assert status["erased"] == []  # nobody judged, and no limit asks of what was read
    assert [*status["in_doubt"]] == ["Picasso", "Monet", "cat"]
    assert typed("fsck", "--full", "--json").json() == {"damage": []}


@pytest.mark.usefixtures("ledger")
def test_people_see_what_it_came_to_in_one_screen(typed):
    done = typed("compose", "one", "two", "--policy", "quick.toml", "--how", "sum")

    assert done.code == 0, done.err
    assert "nats to target, worst of 3: " in done.out
    assert "not met: its erasure was not measured\n" in done.out
    assert "Picasso, Monet, cat erased here, too IN DOUBT, entry " in done.out
    assert "\nsolved together and added up are 0 % apart" in done.out
    assert "take it back: unlearnlog reset HEAD~1" in done.out


def test_what_a_branch_took_back_is_said_wherever_the_entry_is_named(ledger, typed):
    forget(ledger, "Picasso")
    ledger.chain.create_branch("three")
    ledger.chain.switch("three")
    ledger.revert("HEAD", policy=None)
    forget(ledger, "cat")
    ledger.chain.switch("main")

    done = typed("compose", "three", "--policy", "quick.toml")

    assert done.code == 0, done.err
    assert "cat erased here, too; Picasso is no longer erased" in done.out
    assert "not met: its erasure was not measured" in done.out
    assert "compose cat; without Picasso " in typed("log", "--graph").out
    assert "without" in typed("log").out
    history = ledger.place.history()
    assert taking_back(history, "Picasso") == history[-1]
    assert taking_back(history, "cat") is None
    assert taking_back(history, "Monet") is None
    assert list(live_concepts(history)) == ["cat"]


def test_what_was_taken_back_and_erased_again_is_erased(ledger, typed):
    forget(ledger, "Picasso")
    ledger.chain.create_branch("three")
    ledger.chain.switch("three")
    ledger.revert("HEAD", policy=None)
    forget(ledger, "Picasso", seed=5)
    ledger.chain.switch("main")

    words = ("compose", "three", "--policy", "quick.toml", "--accept-conflicts")
    done = typed(*words, "--json")

    assert done.code == 0, done.err
    assert done.json()["taken_back"] == []
    assert "without" not in typed("log", "--graph").out


def test_a_composition_that_only_takes_back_says_so(ledger, typed):
    forget(ledger, "Picasso")
    ledger.chain.create_branch("three")
    ledger.chain.switch("three")
    ledger.revert("HEAD", policy=None)
    ledger.chain.switch("main")

    done = typed("compose", "three", "--policy", "quick.toml", "--json")

    assert done.code == 0, done.err
    assert done.json()["taken_back"] == ["Picasso"]
    assert done.json()["concepts"] == []


@pytest.mark.usefixtures("ledger")
def test_conflicts_are_shown_and_nothing_is_recorded(typed):
    done = typed("compose", "two", "--policy", "strict.toml")

    assert done.code == 3
    assert "conflict: bound-mi of Monet is" in done.err
    assert "bound-mi of cat is" in done.err
    assert "--accept-conflicts" in done.err
    assert "✕ refused, nothing recorded: Monet, cat" in done.out
    assert "✕ nats to target, 2 of 2 not met: " in done.out
    assert typed("log", "--json").json() == []


@pytest.mark.usefixtures("ledger")
def test_conflicts_that_are_accepted_stand_in_the_entry(typed):
    words = ("compose", "two", "--policy", "strict.toml", "--accept-conflicts")
    done = typed(*words)

    assert done.code == 0, done.err
    assert "Monet, cat erased here, too IN DOUBT, entry" in done.out
    assert "✕ nats to target, 2 of 2 not met: " in done.out
    (entry,) = typed("log", "--json").json()
    assert (entry["verdict"]["passed"], entry["verdict"]["accepted"]) == (False, True)
    assert len(entry["verdict"]["failures"]) == 2
    assert typed("status", "--json").json()["erased"] == []


def test_a_concept_erased_twice_is_named_with_both_entries(ledger, typed):
    forget(ledger, "Monet", seed=99)
    ids = [typed("show", rev, "--json").json()["id"][:12] for rev in ("HEAD", "two~1")]

    done = typed("compose", "two", "--policy", "quick.toml", "--json")

    assert done.code == 3
    assert f"Monet is erased more than once, by {ids[0]} and {ids[1]}" in done.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 1, "'nowhere'"),
        (("nowhere@main",), 1, "there is no folder 'nowhere' to take 'main' from"),
        (
            (".@nowhere",),
            1,
            "'nowhere' is no entry, branch or tag of the ledger in '.'",
        ),
        (("one", "--how", "guess"), 2, "'guess'"),
        (("base",), 1, "base: nothing there that main does not have"),
        (("one", "--policy", "nothing"), 1, "'nothing'"),
    ],
)
def test_what_cannot_be_composed_is_refused_by_name(ledger, typed, words, code, said):
    before = ledger.chain.head

    done = typed("compose", *words)

    assert done.code in {code, 2}
    assert said in done.err
    assert ledger.chain.head == before


def test_what_was_trained_on_another_branch_is_trained_anew_in_a_rebase(ledger):
    data = quick().model_dump()
    data["eraser"] = {"name": "mim", "n_pictures": 18, "n_family": 0, "max_steps": 2}
    ledger.chain.create_branch("three", "base")
    ledger.chain.switch("three")
    dog = ledger.concept("dog")
    add.add(ledger.place, add.AddRequest((dog,), Policy.of(data, "trained"), seed=5))
    ledger.chain.switch("main")
    compose.compose(ledger.place, compose.ComposeRequest(("three", "one"), quick()))

    at = ledger.place
    found = {each.concepts[0].name: each for each in rebase.orders(at, at.history())}

    assert found["dog"].eraser.name == "mim"
    assert found["dog"].eraser.settings["max_steps"] == 2
    assert found["dog"].seed == 5
    assert found["dog"].delta is None
    assert found["Picasso"].delta is not None


def test_what_is_erased_twice_is_not_erased_anew(ledger, typed, tmp_path):
    forget(ledger, "Monet", seed=99)
    words = ("compose", "two", "--policy", "quick.toml", "--accept-conflicts")
    assert typed(*words).code == 0

    done = typed("rebase", "--onto", str(tmp_path), "-o", str(tmp_path / "new"))

    assert done.code == 2
    assert "'Monet' is erased more than once at 'HEAD'" in done.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("accepted", [False, True])
def test_doubt_that_is_accepted_is_accepted_of_each_erasure_anew(
    ledger, model, typed, tmp_path, monkeypatch, accepted
):
    ledger.chain.switch("one")
    seeing = POLICY.replace('judge = "none"', 'judge = "base"')
    (tmp_path / "seeing.toml").write_text(seeing)
    asked = []

    def unfit(at, order, *made):  # noqa: ARG001
        asked.append(order)
        raise UsageError("enough", fix="nothing")

    monkeypatch.setattr(add, "add_delta", unfit)
    words = ["--accept-undecided"] if accepted else []

    done = typed(
        *("rebase", "--onto", str(model), "-o", str(tmp_path / "new"), *words),
        *("--policy", "seeing.toml"),
    )

    assert done.code == 2, done.err
    assert [order.accept_undecided for order in asked] == [accepted]
    assert not (tmp_path / "new").exists()
