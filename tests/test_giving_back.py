"""``revert --concept``: one concept given back out of a batch."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from tests import joint as joint_tests
from tests.fakes import LinearModel
from tests.joint import Together
from tests.test_history import some_delta
from unlearnlog.api import Ledger as Api
from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.commands import add as erase
from unlearnlog.commands import revert
from unlearnlog.commands.revert_concept import give_back
from unlearnlog.commands.session import Session
from unlearnlog.core.active import live_concepts
from unlearnlog.core.entry import Append, Drop, SetGroup
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.erasers import eraser_table
from unlearnlog.errors import ConceptError, Refused, UsageError
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

BATCH = ("Picasso", "Monet", "cat")
TRAINED = {"name": "esd", "n_pictures": 17, "steps": 2, "batch": 2}


class Quick(LinearModel):
    """Paints in one step, however many are asked for."""

    def paint(self, prompts, seeds, *, sampling, **options):
        sampling = replace(sampling, steps=1)
        return super().paint(prompts, seeds, sampling=sampling, **options)


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    table = MappingProxyType({**eraser_table.ERASERS, Together.name: Together})
    monkeypatch.setattr(eraser_table, "ERASERS", table)


def ledger_in(folder) -> Any:
    linear: Any = Quick()
    empty = Session(folder, None, linear, linear.manifest, CONCEPTS)
    return replace(empty, ledger=Repository.init(folder, linear.manifest))


@pytest.fixture
def at(tmp_path):
    return ledger_in(tmp_path / "one")


def rules(**more):
    return Policy.of({**joint_tests.policy(), **more}, "joint")


def add(at, *names, seed=0, **more):
    concepts = tuple(at.world.concept(name) for name in names)
    return erase.add(at, erase.AddRequest(concepts, rules(**more), seed)).entry


def wish(*revs, **more):
    return revert.RevertRequest(revs or ("HEAD",), rules(**more))


def test_what_is_left_of_a_joint_batch_is_what_it_would_have_been_without_it(
    at, tmp_path
):
    """A batch of a hundred could be taken back whole or not at all."""
    add(at, *BATCH)
    other = ledger_in(tmp_path / "other")
    add(other, "Picasso", "cat")

    done = give_back(at, wish(), ["monet"])

    assert at.state_digest() == other.state_digest()
    assert [*live_concepts(at.history())] == ["Picasso", "cat"]
    assert [entry.kind for _, entry in at.history()] == ["erase", "revert", "erase"]
    assert done.again[0].parent == done.entry.id
    assert isinstance(done.again[0].changes[0], SetGroup)
    assert Repository.open(at.folder).fsck() == ()
    at.the_ledger().state(at.head, at.model.base, fresh=True)  # compares the digests


def test_a_batch_in_the_middle_is_left_with_what_came_later(at, tmp_path):
    add(at, *BATCH)
    add(at, "Hokusai")
    other = ledger_in(tmp_path / "other")
    add(other, "cat", "Hokusai")

    give_back(at, wish("HEAD~1"), ["Monet", "Picasso"])

    assert at.state_digest() == other.state_digest()
    assert [*live_concepts(at.history())] == ["Hokusai", "cat"]


@pytest.mark.slow
def test_the_others_of_a_trained_batch_are_trained_anew(at, tmp_path):
    """What was trained is one change for all: it cannot be taken apart."""
    add(at, "Hokusai")
    add(at, *BATCH, eraser=TRAINED, seed=3)
    other = ledger_in(tmp_path / "other")
    add(other, "Hokusai")
    add(other, "Picasso", "cat", eraser=TRAINED, seed=3)

    done = give_back(at, wish(), ["Monet"])

    (anew,) = done.again
    assert isinstance(anew.changes[0], Append)
    assert (anew.seed, anew.eraser.name) == (3, "esd")
    assert at.state_digest() == other.state_digest()
    assert [*live_concepts(at.history())] == ["Hokusai", "Picasso", "cat"]
    assert Repository.open(at.folder).fsck() == ()


def test_what_is_given_back_can_be_erased_again_and_the_batch_can_come_back(at):
    add(at, *BATCH)
    before = at.state_digest()
    give_back(at, wish(), ["Monet"])

    add(at, "Monet")

    assert at.state_digest() == before  # one set, in whatever order
    revert.revert(at, revert.RevertRequest(("HEAD", "HEAD~1", "HEAD~2"), None))
    assert at.state_digest() == before  # the batch itself


def test_the_only_concept_of_an_entry_is_given_back_by_a_plain_revert(at):
    add(at, "Monet")

    done = give_back(at, wish(), ["Monet"])

    assert done.again == ()
    assert done.entry.changes[0] == Drop(entry=at.history()[0][0])
    assert live_concepts(at.history()) == {}


LIMIT = {"reading": "ua", "at_least": 1.0}


@pytest.mark.parametrize(
    "eraser", [{"name": "together"}, TRAINED], ids=["joint", "esd"]
)
def test_what_the_policy_refuses_leaves_the_batch_as_it_was(at, eraser):
    add(at, *BATCH, eraser=eraser)
    before, n = at.state_digest(), len(at.history())

    with pytest.raises(Refused):
        give_back(at, wish(limits=(LIMIT,)), ["Monet"])

    assert (at.state_digest(), len(at.history())) == (before, n)


def test_what_others_record_meanwhile_stays_and_the_rest_goes_on_top(at, monkeypatch):
    add(at, *BATCH)
    solve = Together.erase

    def meanwhile(self, request):
        monkeypatch.setattr(Together, "erase", solve)
        add(replace(at, ledger=Repository.open(at.folder)), "Hokusai")
        return solve(self, request)

    monkeypatch.setattr(Together, "erase", meanwhile)

    give_back(at, wish(), ["Monet"])

    left = {*BATCH, "Hokusai"} - {"Monet"}
    assert {*live_concepts(at.history())} == left
    assert len(at.history()) == 4


def test_what_makes_no_sense_is_refused_with_what_to_type(at):
    add(at, *BATCH)
    delta = some_delta(at.model.base, 1, [0])
    order = erase.AddRequest(
        (at.world.concept("dog"), at.world.concept("Klimt")), rules()
    )
    erase.add_delta(at, order, delta, EraserRecord(name="elsewhere"))

    with pytest.raises(UsageError, match="out of one entry, not of 2"):
        give_back(at, wish("HEAD", "HEAD~1"), ["Monet"])
    with pytest.raises(ConceptError, match="did not erase 'Hokusai'"):
        give_back(at, wish("HEAD~1"), ["Hokusai"])
    with pytest.raises(UsageError, match="imported: Klimt cannot be") as caught:
        give_back(at, wish(), ["Klimt"])
    assert re.search(
        r'unlearnlog revert \w+, unlearnlog add --batch "dog"', caught.value.fix
    )
    assert len(at.history()) == 2


@pytest.mark.slow
def test_one_is_given_back_where_it_is_typed(typed, tmp_path):
    (tmp_path / "blind.toml").write_text(
        'name = "blind"\njudge = "none"\n[eraser]\nname = "ridge"\n'
        "[probes]\ninformation = 0\n"
    )
    words = ["--policy", "blind.toml"]
    assert typed("add", "--batch", *BATCH, *words).code == 0

    both = typed("revert", "HEAD", "--concept", "Monet", "--rederive", *words)
    done = typed("revert", "HEAD", "--concept", "Monet", *words)

    assert both.code == 2
    assert "not both at once" in both.err
    assert done.code == 0, done.err
    assert "Monet given back; Picasso, cat erased anew without it" in done.out
    assert "cannot" not in done.out
    erased = live_concepts(Api.open(tmp_path).place.history())
    assert [*erased] == ["Picasso", "cat"]
