"""Every way that tools spell the factors of a text projection."""

from __future__ import annotations

import pytest
import torch

from unlearnlog.checkpoints import lora_keys as lora
from unlearnlog.errors import DeltaError

PATH = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
NAME = f"unet.{PATH}.to_k.weight"
FLAT = f"lora_unet_{PATH.replace('.', '_')}_to_k"
SHAPES = {NAME: torch.Size([4, 3]), NAME.replace("to_k", "to_v"): torch.Size([4, 3])}
LEFT, RIGHT = torch.arange(8.0).reshape(4, 2), torch.arange(6.0).reshape(2, 3)

SPELLINGS = [
    (f"unet.{PATH}.to_k.lora_A.weight", f"unet.{PATH}.to_k.lora_B.weight"),
    (f"{PATH}.to_k.lora_A.weight", f"{PATH}.to_k.lora_B.weight"),
    (
        f"base_model.model.{PATH}.to_k.lora_A.weight",
        f"base_model.model.{PATH}.to_k.lora_B.weight",
    ),
    (
        f"base_model.model.{PATH}.to_k.lora_A.default.weight",
        f"base_model.model.{PATH}.to_k.lora_B.default.weight",
    ),
    (f"unet.{PATH}.to_k.lora.down.weight", f"unet.{PATH}.to_k.lora.up.weight"),
    (f"{PATH}.to_k_lora.down.weight", f"{PATH}.to_k_lora.up.weight"),
    (
        f"unet.{PATH}.processor.to_k_lora.down.weight",
        f"unet.{PATH}.processor.to_k_lora.up.weight",
    ),
    (f"{FLAT}.lora_down.weight", f"{FLAT}.lora_up.weight"),
]


@pytest.mark.parametrize(("down", "up"), SPELLINGS, ids=lambda key: key[:30])
def test_a_spelling_is_read(down, up):
    found = lora.read({down: RIGHT, up: LEFT}, SHAPES)

    assert list(found) == [NAME]
    assert torch.equal(found[NAME][0] @ found[NAME][1], LEFT @ RIGHT)


@pytest.mark.parametrize("spelling", lora.FORMATS)
def test_what_is_written_is_read_again(spelling):
    tensors = lora.written({NAME: (LEFT, RIGHT)}, spelling)

    left, right = lora.read(tensors, SHAPES)[NAME]

    assert torch.equal(left, LEFT)
    assert torch.equal(right, RIGHT)


def test_kohya_is_told_that_alpha_is_the_rank():
    tensors = lora.written({NAME: (LEFT, RIGHT)}, "kohya")

    assert set(tensors) == {
        f"{FLAT}.alpha",
        f"{FLAT}.lora_down.weight",
        f"{FLAT}.lora_up.weight",
    }
    assert float(tensors[f"{FLAT}.alpha"]) == 2.0


def test_alpha_over_rank_scales_the_product():
    tensors = {
        f"{FLAT}.lora_down.weight": RIGHT,
        f"{FLAT}.lora_up.weight": LEFT,
        f"{FLAT}.alpha": torch.tensor(0.5),
    }

    left, right = lora.read(tensors, SHAPES)[NAME]

    assert torch.equal(left @ right, 0.25 * (LEFT @ RIGHT))


DOWN, UP = SPELLINGS[0]
ALPHA = f"unet.{PATH}.to_k.alpha"


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({DOWN: RIGHT}, "its column factor is missing"),
        ({UP: LEFT}, "its row factor is missing"),
        ({ALPHA: torch.tensor(1.0)}, "has no partner"),
        ({DOWN: RIGHT, UP: LEFT[:3]}, r"a change of \[4, 3\]"),
        ({DOWN: RIGHT, UP: LEFT[:, :1]}, r"is \[2, 3\] and its partner \[4, 1\]"),
        ({DOWN: RIGHT[:0], UP: LEFT[:, :0]}, r"is \[0, 3\]"),
        ({DOWN: RIGHT[..., None].tile(2), UP: LEFT}, r"is \[2, 3, 2\]"),
        ({DOWN: RIGHT / 0, UP: LEFT}, "not finite"),
        ({DOWN: RIGHT.long(), UP: LEFT}, "is torch.int64"),
        ({DOWN: RIGHT, UP: LEFT, ALPHA: torch.ones(2)}, r"is \[2\], not one number"),
        ({DOWN: RIGHT, UP: LEFT, SPELLINGS[1][0]: RIGHT}, "is the same factor as"),
        (
            {DOWN: RIGHT, UP: LEFT, "lora_te_text_model_x.alpha": torch.tensor(1.0)},
            "1 of 3 tensors are no factors .*'lora_te_text_model_x.alpha'",
        ),
        ({DOWN.replace("attn2", "attn1"): RIGHT}, "1 of 1 tensors are no factors"),
        ({"a": RIGHT, "b": RIGHT, "c": RIGHT, "d": LEFT}, "'a', 'b', 'c' and 1 more"),
    ],
)
def test_what_is_no_lora_of_the_text_projections_is_refused(tensors, said):
    with pytest.raises(DeltaError, match=said):
        lora.read(tensors, SHAPES)
