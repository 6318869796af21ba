"""A closed form on many names: rows without their padding, the same solution."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.looking_back import KEPT, LookingBack, prompts_of, request_of
from tests.tiny import build_pipeline
from unlearnlog.core.limits import MANY
from unlearnlog.core.work_cache import NoTensorCache
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.uce import Uce
from unlearnlog.errors import ConceptError
from unlearnlog.models.diffusers_model import DiffusersModel

NAMES = tuple(f"Ada Kord{i}" for i in range(MANY + 1))
ON_NAMES = Uce(
    target="anchor", texts="names", span="last", erase_scale=1.0, keep_scale=0.1
)


class Recording(LookingBack):
    """Notes which prompts are encoded whole."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: list[str] = []
        self.beginnings: list[str] = []

    def encode(self, prompts, *, weights=None):
        self.whole += prompts
        return super().encode(prompts, weights=weights)

    def rows_at(self, prompts, places):
        self.beginnings += prompts
        whole = LookingBack.encode(self, prompts).tokens
        return whole[torch.arange(len(prompts)), [*places]]


class Shelf(NoTensorCache):
    """A cache in memory."""

    def __init__(self) -> None:
        self.held: dict[str, torch.Tensor] = {}

    def get(self, key):
        return self.held.get(key)

    def put(self, key, tensor):
        self.held[key] = tensor


def asked(model, names=NAMES, keep=KEPT, **options) -> Request:
    return request_of(
        model, *(prompts_of(name) for name in names), keep=keep, **options
    )


def slowly(request: Request) -> Request:
    """Return a request that reads whole prompts."""

    class Whole(Request):
        reads_beginnings = False

    return Whole(**vars(request))


def test_the_problem_is_that_of_whole_prompts():
    request = asked(LookingBack())
    assert request.reads_beginnings

    found, wanted = ON_NAMES.problem(request), ON_NAMES.problem(slowly(request))

    for part in ("erased", "goal", "weights", "owner", "names"):
        assert torch.equal(getattr(found.pairs, part), getattr(wanted.pairs, part))
    assert torch.equal(found.kept.rows, wanted.kept.rows)
    assert torch.equal(found.kept.weights, wanted.kept.weights)


def test_of_many_names_no_prompt_is_encoded_whole_but_the_empty_one():
    model = Recording()

    ON_NAMES.problem(asked(model))

    assert {*model.whole} == {""}
    assert {*NAMES} <= {*model.beginnings}


def test_kept_words_are_encoded_once_and_cached():
    shelf, model = Shelf(), Recording()
    ON_NAMES.problem(asked(model, shelf=shelf))
    model.beginnings.clear()

    again = ON_NAMES.problem(asked(model, shelf=shelf))

    assert not {"art of Klimt", "a cat by Monet"} & {*model.beginnings}
    assert torch.equal(
        again.kept.rows, ON_NAMES.problem(asked(LookingBack())).kept.rows
    )


@pytest.mark.parametrize("span", ["tail", "all"])
def test_spans_that_read_padding_read_whole_prompts(span):
    model = Recording()
    eraser = replace(ON_NAMES, span=span)

    found = eraser.problem(asked(model))

    assert {*NAMES} <= {*model.whole}
    assert torch.equal(
        found.pairs.erased, eraser.problem(slowly(asked(model))).pairs.erased
    )


def test_few_names_are_encoded_whole():
    model = Recording()

    ON_NAMES.problem(asked(model, NAMES[:MANY]))

    assert {*NAMES[:MANY]} <= {*model.whole}
    assert not model.beginnings


def test_a_kept_prompt_that_ends_in_an_erased_name_is_refused():
    with pytest.raises(ConceptError, match="'Ada Kord3' is kept, but it ends in"):
        ON_NAMES.problem(asked(LookingBack(), keep=(*KEPT, "Ada Kord3")))


def test_names_with_the_same_tokens_are_refused():
    with pytest.raises(ConceptError, match="are one concept to this model"):
        ON_NAMES.problem(asked(LookingBack(), (*NAMES, "Ada  Kord3")))


def test_a_real_text_encoder_gives_the_solution_of_whole_prompts(tmp_path):
    model = DiffusersModel.load(build_pipeline(tmp_path / "model"))
    request = asked(model)

    found, wanted = ON_NAMES.erase(request), ON_NAMES.erase(slowly(request))

    for name, patch in found.patches.items():
        there = wanted.patches[name].dense()
        assert float((patch.dense() - there).norm()) <= 1e-4 * float(there.norm())
