"""FLUX.1 dev and schnell compute as their stock pipeline does."""

import pytest
import torch

from tests.family_parts import (
    PROMPTS,
    PipelineParts,
    apart,
    check_noising,
    heard,
    matched,
    noise,
    ours,
    prompt_only,
    row_of,
    stock,
)
from tests.tiny_families import SIDE, tiny_flux, tiny_flux_schnell
from unlearnlog.models.family_rules.flux import N_T5
from unlearnlog.models.family_rules.packing import packed, unpacked

ROW, RULES = row_of("flux")


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_flux(), side=SIDE)


@pytest.fixture(scope="module")
def schnell():
    return PipelineParts(tiny_flux_schnell(), side=SIDE)


def test_only_entry_and_pooled_projection_hear_the_prompt_alone(parts):
    hearing = heard(parts, RULES)

    after_pooled = "transformer.time_text_embed.text_embedder.linear_2.weight"
    own = matched(ROW.entry, hearing) | matched(ROW.pooled, hearing)
    assert len(own) == 2
    assert prompt_only(hearing) == own | {after_pooled}


def test_beyond_the_first_block_text_has_heard_the_picture(parts):
    hearing = heard(parts, RULES)

    assert ROW.text_class == "joint"
    assert len(matched(ROW.attention, hearing)) == 4
    assert "picture" not in hearing["transformer.transformer_blocks.0.attn.add_k_proj"]
    assert "picture" in hearing["transformer.transformer_blocks.1.attn.add_k_proj"]


@pytest.mark.parametrize("guidance", [1.0, 3.5])
def test_our_painting_by_dev_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, RULES, guidance)

    reference = stock(parts, packed(noise(parts, RULES)), guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


def test_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, RULES, 30.0)

    assert apart(made, ours(parts, RULES, 1.0)) > 1
    assert apart(made, ours(parts, RULES, 30.0, PROMPTS[::-1])) > 1


@pytest.mark.parametrize("guidance", [0.0, 3.5])
def test_our_painting_by_schnell_is_the_stock_pipelines(schnell, guidance):
    made = ours(schnell, RULES, guidance)

    reference = stock(schnell, packed(noise(schnell, RULES)), guidance_scale=guidance)
    assert apart(made, reference) <= 1


def test_a_model_without_distillation_is_guided_as_by_true_cfg(schnell):
    pipeline = tiny_flux_schnell()
    pipeline.scheduler = tiny_flux().scheduler
    undistilled = PipelineParts(pipeline, side=SIDE)

    made = ours(undistilled, RULES, 4.0)

    latents = packed(noise(undistilled, RULES))
    reference = stock(
        undistilled, latents, true_cfg_scale=4.0, negative_prompt=["", ""]
    )
    assert apart(made, reference) <= 1
    assert not RULES.is_guided(schnell, 4.0)


@pytest.mark.parametrize("which", ["parts", "schnell"])
def test_noise_and_velocity_are_the_schedulers(which, request):
    check_noising(request.getfixturevalue(which), RULES)


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    spoken = "".join(PROMPTS[0][slice(*span)] for span in rows if span)
    assert len(rows) == N_T5
    assert spoken == PROMPTS[0].replace(" ", "")


def test_the_default_picture_is_the_stock_pipelines(parts):
    assert RULES.latent_shape(PipelineParts(parts.pipeline, side=None)) == (4, 128, 128)


def test_packed_latents_come_back():
    x = torch.randn(2, 4, 6, 8)

    tokens = packed(x)

    assert tokens.shape == (2, 12, 16)
    assert torch.equal(unpacked(tokens, 6, 8), x)
