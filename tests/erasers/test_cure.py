from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tests.erasers.made import WIDTH, dense, draw, off, problem
from tests.erasers.test_mim import request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.erasers.cure import Cure
from unlearnlog.erasers.tokens import Tokens
from unlearnlog.errors import PolicyError, TrainingError

NOTHING = Tokens(torch.zeros(0, WIDTH).double(), torch.zeros(0).double())


def projection(tokens: Tokens, alpha: float) -> torch.Tensor:
    """P as printed: a sum over the right singular vectors of the tokens."""
    rows = torch.stack([w**0.5 * t for t, w in zip(*vars_of(tokens), strict=True)])
    _, sizes, right = torch.linalg.svd(rows)
    total = sum(float(s) ** 2 for s in sizes)
    found = torch.zeros(WIDTH, WIDTH).double()
    for s, v in zip(sizes, right, strict=False):
        r = float(s) ** 2 / total
        found += alpha * r / ((alpha - 1) * r + 1) * torch.outer(v, v)
    return found


def vars_of(tokens: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
    return tokens.rows, tokens.weights


@pytest.mark.parametrize("alpha", [1.0, 2.0, 5.0, 1e4])
def test_it_is_the_formula_written_with_singular_vectors_one_by_one(alpha):
    stated = problem()

    found = dense(Cure(alpha=alpha, keep_alpha=3.0), stated)

    gone, stays = projection(stated.pairs.tokens, alpha), projection(stated.kept, 3.0)
    for name, old in stated.old.items():
        new = old @ (torch.eye(WIDTH).double() - (gone - gone @ stays))
        assert off(old + found[name], new) < 1e-12
        assert off(found[name], new - old) < 1e-8


def test_with_an_alpha_of_one_a_direction_s_part_is_its_share_of_the_energy():
    tokens = problem().pairs.tokens

    _, f = Cure(alpha=1.0).spanned(tokens, 1.0)

    sizes = torch.linalg.svdvals(tokens.weights[:, None].sqrt() * tokens.rows)
    share = sizes.square() / sizes.square().sum()
    assert float(f.sum()) == pytest.approx(1.0, abs=1e-12)
    torch.testing.assert_close(f.flip(0), share, rtol=1e-9, atol=0)


def test_as_alpha_grows_every_direction_is_removed_not_the_first_alone():
    tokens = problem().pairs.tokens

    parts = [Cure().spanned(tokens, alpha)[1] for alpha in (1, 2, 10, 1e3, 1e12)]

    assert all((b > a).all() for a, b in pairwise(parts))
    assert len(parts[-1]) == 6
    assert float((1 - parts[-1]).max()) < 1e-8


def test_with_a_large_alpha_erased_tokens_say_nothing():
    stated = replace(problem(), kept=NOTHING)

    found = dense(Cure(alpha=1e12), stated)

    for name, old in stated.old.items():
        said = (old + found[name]) @ stated.pairs.erased.T
        assert float(said.abs().max()) < 1e-8


def test_outside_the_erased_span_nothing_changes():
    stated = replace(problem(), kept=NOTHING)
    outside = draw(WIDTH, seed=77)
    span = torch.linalg.qr(stated.pairs.erased.T).Q
    outside = outside - span @ (span.T @ outside)

    found = dense(Cure(alpha=5.0), stated)

    assert all(float((each @ outside).norm()) < 1e-12 for each in found.values())


def test_where_kept_prompts_span_it_nothing_changes():
    stated = problem()
    both = torch.cat([stated.pairs.erased[:1], stated.kept.rows[:2]])
    stated = replace(stated, kept=Tokens(both, torch.ones(3).double()))

    found = dense(Cure(alpha=50.0, keep_alpha=1e12), stated)

    for change in found.values():
        assert float((change @ both.T).abs().max()) < 1e-8
        assert float((change @ stated.pairs.erased[1:].T).abs().min()) > 1e-3


def test_kept_prompts_with_another_span_take_nothing_back():
    left, right = torch.eye(WIDTH).double()[:4], torch.eye(WIDTH).double()[4:]
    ones = torch.ones(4).double()
    stated = problem(n=2)
    stated = replace(stated, pairs=replace(stated.pairs, erased=left, weights=ones))
    apart = replace(stated, kept=Tokens(right, torch.ones(8).double()))

    with_kept, without = (
        dense(Cure(), each) for each in (apart, replace(stated, kept=NOTHING))
    )

    assert all(off(with_kept[name], without[name]) < 1e-12 for name in without)


def test_the_change_has_the_rank_of_the_erased_span():
    found = dense(Cure(), problem())

    ranks = {int(torch.linalg.matrix_rank(each)) for each in found.values()}
    assert ranks == {6}


def test_the_order_of_concepts_changes_nothing():
    one, two = dense(Cure(), problem((0, 1, 2))), dense(Cure(), problem((2, 0, 1)))

    assert all(off(one[name], two[name]) < 1e-10 for name in one)


def test_tokens_that_span_everything_are_an_error_that_says_so():
    with pytest.raises(TrainingError, match=f"all {WIDTH} directions") as caught:
        dense(Cure(), problem(n=WIDTH))

    assert "1e-06" in caught.value.fix


def test_of_a_model_it_takes_the_prompts_and_leaves_the_weights_alone():
    model = LinearModel()
    copy = model.base[NAME].clone()

    delta = Cure(span="last").erase(request_of(model))

    assert torch.equal(model.base[NAME], copy)
    assert float(delta.patches[NAME].dense().norm()) > 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"alpha": 0.5}, "0.5"),
        ({"keep_alpha": -1.0}, "-1"),
        ({"least": 1.0}, "1.0"),
        ({"least": 0.0}, "0.0"),
        ({"span": "odd"}, "odd"),
        ({"target": "nowhere"}, "nowhere"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Cure.of(settings)
