"""Z-Image computes as its stock pipeline does."""

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
    stock,
)
from tests.family_parts_p import spoken
from tests.tiny_families_p import tiny_p
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.family_rules.z_image import Z_IMAGE

SIDE = 16
ROW = next(row for row in FAMILIES if row.name == "z-image")
REFINER = r"transformer\.context_refiner\.\d+\..*\.weight"


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_p("z-image"), side=SIDE)


def test_only_entry_and_refiner_hear_the_prompt_alone(parts):
    hearing = heard(parts, Z_IMAGE)

    assert ROW.rules is Z_IMAGE
    entry = matched(ROW.entry, hearing)
    assert len(entry) == 1
    assert prompt_only(hearing) == entry | matched(REFINER, hearing)


def test_keys_and_values_are_shared_by_text_and_picture(parts):
    hearing = heard(parts, Z_IMAGE)

    names = sorted(matched(ROW.attention, hearing))
    assert len(names) == 4
    for name in names:
        assert hearing[name.removesuffix(".weight")] == {"picture", "time", "prompt"}


@pytest.mark.parametrize(
    "guidance", [pytest.param(1.0, marks=pytest.mark.slow), 0.0, 4.0]
)
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, Z_IMAGE, guidance)

    reference = stock(parts, noise(parts, Z_IMAGE), guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


@pytest.mark.slow
def test_a_scale_of_one_is_guidance(parts):
    made = ours(parts, Z_IMAGE, 1.0)

    unguided = ours(parts, Z_IMAGE, 0.0)
    assert apart(made, unguided) > 1


@pytest.mark.slow
def test_a_dynamic_shift_follows_the_stock_pipeline():
    pipeline = tiny_p("z-image")
    config = {**pipeline.scheduler.config, "use_dynamic_shifting": True}
    pipeline.scheduler = type(pipeline.scheduler).from_config(config)
    parts = PipelineParts(pipeline, side=SIDE)

    made = ours(parts, Z_IMAGE, 4.0)

    reference = stock(parts, noise(parts, Z_IMAGE), guidance_scale=4.0)
    assert apart(made, reference) <= 1


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, Z_IMAGE)


def test_a_prompt_has_as_many_rows_as_its_message_has_tokens(parts):
    prompt = "user, a cat by picasso"

    text = encoded(parts, Z_IMAGE, [prompt])

    with torch.no_grad():
        (rows,), _ = parts.pipeline.encode_prompt(
            prompt, do_classifier_free_guidance=False
        )
    spans = Z_IMAGE.tokenized(parts, prompt)
    torch.testing.assert_close(text.tokens, rows[None])
    assert Z_IMAGE.length(parts, prompt) == (len(spans), 512)
    assert len(spans) == text.tokens.shape[1]
    assert "".join(spoken(spans, prompt)) == prompt.replace(" ", "")


def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 600

    text = encoded(parts, Z_IMAGE, [prompt])

    with torch.no_grad():
        (rows,), _ = parts.pipeline.encode_prompt(
            prompt, do_classifier_free_guidance=False
        )
    assert len(rows) == len(Z_IMAGE.tokenized(parts, prompt)) == 512
    torch.testing.assert_close(text.tokens, rows[None])


def test_padding_to_a_longer_prompt_is_not_read(parts):
    alone = encoded(parts, Z_IMAGE, [PROMPTS[0]])
    beside = encoded(parts, Z_IMAGE, [PROMPTS[0], PROMPTS[0] + " a" * 40])[[0]]
    x = noise(parts, Z_IMAGE)[:1]
    t = torch.tensor(500.0)

    found = [
        Z_IMAGE.predict(parts, parts.network, x, t, text=text, guidance=0.0)
        for text in (alone, beside)
    ]

    assert beside.tokens.shape[1] > alone.tokens.shape[1]
    torch.testing.assert_close(found[0], found[1])


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, Z_IMAGE)

    colours = Z_IMAGE.decoded(parts, parts.vae, latents)
    again = Z_IMAGE.encoded(parts, parts.vae, colours)
    assert again.shape == latents.shape
