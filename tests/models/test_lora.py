"""Every way that tools spell the factors of a text projection."""

from __future__ import annotations

import pytest
import torch

from unlearnlog.checkpoints import lora_keys as lora
from unlearnlog.checkpoints import lora_writer
from unlearnlog.errors import DeltaError

PATH = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
NAME = f"unet.{PATH}.to_k.weight"
FLAT = f"lora_unet_{PATH.replace('.', '_')}_to_k"
ORIGINAL = "input_blocks.3.1.transformer_blocks.0.attn2.to_k"
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
    *(
        (f"{stem}.lora_{down}.weight", f"{stem}.lora_{up}.weight")
        for down, up in (("A", "B"), ("down", "up"))
        for stem in (
            f"lycoris_{PATH.replace('.', '_')}_to_k",
            ORIGINAL,
            f"diffusion_model.{ORIGINAL}",
            f"lora_unet_{ORIGINAL.replace('.', '_')}",
        )
    ),
    (f"{FLAT}_lora.down.weight", f"{FLAT}_lora.up.weight"),
    (f"{FLAT}.lora_A", f"{FLAT}.lora_B"),
]
"""Keys that ComfyUI, diffusers or both take."""


@pytest.mark.parametrize(("down", "up"), SPELLINGS, ids=lambda key: key[:30])
def test_a_spelling_is_read(down, up):
    found = lora.read({down: RIGHT, up: LEFT}, SHAPES)

    assert list(found) == [NAME]
    assert torch.equal(found[NAME][0] @ found[NAME][1], LEFT @ RIGHT)


LAYER = "encoder.layers.1.self_attn.q_proj"
OF_ENCODERS = {
    f"text_encoders.clip_l.transformer.text_model.{LAYER}": "text_encoder",
    f"text_encoders.clip_h.transformer.text_model.{LAYER}": "text_encoder",
    f"text_encoders.clip_g.transformer.text_model.{LAYER}": "text_encoder_2",
    f"text_encoder.text_model.{LAYER}": "text_encoder",
    f"lora_te1_text_model_{LAYER.replace('.', '_')}": "text_encoder",
    f"lora_te2_text_model_{LAYER.replace('.', '_')}": "text_encoder_2",
}


@pytest.mark.parametrize("stem", OF_ENCODERS)
def test_a_spelling_of_a_text_encoder_is_read(stem):
    names = [f"text_encoder{n}.text_model.{LAYER}.weight" for n in ("", "_2")]
    shapes = {name: torch.Size([4, 3]) for name in names}
    tensors = {f"{stem}.lora_A.weight": RIGHT, f"{stem}.lora_B.weight": LEFT}

    found = lora.read(tensors, shapes)

    assert list(found) == [f"{OF_ENCODERS[stem]}.text_model.{LAYER}.weight"]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.bfloat16], ids=str)
def test_an_alpha_may_be_a_whole_number(dtype):
    """diffusers' own conversion writes one that was refused: "is torch.int64"."""
    tensors = {
        f"{FLAT}.lora_down.weight": RIGHT,
        f"{FLAT}.lora_up.weight": LEFT,
        f"{FLAT}.alpha": torch.tensor(4, dtype=dtype),
    }

    left, right = lora.read(tensors, SHAPES)[NAME]

    assert torch.equal(left @ right, 2 * (LEFT @ RIGHT))


def test_learned_tokens_beside_a_lora_are_left_out():
    down, up = SPELLINGS[0]
    tokens = "bundle_emb.sks.string_to_param.*"

    found = lora.read({down: RIGHT, up: LEFT, tokens: torch.ones(2, 768)}, SHAPES)

    assert list(found) == [NAME]


FOREIGN = {
    "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": "a LoRA of FLUX",
    "transformer.single_transformer_blocks.3.attn.to_q.lora_A.weight": "a LoRA of FLUX",
    "lora_unet_joint_blocks_0_context_block_attn_qkv.lora_up.weight": (
        "a LoRA of Stable Diffusion 3"
    ),
    "transformer_blocks.0.attn.add_k_proj.lora_A.weight": (
        "a LoRA of Stable Diffusion 3"
    ),
    "transformer_blocks.0.img_mlp.net.2.lora_A.weight": "a LoRA of Qwen-Image",
    "lora_te2_text_model_encoder_layers_9_mlp_fc1.hada_w1_a": "a LoHa of SDXL",
    "lora_unet_mid_block_attentions_0_transformer_blocks_7_attn1_to_q.lora_up.weight": (
        "a LoRA of SDXL"
    ),
    "lora_te_text_model_encoder_layers_11_mlp_fc1.lokr_w1": (
        "a LoKr of Stable Diffusion"
    ),
    "emb_params": "a textual inversion",
    "clip_l": "a textual inversion",
    "control_model.input_blocks.0.0.weight": "a ControlNet",
    "decoder.up_blocks.0.resnets.0.conv1.weight": "a VAE",
    "first_stage_model.decoder.up.0.block.0.conv1.weight": "a VAE",
    "image_proj.proj.weight": "an IP-Adapter",
}


@pytest.mark.parametrize("key", FOREIGN)
def test_an_error_says_what_the_file_is(key):
    with pytest.raises(DeltaError, match=rf"(?m); this is {FOREIGN[key]}$"):
        lora.read({key: LEFT}, SHAPES)


@pytest.mark.parametrize("spelling", lora_writer.FORMATS)
def test_what_is_written_is_read_again(spelling):
    tensors = lora_writer.written({NAME: (LEFT, RIGHT)}, spelling)

    left, right = lora.read(tensors, SHAPES)[NAME]

    assert torch.equal(left, LEFT)
    assert torch.equal(right, RIGHT)


def test_kohya_is_told_that_alpha_is_the_rank():
    tensors = lora_writer.written({NAME: (LEFT, RIGHT)}, "kohya")

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
