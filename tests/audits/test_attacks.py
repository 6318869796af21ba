"""Three attacks on a tiny model of which every number is random, and is known."""

from dataclasses import replace

import pytest
import torch

from tests.tiny import build_pipeline
from unlearnlog.audits.attacks.attack_search import (
    AttackBudget,
    AttackPictures,
    AttackSearch,
    FoundAttack,
    NoisedPictures,
    budget_called,
    denoising_loss,
    with_mark,
)
from unlearnlog.audits.attacks.attack_table import ATTACKS, attack_called
from unlearnlog.audits.attacks.inversion import Inversion
from unlearnlog.audits.attacks.prefix import Prefix, loss_of, promise
from unlearnlog.audits.attacks.recovery import RIDGES, Recovery
from unlearnlog.core.concept import Concept
from unlearnlog.core.progress import NoProgress
from unlearnlog.errors import UsageError
from unlearnlog.models.diffusers_model import DiffusersModel

PICASSO = Concept("Picasso", "style", aliases=("Pablo Picasso",))
CAT = Concept("cat", "subject")
LITTLE = AttackBudget(
    pictures=2, restarts=2, steps=3, batch=2, tokens=2, rounds=3, bank=2, swaps=2
)
PROMPTS = ("a cat by Picasso", "a dog by Picasso")


class Losses(NoProgress):
    """Writes down every loss that it is told of."""

    def __init__(self):
        self.seen = []

    def advance(self, units, numbers):  # noqa: ARG002
        self.seen += numbers.values()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return DiffusersModel.load(build_pipeline(tmp_path_factory.mktemp("tiny") / "p"))


@pytest.fixture
def search(model):
    source = torch.Generator().manual_seed(3)
    latents = torch.randn(2, *model.latent_shape, generator=source)
    weights = {n: (1.5 * w.float()).half() for n, w in model.base.items()}
    return AttackSearch(
        model, weights, PICASSO, AttackPictures(PROMPTS, latents), LITTLE
    )


def same(one: FoundAttack, other: FoundAttack):
    return one.attack == other.attack and all(
        torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_search_finds_the_same_again(search, name):
    attack = attack_called(name)

    once, again = [*attack.found(search)], [*attack.found(search)]

    assert len(once) == LITTLE.restarts
    assert all(same(a, b) for a, b in zip(once, again, strict=True))
    assert not same(*once)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_leaves_the_model_and_the_erased_state_alone(search, name):
    before = {n: w.clone() for n, w in search.weights.items()}
    said = search.model.encode([*PROMPTS]).tokens.clone()

    next(attack_called(name).found(search))

    assert all(torch.equal(before[n], w) for n, w in search.weights.items())
    assert torch.equal(search.model.encode([*PROMPTS]).tokens, said)


@pytest.mark.parametrize("name", ATTACKS)
def test_chance_has_the_size_of_what_was_found_and_is_something_else(search, name):
    attack = attack_called(name)
    found = next(attack.found(search))

    drawn = [*attack.chance(search, found)]

    assert len(drawn) == LITTLE.restarts
    for each in drawn:
        assert {n: t.shape for n, t in each.tensors.items()} == {
            n: t.shape for n, t in found.tensors.items()
        }
        assert not same(each, found)


def test_a_random_vector_is_as_long_as_the_learnt_one(search):
    found = next(Inversion().found(search))

    (drawn, _) = Inversion().chance(search, found)

    length = found.tensors["vectors.0"].norm()
    assert drawn.tensors["vectors.0"].norm() == pytest.approx(float(length))


def test_a_random_map_moves_every_token_as_far_as_the_found_one(search):
    found = next(Recovery().found(search))
    tokens = search.model.encode([*PROMPTS]).tokens

    (drawn, _) = Recovery().chance(search, found)

    own, other = (tokens @ each.tensors["map"] - tokens for each in (found, drawn))
    assert torch.allclose(own.norm(dim=-1), other.norm(dim=-1), rtol=1e-4)


def test_inversion_begins_with_the_concepts_own_word(search):
    """The tiny tokenizer knows ``cat`` as one token; no step, so it stays there."""
    still = replace(search, budget=replace(LITTLE, steps=0), concept=CAT)
    found = next(Inversion().found(still))

    text = Inversion().texts(found, search.model, ["a cat by monet"], None)

    assert torch.equal(text.tokens, search.model.encode(["a cat by monet"]).tokens)


def test_inversion_lowers_the_loss_on_its_own_pictures(search):
    bank = NoisedPictures.drawn(search, 16, torch.Generator().manual_seed(9))
    budget = replace(LITTLE, batch=8, rate=0.3, restarts=1)
    loud = {n: 20 * w.float() for n, w in search.model.base.items()}
    heard = replace(search, weights=loud)  # a random network hardly hears its text

    def loss(steps):
        allowed = replace(heard, budget=replace(budget, steps=steps))
        found = next(Inversion().found(allowed))
        prompts = [PROMPTS[int(row)] for row in bank.rows]
        with torch.no_grad():
            text = Inversion().texts(found, search.model, prompts, loud)
            return float(denoising_loss(heard, text, bank.rows, bank.noise, bank.t))

    assert loss(25) < loss(0)


def test_the_loss_of_a_prefix_never_rises(search):
    watch = Losses()
    watched = replace(search, watch=watch, budget=replace(LITTLE, rounds=5))

    found = next(Prefix().found(watched))

    bank = NoisedPictures.drawn(search, LITTLE.bank, after_the_start(search))
    assert watch.seen == sorted(watch.seen, reverse=True)
    assert loss_of(search, found.tensors["tokens"], bank) == pytest.approx(
        watch.seen[-1]
    )


def after_the_start(search):
    """Random numbers as they are when the search of a prefix draws its noise."""
    return search.source(0)


def test_what_a_swap_promises_is_the_slope_of_the_loss_towards_it(search):
    """Along the way from one token's vector to another's the loss is not linear."""
    known = search.model.vocabulary
    ids = known.words[torch.tensor([4, 9])]
    weights = torch.tensor([0.7, -1.3])
    vectors = tuple(v.clone().requires_grad_() for v in known.vectors(ids))
    loss = sum((v.square() * weights[:, None]).sum() for v in vectors)
    loss.backward()

    found = promise(vectors, search)

    (table,) = known.tables
    for place, word in ((0, 2), (1, 30)):
        step = table[known.words[word]] - table[ids[place]]
        slope = 2 * weights[place] * (table[ids[place]] * step).sum()
        assert found[place, word] == pytest.approx(float(-slope), abs=1e-6)


def test_the_map_solves_the_normal_equations_written_token_by_token(search):
    found = next(Recovery().found(search)).tensors["map"].double()
    token = torch.randn(search.model.d_text, dtype=torch.float64)
    rows, wanted = [], []
    for name, old in search.model.base.items():
        for new_row, old_row in zip(search.weights[name], old, strict=True):
            rows.append(new_row.double())
            wanted.append(old_row.double() @ token)
    for axis in torch.eye(search.model.d_text).double():
        rows.append(RIDGES[0] ** 0.5 * axis)
        wanted.append(torch.zeros(()).double())

    slow = torch.linalg.lstsq(torch.stack(rows), torch.stack(wanted)[:, None]).solution

    assert torch.allclose(token @ found, slow[:, 0], atol=1e-5)


def test_nothing_erased_leaves_nothing_to_recover(search):
    whole = replace(search, weights=dict(search.model.base))

    found = next(Recovery().found(whole)).tensors["map"]

    assert torch.allclose(found, torch.eye(len(found)), atol=0.01)


def test_a_halved_projection_is_recovered_by_tokens_twice_as_long(search):
    halved = {n: w.double() / 2 for n, w in search.model.base.items()}

    found = next(Recovery().found(replace(search, weights=halved)))

    assert torch.allclose(found.tensors["map"], 2 * torch.eye(32), atol=0.1)


@pytest.mark.parametrize(
    ("prompt", "marked"),
    [
        ("a cat by Pablo Picasso, on canvas", "a cat by <*> , on canvas"),
        ("PICASSO", "<*>"),
        ("a cubist cat", "a cubist cat <*>"),
    ],
)
def test_a_mark_takes_the_longest_names_place(prompt, marked):
    assert with_mark(prompt, ("Picasso", "Pablo Picasso"), "<*>") == marked


def test_an_unknown_attack_or_budget_is_refused_with_those_that_are_known():
    with pytest.raises(UsageError, match="no attack 'prompt'"):
        attack_called("prompt")
    with pytest.raises(UsageError, match="no budget 'endless'"):
        budget_called("endless")
