"""Fine-tuning a small ledger of the bundled model that really erased something."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import pytest
import torch

from tests.joint import Together
from tests.joint import policy as joint_policy
from tests.tiny import build_pipeline
from unlearnlog import Ledger
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.commands import add
from unlearnlog.commands.finetune import FinetuneRequest, finetuned, raise_if_failed
from unlearnlog.commands.session_opening import open_session
from unlearnlog.concepts.concept_set import GENERAL
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.progress import NoProgress
from unlearnlog.erasers import eraser_table
from unlearnlog.errors import ModelError, Refused, UsageError
from unlearnlog.policy import Policy

SIZES = {
    **{"erased": 1, "renamed": 0, "family": 0, "alike": 0, "kept": 1},
    **{"kept_share": 0.05, "earlier": 1, "information": 1},
}
QUICK = Policy.of(
    joint_policy(judge="auto") | {"probes": SIZES, "audit": {"closer": 2}}, "quick"
)
"""Paints in one step, with an eraser that erases nothing to speak of."""

SOUND = Policy.of(
    {
        "name": "sound",
        "eraser": {"name": "ridge"},
        "sampling": {"steps": 4, "guidance": 3.0},
        "probes": {**SIZES, "erased": 2},
        "audit": {"closer": 2},
    },
    "sound",
)


def erased(folder, policy):
    """A folder whose ledger erased Picasso."""
    at = open_session(folder, may_create=True)
    add.add(at, add.AddRequest((at.world.concept("Picasso"),), policy))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    table = MappingProxyType({**eraser_table.ERASERS, Together.name: Together})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eraser_table, "ERASERS", table)
        return erased(tmp_path_factory.mktemp("quick"), QUICK)


@pytest.fixture(scope="module")
def at(made):
    return open_session(made)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return erased(tmp_path_factory.mktemp("sound"), SOUND)


def wish(policy=QUICK, **said):
    return FinetuneRequest(
        policy, **{"data": "target:2", "steps": 2, "batch": 1, **said}
    )


class Counter(NoProgress):
    """Counts how much was painted and learned."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.now = ""

    def stage(self, name: str, total: int) -> None:
        self.now = "steps" if name == "fine-tuning" else "pictures"
        self.done[self.now] = self.done.get(self.now, 0) + total


@pytest.fixture(scope="module")
def first(at):
    """A fine-tune of a LoRA, and how much was done for it."""
    counter = Counter()
    found = finetuned(at, wish(method="lora", watch=counter))
    return found, counter.done


def test_what_was_erased_is_followed_from_the_state_that_is_recorded(at, first):
    found, _ = first
    (course,) = found.courses
    (curve,) = course.curves

    assert curve.concept == "Picasso"
    assert [(look.step, len(look.shown)) for look in curve.looks] == [(0, 32), (2, 32)]
    assert found.base["Picasso"].n == 16
    assert course.kept is not None
    assert course.n_pictures == 2
    assert [said.concept for said in course.forecasts] == ["Picasso"]
    assert -1 <= course.forecasts[0].alignment <= 1
    assert course.rho is not None
    assert found.rev == at.head


def test_asked_again_nothing_is_painted_or_learned(made, first):
    found, done = first
    counter = Counter()

    again = finetuned(open_session(made), wish(method="lora", watch=counter))

    assert done["steps"] == 2
    assert done["pictures"] > 32
    assert counter.done == {"steps": 0}
    assert again.courses[0].curves == found.courses[0].curves


def test_from_python_it_is_the_same_fine_tune(made, first):
    found, _ = first

    again = Ledger.open(made).finetune(
        "target:2", method="lora", steps=2, batch=1, policy=QUICK
    )

    assert again.verdicts == found.verdicts
    (one,), (other,) = again.courses, found.courses
    assert (one.training, one.curves, one.rho) == (
        other.training,
        other.curves,
        other.rho,
    )
    assert (
        again.row()["courses"][0]["concepts"] == found.row()["courses"][0]["concepts"]
    )


def test_the_row_is_plain_json_with_an_interval_beside_each_share(first):
    row = json.loads(json.dumps(first[0].row()))

    look = row["courses"][0]["concepts"][0]["looks"][0]
    assert {"value", "low", "high", "n"} == look["presence"].keys()
    assert row["courses"][0]["rate"] == 1e-3


@pytest.mark.usefixtures("first")
def test_the_model_and_the_ledger_stay_as_they_are(made):
    at = open_session(made)

    assert len(at.history()) == 1
    assert all(torch.isfinite(tensor).all() for tensor in at.model.base.values())
    assert at.state_digest() == at.history()[-1][1].state.after


@pytest.mark.slow
def test_the_base_itself_is_no_twin_that_never_knew(sound):
    found = finetuned(open_session(sound), wish(SOUND, twin=FOLDER, method="lora"))

    saved = found.courses[0].saved["Picasso"]
    assert found.courses[0].twin[0].looks[0].presence.value > 0.8
    assert (saved.value, saved.bound, saved.novel) == (None, "undefined", 0)


@pytest.mark.slow
def test_five_pictures_bring_a_hidden_concept_back_and_it_is_refused(sound):
    found = finetuned(
        open_session(sound), wish(SOUND, data="target:5", steps=60, batch=8, looks=())
    )

    start = found.courses[0].curves[0].looks[0].presence.value
    assert start < 0.2 < found.base["Picasso"].value
    assert found.verdicts == {"Picasso": "resurged"}
    with pytest.raises(Refused, match="Picasso came back"):
        raise_if_failed(found)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"rev": "base"}, "nothing is erased"),
        ({"data": "cousins"}, "there is no folder 'cousins'"),
        ({"data": "target:0"}, "needs a number of pictures"),
        ({"concepts": ("Monet",)}, "'Monet' is not erased there"),
        ({"steps": 0}, "no fine-tune"),
        ({"policy": QUICK.saying(judge="none")}, "no judge configured"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_learned(at, said, message):
    counter = Counter()

    with pytest.raises(UsageError, match=message):
        finetuned(at, replace(wish(watch=counter), **said))

    assert "steps" not in counter.done


def test_a_concept_that_is_in_no_picture_alone_is_refused(at, monkeypatch):
    """It would be left out of the verdict, and nobody would know."""
    monkeypatch.setattr(PromptBook, "alone", lambda *_: ())

    with pytest.raises(UsageError, match="every picture of 'Picasso' shows another"):
        finetuned(at, wish())


def test_without_anything_that_was_kept_no_judge_is_believed(at, monkeypatch):
    """It may see Picasso everywhere."""
    monkeypatch.setattr(PromptBook, "kept", lambda *_: ())

    with pytest.raises(UsageError, match="no picture of a kept concept"):
        finetuned(at, wish())


def test_a_refusal_says_why_nobody_knows(at):
    found = finetuned(at, wish(method="lora"))
    doubted = replace(found, mistaken={"Picasso": 0.5})

    with pytest.raises(Refused, match="undecided: Picasso: the judge sees it in 50%"):
        raise_if_failed(doubted)
    raise_if_failed(doubted, accept_undecided=True)


def test_a_twin_of_another_shape_is_none(at, tmp_path):
    twin = build_pipeline(tmp_path / "tiny")

    with pytest.raises(ModelError, match="is no twin: its pictures' sizes"):
        finetuned(at, wish(twin=twin))


def test_words_are_drawn_for_the_bundled_world_only(at):
    foreign = replace(at, concepts=GENERAL)

    with pytest.raises(UsageError, match="'target:2' can be rendered for the bundled"):
        finetuned(foreign, wish())


def test_words_are_drawn_for_a_fine_tune_of_the_bundled_model_too(at):
    rebased = replace(at, manifest=at.manifest.model_copy(update={"source": "x"}))
    policy = QUICK.saying(judge="atelier")

    (there,), (here,) = (
        finetuned(each, wish(policy, steps=1)).courses for each in (rebased, at)
    )

    assert not rebased.is_bundled
    assert there.lesson == here.lesson
    assert there.curves == here.curves
