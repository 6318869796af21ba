"""Stable Diffusion 3 and 3.5 compute as their stock pipeline does."""

import pytest

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, PipelineParts, apart, encoded
from tests.tiny_families import tiny_sd3_without_t5
from unlearnlog.models.family_rules.sd3 import N_T5

CASE = CASES["stable-diffusion-3"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


def test_without_t5_our_painting_is_the_stock_pipelines():
    parts = PipelineParts(tiny_sd3_without_t5(), side=None)

    assert apart(CASE.ours(5.0, parts), CASE.stock(5.0, parts)) <= 1


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

    without = CASE.parts_of(tiny_sd3_without_t5())
    assert found == (3, N_T5)
    assert RULES.length(without, "a cat") == (4, 77)
