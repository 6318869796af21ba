from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from unlearnlog.model.attention import RememberingAttention, TextMemory

TEXTS = torch.linspace(-1, 1, 2 * 5 * 6).sin().view(2, 5, 6)
ROWS = torch.tensor([1, 0, 1])
POSITIONS = torch.linspace(-2, 2, 3 * 4 * 8).cos().view(3, 4, 8)


def layer(**settings: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Attention(
            query_dim=8, cross_attention_dim=6, heads=2, dim_head=4, **settings
        ).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    "settings",
    [{}, {"cross_attention_norm": "layer_norm"}, {"rescale_output_factor": 2.0}],
)
def test_remembered_text_is_heard_as_text_that_was_handed_in(settings):
    attention = layer(**settings)
    plain = AttnProcessor2_0()(attention, POSITIONS, TEXTS[ROWS])

    heard = RememberingAttention()(
        attention, POSITIONS, TEXTS[ROWS], memory=TextMemory(TEXTS, ROWS)
    )

    torch.testing.assert_close(heard, plain)


def test_keys_and_values_are_computed_once_a_layer():
    attention, other = layer(), layer()
    memory = TextMemory(TEXTS, ROWS)

    first = memory.of(attention)

    assert memory.of(attention) is first
    assert memory.of(other) is not first


def test_without_a_memory_attention_is_the_plain_one():
    attention = layer()
    plain = AttnProcessor2_0()(attention, POSITIONS, TEXTS[ROWS])

    heard = RememberingAttention()(attention, POSITIONS, TEXTS[ROWS])

    assert torch.equal(heard, plain)
