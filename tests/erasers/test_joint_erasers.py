"""Every joint eraser in a ledger: what is erased decides, in whatever order it came."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

import pytest

from tests import joint as joint_tests
from tests.looking_back import LookingBack
from unlearnlog.atelier.bundled_concepts import CONCEPTS, world
from unlearnlog.commands import add, revert
from unlearnlog.commands.session import Session
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

JOINT = [name for name, eraser in ERASERS.items() if eraser.joint]
NAMES = (*world().styles[:14], *world().subjects[:6])
FEW = NAMES[::4]
SMALL: dict[str, dict[str, Any]] = {
    "cure": {"n_prompts": 1, "span": "last"},
    "oce": {"n_prompts": 1},
    "double-projection": {"n_prompts": 1, "leak": 0.1},
}
"""Settings that suit a text space of 64 directions, where the defaults do not."""


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """Return a place without a ledger, of a model that encodes in no time."""
    model: Any = LookingBack()
    folder = tmp_path_factory.mktemp("model")
    return Session(folder, None, model, model.manifest, CONCEPTS)


class Ledgers:
    """Erases into a new ledger at each call."""

    def __init__(self, nowhere: Session, folder: Any, eraser: str) -> None:
        self._nowhere, self._folder, self._n = nowhere, folder, 0
        settings = {each.name for each in fields(ERASERS[eraser])}
        few: dict[str, Any] = {"n_prompts": 4} if "n_prompts" in settings else {}
        few.update(SMALL.get(eraser, {}))
        data = {**joint_tests.policy(), "eraser": {"name": eraser, **few}}
        self._rules = Policy.of(data, eraser)

    def after(self, *batches: tuple[str, ...]) -> Any:
        """Return a place where these were erased, one entry a batch."""
        self._n += 1
        folder = self._folder / str(self._n)
        folder.mkdir()
        ledger = Repository.init(folder, self._nowhere.manifest)
        at = replace(self._nowhere, folder=folder, ledger=ledger)
        for names in batches:
            concepts = tuple(at.world.concept(name) for name in names)
            add.add(fresh(at), add.AddRequest(concepts, self._rules))
        return at


def fresh(at):
    return replace(at, ledger=Repository.open(at.folder))


@pytest.fixture(params=JOINT)
def ledgers(request, nowhere, tmp_path):
    return Ledgers(nowhere, tmp_path, request.param)


def test_the_joint_erasers_are_those_that_are_named():
    assert {"uce", "ridge"} <= {*JOINT}
    assert len({*NAMES}) == 20


def test_twenty_concepts_in_any_order_or_at_once_are_one_state(ledgers):
    wanted = ledgers.after(NAMES).state_digest()
    rng = random.Random(7)
    for _ in range(5):
        order = rng.sample(NAMES, len(NAMES))
        cut = rng.randrange(1, len(NAMES))

        at = ledgers.after(tuple(order[:cut]), tuple(order[cut:]))

        assert at.state_digest() == wanted
        assert len(at.ledger.plan(at.head)) == 1


def test_one_by_one_is_as_at_once_and_the_one_in_the_middle_comes_out_again(ledgers):
    one_by_one_as_at_once(ledgers, FEW)


@pytest.mark.slow
def test_twenty_one_by_one_in_any_order_are_as_at_once_and_the_middle_one_comes_out(
    ledgers,
):
    one_by_one_as_at_once(ledgers, random.Random(8).sample(NAMES, len(NAMES)))


def one_by_one_as_at_once(ledgers, names):
    """Erase in single entries, then take the one in the middle out and in again."""
    back = len(names) // 2
    without = tuple(name for name in names if name != names[-1 - back])
    all_of_them = ledgers.after(tuple(names)).state_digest()
    rest = ledgers.after(without).state_digest()

    at = ledgers.after(*((name,) for name in names))
    assert len(at.history()) == len(names)
    assert at.state_digest() == all_of_them != rest

    revert.revert(fresh(at), revert.RevertRequest((f"HEAD~{back}",), None))
    assert at.state_digest() == rest

    revert.revert(fresh(at), revert.RevertRequest(("HEAD",), None))
    assert at.state_digest() == all_of_them
    assert at.ledger.fsck() == ()
