"""FLUX.2 klein and dev compute as their stock pipelines do."""

import pytest
from diffusers.pipelines.flux2.pipeline_flux2 import compute_empirical_mu

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
from tests.tiny_families import SIDE, tiny_flux2_dev, tiny_klein, tiny_klein_distilled
from unlearnlog.models.family_rules.flux2 import (
    N_READ,
    empirical_mu,
)

ROW, RULES = row_of("flux-2-klein")
DEV_ROW, DEV = row_of("flux-2")
_KEYS = "transformer.transformer_blocks.{}.attn.add_k_proj"


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_klein(), side=SIDE)


def test_only_the_entry_hears_the_prompt_alone(parts):
    hearing = heard(parts, RULES)

    assert prompt_only(hearing) == matched(ROW.entry, hearing) != set()


@pytest.mark.slow
def test_beyond_the_first_block_text_has_heard_the_picture(parts):
    hearing = heard(parts, RULES)

    assert ROW.text_class == "joint"
    assert len(matched(ROW.attention, hearing)) == 4
    assert "picture" not in hearing[_KEYS.format(0)]
    assert "picture" in hearing[_KEYS.format(1)]


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, RULES, guidance)

    reference = stock(parts, noise(parts, RULES), guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


@pytest.mark.slow
def test_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, RULES, 5.0)

    assert apart(made, ours(parts, RULES, 1.0)) > 1
    assert apart(made, ours(parts, RULES, 5.0, PROMPTS[::-1])) > 1


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, RULES)


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    spoken = [PROMPTS[0][slice(*span)] for span in rows if span]
    assert spoken == ["a", " cat", " by", " picasso"]
    assert len(rows) == N_READ == encoded(parts, RULES, ["a"]).tokens.shape[1]
    assert rows[0] is None
    assert rows[-1] is None


@pytest.mark.slow
def test_a_distilled_klein_is_not_guided():
    parts = PipelineParts(tiny_klein_distilled(), side=SIDE)

    made = ours(parts, RULES, 4.0)

    reference = stock(parts, noise(parts, RULES), guidance_scale=4.0)
    assert not RULES.is_guided(parts, 4.0)
    assert apart(made, reference) <= 1


@pytest.mark.parametrize(("n_tokens", "steps"), [(256, 4), (4096, 50), (5000, 28)])
def test_the_shift_is_the_stock_pipelines(n_tokens, steps):
    reference = compute_empirical_mu(n_tokens, steps)

    assert empirical_mu(n_tokens, steps) == pytest.approx(reference)


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, RULES)

    colours = RULES.decoded(parts, parts.vae, latents)
    again = RULES.encoded(parts, parts.vae, colours)
    assert colours.shape == (2, 3, SIDE, SIDE)
    assert again.shape == latents.shape


@pytest.fixture(scope="module")
def dev():
    return PipelineParts(tiny_flux2_dev(), side=SIDE)


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_our_painting_by_dev_is_the_stock_pipelines(dev, guidance):
    made = ours(dev, DEV, guidance)

    reference = stock(dev, noise(dev, DEV), guidance_scale=guidance)
    assert apart(made, reference) <= 1


@pytest.mark.slow
def test_dev_is_told_its_guidance(dev):
    made = ours(dev, DEV, 30.0)

    assert not DEV.is_guided(dev, 30.0)
    assert apart(made, ours(dev, DEV, 1.0)) > 1
    assert apart(made, ours(dev, DEV, 30.0, PROMPTS[::-1])) > 1


def test_only_devs_entry_hears_the_prompt_alone(dev):
    hearing = heard(dev, DEV)

    assert prompt_only(hearing) == matched(DEV_ROW.entry, hearing) != set()


def test_devs_rows_are_padded_on_the_left(dev):
    rows = DEV.tokenized(dev, PROMPTS[0])

    spoken = [PROMPTS[0][slice(*span)] for span in rows if span]
    assert "".join(spoken) == PROMPTS[0]
    assert len(rows) == N_READ
    assert rows[-2:] == [(8, len(PROMPTS[0])), None]
