"""Which tokens of kept prompts hold an edit back, and which prompts may be kept."""

from __future__ import annotations

import pytest
import torch

from tests.erasers.test_tokens import as_set, tokens
from tests.looking_back import KEPT, LENGTH, LookingBack, prompts_of, request_of
from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept
from unlearnlog.erasers.kept_tokens import encoded_bank, kept_tokens
from unlearnlog.erasers.tokens import SPANS, TokenPairs
from unlearnlog.errors import ConceptError

WORLD = ConceptSet.read(CONCEPTS)
NOTHING_ERASED = torch.zeros(0, 64).double()


class OneShelf:
    def __init__(self):
        self.held = {}

    def get(self, key):
        return self.held.get(key)

    def put(self, key, tensor):
        self.held[key] = tensor


def test_kept_prompts_are_kept_by_their_last_words():
    kept = kept_tokens(request_of(LookingBack(), keep=KEPT), "last", NOTHING_ERASED)

    wanted = [tokens(text)[len(text.split())] for text in KEPT]
    assert as_set(kept.rows) == as_set(torch.stack(wanted))
    assert kept.weights.tolist() == [1.0] * len(KEPT)


@pytest.mark.parametrize("span", ["tail", "all"])
def test_kept_prompts_are_kept_by_all_of_their_tokens(span):
    kept = kept_tokens(request_of(LookingBack(), keep=KEPT), span, NOTHING_ERASED)

    moment = torch.zeros(64, 64).double()
    for text in KEPT:
        for token in tokens(text):
            moment += torch.outer(token, token) / LENGTH
    assert float(kept.weights.sum()) == pytest.approx(len(KEPT))
    assert torch.allclose(kept.moment, moment, rtol=1e-10, atol=1e-12)
    assert len(kept.rows) == len(torch.unique(kept.rows, dim=0)) < LENGTH * len(KEPT)


def test_two_prompts_that_end_in_one_token_weigh_two():
    request = request_of(LookingBack(), keep=("a cat", "A cat", "a  cat"))

    kept = kept_tokens(request, "last", NOTHING_ERASED)

    assert sorted(kept.weights.tolist()) == [1.0, 2.0]


@pytest.mark.parametrize("span", SPANS)
def test_where_nothing_is_kept_there_are_no_tokens(span):
    kept = kept_tokens(request_of(LookingBack()), span, NOTHING_ERASED)

    assert kept.rows.shape == (0, 64)
    assert torch.equal(kept.moment, torch.zeros(64, 64).double())


def test_a_kept_prompt_that_ends_in_an_erased_token_is_refused():
    request = request_of(
        LookingBack(), prompts_of("Picasso"), keep=(*KEPT, "a dog by Picasso")
    )
    erased = TokenPairs.of(request, "anchor", "last").erased

    with pytest.raises(ConceptError, match="'a dog by Picasso' is kept") as caught:
        kept_tokens(request, "last", erased)

    assert "alias" in caught.value.fix
    kept_tokens(
        request, "all", erased
    )  # all of its tokens: a compromise, no contradiction


@pytest.mark.parametrize(
    "kept", ["a dog by Pablo Picasso", "a dog by Picasso Museum", "the dog by Picasso"]
)
def test_a_kept_prompt_that_only_shares_words_with_an_erased_one_is_not_refused(kept):
    request = request_of(LookingBack(), prompts_of("Picasso"), keep=(kept,))
    erased = TokenPairs.of(request, "anchor", "last").erased

    assert len(kept_tokens(request, "last", erased).rows) == 1


def told(concept, *, world=None):
    """Ask for a concept as a ledger does: from a book that knows it."""
    book = PromptBook((world or WORLD).knowing([concept]))
    gone = {concept.name}
    return request_of(
        LookingBack(),
        book.forget(concept, gone),
        keep=book.keep(gone),
        bank=book.keep(()),
        names=(concept.name,),
    )


def refuse_or_keep(request):
    erased = TokenPairs.of(request, "anchor", "last").erased
    return kept_tokens(request, "last", erased)


@pytest.mark.parametrize("name", [*WORLD.styles, *WORLD.subjects])
def test_no_concept_of_the_bundled_world_is_refused(name):
    request = told(WORLD.concepts[name])

    assert set(request.keep) < set(request.bank)
    assert len(refuse_or_keep(request).rows) > 100


def test_a_kept_word_that_is_only_another_name_of_what_is_erased_goes_with_it():
    data = {"concepts": {"feline": {"kind": "subject", "aliases": ["cat"]}}}
    world = ConceptSet.of(
        {**data, "kept": ["a cat", "a cat asleep", "a cattle"]}, "here"
    )

    request = told(world.concepts["feline"], world=world)

    assert "a cattle" in request.keep
    assert not {"a cat", "a cat asleep"} & {*request.keep}
    refuse_or_keep(request)


def test_a_longer_name_that_ends_in_an_erased_one_is_kept():
    rows = {name: {"kind": "subject"} for name in ("castle", "sand castle", "castles")}
    world = ConceptSet.of({"concepts": rows}, "here")

    request = told(world.concepts["castle"], world=world)

    assert {"a sand castle", "a castles"} <= {*request.keep}
    refuse_or_keep(request)


@pytest.mark.parametrize("name", ["painting", "artwork", "work on canvas"])
def test_a_subject_that_templates_speak_of_is_not_kept_by_them(name):
    """Without an artist and a subject a template says "a painting", too."""
    request = told(Concept(name, "subject"))

    assert f"{'an' if name[0] == 'a' else 'a'} {name}" not in request.keep
    refuse_or_keep(request)


def test_an_alias_that_is_the_name_of_a_concept_that_stays_is_refused():
    kitty = Concept("kitty", "subject", aliases=("cat",))

    with pytest.raises(ConceptError, match="cat' is kept, but it ends in"):
        refuse_or_keep(told(kitty))


def test_the_bank_is_encoded_once_whatever_is_erased():
    model, shelf, bank = LookingBack(), OneShelf(), KEPT
    counts = []
    for keep in (KEPT, KEPT[1:], KEPT[::-2], KEPT):
        request = request_of(model, keep=keep, bank=bank, shelf=shelf)
        before = model.n_encoded
        found = encoded_bank(request)
        counts.append(model.n_encoded - before)
        wanted = torch.stack([tokens(text) for text in keep])
        assert torch.equal(found, wanted)

    assert counts == [len(bank), 0, 0, 0]


def test_another_bank_or_another_model_is_encoded_anew():
    model, shelf = LookingBack(), OneShelf()
    encoded_bank(request_of(model, keep=KEPT, bank=KEPT, shelf=shelf))
    encoded_bank(request_of(model, keep=KEPT[1:], bank=KEPT[1:], shelf=shelf))
    other = LookingBack()
    other.base = {name: tensor + 1 for name, tensor in other.base.items()}
    encoded_bank(request_of(other, keep=KEPT, bank=KEPT, shelf=shelf))

    assert model.n_encoded == 2 * len(KEPT) - 1
    assert other.n_encoded == len(KEPT)


def test_what_is_not_in_the_bank_is_encoded_by_itself():
    model = LookingBack()
    request = request_of(model, keep=("a house",), bank=KEPT)

    assert torch.equal(encoded_bank(request)[0], tokens("a house"))
    assert model.n_encoded == 1
