from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from tests.erasers.made import WIDTH, dense, off, problem
from tests.erasers.test_mim import request_of
from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import Weights
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.closed_form import Problem, written
from unlearnlog.erasers.mace import Mace
from unlearnlog.erasers.tokens import TokenPairs
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.models.interface import Text

EYE = torch.eye(WIDTH).double()


def edited(stated: Problem, old: torch.Tensor, heard, settings: Mace) -> torch.Tensor:
    """The normal equations, a sum over tokens and an explicit inverse.

    ``heard`` holds for each token that takes part what it is to say, and its weight.
    """
    numerator, denominator = settings.ridge * old, settings.ridge * EYE
    for token, says, weight in heard:
        numerator = numerator + settings.erase_scale * weight * torch.outer(says, token)
        denominator = denominator + settings.erase_scale * weight * torch.outer(
            token, token
        )
    for token, weight in zip(stated.kept.rows, stated.kept.weights, strict=True):
        outer = settings.keep_scale * weight * torch.outer(token, token)
        numerator, denominator = numerator + old @ outer, denominator + outer
    inverse: torch.Tensor = torch.linalg.inv(denominator)
    return numerator @ inverse


def slowly(stated: Problem, old: torch.Tensor, settings: Mace) -> torch.Tensor:
    pairs, fused = stated.pairs, []
    for k in range(len(pairs.names)):
        own = [i for i in range(len(pairs.owner)) if int(pairs.owner[i]) == k]
        heard = [(pairs.erased[i], old @ pairs.goal[i], pairs.weights[i]) for i in own]
        alone = edited(stated, old, heard, settings)
        fused += [(e, alone @ e, weight) for e, _, weight in heard]
    return edited(stated, old, fused, settings)


@pytest.mark.parametrize("n", [2, WIDTH + 1])
@pytest.mark.parametrize(
    "settings", [Mace(), Mace(erase_scale=0.7, keep_scale=2.0, ridge=0.1)]
)
def test_it_is_both_normal_equations_written_the_slow_way(settings, n):
    stated = problem((0, 1, 2), n=n)

    found = dense(settings, stated)

    for name, old in stated.old.items():
        assert off(found[name], slowly(stated, old, settings) - old) < 1e-8


def test_the_fusion_is_the_least_squares_solution_of_all_that_was_refined():
    stated, settings = problem(), Mace(erase_scale=3.0, ridge=0.2)
    old, pairs = stated.old["k"], stated.pairs
    found = old + dense(settings, stated)["k"]

    rows = [settings.ridge**0.5 * EYE]
    wanted = [settings.ridge**0.5 * old.T]
    for k in range(2):
        alone = replace(stated, pairs=pairs.of_concept(k))
        edit = settings.edit(alone)
        refined = old + old @ written(edit)
        scale = (settings.erase_scale * alone.pairs.weights).sqrt()[:, None]
        rows.append(scale * alone.pairs.erased)
        wanted.append(scale * alone.pairs.erased @ refined.T)
    scale = (settings.keep_scale * stated.kept.weights).sqrt()[:, None]
    rows.append(scale * stated.kept.rows)
    wanted.append(scale * stated.kept.rows @ old.T)
    solved = torch.linalg.lstsq(torch.cat(rows), torch.cat(wanted)).solution.T
    assert off(found, solved) < 1e-10


def test_a_heavier_concept_says_all_of_its_target():
    stated = problem((0,))
    old = stated.old["v"]

    def missed(scale: float) -> float:
        new = old + dense(Mace(erase_scale=scale), stated)["v"]
        return float((new @ stated.pairs.erased.T - old @ stated.pairs.goal.T).norm())

    assert missed(1e6) < 1e-3 * missed(1.0)


def test_the_order_of_concepts_changes_nothing():
    one, two = dense(Mace(), problem((0, 1, 2))), dense(Mace(), problem((2, 0, 1)))

    assert all(off(one[name], two[name]) < 1e-10 for name in one)


class Listens(LinearModel):
    """Every token is the sum of the words up to it, so that it knows of them all."""

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:  # noqa: ARG002 - no encoder's
        return Text(super().encode(prompts).tokens.cumsum(1))


@pytest.mark.parametrize(
    ("target", "places"),
    [
        ("context", ((4, 2), (5, 3), (6, 4), (7, 5))),
        ("anchor", ((6, 2), (7, 3))),
        ("unconditional", ((7, 1),)),
    ],
)
def test_as_published_only_shared_words_behind_the_name_and_padding_take_part(
    target, places
):
    model = Listens()
    prompt = Prompt(
        "x by picasso in red oil", "x in red oil", "dull oil", (), "picasso"
    )
    request = replace(request_of(model), forget=((prompt,),))

    pairs = TokenPairs.of(request, target, "behind")

    says = model.encode([prompt.text]).tokens[0].double()
    instead = model.encode([prompt.target(target)]).tokens[0].double()
    expected = {(*says[i].tolist(), *instead[j].tolist()) for i, j in places}
    both = torch.cat([pairs.erased, pairs.goal], 1)
    assert {tuple(row.tolist()) for row in both} == expected


def test_of_a_model_it_takes_the_prompts_and_leaves_the_weights_alone():
    model = LinearModel()
    copy = model.base[NAME].clone()

    delta = Mace().erase(request_of(model))

    assert torch.equal(model.base[NAME], copy)
    assert float(delta.patches[NAME].dense().norm()) > 0


def test_a_singular_system_is_an_error_that_says_what_to_do():
    with pytest.raises(TrainingError, match="equations of mace") as caught:
        dense(Mace(ridge=1e-300, keep_scale=1e-300), problem())

    assert "larger ridge" in caught.value.fix


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"span": "odd"}, "odd"), ({"erase_scale": 0.0}, "0.0"), ({"ridge": -1}, "-1")],
)
def test_settings_that_make_no_sense_are_refused_by_their_value(settings, named):
    with pytest.raises(PolicyError, match=named):
        Mace.of(settings)
