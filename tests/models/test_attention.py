from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from unlearnlog.models.text_kv_cache import CachedTextAttention, TextKVCache

TEXTS = torch.linspace(-1, 1, 2 * 5 * 6).sin().view(2, 5, 6)
ROWS = torch.tensor([1, 0, 1])
POSITIONS = torch.linspace(-2, 2, 3 * 4 * 8).cos().view(3, 4, 8)


def layer(**settings: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Attention(
            query_dim=8, cross_attention_dim=6, heads=2, dim_head=4, **settings
        ).requires_grad_(requires_grad=False)


def remembered(attention):
    return TextKVCache.of({"there": attention}, TEXTS, ROWS, {})


@pytest.mark.parametrize(
    "settings",
    [{}, {"cross_attention_norm": "layer_norm"}, {"rescale_output_factor": 2.0}],
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_remembered_text_is_heard_as_text_that_was_handed_in(settings, one_by_one):
    attention = layer(**settings)
    plain = AttnProcessor2_0()(attention, POSITIONS, TEXTS[ROWS])
    remembering = CachedTextAttention()
    remembering.one_by_one = one_by_one

    heard = remembering(attention, POSITIONS, TEXTS[ROWS], memory=remembered(attention))

    torch.testing.assert_close(heard, plain)


@pytest.mark.parametrize("rows", [[0, 0, 1], [1, 1, 1], [0, 1, 1]])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_pictures_that_ask_one_text_together_hear_what_each_would(rows, one_by_one):
    attention, which = layer(), torch.tensor(rows)
    plain = AttnProcessor2_0()(attention, POSITIONS, TEXTS[which])
    remembering = CachedTextAttention()
    remembering.one_by_one = one_by_one
    memory = TextKVCache.of({"there": attention}, TEXTS, which, {})

    heard = remembering(attention, POSITIONS, TEXTS[which], memory=memory)

    torch.testing.assert_close(heard, plain)


def test_other_projections_are_heard_as_if_they_were_the_layer_s_own():
    attention, other = layer(), layer()
    weights = {
        f"{name}.weight": getattr(attention, name).weight.sin() * 3
        for name in ("to_k", "to_v")
    }
    for name in ("to_k", "to_v"):
        getattr(other, name).weight.copy_(weights[f"{name}.weight"])
    plain = AttnProcessor2_0()(other, POSITIONS, TEXTS[ROWS])

    memory = TextKVCache.of(
        {"there": attention},
        TEXTS,
        ROWS,
        {f"there.{name}": weight for name, weight in weights.items()},
    )
    heard = CachedTextAttention()(attention, POSITIONS, TEXTS[ROWS], memory=memory)

    torch.testing.assert_close(heard, plain)


def test_a_layer_that_is_not_in_the_memory_hears_what_is_handed_in():
    attention, other = layer(), layer()
    plain = AttnProcessor2_0()(other, POSITIONS, TEXTS[ROWS])

    heard = CachedTextAttention()(
        other, POSITIONS, TEXTS[ROWS], memory=remembered(attention)
    )

    torch.testing.assert_close(heard, plain)


def test_without_a_memory_attention_is_the_plain_one():
    attention = layer()
    plain = AttnProcessor2_0()(attention, POSITIONS, TEXTS[ROWS])

    heard = CachedTextAttention()(attention, POSITIONS, TEXTS[ROWS])

    torch.testing.assert_close(heard, plain)


@pytest.mark.parametrize(("alike", "n_rows"), [(True, 2), (False, 4)])
def test_pictures_that_guidance_asks_twice_attend_to_themselves_once(alike, n_rows):
    attention = layer()
    attention.to_k = torch.nn.Linear(8, 8)
    attention.to_v = torch.nn.Linear(8, 8)
    rows = []
    attention.to_q.register_forward_hook(lambda *call: rows.append(len(call[2])))
    given = POSITIONS[:2].repeat(2, 1, 1)
    if not alike:
        given[-1] += 1

    with torch.inference_mode():
        made = CachedTextAttention()(attention, given)
    assert rows == [n_rows]

    torch.testing.assert_close(made, AttnProcessor2_0()(attention, given))
