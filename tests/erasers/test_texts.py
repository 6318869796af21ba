"""What a closed form is told of a concept, written down token by token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.looking_back import LENGTH, LookingBack, prompts_of, request_of
from unlearnlog.core.delta import state_after
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.concept_texts import ConceptTexts
from unlearnlog.erasers.mace import Mace
from unlearnlog.erasers.rece import Rece
from unlearnlog.erasers.scapre import Scapre
from unlearnlog.erasers.uce import RidgeEdit, Uce
from unlearnlog.errors import ConceptError

OTHERS = ("Monet", "Georges Braque")
NAMED = (
    Prompt("art by Picasso with cat", "art with cat", "photo cat", named="Picasso"),
    Prompt("art by Picasso", "art", "a photo", named="Picasso"),
    Prompt("art by Pablo Picasso", "art", "a photo", named="Pablo Picasso"),
)


def asked(*groups, **options):
    return request_of(LookingBack(), *(groups or (NAMED,)), others=OTHERS, **options)


def tokens(text):
    return LookingBack().encode([text]).tokens[0].double()


def test_a_name_is_a_text_of_its_own_that_means_what_the_shortest_prompt_does():
    pairs = ConceptTexts("anchor", texts="names", weigh="sums").pairs(asked())

    wanted = [(tokens("Picasso")[1], "Picasso"), (tokens("Pablo Picasso")[2], "Pablo")]
    assert torch.equal(pairs.erased, torch.stack([token for token, _ in wanted]))
    assert torch.equal(pairs.goal, tokens("a photo")[2].expand(2, -1))
    assert pairs.weights.tolist() == [1, 1]
    assert torch.equal(pairs.names[0], pairs.erased.mean(0))


@pytest.mark.parametrize(
    ("texts", "first"),
    [("art", "painting by Picasso"), ("objects", "image of Picasso")],
)
def test_phrases_say_each_name_and_its_target_in_five_more_ways(texts, first):
    pairs = ConceptTexts("anchor", texts=texts, weigh="sums").pairs(asked())

    assert len(pairs.erased) == 2 * 6
    assert torch.equal(pairs.erased[2], tokens(first)[3])
    instead = first.replace("Picasso", "a photo")
    assert torch.equal(pairs.goal[2], tokens(instead)[4])


@pytest.mark.parametrize("weigh", ["shares", "sums"])
def test_the_tail_of_a_name_is_as_long_as_the_longer_text_leaves(weigh):
    form = ConceptTexts("anchor", "tail", 1, texts="names", weigh=weigh)

    pairs = form.pairs(asked())

    n = LENGTH - 2  # the target ends at its second word
    assert torch.equal(pairs.erased, tokens("Picasso")[1 : 1 + n])
    assert torch.equal(pairs.goal, tokens("a photo")[2 : 2 + n])
    assert float(pairs.weights.sum()) == pytest.approx(1 if weigh == "shares" else n)


def test_the_whole_of_a_text_is_every_token_at_its_own_position():
    pairs = ConceptTexts("anchor", "whole", 1, texts="names").pairs(asked())

    assert torch.equal(pairs.erased, tokens("Picasso"))
    assert torch.equal(pairs.goal, tokens("a photo"))


def test_around_a_name_is_what_both_texts_begin_and_end_with():
    one = Prompt("art by Picasso with cat", "", "art by anyone else with cat")
    group = (replace(one, named="Picasso"),)

    pairs = ConceptTexts("anchor", "around").pairs(asked(group))

    said, instead = tokens(one.text), tokens(one.anchor)
    # The mark and "art by", then "with cat" and the padding, as far as both go.
    assert torch.equal(pairs.erased, torch.cat([said[:3], said[4 : LENGTH - 1]]))
    assert torch.equal(pairs.goal, torch.cat([instead[:3], instead[5:]]))


@pytest.mark.parametrize(
    ("keeps", "wanted"),
    [
        ("names", OTHERS),
        ("names and empty", ("", *OTHERS)),
        ("empty", ("",)),
        ("nothing", ()),
    ],
)
def test_what_is_kept_is_names_the_empty_prompt_both_or_nothing(keeps, wanted):
    request = asked(keep=("a cat",))
    erased = torch.zeros(1, 64).double()

    whole = ConceptTexts("anchor", "tail", keeps=keeps, weigh="sums").kept(
        request, erased
    )
    last = ConceptTexts("anchor", "last", keeps=keeps).kept(request, erased)

    assert len(whole.rows) == len(wanted) * LENGTH
    assert whole.weights.tolist() == [1] * len(whole.rows)
    assert float(last.weights.sum()) == pytest.approx(len(wanted))
    for name in set(wanted) & set(OTHERS):
        token = tokens(name)[len(name.split())]
        assert (last.rows == token).all(1).any()
    if wanted == ("",):
        assert torch.equal(last.rows, tokens("")[1:])


def test_a_concept_that_no_prompt_spells_has_no_name_to_be_told():
    group = tuple(replace(p, named="") for p in NAMED)

    with pytest.raises(ConceptError, match="contains its name") as caught:
        ConceptTexts("anchor", texts="names").pairs(asked(group))

    assert "texts=prompts" in caught.value.fix


def test_two_concepts_of_one_name_are_refused():
    with pytest.raises(ConceptError, match="are one concept"):
        ConceptTexts("anchor", texts="names").pairs(asked(NAMED, NAMED))


def test_texts_apart_are_concepts_of_their_own():
    request = asked()
    together = Scapre(texts="names").problem(request).pairs
    apart = Scapre(texts="names", apart=True).problem(request).pairs

    assert torch.equal(apart.erased, together.erased)
    assert (len(together.names), len(apart.names)) == (1, 2)
    assert apart.owner.unique().tolist() == [0, 1]


def test_rece_may_begin_with_an_edit_by_uce_and_goes_on_from_it():
    request = asked()
    told: Any = {"texts": "names", "weigh": "sums", "keeps": "names and empty"}
    eraser = Rece(span="whole", begins="uce", rounds=1, **told)

    found = eraser.erase(request)

    first = Uce(erase_scale=1.0, keep_scale=0.1, **told).erase(request)
    old = state_after(request.old, [first])
    then = replace(eraser, begins="alike").erase(replace(request, old=old))
    for name, patch in found.patches.items():
        both = first.patches[name].dense() + then.patches[name].dense()
        assert torch.allclose(patch.dense(), both, rtol=1e-4, atol=1e-6)


def test_mace_without_its_fusion_is_one_ridge_edit_of_all_concepts():
    request = asked(prompts_of("Picasso"), prompts_of("Klimt"))
    settings: Any = {
        "span": "around",
        "weigh": "sums",
        "keeps": "nothing",
        "ridge": 10.0,
    }

    found = Mace(fuse=False, erase_scale=1.0, **settings).erase(request)

    class Plain(RidgeEdit):
        name = "plain"

    wanted = Plain("anchor", **settings).erase(request)
    for name, patch in found.patches.items():
        assert torch.equal(patch.dense(), wanted.patches[name].dense())
