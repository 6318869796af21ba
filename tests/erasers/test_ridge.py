from __future__ import annotations

import pytest
import torch

from tests import by_hand
from tests.erasers.test_uce import asked, assert_close, changes, of_prompts
from tests.looking_back import KEYS, LENGTH, VALUES
from unlearnlog.erasers.ridge import Ridge


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"erase_scale": 1.0, "keep_scale": 2.0, "ridge": 0.01},
        {"target": "context"},
        {"target": "unconditional"},
    ],
)
def test_the_edit_is_the_formula_written_the_slow_way(settings):
    request, eraser = asked(), Ridge(**settings)

    found = changes(eraser, request)

    assert found.keys() == {KEYS, VALUES}
    for name, change in found.items():
        old = request.old[name].double()
        assert_close(change, by_hand.edited(old, request, eraser) - old)


def test_no_step_from_the_edit_lowers_its_own_objective():
    request, eraser = asked("Picasso"), Ridge()
    old = request.old[VALUES].double()
    new = (old + changes(eraser, request)[VALUES]).requires_grad_()
    start = old.clone().requires_grad_()

    for weights in (new, start):
        by_hand.objective(weights, old, request, eraser).backward()

    assert new.grad is not None
    assert start.grad is not None
    assert float(new.grad.norm()) <= 1e-10 * float(start.grad.norm())


def test_every_token_from_the_name_on_is_moved_and_none_before_it():
    """Where the base's edit of the last word leaves what knows of the name behind."""
    request = asked("Picasso", keep=())
    (prompt, *_) = request.forget[0]
    said, goal = request.model.encode([prompt.text, prompt.anchor]).tokens.double()
    old = request.old[VALUES].double()
    before, gone = (goal - said)[4:] @ old.T, {}
    for eraser in (of_prompts(n_prompts=1), Ridge(n_prompts=1)):
        new = old + changes(eraser, request)[VALUES]
        gone[eraser.name] = float((said[4:] @ new.T - goal[4:] @ old.T).norm())

    assert len(before) == LENGTH - 4
    assert gone["ridge"] < 0.05 * float(before.norm()) < gone["uce"]


def test_it_is_uce_on_all_tokens_with_more_weight():
    request = asked()
    one, two = Ridge(), of_prompts(span="all", erase_scale=100.0)

    for name, change in changes(one, request).items():
        assert torch.equal(change, changes(two, request)[name])
