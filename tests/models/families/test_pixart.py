"""PixArt-Alpha and PixArt-Sigma compute as their stock pipelines do."""

import pytest
import torch

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
from tests.tiny_families_p import save_p, tiny_p
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.family_rules.pixart import PIXART_ALPHA, PIXART_SIGMA
from unlearnlog.models.interface import Sampling

SIDE = 16
ROW = next(row for row in FAMILIES if row.name == "pixart-sigma")


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_p("pixart-sigma"), side=SIDE)


def test_entry_and_cross_attention_hear_the_prompt_alone(parts):
    hearing = heard(parts, PIXART_SIGMA)

    assert ROW.rules is PIXART_SIGMA
    own = matched(ROW.entry, hearing) | matched(ROW.attention, hearing)
    assert len(own) == 6
    assert prompt_only(hearing) == own


@pytest.mark.parametrize("guidance", [pytest.param(1.0, marks=pytest.mark.slow), 4.5])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, PIXART_SIGMA, guidance)

    latents = noise(parts, PIXART_SIGMA)
    reference = stock(
        parts, latents, guidance_scale=guidance, use_resolution_binning=False
    )
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


def test_the_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, PIXART_SIGMA, 4.5)

    unguided = ours(parts, PIXART_SIGMA, 1.0)
    assert apart(made, unguided) > 1


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 4.5])
def test_alpha_is_told_the_size_of_pictures(guidance):
    parts = PipelineParts(tiny_p("pixart-alpha"), side=None)

    made = ours(parts, PIXART_ALPHA, guidance)

    latents = noise(parts, PIXART_ALPHA)
    reference = stock(
        parts, latents, guidance_scale=guidance, use_resolution_binning=False
    )
    assert apart(made, reference) <= 1


@pytest.mark.slow
def test_alpha_of_other_sizes_is_not_told_them():
    pipeline = tiny_p("pixart-sigma")
    parts = PipelineParts(pipeline, side=SIDE)

    sigma = ours(parts, PIXART_SIGMA, 4.5)

    assert torch.equal(ours(parts, PIXART_ALPHA, 4.5), sigma)


def test_keys_and_values_read_the_projected_caption(parts):
    check_read(parts, PIXART_SIGMA, ROW.attention)


def test_noise_is_added_by_the_schedulers_own_schedule(parts):
    check_alphas(parts, PIXART_SIGMA)


def test_channels_of_a_learned_variance_are_dropped(parts):
    x = noise(parts, PIXART_SIGMA)
    text = encoded(parts, PIXART_SIGMA, PROMPTS)

    with torch.no_grad():
        eps = PIXART_SIGMA.predict(
            parts, parts.network, x, torch.tensor(500), text=text, guidance=1.0
        )

    assert parts.network.config.out_channels == 2 * x.shape[1]
    assert eps.shape == x.shape


def test_a_prompt_has_as_many_rows_as_tokens(parts):
    text = encoded(parts, PIXART_SIGMA, [PROMPTS[0]])

    rows = PIXART_SIGMA.tokenized(parts, PROMPTS[0])
    assert text.tokens.shape[1] == len(rows)
    assert text.mask is not None
    assert text.mask.all()
    assert PIXART_SIGMA.length(parts, PROMPTS[0]) == (len(rows), 300)
    assert PIXART_ALPHA.length(parts, PROMPTS[0]) == (len(rows), 120)


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 400

    text = encoded(parts, PIXART_SIGMA, [prompt])

    with torch.no_grad():
        rows = parts.pipeline.encode_prompt(prompt, False)[0]
    assert PIXART_SIGMA.length(parts, prompt) == (401, 300)
    assert len(PIXART_SIGMA.tokenized(parts, prompt)) == 300
    torch.testing.assert_close(text.tokens, rows)


def test_each_row_says_which_characters_it_stands_for(parts):
    prompt = "  A Photo of a cat, by Picasso "

    rows = PIXART_SIGMA.tokenized(parts, prompt)

    pieces = ["A", "Photo", "of", "a", "cat", ",", "by", "Picasso"]
    assert spoken(rows, prompt) == pieces
    assert rows[-1] is None


def test_a_scheduler_of_few_steps_says_that_a_model_is_distilled():
    few = {"scheduler": {"_class_name": "LCMScheduler"}}

    assert "LCMScheduler" in ROW.distilled(few)
    assert ROW.distilled({"scheduler": {"_class_name": "DDIMScheduler"}}) == ""


@pytest.mark.slow
def test_published_folders_name_a_class_that_diffusers_replaces(tmp_path):
    folder = save_p("pixart-sigma", tmp_path / "model")
    now = DiffusersModel.load(folder)
    for file in ("model_index.json", "transformer/config.json"):
        text = (folder / file).read_text()
        older = text.replace("PixArtTransformer2DModel", "Transformer2DModel")
        (folder / file).write_text(older)

    before = DiffusersModel.load(folder)

    sampling = Sampling(steps=1, guidance=1.0)
    made = [each.paint(PROMPTS, [1, 2], sampling=sampling) for each in (now, before)]
    assert torch.equal(made[0].pictures, made[1].pictures)


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, PIXART_SIGMA)

    colours = PIXART_SIGMA.decoded(parts, parts.vae, latents)
    again = PIXART_SIGMA.encoded(parts, parts.vae, colours)
    assert again.shape == latents.shape
