"""Every joint eraser in a ledger: what is erased decides, in whatever order it came."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests import joint as joint_tests
from tests.looking_back import LookingBack
from unlearnlog.atelier.world import CONCEPTS, world
from unlearnlog.erasers import ERASERS
from unlearnlog.ledger import Ledger
from unlearnlog.policy import Policy
from unlearnlog.run import erase, undo
from unlearnlog.run.place import Place

JOINT = [name for name, eraser in ERASERS.items() if eraser.joint]
NAMES = (*world().styles[:14], *world().subjects[:6])
FEW = NAMES[::4]


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """Return a place without a ledger, of a model that encodes in no time."""
    model: Any = LookingBack()
    folder = tmp_path_factory.mktemp("model")
    return Place(folder, None, model, model.manifest, CONCEPTS)


class Ledgers:
    """Erases into a new ledger at each call."""

    def __init__(self, nowhere: Place, folder: Any, eraser: str) -> None:
        self._nowhere, self._folder, self._n = nowhere, folder, 0
        data = {**joint_tests.policy(), "eraser": {"name": eraser}}
        self._rules = Policy.of(data, eraser)

    def after(self, *batches: tuple[str, ...]) -> Any:
        """Return a place where these were erased, one entry a batch."""
        self._n += 1
        folder = self._folder / str(self._n)
        folder.mkdir()
        ledger = Ledger.init(folder, self._nowhere.manifest)
        at = replace(self._nowhere, folder=folder, ledger=ledger)
        for names in batches:
            concepts = tuple(at.world.concept(name) for name in names)
            erase.add(fresh(at), erase.Order(concepts, self._rules))
        return at


def fresh(at):
    return replace(at, ledger=Ledger.open(at.folder))


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
        cuts = sorted(rng.sample(range(1, len(NAMES)), 3))
        parts = zip([0, *cuts], [*cuts, len(NAMES)], strict=True)

        at = ledgers.after(*(tuple(order[i:j]) for i, j in parts))

        assert at.state_digest() == wanted
        assert len(at.ledger.plan(at.head)) == 1


def test_one_at_a_time_is_as_good_as_at_once(ledgers):
    one_by_one = ledgers.after(*((name,) for name in reversed(FEW)))

    assert one_by_one.state_digest() == ledgers.after(FEW).state_digest()
    assert one_by_one.state_digest() != ledgers.after(FEW[:-1]).state_digest()


def test_taking_one_out_of_the_middle_is_the_set_without_it(ledgers):
    at = ledgers.after(*((name,) for name in FEW))
    undo.revert(fresh(at), undo.Wish(("HEAD~2",), None))

    without = tuple(name for name in FEW if name != FEW[-3])
    assert at.state_digest() == ledgers.after(without).state_digest()
    assert at.ledger.fsck() == ()


def test_taking_out_and_putting_back_is_where_it_was(ledgers):
    at = ledgers.after(FEW[:2], FEW[2:])
    before = at.state_digest()
    undo.revert(fresh(at), undo.Wish(("HEAD",), None))

    undo.revert(fresh(at), undo.Wish(("HEAD",), None))

    assert at.state_digest() == before
