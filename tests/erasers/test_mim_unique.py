from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.erasers.test_mim import request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import state_after
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.forget_set import ForgetSet
from unlearnlog.erasers.mim import Mim
from unlearnlog.erasers.mim_unique import MimUnique, stays
from unlearnlog.erasers.ridge import Ridge
from unlearnlog.errors import PolicyError

SMALL = {"n_pictures": 24, "n_family": 8, "max_steps": 10}


def prompt(noun, sibling):
    return Prompt(
        f"a {noun} by picasso",
        f"a {noun}",
        f"photo {noun}",
        parent=f"a cubist {noun}",
        sibling=sibling and f"a {noun} by {sibling}",
    )


@pytest.fixture
def request_with_kin():
    group = tuple(prompt(noun, "braque") for noun in ("cat", "dog"))
    kin = tuple((f"a cubist {noun}",) * 2 for noun in ("cat", "dog"))
    alone = (prompt("tree", ""),)
    request = request_of(LinearModel())
    return replace(
        request, forget=(group + alone,), families=(kin,), names=("picasso",)
    )


def test_it_is_the_closed_form_and_mim_with_those_that_stay_in_sight(request_with_kin):
    request = request_with_kin
    eraser = MimUnique.of(SMALL)

    made = eraser.erase(request).patches[NAME].dense()

    braque = tuple((f"a {noun} by braque",) * 2 for noun in ("cat", "dog"))
    seen = replace(request, families=(*request.families, braque))
    first = Ridge(target="parent", erase_scale=300.0, family_scale=3.0).erase(seen)
    old = state_after(request.old, [first])
    wide = {"target": "parent", "rank": 64, "leak": 100.0, "keep": 0.1, "slower": 3}
    then = Mim.of({**SMALL, **wide}).erase(replace(seen, old=old))
    parts = [each.patches[NAME].dense() for each in (first, then)]
    assert torch.equal(made, (parts[0] + parts[1]).float().double())
    assert all(part.norm() > 0 for part in parts)


def test_the_concept_gets_nearer_to_its_family_than_the_base_is(request_with_kin):
    eraser = MimUnique.of({**SMALL, "n_family": 0})
    forget = ForgetSet.of(request_with_kin, "parent", n=24)

    def left(new):
        return eraser.nats_left(request_with_kin, forget, new)

    new = state_after(request_with_kin.old, [eraser.erase(request_with_kin)])
    assert left(new) < 0.5 * left(dict(request_with_kin.old))


def test_strength_scales_the_whole(request_with_kin):
    one = MimUnique.of(SMALL).erase(request_with_kin).patches[NAME].dense()
    half = MimUnique.of({**SMALL, "strength": 0.5}).erase(request_with_kin)

    torch.testing.assert_close(
        half.patches[NAME].dense(), one / 2, rtol=1e-6, atol=1e-7
    )


def test_members_that_stay_come_once_and_only_where_there_are_some(request_with_kin):
    twice = replace(request_with_kin, forget=request_with_kin.forget * 2)

    assert stays(twice) == stays(request_with_kin)
    assert [len(pairs) for pairs in stays(request_with_kin)] == [2]
    assert stays(replace(request_with_kin, forget=((prompt("tree", ""),),))) == ()


def test_pictures_of_those_that_stay_are_counted():
    settings = {"n_pictures": 24, "n_family": 8}

    assert Mim.of(settings).work(2).pictures == 2 * (24 + 8)
    assert MimUnique.of(settings).work(2).pictures == 2 * (24 + 8 + 8)


@pytest.mark.parametrize("settings", [{"erase_scale": 0.0}, {"family_scale": -1.0}])
def test_weights_of_the_closed_form_are_checked(settings):
    with pytest.raises(PolicyError, match=next(iter(settings))):
        MimUnique.of(settings)
