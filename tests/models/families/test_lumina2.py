"""Lumina 2 computes as its stock pipeline does."""

import pytest
import torch

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, encoded, noise
from tests.family_parts_p import spoken

CASE = CASES["lumina-2"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


def test_guidance_does_not_change_the_norm(parts):
    some, other = noise(parts, RULES)

    guided = RULES.guided(some, other, 4.0)

    torch.testing.assert_close(guided.norm(dim=-1), other.norm(dim=-1))


def test_a_prompt_follows_the_system_prompt(parts):
    text = encoded(parts, RULES, [PROMPTS[0]])

    with torch.no_grad():
        rows, mask, *_ = parts.pipeline.encode_prompt(PROMPTS[0], False)
    spans = RULES.tokenized(parts, PROMPTS[0])
    torch.testing.assert_close(text.tokens, rows[mask.bool()][None])
    assert RULES.length(parts, PROMPTS[0]) == (len(spans), 256)
    assert len(spans) == text.tokens.shape[1]
    assert spoken(spans, PROMPTS[0]) == PROMPTS[0].split()


def test_the_empty_prompt_has_no_system_prompt(parts):
    text = encoded(parts, RULES, [""])

    with torch.no_grad():
        _, _, rows, mask = parts.pipeline.encode_prompt("a cat")
    torch.testing.assert_close(text.tokens, rows[mask.bool()][None])
    assert RULES.tokenized(parts, "") == [None]


def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 300

    text = encoded(parts, RULES, [prompt])

    with torch.no_grad():
        rows = parts.pipeline.encode_prompt(prompt, False)[0]
    assert text.tokens.shape[1] == len(RULES.tokenized(parts, prompt)) == 256
    torch.testing.assert_close(text.tokens, rows)
