from dataclasses import replace

import pytest
import torch

from tests.fakes import LinearModel
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.forget_set import KeptSet, drawn, painted
from unlearnlog.models.interface import Sampling


class Basket:
    """A shelf in memory."""

    def __init__(self):
        self.kept = {}

    def get(self, key):
        return self.kept.get(key)

    def put(self, key, tensor):
        self.kept[key] = tensor


@pytest.fixture
def request_of_two():
    model = LinearModel()
    groups = tuple(
        tuple(Prompt(f"{noun} by {name}", noun, "") for noun in ("cat", "dog", "tree"))
        for name in ("picasso", "monet")
    )
    return Request(
        model,
        old=model.base,
        forget=groups,
        keep=("",),
        sampling=Sampling(1, 1.0, batch=4),
        seed=7,
        shelf=Basket(),
    )


def test_concepts_take_turns_and_every_prompt_comes_before_the_next_seed(
    request_of_two,
):
    pairs = [(prompt.text, seed) for prompt, seed in drawn(request_of_two, 4)]

    assert pairs == [
        ("cat by picasso", 7),
        ("cat by monet", 7),
        ("dog by picasso", 7),
        ("dog by monet", 7),
        ("tree by picasso", 7),
        ("tree by monet", 7),
        ("cat by picasso", 8),
        ("cat by monet", 8),
    ]


def test_what_was_painted_before_a_stop_is_not_painted_again(
    request_of_two, monkeypatch
):
    texts, seeds = ["cat"] * 10, list(range(10))
    whole = painted(request_of_two, texts, seeds)
    first_batch = next(iter(request_of_two.shelf.kept))
    interrupted = replace(request_of_two, shelf=Basket())
    interrupted.shelf.kept[first_batch] = request_of_two.shelf.kept[first_batch]
    asked = []
    paint = request_of_two.model.paint

    def noted(prompts, seeds, **options):
        asked.append(list(seeds))
        return paint(prompts, seeds, **options)

    monkeypatch.setattr(interrupted.model, "paint", noted)
    again = painted(interrupted, texts, seeds)

    assert asked == [[4, 5, 6, 7], [8, 9]]
    assert torch.equal(again, whole)


def test_other_sampling_is_other_pictures(request_of_two):
    painted(request_of_two, ["cat"], [0])
    painted(replace(request_of_two, sampling=Sampling(1, 2.0)), ["cat"], [0])

    assert len(request_of_two.shelf.kept) == 2


def test_pictures_of_what_was_erased_before_are_not_learnt_from(request_of_two):
    said = replace(
        request_of_two, keep=("a cat", "a cat by klimt"), stay=("a cat", "a dog")
    )

    assert set(KeptSet.of(said, 6).texts) == {"a cat", "a dog"}
    assert set(KeptSet.of(replace(said, stay=()), 6).texts) == {*said.keep}
