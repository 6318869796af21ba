"""AuraFlow computes as its stock pipeline does."""

import pytest

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, encoded
from unlearnlog.models.family_rules.aura_flow import N_T5

CASE = CASES["aura-flow"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


def test_the_paddings_rows_are_zeros(parts):
    tokens = encoded(parts, RULES, PROMPTS).tokens

    n, n_read = RULES.length(parts, PROMPTS[0])
    assert n < n_read == N_T5
    assert (tokens[0, :n] != 0).any(-1).all()
    assert (tokens[0, n:] == 0).all()
