"""Chroma computes as its stock pipeline does."""

from dataclasses import replace

import pytest
import torch

from tests.family_cases import CASES
from tests.family_parts import PROMPTS, encoded, noise

CASE = CASES["chroma"]
RULES = CASE.rules


@pytest.fixture(scope="module")
def parts():
    return CASE.parts


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
