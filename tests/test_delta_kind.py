"""The kind of a delta, which follows from the names of what it changes."""

import pytest

from unlearnlog.core.delta_kind import delta_kind
from unlearnlog.models.families import FAMILIES

CROSS = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
ENTRY = "transformer.context_embedder.weight"
JOINT = "transformer.transformer_blocks.3.attn.add_k_proj.weight"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([CROSS], "cross-attention delta"),
        ([ENTRY], "entry delta"),
        ([JOINT], "joint-attention delta"),
        ([JOINT, ENTRY], "entry and joint-attention delta"),
        (["text_encoder.embeddings.weight"], "network delta"),
        (
            ["unet.conv_in.bias", "unet.mid_block.attn2.to_k.weight"],
            "network and cross-attention delta",
        ),
        ([], ""),
    ],
)
def test_a_delta_is_called_by_the_places_that_it_changes(names, kind):
    assert delta_kind(names) == kind


EXAMPLES = {
    "stable-diffusion": CROSS,
    "stable-diffusion-xl": CROSS,
    "hunyuan-dit": "transformer.blocks.3.attn2.to_k.weight",
    "qwen-image": "transformer.txt_in.weight",
    "z-image": "transformer.cap_embedder.1.weight",
    "lumina-2": "transformer.time_caption_embed.caption_embedder.1.weight",
    "aura-flow": "transformer.joint_transformer_blocks.1.attn.add_v_proj.weight",
    **dict.fromkeys(
        ("pixart-alpha", "pixart-sigma", "sana"),
        "transformer.transformer_blocks.1.attn2.to_k.weight",
    ),
    **dict.fromkeys(("stable-diffusion-3", "flux", "chroma"), JOINT),
    **dict.fromkeys(("flux-2", "flux-2-klein"), ENTRY),
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_it_is_the_place_in_every_family_s_own_row(family):
    name = EXAMPLES[family.name]

    assert family.projections_of([name]) == [name]
    assert delta_kind([name]) == f"{family.place_of(name)} delta"
