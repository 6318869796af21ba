"""HunyuanDiT computes as its stock pipeline does."""

import pytest
from diffusers import DDPMScheduler, HunyuanDiT2DModel

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, apart, encoded
from tests.family_parts_p import spoken
from tests.tiny_families_p import tiny_p

CASE = CASES["hunyuan-dit"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


@pytest.mark.slow
def test_a_later_version_without_style_paints_by_its_own_scheduler():
    pipeline = tiny_p("hunyuan-dit")
    config = {
        **pipeline.transformer.config,
        "use_style_cond_and_image_meta_size": False,
    }
    pipeline.transformer = HunyuanDiT2DModel.from_config(config).eval()
    pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    parts = CASE.parts_of(pipeline)

    assert apart(CASE.ours(5.0, parts), CASE.stock(5.0, parts)) <= 1


def test_both_encoders_keep_their_padding_and_say_where_it_is(parts):
    text = encoded(parts, RULES, [PROMPTS[0]])

    n, most = RULES.length(parts, PROMPTS[0])
    assert text.mask is not None
    assert text.more is not None
    assert text.more.mask is not None
    assert text.tokens.shape[1] == 77
    assert text.more.tokens.shape[1] == most == 256
    assert text.more.mask.sum() == n
    assert text.rows_read is not None
    assert text.rows_read.shape == (1, len(RULES.tokenized(parts, PROMPTS[0])))
    assert text.rows_read.sum() == text.mask.sum() + n


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    words = PROMPTS[0].split()
    assert len(rows) == 77 + 256
    assert spoken(rows[:77], PROMPTS[0]) == words
    assert spoken(rows[77:], PROMPTS[0]) == words
    assert rows[0] is None
