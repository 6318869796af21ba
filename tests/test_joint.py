"""Joint erasures and composed histories, on a model of one small matrix."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
import torch

from tests import joint as joint_tests
from tests.fakes import LinearModel
from tests.joint import Together
from tests.test_history import some_delta
from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.commands import add as erase
from unlearnlog.commands import compose, revert, verify
from unlearnlog.commands.entry_builder import EntryBuilder
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.active import live_concepts
from unlearnlog.core.delta import Delta, LowRank, state_after, state_digest
from unlearnlog.core.entry import Append, SetGroup
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.erasers import eraser_table
from unlearnlog.errors import LedgerError, Refused, RevisionError, UsageError, WrongBase
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

NAMES = ("Picasso", "Monet", "cat", "Hokusai")


class Quick(LinearModel):
    """Paints in one step, however many are asked for."""

    def paint(self, prompts, seeds, *, sampling, **options):
        sampling = replace(sampling, steps=1)
        return super().paint(prompts, seeds, sampling=sampling, **options)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a place without a ledger, of a model that paints in no time."""
    linear: Any = Quick()
    folder = tmp_path_factory.mktemp("model")
    return Session(folder, None, linear, linear.manifest, CONCEPTS)


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    table = MappingProxyType({**eraser_table.ERASERS, Together.name: Together})
    monkeypatch.setattr(eraser_table, "ERASERS", table)
    monkeypatch.setattr(Together, "n_solved", 0)


@pytest.fixture
def at(model, tmp_path):
    return ledger_in(model, tmp_path / "one")


def ledger_in(model, folder) -> Any:
    return replace(model, folder=folder, ledger=Repository.init(folder, model.manifest))


def fresh(at):
    """Look at the ledger again: a place remembers the concepts it has seen."""
    return replace(at, ledger=Repository.open(at.folder))


def add(at, *names, **settings):
    rules = Policy.of(joint_tests.policy(**settings), "joint")
    concepts = tuple(at.world.concept(name) for name in names)
    return erase.add(fresh(at), erase.AddRequest(concepts, rules)).entry


def train(at, name, seed, rows=(0,)):
    """Record what a gradient eraser could have made."""
    delta = some_delta(at.model.base, seed, list(rows))
    rules = Policy.of(joint_tests.policy(), "joint")
    order = erase.AddRequest((at.world.concept(name),), rules)
    return erase.add_delta(
        fresh(at), order, delta, EraserRecord(name="elsewhere")
    ).entry


def assert_sound(at):
    """Every entry replays from its deltas to what was recorded."""
    ledger = Repository.open(at.folder)
    assert ledger.fsck() == ()
    for entry in ledger.reachable():
        ledger.state(entry, at.model.base, fresh=True)  # compares the digests


def wish(*revs, how="replay", accept=False, judge="none", limits=()):
    data = {**joint_tests.policy(judge), "limits": limits}
    return compose.ComposeRequest(
        revs, Policy.of(data, "joint"), how, accept_conflicts=accept
    )


def put_together(at, *revs, **options):
    return compose.compose(fresh(at), wish(*revs, **options))


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES[:3])))
def test_the_order_of_joint_erasures_means_nothing(model, at, tmp_path, order):
    for name in order:
        add(at, name)
    batch = ledger_in(model, tmp_path / "batch")
    add(batch, *NAMES[:3])

    assert at.state_digest() == batch.state_digest()
    assert at.ledger.plan(at.head) == batch.ledger.plan(batch.head)
    assert len(at.ledger.plan(at.head)) == 1


def test_taking_one_out_of_the_middle_is_the_set_without_it(model, at, tmp_path):
    for name in NAMES:
        add(at, name)
    revert.revert(fresh(at), revert.RevertRequest(("HEAD~2",), None))

    without = ledger_in(model, tmp_path / "without")
    add(without, "Hokusai", "cat", "Picasso")
    assert at.state_digest() == without.state_digest()
    assert set(live_concepts(at.history())) == {"Picasso", "cat", "Hokusai"}
    assert_sound(at)


def test_a_set_that_was_solved_is_not_solved_again(at):
    for name in NAMES[:2]:
        add(at, name)
    before, n_solved = at.state_digest(), Together.n_solved

    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))

    assert at.state_digest() == before
    assert Together.n_solved == n_solved == 2
    assert set(live_concepts(at.history())) == {"Picasso", "Monet"}


def test_what_came_back_by_a_revert_can_be_reverted_again(at):
    add(at, "Picasso")
    add(at, "Monet")
    picasso, without = at.ledger.resolve("HEAD~1"), None
    for entry in (picasso, "HEAD", picasso):
        revert.revert(fresh(at), revert.RevertRequest((entry,), None))
        if without is None:
            without = at.state_digest()

    assert at.state_digest() == without
    assert set(live_concepts(at.history())) == {"Monet"}


def test_a_group_whose_last_member_goes_leaves_the_base(at):
    add(at, "Picasso")
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))

    change = at.ledger.entry(at.head).changes[-1]
    assert isinstance(change, SetGroup)
    assert (change.members, change.object) == ((), None)
    assert at.state_digest() == at.ledger.state_digest(None)


def test_other_settings_are_another_group(at):
    add(at, "Picasso")
    add(at, "Monet", scale=2e-3)

    assert len(at.ledger.plan(at.head)) == 2


def test_joint_and_gradient_erasures_are_taken_back_in_one_go(model, at, tmp_path):
    add(at, "Picasso")
    train(at, "cat", 1)
    add(at, "Monet")
    revert.revert(fresh(at), revert.RevertRequest(("HEAD~2", "HEAD~1"), None))

    only = ledger_in(model, tmp_path / "only")
    add(only, "Monet")
    assert at.state_digest() == only.state_digest()


def test_another_file_of_concepts_is_not_solved_with(at, tmp_path):
    for name in NAMES[:3]:
        add(at, name)
    other = tmp_path / "other.toml"
    other.write_text(at.concepts.read_text() + "\n# another day\n")

    with pytest.raises(LedgerError, match="another file of concepts") as caught:
        revert.revert(
            replace(fresh(at), concepts=other), revert.RevertRequest(("HEAD~1",), None)
        )

    assert "--concepts" in caught.value.fix
    assert len(at.ledger.history(at.head)) == 3


def branched(at):
    """Picasso on main; from there Monet on one branch, cat on another."""
    add(at, "Picasso")
    train(at, "Hokusai", 7)
    for name, concept in (("one", "Monet"), ("two", "cat")):
        at.ledger.create_branch(name, "main")
        at.ledger.switch(name)
        add(at, concept)
        train(at, {"one": "Klimt", "two": "dog"}[name], len(concept))
    at.ledger.switch("main")


def test_replay_solves_a_group_for_the_concepts_of_all_sides(model, at, tmp_path):
    branched(at)

    done = put_together(at, "one", "two")

    whole = ledger_in(model, tmp_path / "whole")
    add(whole, "cat", "Monet", "Picasso")
    for name, seed in (("dog", 3), ("Klimt", 5), ("Hokusai", 7)):
        train(whole, name, seed)
    assert at.state_digest() == whole.state_digest()
    assert done.entry.kind == "compose"
    assert {c.name for c in done.entry.concepts} == {"Monet", "Klimt", "cat", "dog"}
    assert set(live_concepts(at.history())) == set(live_concepts(whole.history()))
    assert_sound(at)


def test_the_order_of_sides_means_nothing(at):
    branched(at)
    put_together(at, "one", "two")
    first = at.state_digest()
    at.ledger.reset("HEAD~1")

    put_together(at, "two")
    put_together(at, "one")

    assert at.state_digest() == first


def test_a_sum_adds_what_each_side_did_to_the_weights(at):
    branched(at)
    base, changes = at.model.base, {}
    for name in ("main", "one", "two"):
        changes[name] = at.ledger.change(at.ledger.resolve(name), base)

    done = put_together(at, "one", "two", how="sum")

    (tensor,) = changes["main"]
    wanted = changes["one"][tensor] + changes["two"][tensor] - changes["main"][tensor]
    found = at.ledger.change(at.ledger.head, base)[tensor]
    assert (found == wanted).all()
    assert done.gap > 0


def test_the_gap_is_that_between_replay_and_sum(at):
    branched(at)
    found = {}
    for how in ("replay", "sum"):
        done = put_together(at, "one", "two", how=how)
        (change,) = at.ledger.change(at.ledger.head, at.model.base).values()
        found[how] = (change, done.gap)
        at.ledger.reset("HEAD~1")

    replay, summed = found["replay"][0], found["sum"][0]
    wanted = float((replay - summed).norm() / summed.norm())
    assert found["replay"][1] == found["sum"][1] == pytest.approx(wanted, rel=1e-9)
    assert wanted > 1e-3


def test_without_a_joint_group_there_is_no_gap(at):
    for name, concept in (("one", "Monet"), ("two", "cat")):
        at.ledger.create_branch(name, "base")
        at.ledger.switch(name)
        train(at, concept, len(concept))
    at.ledger.switch("main")

    done = put_together(at, "one", "two")

    assert done.gap == 0
    deltas = [some_delta(at.model.base, seed, [0]) for seed in (5, 3)]
    after = state_digest(state_after(at.model.base, deltas), at.manifest.root)
    assert at.state_digest() == after


def test_what_a_side_took_back_is_taken_back(at):
    branched(at)
    at.ledger.switch("two")
    revert.revert(fresh(at), revert.RevertRequest((at.ledger.resolve("main"),), None))
    revert.revert(fresh(at), revert.RevertRequest((at.ledger.resolve("main~1"),), None))
    at.ledger.switch("main")

    put_together(at, "one", "two")

    assert set(live_concepts(at.history())) == {"Monet", "Klimt", "cat", "dog"}
    assert_sound(at)


def test_what_this_branch_took_back_stays_taken_back(at):
    branched(at)
    revert.revert(fresh(at), revert.RevertRequest(("HEAD", "HEAD~1"), None))

    put_together(at, "one")

    assert set(live_concepts(at.history())) == {"Monet", "Klimt"}


def test_a_composition_can_be_reverted_and_reverted_back(at):
    branched(at)
    before = at.state_digest()
    put_together(at, "one", "two")
    after = at.state_digest()

    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    assert at.state_digest() == before
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    assert at.state_digest() == after


def test_nothing_comes_twice(at):
    branched(at)
    put_together(at, "one", "two")

    with pytest.raises(LedgerError, match="nothing there that main does not have"):
        put_together(at, "two", "one")


def test_another_ledger_of_the_same_model_is_composed_with(model, at, tmp_path):
    other = ledger_in(model, tmp_path / "other")
    train(other, "cat", 3)
    other.ledger.create_tag("v1")
    train(other, "dog", 4)
    add(at, "Picasso")

    put_together(at, f"{other.folder}@v1")
    assert set(live_concepts(at.history())) == {"Picasso", "cat"}
    put_together(at, str(other.folder))
    assert set(live_concepts(at.history())) == {"Picasso", "cat", "dog"}
    assert_sound(at)


def test_a_ledger_of_another_model_is_refused(at, tmp_path):
    from tests.ledger.making import new_ledger

    new_ledger(tmp_path / "strange")
    train(at, "cat", 1)

    with pytest.raises(WrongBase, match="not the ledger's base"):
        put_together(at, str(tmp_path / "strange"))


@pytest.mark.parametrize("rev", ["nothing", "/no/such/folder@main"])
def test_what_is_neither_a_revision_nor_a_ledger_is_refused(at, rev):
    with pytest.raises(RevisionError, match="no"):
        put_together(at, rev)


def test_a_folder_without_a_ledger_is_refused(at, tmp_path):
    with pytest.raises(RevisionError, match="neither a revision nor a folder with"):
        put_together(at, str(tmp_path))


def test_a_concept_erased_on_both_sides_is_a_conflict(at):
    for name in ("one", "two"):
        at.ledger.create_branch(name, "base")
        at.ledger.switch(name)
        train(at, "cat", len(name) + (name == "two"))
    at.ledger.switch("main")

    done = put_together(at, "one", "two")

    assert done.conflicts[0].startswith("cat is erased more than once, by ")
    assert at.head is None
    with pytest.raises(Refused, match="conflict: cat is erased"):
        compose.refuse(done)
    put_together(at, "one", "two", accept=True)
    assert at.ledger.entry(at.ledger.head).verdict.failures == done.conflicts


def test_both_sides_may_have_put_a_concept_into_one_group(at):
    for name in ("one", "two"):
        at.ledger.create_branch(name, "base")
        at.ledger.switch(name)
        add(at, "cat")
    at.ledger.switch("main")

    assert put_together(at, "one", "two").conflicts == ()


@pytest.mark.slow
def test_interference_beyond_the_policy_is_a_conflict_that_names_the_concept(tmp_path):
    """Nothing was really erased here, so the judge still sees the cat."""
    at: Any = ledger_in(open_session(tmp_path, may_create=True), tmp_path)
    at.ledger.create_branch("one", "base")
    at.ledger.switch("one")
    train(at, "cat", 3)
    at.ledger.switch("main")
    limits = [{"reading": "ua", "at_least": 0.9}, {"reading": "cra", "at_least": 0.0}]

    done = put_together(at, "one", judge="auto", limits=limits)

    assert any("ua of cat" in each for each in done.conflicts)
    assert at.head is None


def meanwhile(act):
    """Let somebody else do something while an erasure is looked at."""

    class Look:
        verdict = Policy.of(joint_tests.policy(), "joint").verdict

        def readings(self, _):
            act()
            return ()

    return lambda *_, **__: Look()


@pytest.mark.parametrize("verb", ["add", "compose"])
def test_what_others_record_meanwhile_is_not_recorded_over(at, monkeypatch, verb):
    branched(at)
    look = meanwhile(lambda: train(at, "horse", 11))
    whole = {"add": erase, "compose": compose}[verb]
    real = whole.evaluation_of

    def only_once(*_, **__):
        monkeypatch.setattr(whole, "evaluation_of", real)
        return look()

    monkeypatch.setattr(whole, "evaluation_of", only_once)
    if verb == "add":
        monkeypatch.setattr(erase, "_require_presence", lambda *_: None)
        monkeypatch.setattr(erase, "_request", lambda *_: None)

    add(at, "cat") if verb == "add" else put_together(at, "one")

    newest, before = (entry for _, entry in reversed(at.ledger.history(at.head)[-2:]))
    assert before.concepts[0].name == "horse"
    assert newest.parent == before.id
    assert newest.state.before == before.state.after
    assert "horse" in live_concepts(at.ledger.history(at.head))
    assert_sound(at)


def test_an_entry_lands_on_the_branch_that_its_command_began_on(at):
    """It was thrown away where somebody switched to another branch meanwhile."""
    train(at, "cat", 3)
    at.ledger.create_branch("other")
    here = fresh(at).pinned()
    at.ledger.switch("other")

    delta = some_delta(at.model.base, 11, [0])
    concepts, change = (at.world.concept("horse"),), Append(object=delta.digest)
    own = EntryBuilder("erase", concepts, EraserRecord(name="mim"), (change,), (delta,))
    entry = own.concluded(here, own.state(here), (), VerdictRecord(passed=True))
    here.record(entry, *own.brought)

    assert at.ledger.refs["heads/main"] == entry.id
    assert at.ledger.refs["heads/other"] == at.ledger.head == entry.parent
    assert_sound(at)


def test_a_concept_is_not_brought_back_beside_its_second_erasure(at):
    train(at, "cat", 3)
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    train(at, "cat", 4)

    with pytest.raises(LedgerError, match="cat would be erased twice"):
        revert.revert(fresh(at), revert.RevertRequest(("HEAD~1",), None))

    assert len(at.ledger.plan(at.head)) == 1


def test_a_branch_composed_by_sum_comes_once(at):
    branched(at)
    put_together(at, "one", how="sum")
    once = at.state_digest()

    with pytest.raises(LedgerError, match="nothing there that main does not have"):
        put_together(at, "one", how="sum")

    assert at.state_digest() == once


def test_a_concept_in_two_solutions_that_are_added_is_a_conflict(at):
    for name, concepts in (("one", ["cat"]), ("two", ["cat", "Monet"])):
        at.ledger.create_branch(name, "base")
        at.ledger.switch(name)
        for concept in concepts:
            add(at, concept)
    at.ledger.switch("one")

    done = put_together(at, "two", how="sum")

    assert done.conflicts[0].startswith("cat is erased more than once")


def test_what_a_side_took_out_of_a_group_is_out_after_a_sum_too(model, at, tmp_path):
    add(at, "Picasso")
    add(at, "Monet")
    at.ledger.create_branch("one")
    at.ledger.switch("one")
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    at.ledger.switch("main")

    put_together(at, "one", how="sum")
    add(at, "cat")

    wanted = ledger_in(model, tmp_path / "wanted")
    add(wanted, "Picasso")
    add(wanted, "cat")
    assert at.state_digest() == wanted.state_digest()


def test_a_side_that_took_from_a_group_and_added_to_it_has_no_sum(at):
    add(at, "Picasso")
    at.ledger.create_branch("one")
    at.ledger.switch("one")
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    add(at, "Monet")
    at.ledger.switch("main")

    with pytest.raises(LedgerError, match="there is no sum of that"):
        put_together(at, "one", how="sum")
    assert put_together(at, "one").gap is None


def test_the_same_delta_made_anew_on_a_side_is_brought(at):
    train(at, "cat", 3)
    at.ledger.create_branch("one")
    at.ledger.switch("one")
    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    train(at, "cat", 3)
    at.ledger.switch("main")
    before = at.state_digest()

    put_together(at, "one")

    assert at.state_digest() == before
    assert len(at.ledger.plan(at.head)) == 1


def test_a_concept_that_means_something_else_is_solved_anew(at):
    rules = Policy.of(joint_tests.policy(), "joint")
    for alias in ("Pablo", "P. Ruiz"):
        concept = replace(at.world.concept("Picasso"), aliases=(alias,))
        erase.add(fresh(at), erase.AddRequest((concept,), rules))
        revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))

    assert Together.n_solved == 2


def test_deltas_that_no_sum_could_hold_together_are_not_recorded(at):
    name = next(iter(at.model.base))
    shape = at.model.base[name].shape
    for i in range(3):
        left, right = torch.zeros(shape[0], 1), torch.zeros(1, shape[1])
        left[i], right[0, i] = 14.0, 14.0
        order = erase.AddRequest(
            (at.world.concept(NAMES[i]),), Policy.of(joint_tests.policy(), "joint")
        )
        delta, made = Delta({name: LowRank(left, right)}), EraserRecord(name="big")
        if i < 2:
            erase.add_delta(fresh(at), order, delta, made)
        else:
            with pytest.raises(LedgerError, match="may reach 588"):
                erase.add_delta(fresh(at), order, delta, made)
    assert_sound(at)


@pytest.mark.parametrize("revs", [(), ("x" * 5000,), ("x" * 300 + "@main",)])
def test_names_that_cannot_be_are_refused(at, revs):
    train(at, "cat", 3)
    with pytest.raises((UsageError, RevisionError)):
        put_together(at, *revs)
    if not revs:
        with pytest.raises(UsageError, match="nothing is named to take back"):
            revert.revert(fresh(at), revert.RevertRequest((), None))
        with pytest.raises(UsageError, match="'guess' is no way to compose"):
            put_together(at, "main", how="guess")
    assert len(at.ledger.history(at.ledger.head)) == 1


def test_a_full_check_names_the_entry_whose_record_is_not_true(at):
    branched(at)
    at.ledger.switch("one")
    put_together(at, "two")
    assert [*verify.entries_that_lie(at.ledger, at.model.base)] == []
    here = fresh(at).pinned()
    delta = some_delta(at.model.base, 77, [1])
    change = Append(object=delta.digest)
    draft = EntryBuilder(
        "erase", (), EraserRecord(name="x"), (change,), brought=(delta,)
    )
    lie = draft.concluded(here, {}, (), VerdictRecord(passed=True))
    here.record(lie, delta)

    found = [*verify.entries_that_lie(at.ledger, at.model.base)]

    assert lie.id in {damage.entries[0] for damage in found}
    assert all("replays to" in damage.problem for damage in found)
    assert at.ledger.fsck() == ()
