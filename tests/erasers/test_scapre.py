from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.erasers.made import WIDTH, dense, draw, off, problem
from tests.erasers.test_mim import request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.scapre import Copies, Scapre, entropies, information, near
from unlearnlog.errors import PolicyError, TrainingError

EYE = torch.eye(WIDTH).double()
FULL = Scapre(keep_scale=0.3, shrink=1.0, n_near=2, sharpness=3.0)


def entropy_of(said: list[float], n_bins: int) -> float:
    low, high = min(said), max(said)
    counts = [0] * n_bins
    for x in said:
        counts[min(int((x - low) / (high - low) * n_bins), n_bins - 1)] += 1
    shares = [count / len(said) for count in counts if count]
    return -sum(p * math.log(p) for p in shares) / math.log(n_bins)


def nats_of(named: list[float], neutral: list[float]) -> float:
    """Mutual information of a 2 x 2 table, cell by cell."""
    ordered = sorted([*named, *neutral])
    half = len(ordered) // 2
    median, total = (ordered[half - 1] + ordered[half]) / 2, 0.0
    labelled = [(x > median, True) for x in named]
    labelled += [(x > median, False) for x in neutral]
    for z in (True, False):
        for y in (True, False):
            p = labelled.count((z, y)) / len(labelled)
            p_z = sum(1 for each, _ in labelled if each == z) / len(labelled)
            p_y = sum(1 for _, each in labelled if each == y) / len(labelled)
            total += p * math.log(p / (p_z * p_y)) if p else 0.0
    return total


def mu_of(old: torch.Tensor, copies: Copies, settings: Scapre) -> float:
    points = [point for each in copies.spread for point in each]
    rows = [[float(row @ point) for point in points] for row in old]
    return sum(entropy_of(row, settings.n_bins) for row in rows) / len(rows)


def masks_of(old: torch.Tensor, copies: Copies, settings: Scapre) -> list[list[float]]:
    """The mask of each concept, a list over rows."""
    found = []
    for named, neutral in zip(copies.named, copies.neutral, strict=True):
        told = [
            nats_of([float(row @ c) for c in named], [float(row @ c) for c in neutral])
            for row in old
        ]
        mean = sum(told) / len(told)
        wide = math.sqrt(sum((x - mean) ** 2 for x in told) / len(told))
        scores = [(x - mean) / max(wide, 1e-12) for x in told]
        found.append(
            [(1 / (1 + math.exp(-z / 0.7))) ** settings.sharpness for z in scores]
        )
    return found


def rows_of(
    stated: Problem, old: torch.Tensor, s: Scapre, mu: float, masks: list[list[float]]
) -> torch.Tensor:
    """Every row by an inverse of its own system, every sum token by token."""
    pairs, names = stated.pairs, stated.pairs.names
    c = names.T
    onto = c @ torch.linalg.inv(c.T @ c) @ c.T
    left, sizes, _ = torch.linalg.svd(c, full_matrices=False)
    shares = [mu / (1 + math.exp(float(x - sizes.median()))) for x in sizes]
    shared = (s.ridge + mu) * EYE
    for i, share in enumerate(shares):
        shared = shared + s.shrink * share * torch.outer(left[:, i], left[:, i])
    for name in names:
        shared = shared + torch.outer(name, name)
    for o, w in zip(pairs.erased, pairs.weights, strict=True):
        shared = shared + s.erase_scale * w * torch.outer(o, o)
    for p, w in zip(stated.kept.rows, stated.kept.weights, strict=True):
        shared = shared + s.keep_scale * w * torch.outer(p, p)
    found = []
    for i, row in enumerate(old):
        most = max(mask[i] for mask in masks)
        right = (s.ridge + mu) * row
        for j, (o, g) in enumerate(zip(pairs.erased, pairs.goal, strict=True)):
            mine = masks[int(pairs.owner[j])][i] * float(pairs.weights[j])
            right = right + s.erase_scale * mine * (row @ g) * o
        for p, w in zip(stated.kept.rows, stated.kept.weights, strict=True):
            right = right + s.keep_scale * w * (row @ p) * p
        found.append(torch.linalg.inv(shared + s.erase_scale * most * onto) @ right)
    return torch.stack(found)


def slowly_near(new, old, mine: float, mu: float, n: int) -> torch.Tensor:
    found = []
    for row, was in zip(new, old, strict=True):
        a, r0 = float(row.norm()), float(was.norm())
        own, goal = row / a, was / r0
        unit, size = own, a
        for _ in range(n):
            k = max(0.0, float(unit @ goal))
            size = (mine * a + mu * r0 * k) / (mine + mu)
            unit = mine * a * own + mu * r0 * k * goal
            unit = unit / unit.norm()
        found.append(size * unit)
    return torch.stack(found)


@pytest.mark.parametrize(
    "settings", [Scapre(), FULL, Scapre(n_near=0, erase_scale=40.0, keep_scale=5.0)]
)
@pytest.mark.parametrize("concepts", [(0,), (0, 1, 2)])
def test_it_is_its_steps_written_the_slow_way(concepts, settings):
    stated = problem(concepts)

    found = dense(settings, stated)

    copies = Copies.of(stated, settings.n_samples)
    for name, old in stated.old.items():
        mu = mu_of(old, copies, settings)
        new = rows_of(stated, old, settings, mu, masks_of(old, copies, settings))
        new = slowly_near(new, old, settings.ridge + mu, mu, settings.n_near)
        assert off(found[name], new - old) < 1e-8


def test_one_decomposition_solves_what_each_row_s_own_system_does():
    stated = problem((0, 1, 2))
    masks = draw(9, 3, seed=70).sigmoid()
    mu = torch.tensor(0.4, dtype=torch.float64)

    for erase_scale in (1e-3, 2.0, 1e4):
        settings = replace(FULL, erase_scale=erase_scale)
        fast = settings.solved_rows(stated, "v", mu=mu, masks=masks)
        slow = rows_of(stated, stated.old["v"], settings, 0.4, masks.T.tolist())
        assert off(fast, slow) < 1e-8


def test_names_of_which_one_is_the_other_s_multiple_have_one_direction():
    stated = problem()
    names = torch.stack([stated.pairs.names[0], 2 * stated.pairs.names[0]])

    found = dense(Scapre(), replace(stated, pairs=replace(stated.pairs, names=names)))

    assert all(torch.isfinite(each).all() for each in found.values())


def test_the_entropy_is_the_histogram_s_counted_one_by_one():
    said = draw(3, 15, 8, seed=60)

    found = entropies(said, 6)

    for i in range(8):
        expected = entropy_of(said[:, :, i].flatten().tolist(), 6)
        assert float(found[i]) == pytest.approx(expected, rel=1e-12)


def test_a_row_that_says_the_same_to_all_has_no_entropy():
    assert float(entropies(torch.ones(2, 5, 1).double(), 4)) == 0


def test_what_a_row_tells_of_a_concept_is_between_nothing_and_one_bit():
    apart, mixed = draw(1, 5, 40, seed=61) + 100, draw(1, 5, 40, seed=62)

    assert float(information(apart, mixed).min()) == pytest.approx(math.log(2))
    assert float(information(mixed, draw(1, 5, 40, seed=63)).min()) > -1e-12
    assert float(information(mixed, draw(1, 5, 40, seed=63)).mean()) < 0.3


def test_a_concept_has_the_same_copies_whatever_else_is_erased():
    alone, others = Copies.of(problem((1,)), 20), Copies.of(problem((0, 1, 2)), 20)

    assert torch.equal(alone.spread[0], others.spread[1])
    assert torch.equal(alone.named[0], others.named[1])
    assert torch.equal(alone.neutral[0], others.neutral[1])
    assert not torch.equal(others.neutral[0], others.neutral[1])


def test_it_draws_the_same_whatever_was_drawn_before():
    one = dense(Scapre(), problem())
    torch.rand(3)

    two = dense(Scapre(), problem())

    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_order_of_concepts_changes_nothing():
    one, two = dense(FULL, problem((0, 1, 2))), dense(FULL, problem((2, 0, 1)))

    assert all(off(one[name], two[name]) < 1e-10 for name in one)


def test_where_nothing_pulls_rows_stay_as_they_were():
    found = dense(Scapre(ridge=1e12), problem())

    assert all(float(each.abs().max()) < 1e-6 for each in found.values())


def test_the_way_back_ends_nearer_to_the_old_rows():
    far, back = (dense(Scapre(n_near=n), problem()) for n in (0, 1))

    assert all(float(back[name].norm()) < float(far[name].norm()) for name in far)


def test_rows_that_were_turned_round_only_get_shorter():
    old = draw(9, WIDTH, seed=64)
    new = draw(9, WIDTH, seed=65) - 0.2 * old
    mine, theirs = torch.tensor([0.9, 0.4], dtype=torch.float64)

    found = near(new, old, pull=(mine, theirs), n=2)

    against = (new * old).sum(1) < 0
    assert against.any()
    assert not against.all()
    assert off(found, slowly_near(new, old, 0.9, 0.4, 2)) < 1e-12
    assert off(found[against], 0.9 / 1.3 * new[against]) < 1e-12


def test_a_heavier_concept_says_less_of_what_it_said():
    stated = problem()

    def said(scale: float) -> float:
        found = dense(Scapre(erase_scale=scale, keep_scale=0.0), stated)
        return sum(
            float(((w + found[n]) @ stated.pairs.names.T).norm())
            for n, w in stated.old.items()
        )

    assert said(100.0) < said(1.0) < said(1e-3)


def test_of_a_model_it_takes_the_prompts_and_leaves_the_weights_alone():
    model = LinearModel()
    copy = model.base[NAME].clone()

    delta = Scapre().erase(request_of(model))

    assert torch.equal(model.base[NAME], copy)
    assert delta.digest == Scapre().erase(request_of(model)).digest


def test_the_name_s_token_is_the_mean_of_its_last_ones():
    request = request_of(LinearModel())

    names = Scapre().problem(request).pairs.names

    texts = [prompt.text for prompt in request.forget[0]]
    tokens = request.model.encode(texts).tokens.double()
    torch.testing.assert_close(names[0], tokens[:, 4].mean(0), rtol=1e-12, atol=0)


def test_a_singular_system_is_an_error_that_names_the_layer():
    stated = problem()
    endless = stated.pairs.erased.clone()
    endless[0, 0] = math.inf

    with pytest.raises(TrainingError, match="scapre in k are not finite") as caught:
        dense(Scapre(), replace(stated, pairs=replace(stated.pairs, erased=endless)))

    assert "text encoder" in caught.value.fix


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"n_bins": 1}, "1"),
        ({"n_samples": 0}, "0"),
        ({"sharpness": 0.0}, "0.0"),
        ({"shrink": -1.0}, "-1"),
        ({"n_near": -1}, "-1"),
        ({"span": "odd"}, "odd"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Scapre.of(settings)


def test_what_is_off_as_published_may_be_zero():
    assert Scapre.of({"keep_scale": 0.0, "shrink": 0.0, "n_near": 0}).n_near == 0
