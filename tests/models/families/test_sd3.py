"""Stable Diffusion 3 and 3.5 compute as their stock pipeline does."""

import pytest
import torch

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
from tests.tiny_families import SIDE, tiny_sd3, tiny_sd3_without_t5
from unlearnlog.models.family_rules.sd3 import N_T5

ROW, RULES = row_of("stable-diffusion-3")


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_sd3(), side=SIDE)


def test_only_entry_and_pooled_projection_hear_the_prompt_alone(parts):
    hearing = heard(parts, RULES)

    after_pooled = "transformer.time_text_embed.text_embedder.linear_2.weight"
    own = matched(ROW.entry, hearing) | matched(ROW.pooled, hearing)
    assert len(own) == 2
    assert prompt_only(hearing) == own | {after_pooled}


def test_beyond_the_first_block_text_has_heard_the_picture(parts):
    hearing = heard(parts, RULES)

    assert ROW.text_class == "joint"
    names = sorted(matched(ROW.attention, hearing))
    assert len(names) == 4
    assert "picture" not in hearing["transformer.transformer_blocks.0.attn.add_k_proj"]
    assert "picture" in hearing["transformer.transformer_blocks.1.attn.add_k_proj"]


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, RULES, guidance)

    latents = noise(parts, RULES)
    reference = stock(parts, latents, guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


def test_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, RULES, 5.0)

    assert apart(made, ours(parts, RULES, 1.0)) > 1
    assert apart(made, ours(parts, RULES, 5.0, PROMPTS[::-1])) > 1


def test_without_t5_our_painting_is_the_stock_pipelines():
    parts = PipelineParts(tiny_sd3_without_t5(), side=None)

    made = ours(parts, RULES, 5.0)

    reference = stock(parts, noise(parts, RULES), guidance_scale=5.0)
    assert apart(made, reference) <= 1


def test_a_dynamic_shift_follows_the_stock_pipeline():
    pipeline = tiny_sd3()
    config = {**pipeline.scheduler.config, "use_dynamic_shifting": True}
    pipeline.scheduler = type(pipeline.scheduler).from_config(config)
    parts = PipelineParts(pipeline, side=SIDE)

    made = ours(parts, RULES, 5.0)

    reference = stock(parts, noise(parts, RULES), guidance_scale=5.0)
    assert apart(made, reference) <= 1


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, RULES)


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    length = encoded(parts, RULES, [PROMPTS[0]]).tokens.shape[1]
    assert len(rows) == length
    clip, t5 = rows[:-N_T5], rows[-N_T5:]
    for some in (clip, t5):
        spoken = "".join(PROMPTS[0][slice(*span)] for span in some if span)
        assert spoken == PROMPTS[0].replace(" ", "")
    assert clip[0] is None
    assert t5[-1] is None


def test_the_length_is_counted_by_the_encoder_that_reads_most(parts):
    found = RULES.length(parts, "a cat")

    without = PipelineParts(tiny_sd3_without_t5(), side=SIDE)
    assert found == (3, N_T5)
    assert RULES.length(without, "a cat") == (4, 77)


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, RULES)

    colours = RULES.decoded(parts, parts.vae, latents)
    again = RULES.encoded(parts, parts.vae, colours)
    assert again.shape == latents.shape
    assert again.dtype == torch.float32
