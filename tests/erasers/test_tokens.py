from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.fakes import LinearModel
from tests.looking_back import LENGTH, LookingBack, prompts_of, request_of
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.tokens import TokenPairs
from unlearnlog.errors import ConceptError


def tokens(text, model=None):
    return (model or LookingBack()).encode([text]).tokens[0].double()


def as_set(*columns):
    rows = torch.cat(columns, 1)
    return {tuple(row.tolist()) for row in rows}


def assert_moves(prompt, target, span, erased_at, goal_at):
    """The pairs are those of these positions of the prompt and of its target."""
    pairs = TokenPairs.of(request_of(LookingBack(), (prompt,)), target, span)

    said, instead = tokens(prompt.text), tokens(prompt.target(target))
    wanted = as_set(said[[*erased_at]], instead[[*goal_at]])
    assert as_set(pairs.erased, pairs.goal) == wanted


PLACED = {
    # text, named: first and last position of the name, the beginning's mark is 0
    "at the end": ("a cat by Picasso", "Picasso", 4, 4),
    "in the middle": ("art of Picasso with cat", "Picasso", 3, 3),
    "at the beginning": ("Picasso and a cat", "Picasso", 1, 1),
    "of several words": (
        "a cat by Pablo Ruiz Picasso today",
        "Pablo Ruiz Picasso",
        4,
        6,
    ),
    "all there is": ("Pablo Picasso", "Pablo Picasso", 1, 2),
    "not spelt": ("a beast in a maze", "minotaur", 1, 5),
    "nobody knows": ("a beast in a maze", "", 1, 5),
    "in other letters": ("a cat by PICASSO now", "Picasso", 4, 4),
    "first inside of a word": ("delicate art by cat", "cat", 4, 4),
    "with a mark behind it": ("a song of R.E.M. now", "R.E.M.", 4, 4),
}


@pytest.mark.parametrize(
    ("text", "named", "first", "last"), PLACED.values(), ids=PLACED
)
@pytest.mark.parametrize("span", ["last", "tail", "all"])
@pytest.mark.parametrize("target", ["context", "unconditional"])
def test_the_positions_that_a_span_speaks_of_are_paired(
    text, named, first, last, span, target
):
    prompt = Prompt(text, "a longer picture than any of these", "photo", named=named)
    end = {"context": 7, "unconditional": 0}[target]  # its last word; the beginning
    n = LENGTH - max(last, end)
    here = {
        "last": ([last], [end]),
        "tail": (range(last, last + n), range(end, end + n)),
        "all": (range(first, LENGTH), range(first, LENGTH)),
    }[span]

    assert_moves(prompt, target, span, *here)


@pytest.mark.parametrize("n_prompts", [0, 1, 4])
@pytest.mark.parametrize("span", ["last", "tail", "all"])
def test_every_concept_weighs_one_however_many_names_it_has(span, n_prompts):
    groups = (
        prompts_of("Picasso"),
        prompts_of("Monet", ["cat"]),
        prompts_of("Dalí")[:2],
    )
    request = request_of(LookingBack(), *groups)

    pairs = TokenPairs.of(request, "anchor", span, n_prompts=n_prompts)

    for i, own in enumerate(pairs.each()):
        assert float(own.weights.sum()) == pytest.approx(1, abs=1e-12)
        assert set(own.owner.tolist()) == {i}
    assert len(pairs.erased) == sum(len(own.erased) for own in pairs.each())


def test_so_many_prompts_are_used_and_no_more():
    request = request_of(LookingBack(), prompts_of("Picasso"))

    assert len(TokenPairs.of(request, "context", "last", n_prompts=2).erased) == 2
    assert len(TokenPairs.of(request, "context", "last", n_prompts=99).erased) == 9


def test_one_pair_said_twice_is_one_pair_that_weighs_twice():
    one, two = prompts_of("Picasso")[:2]
    longer = replace(one, text=f"{one.text} on canvas")  # the name has the same token
    request = request_of(LookingBack(), (one, longer, two))

    pairs = TokenPairs.of(request, "context", "last")

    assert len(pairs.erased) == 2
    assert sorted(pairs.weights.tolist()) == pytest.approx([1 / 3, 2 / 3])


def test_one_token_with_two_targets_is_two_pairs():
    one = prompts_of("Picasso")[0]
    request = request_of(LookingBack(), (one, replace(one, context="a house")))

    assert len(TokenPairs.of(request, "context", "last").erased) == 2


def test_the_order_of_prompts_means_nothing():
    group = prompts_of("Picasso")
    found = [
        TokenPairs.of(request_of(LookingBack(), g), "anchor", "all")
        for g in (group, group[::-1])
    ]

    assert torch.equal(found[0].erased, found[1].erased)
    assert torch.equal(found[0].goal, found[1].goal)
    assert torch.allclose(found[0].weights, found[1].weights, rtol=1e-15)


def test_the_moments_are_sums_over_tokens():
    request = request_of(LookingBack(), prompts_of("Picasso"), prompts_of("Monet"))
    pairs = TokenPairs.of(request, "anchor", "tail")

    moment, cross = torch.zeros(2, 64, 64).double()
    for c, g, weight in zip(pairs.erased, pairs.goal, pairs.weights, strict=True):
        moment += weight * torch.outer(c, c)
        cross += weight * torch.outer(g, c)
    assert torch.allclose(pairs.tokens.moment, moment, rtol=1e-12)
    assert torch.allclose(pairs.cross, cross, rtol=1e-12)


@pytest.mark.parametrize("span", ["last", "tail", "all"])
@pytest.mark.parametrize("target", ["context", "anchor"])
def test_what_is_its_own_target_is_refused_by_its_name(span, target):
    text = "a cat by Picasso"
    same = Prompt(text, text, text, named="Picasso")
    request = request_of(LookingBack(), prompts_of("Monet"), (same,))

    with pytest.raises(ConceptError, match=f"'Picasso' is the same as its {target}"):
        TokenPairs.of(request, target, span)


def test_what_the_encoder_cannot_tell_from_its_target_is_refused():
    other = Prompt("a cat by Picasso", "a cat  by Picasso", "", named="Picasso")

    with pytest.raises(ConceptError, match="nothing to erase"):
        TokenPairs.of(request_of(LookingBack(), (other,)), "context", "all")


def test_a_concept_that_nothing_names_is_refused():
    request = request_of(LookingBack(), (), names=("Picasso",))

    with pytest.raises(ConceptError, match="'Picasso' is the same"):
        TokenPairs.of(request, "context", "all")


def test_a_prompt_that_stays_as_it_is_does_not_count():
    group = prompts_of("Picasso")
    still = Prompt("a cat", "a cat", "a cat", named="cat")

    with_it = TokenPairs.of(
        request_of(LookingBack(), (*group, still)), "anchor", "last"
    )

    alone = TokenPairs.of(request_of(LookingBack(), group), "anchor", "last")
    assert torch.equal(with_it.erased, alone.erased)
    assert torch.equal(with_it.weights, alone.weights)


@pytest.mark.parametrize("span", ["last", "tail", "all"])
def test_two_concepts_of_the_same_tokens_are_refused_by_both_names(span):
    groups = [prompts_of(name) for name in ("Picasso", "Monet", "Picasso")]
    request = request_of(
        LookingBack(), *groups, names=("Pablo Picasso", "Monet", "P. Picasso")
    )

    with pytest.raises(ConceptError, match=r"'Pablo Picasso' and 'P\. Picasso' are"):
        TokenPairs.of(request, "anchor", span)


def test_names_that_share_a_word_are_two_concepts():
    request = request_of(
        LookingBack(), prompts_of("Pieter Bruegel"), prompts_of("Jan Bruegel")
    )

    assert len([*TokenPairs.of(request, "anchor", "last").each()]) == 2


@pytest.mark.parametrize("span", ["last", "tail", "all"])
def test_a_name_beyond_what_the_encoder_reads_is_refused(span):
    far = Prompt("one two three four five six Picasso", "", "", named="Picasso")
    request = request_of(LinearModel(), (far,))  # it reads six words

    with pytest.raises(ConceptError, match="reads 8 tokens, and 'Picasso'") as caught:
        TokenPairs.of(request, "context", span)

    assert "shorten the prompt" in caught.value.fix
    near = replace(far, text="one two three four five Picasso")
    TokenPairs.of(request_of(LinearModel(), (near,)), "context", span)
