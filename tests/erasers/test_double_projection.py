from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.fakes import NAME, LinearModel
from tests.solving import FOCUS, apart, problem_of, reordered, solution
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.double_projection import DoubleProjection
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.tokens import TokenPairs
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.models.interface import Sampling

EXACT = DoubleProjection(leak=1e-12, distinct=1e-9)


def projected(problem: Problem) -> Tensor:
    """Project each erased token on its target's tokens by least squares."""
    pairs, rows = problem.pairs, []
    for token, owner in zip(pairs.erased, pairs.owner, strict=True):
        safe = pairs.goal[pairs.owner == owner].T
        rows.append(safe @ torch.linalg.pinv(safe.T @ safe) @ safe.T @ token)
    return torch.stack(rows)


def free_slowly(problem: Problem, leak: float) -> Tensor:
    """Add the kept tokens' weakest directions while their energy stays small."""
    stack = (problem.kept.rows * problem.kept.weights.sqrt()[:, None]).T
    vectors, sizes, _ = torch.linalg.svd(stack, full_matrices=True)
    energies = torch.zeros(problem.d_text).double()
    energies[: len(sizes)] = sizes.square()
    free, held = [], 0.0
    for i in reversed(range(problem.d_text)):
        held += float(energies[i])
        if held > leak * float(energies.sum()):
            break
        free.append(vectors[:, i])
    return torch.stack(free, 1)


@pytest.mark.parametrize("leak", [1e-12, 0.05])
def test_one_token_s_change_is_the_formula_written_the_slow_way(leak):
    problem = problem_of(n_concepts=1, each=1, n_kept=40, decay=0.1)
    if leak < 1e-6:
        problem = problem_of(n_concepts=1, each=1)
    c, aim = problem.pairs.erased[0], projected(problem)[0]
    free = free_slowly(problem, leak)
    x = free.T @ c

    found = solution(replace(EXACT, leak=leak), problem)

    for name, old in problem.old.items():
        expected = torch.outer(old @ (aim - c), free @ x) / (x @ x)
        assert apart(found[name], expected) < 1e-8


@pytest.mark.parametrize(("n_concepts", "each", "n_kept"), [(2, 2, 9), (3, 12, 20)])
def test_many_tokens_change_is_least_squares_in_the_free_space(
    n_concepts, each, n_kept
):
    problem = problem_of(n_concepts=n_concepts, each=each, n_kept=n_kept)
    pairs = problem.pairs
    if each > 2:  # more tokens than text has directions, in a span of two
        base, mix = pairs.erased[:2], torch.linspace(-1, 1, len(pairs.erased))
        erased = base[0] + mix[:, None] * base[1]
        problem = replace(problem, pairs=replace(pairs, erased=erased.double()))
    free = free_slowly(problem, EXACT.leak)
    root = problem.pairs.weights.sqrt()[:, None]
    x = (problem.pairs.erased @ free) * root
    moved = (projected(problem) - problem.pairs.erased) * root

    found = solution(EXACT, problem)

    for name, old in problem.old.items():
        z = torch.linalg.lstsq(x, moved @ old.T, driver="gelsd", rcond=1e-9).solution
        assert apart(found[name], z.T @ free.T) < 1e-8


def test_erased_tokens_become_their_projections_exactly():
    problem = problem_of()
    aims, pairs = projected(problem), problem.pairs
    free = free_slowly(problem, EXACT.leak)

    for name, change in solution(EXACT, problem).items():
        old = problem.old[name]
        goal = old @ (aims - pairs.erased).T
        assert apart(change @ pairs.erased.T, goal) < 1e-10
        assert apart(change @ free @ free.T @ pairs.erased.T, goal) < 1e-10


def test_what_kept_tokens_span_does_not_change():
    problem = problem_of()

    for change in solution(EXACT, problem).values():
        kept = problem.kept.rows
        assert change.norm() > 0.1
        assert (change @ kept.T).norm() < 1e-10 * change.norm() * kept.norm()


def test_a_strength_goes_part_of_the_way():
    problem = problem_of()

    half = solution(replace(EXACT, strength=0.5), problem)

    whole = solution(EXACT, problem)
    assert all(apart(2 * half[name], change) < 1e-12 for name, change in whole.items())


def test_equal_tokens_of_two_concepts_get_the_mean_of_their_targets():
    problem = problem_of(n_concepts=2, each=1)
    pairs = problem.pairs
    erased = pairs.erased[:1].repeat(2, 1)
    problem = replace(problem, pairs=replace(pairs, erased=erased))

    change = solution(EXACT, problem)[FOCUS]

    goal = problem.old[FOCUS] @ (projected(problem) - erased).mean(0)
    torch.testing.assert_close(change @ erased[0], goal)


def test_a_token_said_twice_is_one_of_the_weight_of_both():
    problem = problem_of()
    pairs = problem.pairs
    twice = TokenPairs(
        pairs.erased.repeat(2, 1),
        pairs.goal.repeat(2, 1),
        pairs.weights.repeat(2) / 2,
        pairs.owner.repeat(2),
    )

    found = solution(EXACT, replace(problem, pairs=twice))

    expected = solution(EXACT, problem)
    assert all(apart(found[name], change) < 1e-10 for name, change in expected.items())


def test_the_order_of_concepts_and_of_kept_tokens_changes_nothing():
    problem = problem_of(n_concepts=4)

    one, two = solution(EXACT, problem), solution(EXACT, reordered(problem))

    assert all(apart(two[name], change) < 1e-10 for name, change in one.items())


def test_kept_tokens_that_use_all_of_text_space_are_an_error_of_all_layers():
    with pytest.raises(TrainingError, match="every direction of text, in all layers"):
        solution(EXACT, problem_of(n_kept=60))


def test_erased_tokens_that_use_all_free_directions_are_an_error_of_all_layers():
    with pytest.raises(TrainingError, match=r"use all 4 directions .* in all layers"):
        solution(EXACT, problem_of(n_kept=20, each=2))


def test_a_concept_within_what_is_kept_is_an_error_that_counts_it():
    problem = problem_of()
    pairs = problem.pairs
    erased = pairs.erased.clone()
    erased[pairs.owner == 1] = problem.kept.rows[:2] + problem.kept.rows[2:4]

    with pytest.raises(TrainingError, match="concept 2 lies in what kept prompts use"):
        solution(EXACT, replace(problem, pairs=replace(pairs, erased=erased)))


def test_it_erases_a_request():
    model = LinearModel()
    forget = (Prompt("a cat by picasso", "a cat", "photo"),)
    keep = ("a bird", "tree")
    request = Request(model, model.base, (forget,), keep, Sampling(1, 1.0), seed=3)

    change = EXACT.erase(request).patches[NAME].dense()

    kept = model.encode(["bird", "tree"]).tokens[:, 1].double()
    erased = model.encode(["picasso"]).tokens[0, 1].double()
    photo = model.encode(["photo"]).tokens[0, 1].double()
    aim = photo * (photo @ erased) / (photo @ photo)
    assert (change @ kept.T).norm() < 1e-5 * change.norm()
    old = model.base[NAME].double()
    torch.testing.assert_close((old + change) @ erased, old @ aim, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"leak": 0.0}, "0"),
        ({"leak": 1.0}, "1"),
        ({"distinct": 2.0}, "2"),
        ({"strength": -1.0}, "-1"),
        ({"target": "nowhere"}, "nowhere"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        DoubleProjection.of(settings)
