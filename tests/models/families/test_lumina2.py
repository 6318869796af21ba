"""Lumina 2 computes as its stock pipeline does."""

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
from unlearnlog.models.family_rules.lumina2 import LUMINA2

SIDE = 64
ROW = next(row for row in FAMILIES if row.name == "lumina-2")
REFINER = r"transformer\.context_refiner\.\d+\..*\.weight"


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_p("lumina-2"), side=SIDE)


def test_only_entry_and_refiner_hear_the_prompt_alone(parts):
    hearing = heard(parts, LUMINA2)

    assert ROW.rules is LUMINA2
    entry = matched(ROW.entry, hearing)
    assert len(entry) == 1
    assert prompt_only(hearing) == entry | matched(REFINER, hearing)


def test_keys_and_values_are_shared_by_text_and_picture(parts):
    hearing = heard(parts, LUMINA2)

    names = sorted(matched(ROW.attention, hearing))
    assert len(names) == 4
    for name in names:
        assert hearing[name.removesuffix(".weight")] == {"picture", "time", "prompt"}


@pytest.mark.parametrize("guidance", [pytest.param(1.0, marks=pytest.mark.slow), 4.0])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, LUMINA2, guidance)

    reference = stock(parts, noise(parts, LUMINA2), guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


@pytest.mark.slow
def test_guidance_changes_the_picture_but_not_the_norm(parts):
    made = ours(parts, LUMINA2, 4.0)
    some, other = noise(parts, LUMINA2)

    guided = LUMINA2.guided(some, other, 4.0)

    assert apart(made, ours(parts, LUMINA2, 1.0)) > 1
    torch.testing.assert_close(guided.norm(dim=-1), other.norm(dim=-1))


@pytest.mark.slow
def test_a_constant_shift_follows_the_stock_pipeline():
    pipeline = tiny_p("lumina-2")
    config = {**pipeline.scheduler.config, "use_dynamic_shifting": False}
    pipeline.scheduler = type(pipeline.scheduler).from_config(config)
    parts = PipelineParts(pipeline, side=SIDE)

    made = ours(parts, LUMINA2, 4.0)

    reference = stock(parts, noise(parts, LUMINA2), guidance_scale=4.0)
    assert apart(made, reference) <= 1


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, LUMINA2)


def test_a_prompt_follows_the_system_prompt(parts):
    text = encoded(parts, LUMINA2, [PROMPTS[0]])

    with torch.no_grad():
        rows, mask, *_ = parts.pipeline.encode_prompt(PROMPTS[0], False)
    spans = LUMINA2.tokenized(parts, PROMPTS[0])
    torch.testing.assert_close(text.tokens, rows[mask.bool()][None])
    assert LUMINA2.length(parts, PROMPTS[0]) == (len(spans), 256)
    assert len(spans) == text.tokens.shape[1]
    assert spoken(spans, PROMPTS[0]) == PROMPTS[0].split()


def test_the_empty_prompt_has_no_system_prompt(parts):
    text = encoded(parts, LUMINA2, [""])

    with torch.no_grad():
        _, _, rows, mask = parts.pipeline.encode_prompt("a cat")
    torch.testing.assert_close(text.tokens, rows[mask.bool()][None])
    assert LUMINA2.tokenized(parts, "") == [None]


def test_a_prompt_that_is_too_long_is_cut_as_the_stock_pipeline_cuts_it(parts):
    prompt = "cat " * 300

    text = encoded(parts, LUMINA2, [prompt])

    with torch.no_grad():
        rows = parts.pipeline.encode_prompt(prompt, False)[0]
    assert text.tokens.shape[1] == len(LUMINA2.tokenized(parts, prompt)) == 256
    torch.testing.assert_close(text.tokens, rows)


def test_padding_to_a_longer_prompt_is_not_read(parts):
    alone = encoded(parts, LUMINA2, [PROMPTS[0]])
    beside = encoded(parts, LUMINA2, [PROMPTS[0], PROMPTS[0] + " a" * 40])[[0]]
    x = noise(parts, LUMINA2)[:1]
    t = torch.tensor(500.0)

    found = [
        LUMINA2.predict(parts, parts.network, x, t, text=text, guidance=0.0)
        for text in (alone, beside)
    ]

    assert beside.tokens.shape[1] > alone.tokens.shape[1]
    torch.testing.assert_close(found[0], found[1])


def test_latents_of_a_decoded_picture_have_the_shape_of_the_noise(parts):
    latents = noise(parts, LUMINA2)

    colours = LUMINA2.decoded(parts, parts.vae, latents)
    again = LUMINA2.encoded(parts, parts.vae, colours)
    assert again.shape == latents.shape
