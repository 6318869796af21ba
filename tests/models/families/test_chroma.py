"""Chroma computes as its stock pipeline does."""

from dataclasses import replace

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
from tests.tiny_families import SIDE, tiny_chroma
from unlearnlog.models.family_rules.chroma import N_T5
from unlearnlog.models.family_rules.packing import packed

ROW, RULES = row_of("chroma")


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_chroma(), side=SIDE)


def test_only_the_entry_hears_the_prompt_alone(parts):
    hearing = heard(parts, RULES)

    assert prompt_only(hearing) == matched(ROW.entry, hearing) != set()


def test_beyond_the_first_block_text_has_heard_the_picture(parts):
    hearing = heard(parts, RULES)

    assert ROW.text_class == "joint"
    assert len(matched(ROW.attention, hearing)) == 4
    assert "picture" not in hearing["transformer.transformer_blocks.0.attn.add_k_proj"]
    assert "picture" in hearing["transformer.transformer_blocks.1.attn.add_k_proj"]


@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_our_painting_is_the_stock_pipelines(parts, guidance):
    made = ours(parts, RULES, guidance)

    reference = stock(parts, packed(noise(parts, RULES)), guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


def test_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, RULES, 5.0)

    assert apart(made, ours(parts, RULES, 1.0)) > 1
    assert apart(made, ours(parts, RULES, 5.0, PROMPTS[::-1])) > 1


def test_the_padding_is_read_too_and_carries_the_prompt(parts):
    cat = encoded(parts, RULES, [PROMPTS[0]])
    dog = encoded(parts, RULES, [PROMPTS[1]])
    x, t = noise(parts, RULES)[:1], torch.tensor(500.0)
    other = cat.tokens.clone()
    other[:, -100:] = 0

    def velocity(text):
        return RULES.predict(parts, parts.network, x, t, text=text, guidance=1.0)

    assert not torch.allclose(cat.tokens[:, -100:], dog.tokens[:, -100:], atol=1e-3)
    assert not torch.allclose(velocity(cat), velocity(replace(cat, tokens=other)))


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, RULES)


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    spoken = "".join(PROMPTS[0][slice(*span)] for span in rows if span)
    assert len(rows) == N_T5
    assert spoken == PROMPTS[0].replace(" ", "")
