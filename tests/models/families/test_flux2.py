"""FLUX.2 klein and dev compute as their stock pipelines do."""

import pytest
from diffusers.pipelines.flux2.pipeline_flux2 import compute_empirical_mu

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, apart, encoded
from tests.tiny_families import tiny_klein_distilled
from unlearnlog.models.family_rules.flux2 import N_READ, empirical_mu

CASE = CASES["flux-2-klein"]
RULES = CASE.rules
DEV = CASES["flux-2"]


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


def test_each_row_says_which_characters_it_stands_for(parts):
    rows = RULES.tokenized(parts, PROMPTS[0])

    spoken = [PROMPTS[0][slice(*span)] for span in rows if span]
    assert spoken == ["a", " cat", " by", " picasso"]
    assert len(rows) == N_READ == encoded(parts, RULES, ["a"]).tokens.shape[1]
    assert rows[0] is None
    assert rows[-1] is None


@pytest.mark.slow
def test_a_distilled_klein_is_not_guided():
    parts = CASE.parts_of(tiny_klein_distilled())

    made = CASE.ours(4.0, parts)

    assert not RULES.is_guided(parts, 4.0)
    assert apart(made, CASE.stock(4.0, parts)) <= 1


@pytest.mark.parametrize(("n_tokens", "steps"), [(256, 4), (4096, 50), (5000, 28)])
def test_the_shift_is_the_stock_pipelines(n_tokens, steps):
    reference = compute_empirical_mu(n_tokens, steps)

    assert empirical_mu(n_tokens, steps) == pytest.approx(reference)


def test_dev_is_told_its_guidance():
    assert not DEV.rules.is_guided(DEV.parts, DEV.guidance)


def test_devs_rows_are_padded_on_the_left():
    rows = DEV.rules.tokenized(DEV.parts, PROMPTS[0])

    spoken = [PROMPTS[0][slice(*span)] for span in rows if span]
    assert "".join(spoken) == PROMPTS[0]
    assert len(rows) == N_READ
    assert rows[-2:] == [(8, len(PROMPTS[0])), None]
