from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.fakes import LinearModel
from tests.solving import FOCUS, apart, problem_of, reordered, solution
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.speed import Speed, TokenMove, centres, least_seen, quantiles
from unlearnlog.erasers.tokens import TokenPairs, Tokens
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.models.interface import Sampling

PLAIN = Speed(threshold=0.1, erase_scale=1.0)


def refined_slowly(eraser: Speed, problem: Problem, old: Tensor) -> list[Tensor]:
    """Filter the kept tokens and make their copies, one by one."""
    one = torch.eye(problem.d_text).double()
    s, x = sums(problem)
    free_edit = old @ (x - s) @ torch.linalg.inv(one + s)
    kept = [
        row
        for row, weight in zip(problem.kept.rows, problem.kept.weights, strict=True)
        for _ in range(int(weight))
    ]
    shifts = [float((free_edit @ row).norm()) for row in kept]
    mean = sum(shifts) / len(shifts)
    stays = [
        row
        for row, shift in zip(kept, shifts, strict=True)
        if shift >= eraser.filter * mean
    ]
    direction = torch.linalg.svd(old, full_matrices=False)[2][-1]
    normal = torch.distributions.Normal(0.0, 1.0)
    z = [
        float(normal.icdf(torch.tensor((j + 0.5) / eraser.copies).double()))
        for j in range(eraser.copies)
    ]
    copies = [row + each * direction for row in stays for each in z]
    moved = [float((free_edit @ row).norm()) for row in copies]
    bar = sum(moved) / max(len(moved), 1)
    return stays + [c for c, shift in zip(copies, moved, strict=True) if shift >= bar]


def sums(problem: Problem) -> tuple[Tensor, Tensor]:
    """Add up the outer products of erased tokens, and of targets with them."""
    pairs, d = problem.pairs, problem.d_text
    s, x = torch.zeros(d, d).double(), torch.zeros(d, d).double()
    for c, g, w in zip(pairs.erased, pairs.goal, pairs.weights, strict=True):
        s += w * torch.outer(c, c)
        x += w * torch.outer(g, c)
    return s, x


def slowly(eraser: Speed, problem: Problem, old: Tensor) -> Tensor:
    """The published closed form with every matrix written out."""
    d = problem.d_text
    one = torch.eye(d).double()
    kept = torch.stack(refined_slowly(eraser, problem, old))
    vectors, sizes, _ = torch.linalg.svd(kept.T @ kept / len(kept))
    free = vectors[:, sizes < eraser.threshold]
    p = free @ free.T
    s, x = sums(problem)
    m = torch.linalg.inv(s @ p + one / eraser.erase_scale)
    c2 = torch.stack([problem.start, *centres(problem.padding, 3)], 1)
    inner = torch.linalg.inv(
        c2.T @ p @ m @ c2 + eraser.slack * torch.eye(c2.shape[1]).double()
    )
    q = one - m @ c2 @ inner @ c2.T @ p
    change: Tensor = old @ (x - s) @ p @ q @ m
    return change


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"filter": 0.0, "copies": 0, "slack": 0.5},
        {"erase_scale": 20.0, "copies": 3, "threshold": 0.02},
    ],
)
@pytest.mark.parametrize("each", [2, 20])
def test_the_change_is_the_formula_written_the_slow_way(each, settings):
    problem = problem_of(each=each, n_kept=50, decay=0.15)
    eraser = replace(PLAIN, **settings)

    found = solution(eraser, problem)

    for name, old in problem.old.items():
        assert apart(found[name], slowly(eraser, problem, old)) < 1e-8


@pytest.mark.parametrize("copies", [0, 10])
def test_kept_tokens_that_stay_and_what_is_in_every_prompt_do_not_change(copies):
    problem = problem_of()
    eraser = replace(PLAIN, threshold=1e-6, copies=copies)

    found = solution(eraser, problem)

    held = torch.stack([problem.start, *centres(problem.padding, 3)])
    for name, old in problem.old.items():
        kept = torch.stack(refined_slowly(eraser, problem, old))
        change = found[name]
        assert change.norm() > 0.01 * old.norm()
        assert (change @ kept.T).norm() < 1e-10 * change.norm() * kept.norm()
        assert (change @ held.T).norm() < 1e-10 * change.norm() * held.norm()


def test_tokens_that_would_hardly_move_are_not_held():
    problem = problem_of()

    def held(share: float) -> int:
        change = solution(replace(PLAIN, threshold=1e-6, filter=share), problem)[FOCUS]
        moved = (problem.kept.rows @ change.T).norm(dim=1)
        return int((moved < 1e-9).sum())

    assert held(0.0) == 9
    assert 0 < held(1.0) < 9


def test_copies_hold_the_direction_that_the_layer_hardly_sees():
    problem = problem_of()
    direction = least_seen(problem.old[FOCUS])

    def moved(copies: int) -> float:
        change = solution(replace(PLAIN, threshold=1e-6, copies=copies), problem)[FOCUS]
        return float((change @ direction).norm() / change.norm())

    assert moved(0) > 1e-3
    assert moved(10) < 1e-10


@pytest.mark.parametrize("n_concepts", [1, 5])
def test_what_is_erased_becomes_its_target_where_there_is_room(n_concepts):
    problem = problem_of(n_concepts=n_concepts, each=1)
    eraser = replace(PLAIN, threshold=1e-6, erase_scale=100.0)

    for name, change in solution(eraser, problem).items():
        old, pairs = problem.old[name], problem.pairs
        before = old @ (pairs.erased - pairs.goal).T
        left = before + change @ pairs.erased.T
        assert left.norm() < 0.2 * before.norm()


def test_the_order_of_concepts_and_of_kept_tokens_changes_nothing():
    problem = problem_of(n_concepts=4, n_kept=50, decay=0.15)

    one, two = solution(PLAIN, problem), solution(PLAIN, reordered(problem))

    assert all(apart(two[name], change) < 1e-10 for name, change in one.items())


def test_a_token_said_twice_is_one_of_the_weight_of_both():
    problem = problem_of()
    pairs = problem.pairs
    twice = TokenPairs(
        pairs.erased.repeat(2, 1),
        pairs.goal.repeat(2, 1),
        pairs.weights.repeat(2) / 2,
        pairs.owner.repeat(2),
    )

    found = solution(PLAIN, replace(problem, pairs=twice))

    expected = solution(PLAIN, problem)
    assert all(apart(found[name], change) < 1e-10 for name, change in expected.items())


def test_the_same_token_in_every_place_of_the_padding_is_held_once():
    problem = problem_of()
    problem = replace(problem, padding=problem.padding[:1].expand(12, -1))

    change = solution(replace(PLAIN, threshold=1e-6), problem)[FOCUS]

    moved = change @ problem.padding[0]
    assert moved.norm() < 1e-10 * change.norm() * problem.padding[0].norm()


def test_without_kept_tokens_all_but_the_invariants_may_move():
    problem = problem_of()
    nothing = Tokens(problem.kept.rows[:0], problem.kept.weights[:0])

    change = solution(replace(PLAIN, erase_scale=1e6), replace(problem, kept=nothing))[
        FOCUS
    ]

    pairs, old = problem.pairs, problem.old[FOCUS]
    goal = old @ (pairs.goal - pairs.erased).T
    assert apart(change @ pairs.erased.T, goal) < 1e-4


def test_kept_tokens_that_use_all_of_text_space_are_an_error_that_names_the_layer():
    with pytest.raises(TrainingError, match=FOCUS) as caught:
        solution(replace(PLAIN, threshold=1e-9), problem_of(n_kept=200))

    assert "threshold" in caught.value.fix


def test_many_tokens_are_put_together_without_changing_their_sums():
    problem = problem_of(each=30)

    move = TokenMove.of(problem.pairs)

    s, x = sums(problem)
    assert move.left.shape == (24, 24)
    assert apart(move.left @ move.right.T, x - s) < 1e-12
    assert apart(move.right @ move.right.T, s) < 1e-12


@pytest.mark.parametrize("shape", [(5, 9), (9, 5)])
def test_the_least_seen_direction_is_the_last_singular_vector_that_is_not_lost(shape):
    rng = torch.Generator().manual_seed(1)
    old = torch.randn(shape, generator=rng, dtype=torch.float64)
    lost = torch.linalg.svd(old, full_matrices=False)[2][-1]

    found = least_seen(old - old @ torch.outer(lost, lost))

    expected = torch.linalg.svd(old, full_matrices=False)[2][-2]
    assert float((found @ expected).abs()) == pytest.approx(1, abs=1e-9)


def test_quantiles_are_the_same_from_both_sides():
    z = quantiles(10)

    torch.testing.assert_close(z, -z.flip(0))
    assert 0.7 < float(z.square().mean()) < 1


def test_centres_are_the_means_of_clusters():
    rng = torch.Generator().manual_seed(2)
    noise = torch.randn(30, 4, generator=rng, dtype=torch.float64)
    corners = 10 * torch.eye(4).double()[:3]

    found = centres(corners.repeat(10, 1) + 0.1 * noise, 3)

    means = corners + 0.1 * noise.reshape(10, 3, 4).mean(0)
    order = torch.cdist(means, found).argmin(1)
    torch.testing.assert_close(found[order], means)
    assert len(centres(corners[:2], 3)) == 2


def test_it_erases_a_request_whatever_the_order_of_its_concepts():
    model = LinearModel()
    forget = tuple(
        tuple(
            Prompt(f"a {noun} by {name}", f"a {noun}", f"photo {noun}")
            for noun in ("cat", "dog")
        )
        for name in ("picasso", "braque")
    )
    request = Request(
        model, model.base, forget, ("a bird", "photo"), Sampling(1, 1.0), seed=3
    )

    one = Speed().erase(request)
    two = Speed().erase(replace(request, forget=forget[::-1]))

    for name, patch in one.patches.items():
        assert apart(two.patches[name].dense(), patch.dense()) < 1e-6


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"threshold": 0.0}, "0"),
        ({"erase_scale": -2.0}, "-2"),
        ({"copies": -1}, "-1"),
        ({"filter": -0.5}, "-0.5"),
        ({"touch": "queries"}, "queries"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Speed.of(settings)


@pytest.mark.parametrize("counts", [(76,), (40, 36), (30, 30, 16)])
def test_equal_tokens_of_the_padding_have_as_many_centres_as_differ(counts):
    """Once the padding of a model that repeats its end mark gave no numbers."""
    rng = torch.Generator().manual_seed(3)
    rows = 30 * torch.randn(len(counts), 64, generator=rng).double()
    tokens = rows.repeat_interleave(torch.tensor(counts), 0)

    found = centres(tokens, 3)

    assert len(found) == len(counts)
    assert torch.equal(torch.unique(found, dim=0), torch.unique(rows, dim=0))
