"""Z-Image computes as its stock pipeline does."""

import pytest
import torch

from tests.family_cases import CASES
from tests.family_parts import apart, encoded
from tests.family_parts_p import spoken

CASE = CASES["z-image"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


@pytest.mark.slow
def test_a_scale_of_one_is_guidance():
    assert apart(CASE.ours(1.0), CASE.ours(0.0)) > 1


def test_a_prompt_has_as_many_rows_as_its_message_has_tokens(parts):
    prompt = "user, a cat by picasso"

    text = encoded(parts, RULES, [prompt])

    with torch.no_grad():
        (rows,), _ = parts.pipeline.encode_prompt(
            prompt, do_classifier_free_guidance=False
        )
    spans = RULES.tokenized(parts, prompt)
    torch.testing.assert_close(text.tokens, rows[None])
    assert RULES.length(parts, prompt) == (len(spans), 512)
    assert len(spans) == text.tokens.shape[1]
    assert "".join(spoken(spans, prompt)) == prompt.replace(" ", "")


def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 600

    text = encoded(parts, RULES, [prompt])

    with torch.no_grad():
        (rows,), _ = parts.pipeline.encode_prompt(
            prompt, do_classifier_free_guidance=False
        )
    assert len(rows) == len(RULES.tokenized(parts, prompt)) == 512
    torch.testing.assert_close(text.tokens, rows[None])
