from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.erasers.made import WIDTH, dense, draw, off, problem
from tests.erasers.test_mim import request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.erasers.closed_form import Problem, written
from unlearnlog.erasers.rece import Rece
from unlearnlog.erasers.uce import Uce
from unlearnlog.errors import PolicyError, TrainingError

EYE = torch.eye(WIDTH).double()


def head(shift: float = 0.3) -> Problem:
    """A problem whose projections are not the base's any more."""
    stated = problem()
    old = {n: w + shift * draw(9, WIDTH, seed=90) for n, w in stated.old.items()}
    return replace(stated, old=old)


def recalled(now, base, token: torch.Tensor, nu: float) -> torch.Tensor:
    """What says to all projections now what the token said to the base."""
    rows = [*now.values(), nu**0.5 * EYE]
    wanted = [*(w @ token for w in base.values()), torch.zeros(WIDTH).double()]
    solved = torch.linalg.lstsq(torch.cat(rows), torch.cat(wanted)[:, None])
    found: torch.Tensor = solved.solution[:, 0]
    return found


def slowly(stated: Problem, s: Rece, rounds: int) -> dict[str, torch.Tensor]:
    """Rounds as printed: every token and every projection by itself."""
    now, pairs = dict(stated.old), stated.pairs
    for _ in range(rounds):
        seen = [recalled(now, stated.base, c, s.recall_ridge) for c in pairs.erased]
        new = {}
        for name, old in now.items():
            over, under = s.ridge * old, s.ridge * EYE
            for c, g, w in zip(seen, pairs.goal, pairs.weights, strict=True):
                over = over + s.erase_scale * w * torch.outer(old @ g, c)
                under = under + s.erase_scale * w * torch.outer(c, c)
            for p, w in zip(stated.kept.rows, stated.kept.weights, strict=True):
                over = over + s.keep_scale * w * torch.outer(old @ p, p)
                under = under + s.keep_scale * w * torch.outer(p, p)
            new[name] = over @ torch.linalg.inv(under)
        now = new
    return now


@pytest.mark.parametrize("stated", [problem(), head()])
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_it_is_its_rounds_written_token_by_token(stated, rounds):
    eraser = Rece(rounds=rounds, recall_ridge=0.05)

    found = dense(eraser, stated)

    expected = slowly(stated, eraser, rounds)
    for name, old in stated.old.items():
        assert off(found[name], expected[name] - old) < 1e-8


def test_what_is_recalled_says_to_the_edited_model_what_the_token_said_to_the_base():
    stated, eraser = problem(), Rece(rounds=2, recall_ridge=1e-3)
    now = {n: w + dense(eraser, stated)[n] for n, w in stated.old.items()}

    found = eraser.recalled(now, stated.base, stated.pairs.erased)

    for token, c in zip(found, stated.pairs.erased, strict=True):
        best = recalled(now, stated.base, c, 1e-3)
        assert off(token, best) < 1e-8


def test_where_the_edit_can_be_undone_the_base_s_output_comes_back_exactly():
    stated = problem()
    turn = EYE + 0.2 * draw(WIDTH, WIDTH, seed=8)
    now = {name: old @ turn for name, old in stated.old.items()}

    found = Rece(recall_ridge=1e-12).recalled(now, stated.base, stated.pairs.erased)

    for name, base in stated.base.items():
        assert off(found @ now[name].T, stated.pairs.erased @ base.T) < 1e-8


def test_the_next_edit_sends_what_was_recalled_to_the_target():
    eraser = Rece(erase_scale=1e8)
    stated = problem()
    once = dense(eraser, stated)
    now = replace(stated, old={n: w + once[n] for n, w in stated.old.items()})
    found = eraser.recalled(now.old, now.base, now.pairs.erased)

    edit = eraser.round(now)

    for name, old in now.old.items():
        new = old + written(edit[name])
        assert off(new @ found.T, old @ now.pairs.goal.T) < 1e-4


def test_with_every_round_less_can_be_recalled():
    stated = problem()

    def left(rounds: int) -> float:
        eraser = Rece(rounds=rounds, recall_ridge=1e-3)
        edit = dense(eraser, stated)
        now = {name: old + edit[name] for name, old in stated.old.items()}
        found = eraser.recalled(now, stated.base, stated.pairs.erased)
        return sum(
            float((found @ now[n].T - stated.pairs.erased @ base.T).square().sum())
            for n, base in stated.base.items()
        )

    missed = [left(rounds) for rounds in (1, 2, 3, 4)]
    assert missed == sorted(missed)
    assert missed[-1] > 1.2 * missed[0]


def test_from_the_base_the_first_round_is_the_ridge_edit():
    stated = problem()

    found = dense(Rece(rounds=1, recall_ridge=1e-12), stated)

    once = dense(Uce(erase_scale=1.0, keep_scale=0.1, ridge=0.1), stated)
    assert all(off(found[name], once[name]) < 1e-8 for name in once)


def test_it_starts_from_the_head_and_is_compared_with_the_base():
    one, two = dense(Rece(), problem()), dense(Rece(), head())

    assert not Rece.joint
    assert all(off(one[name], two[name]) > 0.05 for name in one)


def test_of_a_model_the_base_is_what_must_not_be_recalled():
    model = LinearModel()
    copy = model.base[NAME].clone()
    request = request_of(model)
    moved = replace(request, old={NAME: model.base[NAME] + 0.5})

    delta = Rece().erase(request)

    assert torch.equal(Rece().problem(moved).base[NAME], copy)
    assert torch.equal(model.base[NAME], copy)
    assert delta.digest == Rece().erase(request).digest
    assert delta.digest != Rece().erase(moved).digest


def test_a_search_with_many_answers_is_an_error_that_says_what_to_do():
    stated = problem()
    thin = {"v": torch.outer(draw(9, seed=1), draw(WIDTH, seed=2))}

    with pytest.raises(TrainingError, match="rece's search") as caught:
        dense(Rece(recall_ridge=1e-300), replace(stated, old=thin))

    assert "larger ridge" in caught.value.fix


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rounds": 0}, "0"),
        ({"rounds": 1.5}, "1.5"),
        ({"recall_ridge": 0.0}, "0.0"),
        ({"target": "odd"}, "odd"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Rece.of(settings)
