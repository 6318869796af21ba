"""Rows that are computed of the tokens up to them, many prompts at once."""

from __future__ import annotations

import pytest
import torch

from unlearnlog.errors import PromptError
from unlearnlog.models.encoded_beginnings import beginnings

PROMPTS = ("Ada Kord", "a cat", "Ada Kord 12", "", "a photo of a dog by the sea", "a")


def ends(model):
    return [max(model.n_tokens(prompt) - 2, 0) for prompt in PROMPTS]


@pytest.mark.parametrize("which", ["tiny", "xl"])
def test_a_row_of_a_prompt_cut_behind_it_is_that_of_the_whole_prompt(which, request):
    model = request.getfixturevalue(which)
    whole = model.encode(PROMPTS).tokens

    found = model.rows_at(PROMPTS, ends(model))

    wanted = whole[torch.arange(len(PROMPTS)), ends(model)]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert not found.is_inference()
    assert (which == "xl") == (not found[3].any())  # XL's empty prompt is zeros


def test_a_row_before_the_last_word_is_not_that_of_the_last_word(tiny):
    last, first = tiny.rows_at(["a cat", "a cat"], [2, 1])

    assert not torch.allclose(last, first)


def test_a_row_has_the_same_bits_in_any_company(tiny):
    alone = [tiny.rows_at([p], [at]) for p, at in zip(PROMPTS, ends(tiny), strict=True)]

    together = tiny.rows_at(PROMPTS[::-1], ends(tiny)[::-1])

    assert torch.equal(together, torch.cat(alone[::-1]))


def test_a_prompt_that_is_too_long_is_refused(tiny):
    with pytest.raises(PromptError, match="tokens; the model reads 77"):
        tiny.rows_at(["cat " * 100], [3])


def test_equal_beginnings_are_encoded_once_and_lengths_are_filled_to_four():
    seen = []

    def encode(read):
        ((ids, mask),) = read
        seen.append(tuple(ids.shape))
        assert mask.all()
        return ids[:, :, None].float()

    prompts = [(torch.tensor(each),) for each in ([1, 2], [1, 2], [1, 2, 3, 4, 5], [7])]

    found = beginnings(prompts, encode)

    assert found[:, 0].tolist() == [2, 2, 5, 7]
    assert seen == [(2, 4), (1, 8)]


def test_many_prompts_are_encoded_in_shares_of_a_thousand_tokens():
    seen = []

    def encode(read):
        ((ids, _),) = read
        seen.append(len(ids))
        return ids[:, :, None].float()

    found = beginnings([(torch.tensor([0, i]),) for i in range(600)], encode)

    assert seen == [256, 256, 88]
    assert found[:, 0].tolist() == [*range(600)]
