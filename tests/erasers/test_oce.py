from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.fakes import NAME, LinearModel
from tests.solving import FOCUS, apart, problem_of, reordered, solution
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.oce import Oce, column_basis, polar, words_moment
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.models.interface import Sampling

SETTINGS = Oce(erase_scale=3000.0, distinct=1e-6)


def literal(eraser: Oce, problem: Problem, old: Tensor) -> Tensor:
    """Write M out, as wide as the layer, token by token."""

    def orthonormal(tokens: Tensor) -> Tensor:
        columns = [old @ token / (old @ token).norm() for token in tokens]
        basis: Tensor = torch.linalg.qr(torch.stack(columns, 1))[0]
        return basis

    e, g = orthonormal(problem.pairs.erased), orthonormal(problem.pairs.goal)
    one = torch.eye(len(old)).double()
    m = -eraser.erase_scale * e @ e.T @ (one - g @ g.T)
    m += eraser.caption_scale * old @ problem.captions @ old.T
    for row, weight in zip(problem.kept.rows, problem.kept.weights, strict=True):
        m += eraser.keep_scale * weight * torch.outer(old @ row, old @ row)
    return m + eraser.ridge * old @ old.T


def turned(eraser: Oce, problem: Problem, old: Tensor) -> Tensor:
    """Take the singular vectors of M; outside of W's columns Q is the identity."""
    basis = torch.linalg.qr(old)[0]
    m = literal(eraser, problem, old)
    m += torch.eye(len(old)).double() - basis @ basis.T
    left, _, right = torch.linalg.svd(m)
    turn: Tensor = left @ right
    return turn


@pytest.mark.parametrize("keep_scale", [0.0, 2.0])
def test_the_change_is_the_formula_written_the_slow_way(keep_scale):
    problem = problem_of()
    eraser = replace(SETTINGS, keep_scale=keep_scale)

    found = solution(eraser, problem)

    for name, old in problem.old.items():
        expected = turned(eraser, problem, old) @ old - old
        assert apart(found[name], expected) < 1e-8


def test_where_the_system_has_full_rank_it_is_the_literal_singular_vectors():
    problem = problem_of(sizes=(16, 24))

    found = solution(SETTINGS, problem)

    for name, old in problem.old.items():
        left, _, right = torch.linalg.svd(literal(SETTINGS, problem, old))
        assert apart(found[name], left @ right @ old - old) < 1e-8


def test_the_turn_is_orthogonal_keeps_all_lengths_and_is_undone_by_its_transpose():
    problem = problem_of()
    kept = SETTINGS.caption_scale * problem.captions + SETTINGS.ridge * problem.one

    for name, old in problem.old.items():
        basis, inner = column_basis(old)
        turn = SETTINGS.turn(name, inner, problem, kept)
        whole = basis @ turn @ basis.T + torch.eye(len(old)) - basis @ basis.T
        new = whole @ old
        assert (whole.T @ whole - torch.eye(len(old))).abs().max() < 1e-10
        assert apart(new.T @ new, old.T @ old) < 1e-10
        assert apart(whole.T @ new, old) < 1e-10
        assert apart(new, old) > 0.1


def test_the_change_leaves_the_gram_matrix_of_each_projection():
    problem = problem_of()

    for name, change in solution(SETTINGS, problem).items():
        old = problem.old[name]
        new = old + change
        assert apart(new.T @ new, old.T @ old) < 1e-10


def test_what_the_layer_says_nothing_about_is_not_turned():
    """A projection that lost a direction of its space, in a basis that still has it."""
    problem = problem_of(sizes=(16, 40))
    gone = torch.eye(16).double()[0]
    narrow = problem.old[FOCUS] - torch.outer(gone, problem.old[FOCUS][0])
    problem = replace(problem, old={FOCUS: narrow})

    kept = SETTINGS.ridge * problem.one
    turn = SETTINGS.turn(FOCUS, narrow, problem, kept)

    assert (turn.T @ turn - torch.eye(16)).abs().max() < 1e-10
    torch.testing.assert_close(turn @ gone, gone)


def test_erased_tokens_turn_away_and_kept_ones_hardly_do():
    problem = problem_of(n_concepts=1, each=1)
    eraser = replace(SETTINGS, erase_scale=1e4)

    for name, change in solution(eraser, problem).items():
        old = problem.old[name]

        def cosine(token: Tensor, old: Tensor = old, change: Tensor = change) -> float:
            before = old @ token
            return float(torch.cosine_similarity(before, before + change @ token, 0))

        assert cosine(problem.pairs.erased[0]) < 0
        assert min(cosine(row) for row in problem.kept.rows) > 0.8


def test_a_target_that_is_the_concept_s_own_direction_turns_nothing():
    problem = problem_of()
    same = replace(problem.pairs, goal=2 * problem.pairs.erased)

    change = solution(SETTINGS, replace(problem, pairs=same))[FOCUS]

    assert change.norm() < 1e-8 * problem.old[FOCUS].norm()


def test_equal_and_collinear_tokens_count_once():
    problem = problem_of(n_concepts=1, each=4)
    pairs = problem.pairs
    erased = pairs.erased.clone()
    erased[2], erased[3] = erased[0], -3 * erased[1]
    goal = pairs.goal[[0, 1, 0, 1]]
    once = replace(
        pairs,
        erased=erased[:2],
        goal=goal[:2],
        weights=pairs.weights[:2],
        owner=pairs.owner[:2],
    )

    many = replace(problem, pairs=replace(pairs, erased=erased, goal=goal))
    found = solution(SETTINGS, many)

    expected = solution(SETTINGS, replace(problem, pairs=once))
    assert all(apart(found[name], change) < 1e-9 for name, change in expected.items())


def test_the_order_of_concepts_and_of_kept_tokens_changes_nothing():
    problem = problem_of(n_concepts=4)

    one, two = solution(SETTINGS, problem), solution(SETTINGS, reordered(problem))

    assert all(apart(two[name], change) < 1e-10 for name, change in one.items())


def test_erased_tokens_that_span_a_layer_are_an_error_that_names_it():
    with pytest.raises(TrainingError, match=f"all 16 directions of {FOCUS}") as caught:
        solution(SETTINGS, problem_of(n_concepts=9))

    assert "fewer concepts" in caught.value.fix


def test_erasing_that_cancels_keeping_is_an_error_that_names_the_layer():
    system = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).double()

    with pytest.raises(TrainingError, match=r"to_v are singular"):
        polar("to_v", system)


def test_a_direction_that_is_only_small_is_turned_and_is_no_error():
    """The pooled vector of glyphs has directions of 1e-12 of the largest."""
    source = torch.Generator().manual_seed(3)
    side = torch.randn(6, 6, generator=source).double()
    left, _, right = torch.linalg.svd(side)
    sizes = torch.tensor([1.0, 0.5, 0.2, 0.1, 1e-3, 3e-13]).double()

    turn = polar("linear_1", left @ sizes.diag() @ right)

    assert torch.allclose(turn, left @ right, atol=1e-2)
    assert torch.allclose(turn.T @ turn, torch.eye(6).double(), atol=1e-9)


def test_the_sample_of_what_is_said_has_every_word_of_kept_prompts():
    model = LinearModel()
    request = request_of(model, ("a cat", "photo"))

    found = words_moment(request)

    rows = [*model.encode(["a cat"]).tokens[0, :4], *model.encode(["photo"]).tokens[0]]
    expected = sum(torch.outer(row, row).double() for row in rows[:7]) / 7
    torch.testing.assert_close(found, expected)
    assert not words_moment(request_of(model, ())).any()


def test_it_erases_a_request_and_leaves_the_gram_matrix():
    model = LinearModel()
    old = model.base[NAME].double()

    delta = Oce().erase(request_of(model, ("a cat", "photo", "a bird")))

    new = old + delta.patches[NAME].dense()
    assert apart(new, old) > 0.1
    assert apart(new.T @ new, old.T @ old) < 1e-5  # float32, once


def request_of(model: LinearModel, keep: tuple[str, ...]) -> Request:
    forget = (Prompt("a cat by picasso", "a cat", "photo cat"),)
    return Request(model, model.base, (forget,), keep, Sampling(1, 1.0), seed=3)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"erase_scale": 0.0}, "0"),
        ({"ridge": -2.0}, "-2"),
        ({"keep_scale": -1.0}, "-1"),
        ({"distinct": 1.5}, "1.5"),
        ({"span": "head"}, "head"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Oce.of(settings)
