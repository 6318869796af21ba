"""Qwen-Image computes as its stock pipeline does."""

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, encoded, noise
from unlearnlog.errors import UsageError
from unlearnlog.models.family_rules.flow_times import timed

CASE = CASES["qwen-image"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


def test_each_row_says_which_characters_it_stands_for(parts):
    text = encoded(parts, RULES, [PROMPTS[0]])
    rows = RULES.tokenized(parts, PROMPTS[0])

    spoken = [PROMPTS[0][slice(*span)] for span in rows if span]
    assert spoken == ["a", " cat", " by", " picasso"]
    assert rows[0] == (0, 1)
    assert rows[-1] is None
    assert len(rows) == text.tokens.shape[1]
    assert RULES.length(parts, PROMPTS[0])[0] == len(rows)


def test_a_prompt_in_a_batch_reads_no_padding(parts):
    texts = encoded(parts, RULES, [PROMPTS[0], "a dog by monet by picasso"])
    alone = encoded(parts, RULES, [PROMPTS[0]])
    x, t = noise(parts, RULES)[:1], torch.tensor(500.0)

    def velocity(text):
        with torch.no_grad():
            return RULES.predict(parts, parts.network, x, t, text=text, guidance=1.0)

    assert texts.mask is not None
    assert not texts.mask[0].all()
    torch.testing.assert_close(velocity(texts[[0]]), velocity(alone))


def test_no_prompt_is_the_makers_blank(parts):
    assert torch.equal(
        encoded(parts, RULES, [""]).tokens, encoded(parts, RULES, [" "]).tokens
    )


def test_one_step_is_refused_which_the_stock_scheduler_answers_with_nan():
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, shift_terminal=0.02
    )

    with pytest.raises(UsageError, match="cannot paint in 1 step"):
        timed(scheduler, 1, torch.device("cpu"), mu=0.5, is_even=True)
    made = timed(scheduler, 2, torch.device("cpu"), mu=0.5, is_even=True)

    assert torch.isfinite(made.sigmas).all()
