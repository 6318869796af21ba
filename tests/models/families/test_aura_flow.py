"""AuraFlow computes as its stock pipeline does."""

import pytest

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
from tests.tiny_families import SIDE, tiny_aura_flow
from unlearnlog.models.family_rules.aura_flow import N_T5

ROW, RULES = row_of("aura-flow")
_KEYS = "transformer.joint_transformer_blocks.{}.attn.add_k_proj"


@pytest.fixture(scope="module")
def parts():
    return PipelineParts(tiny_aura_flow(), side=SIDE)


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

    reference = stock(parts, noise(parts, RULES), guidance_scale=guidance)
    assert made.shape == (2, SIDE, SIDE, 3)
    assert apart(made, reference) <= 1


def test_prompt_and_guidance_change_the_picture(parts):
    made = ours(parts, RULES, 5.0)

    assert apart(made, ours(parts, RULES, 1.0)) > 1
    assert apart(made, ours(parts, RULES, 5.0, PROMPTS[::-1])) > 1


def test_the_paddings_rows_are_zeros(parts):
    tokens = encoded(parts, RULES, PROMPTS).tokens

    n, n_read = RULES.length(parts, PROMPTS[0])
    assert n < n_read == N_T5
    assert (tokens[0, :n] != 0).any(-1).all()
    assert (tokens[0, n:] == 0).all()


def test_noise_and_velocity_are_the_schedulers(parts):
    check_noising(parts, RULES)


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    spoken = "".join(PROMPTS[0][slice(*span)] for span in rows if span)
    assert len(rows) == N_T5
    assert spoken == PROMPTS[0].replace(" ", "")
