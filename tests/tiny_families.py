"""Tiny pipelines of the joint-attention families: random weights, offline, seeded.

They paint noise, but by the same code, files and names as real checkpoints. A picture
of `SIDE` pixels has latents of half of that.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from tests.tiny import N_POSITIONS, WORDS, tokenizer_of_bytes

SIDE: Final = 32
"""Side of a tiny picture in pixels."""

_WIDE: Final = 32
_HEADS: Final = 2


def saved(name: str, folder: Path) -> Path:
    """Write a family's tiny pipeline as diffusers writes it; return its folder.

    Args:
        name: The family's name in the table.
        folder: Where to.
    """
    TINY[name]().save_pretrained(folder)
    return folder


def seeded(build: Callable[[], Any]) -> Callable[[], Any]:
    """Return a builder that draws the same random weights at each call."""

    def built() -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            pipeline = build()
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return built


def t5_tokenizer(kind: Any = T5TokenizerFast) -> Any:
    """Know a few words whole and every letter."""
    marked = [f"▁{word}" for word in WORDS]
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("▁", -4.0), *((each, -2.0) for each in marked)]
    pieces += [(each, -6.0) for each in letters]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return kind(vocab=special + pieces, extra_ids=0)


def t5_config(tokenizer: Any, kind: Any = T5Config) -> Any:
    """Return the configuration of a tiny T5 encoder."""
    return kind(
        vocab_size=len(tokenizer),
        d_model=_WIDE,
        d_kv=_WIDE // _HEADS,
        d_ff=2 * _WIDE,
        num_layers=2,
        num_heads=_HEADS,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )


def clip_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    """Return the configuration of a tiny CLIP text encoder."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        projection_dim=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=_HEADS,
        max_position_embeddings=N_POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def kl_autoencoder(channels: int, **more: Any) -> AutoencoderKL:
    """Return an autoencoder with half of the picture's side and no quantising layers.

    Args:
        channels: Of its latents.
        more: What its configuration says besides.
    """
    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=channels,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **more,
    )


@seeded
def tiny_sd3() -> Any:
    """Build a Stable Diffusion 3.5 with all three text encoders."""
    clip, t5 = tokenizer_of_bytes(), t5_tokenizer()
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=SIDE // 2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=_WIDE // _HEADS,
            num_attention_heads=_HEADS,
            joint_attention_dim=_WIDE,
            caption_projection_dim=_WIDE,
            pooled_projection_dim=24,
            pos_embed_max_size=SIDE,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl_autoencoder(4, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(clip_config(clip, 8)),
        tokenizer=clip,
        text_encoder_2=CLIPTextModelWithProjection(clip_config(clip, 16)),
        tokenizer_2=clip,
        text_encoder_3=T5EncoderModel(t5_config(t5)),
        tokenizer_3=t5,
    )


@seeded
def tiny_sd3_without_t5() -> Any:
    """Build a Stable Diffusion 3.5 as it is used in little memory."""
    whole = tiny_sd3()
    parts = whole.components | {"text_encoder_3": None, "tokenizer_3": None}
    return StableDiffusion3Pipeline(**parts)


@seeded
def tiny_flux() -> Any:
    """Build a FLUX.1-dev, which is told its guidance."""
    return _flux(guidance_embeds=True, use_dynamic_shifting=True)


@seeded
def tiny_flux_schnell() -> Any:
    """Build a FLUX.1-schnell, which knows no guidance."""
    return _flux(guidance_embeds=False, use_dynamic_shifting=False)


def _flux(*, guidance_embeds: bool, use_dynamic_shifting: bool) -> Any:
    clip, t5 = tokenizer_of_bytes(), t5_tokenizer()
    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=1,
            attention_head_dim=_WIDE // _HEADS,
            num_attention_heads=_HEADS,
            joint_attention_dim=_WIDE,
            pooled_projection_dim=16,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=(4, 6, 6),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=use_dynamic_shifting,
            shift=3.0 if use_dynamic_shifting else 1.0,
        ),
        vae=kl_autoencoder(4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=CLIPTextModel(clip_config(clip, 16)),
        tokenizer=clip,
        text_encoder_2=T5EncoderModel(t5_config(t5)),
        tokenizer_2=t5,
    )


TINY: Final[dict[str, Callable[[], Any]]] = {
    "stable-diffusion-3": tiny_sd3,
    "flux": tiny_flux,
}
"""Builders by family; the first of each that has variants."""
