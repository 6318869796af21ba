"""HunyuanDiT computes as its stock pipeline does."""

import pytest
import torch
from diffusers import DDPMScheduler, HunyuanDiT2DModel

from tests.family_parts import (
    PROMPTS,
    PipelineParts,
    apart,
    encoded,
    heard,
    matched,
    noise,
    ours,
    prompt_only,
    stock,
)
from tests.family_parts_p import check_alphas, check_read, spoken
from tests.tiny_families_p import tiny_p
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.family_rules.hunyuan_dit import HUNYUAN_DIT

SIDE = 64
ROW = next(row for row in FAMILIES if row.name == "hunyuan-dit")


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_p("hunyuan-dit"), side=SIDE)


def painted_by_the_pipeline(parts, guidance):
    return stock(
        parts,
        noise(parts, HUNYUAN_DIT),
        guidance_scale=guidance,
        use_resolution_binning=False,
        generator=[torch.Generator(), torch.Generator()],
    )


def test_entry_pooled_and_cross_attention_hear_the_prompt_alone(parts):
    hearing = heard(parts, HUNYUAN_DIT)

    assert ROW.rules is HUNYUAN_DIT
    after_pooled = "transformer.time_extra_emb.extra_embedder.linear_2.weight"
    own = matched(ROW.entry, hearing) | matched(ROW.attention, hearing)
    own |= matched(ROW.pooled, hearing)
    assert len(own) == 7
    assert prompt_only(hearing) == own | {after_pooled}


@pytest.mark.parametrize("guidance", [pytest.param(1.0, marks=pytest.mark.slow), 5.0])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, HUNYUAN_DIT, guidance)

    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, painted_by_the_pipeline(parts, guidance)) <= 1


@pytest.mark.slow
def test_a_later_version_without_style_paints_by_its_own_scheduler():
    pipeline = tiny_p("hunyuan-dit")
    config = {
        **pipeline.transformer.config,
        "use_style_cond_and_image_meta_size": False,
    }
    pipeline.transformer = HunyuanDiT2DModel.from_config(config).eval()
    pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    parts = PipelineParts(pipeline, side=SIDE)

    made = ours(parts, HUNYUAN_DIT, 5.0)

    assert apart(made, painted_by_the_pipeline(parts, 5.0)) <= 1


@pytest.mark.slow
def test_the_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, HUNYUAN_DIT, 5.0)

    unguided = ours(parts, HUNYUAN_DIT, 1.0)
    assert apart(made, unguided) > 1


def test_keys_and_values_read_both_encoders_and_learned_padding(parts):
    check_read(parts, HUNYUAN_DIT, ROW.attention)


def test_noise_is_added_by_the_schedulers_own_schedule(parts):
    check_alphas(parts, HUNYUAN_DIT)


def test_channels_of_a_learned_variance_are_dropped(parts):
    x = noise(parts, HUNYUAN_DIT)
    text = encoded(parts, HUNYUAN_DIT, PROMPTS)

    with torch.no_grad():
        found = HUNYUAN_DIT.predict(
            parts, parts.network, x, torch.tensor(500), text=text, guidance=1.0
        )

    assert parts.network.out_channels == 2 * x.shape[1]
    assert found.shape == x.shape


def test_both_encoders_keep_their_padding_and_say_where_it_is(parts):
    text = encoded(parts, HUNYUAN_DIT, [PROMPTS[0]])

    n, most = HUNYUAN_DIT.length(parts, PROMPTS[0])
    assert text.more is not None
    assert text.more.mask is not None
    assert text.tokens.shape[1] == 77
    assert text.more.tokens.shape[1] == most == 256
    assert text.more.mask.sum() == n


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = HUNYUAN_DIT.tokenized(parts, PROMPTS[0])

    words = PROMPTS[0].split()
    assert len(rows) == 77 + 256
    assert spoken(rows[:77], PROMPTS[0]) == words
    assert spoken(rows[77:], PROMPTS[0]) == words
    assert rows[0] is None


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, HUNYUAN_DIT)

    colours = HUNYUAN_DIT.decoded(parts, parts.vae, latents)
    again = HUNYUAN_DIT.encoded(parts, parts.vae, colours)
    assert again.shape == latents.shape
