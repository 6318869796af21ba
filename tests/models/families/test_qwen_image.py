"""Qwen-Image computes as its stock pipeline does."""

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from tests.family_parts import (
    PROMPTS,
    PipelineParts,
    apart,
    check_noising,
    encoded,
    heard,
    matched,
    noise,
    ours,
    prompt_only,
    row_of,
    stock,
)
from tests.tiny_families import SIDE, tiny_qwen_image
from unlearnlog.errors import UsageError
from unlearnlog.models.family_rules.flow_times import timed
from unlearnlog.models.family_rules.packing import packed

ROW, RULES = row_of("qwen-image")
_KEYS = "transformer.transformer_blocks.{}.attn.add_k_proj"


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_qwen_image(), side=SIDE)


def test_only_the_entry_hears_the_prompt_alone(parts):
    hearing = heard(parts, RULES)

    assert prompt_only(hearing) == matched(ROW.entry, hearing) != set()


def test_beyond_the_first_block_text_has_heard_the_picture(parts):
    hearing = heard(parts, RULES)

    assert ROW.text_class == "joint"
    assert len(matched(ROW.attention, hearing)) == 4
    assert "picture" not in hearing[_KEYS.format(0)]
    assert "picture" in hearing[_KEYS.format(1)]


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, RULES, guidance)

    latents = packed(noise(parts, RULES))
    reference = stock(
        parts, latents, true_cfg_scale=guidance, negative_prompt=[" ", " "]
    )
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


def test_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, RULES, 5.0)

    assert apart(made, ours(parts, RULES, 1.0)) > 1
    assert apart(made, ours(parts, RULES, 5.0, PROMPTS[::-1])) > 1


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, RULES)


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


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, RULES)

    colours = RULES.decoded(parts, parts.vae, latents)
    again = RULES.encoded(parts, parts.vae, colours)
    assert colours.shape == (2, 3, SIDE, SIDE)
    assert again.shape == latents.shape


def test_one_step_is_refused_which_the_stock_scheduler_answers_with_nan():
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, shift_terminal=0.02
    )

    with pytest.raises(UsageError, match="cannot paint in 1 step"):
        timed(scheduler, 1, torch.device("cpu"), mu=0.5, is_even=True)
    made = timed(scheduler, 2, torch.device("cpu"), mu=0.5, is_even=True)

    assert torch.isfinite(made.sigmas).all()
