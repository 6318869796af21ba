"""Tiny pipelines of the joint-attention families: random weights, offline, seeded.

They paint noise, but by the same code, files and names as real checkpoints. A picture
of `SIDE` pixels has latents of half of that.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    ChromaPipeline,
    ChromaTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Pipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from diffusers.pipelines.flux2.system_messages import SYSTEM_MESSAGE
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.tiny import N_POSITIONS, WORDS, tokenizer_of_bytes

SIDE: Final = 32
"""Side of a tiny picture in pixels."""

_BEFORE: Final = (
    "system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:\nuser\n"
)
_CHAT: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
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
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Chroma's, of diffusers
            torch.manual_seed(0)
            pipeline = build()
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return built


def t5_tokenizer(kind: Any = T5Tokenizer) -> Any:
    """Know a few words whole and every letter."""
    marked = [f"▁{word}" for word in WORDS]
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("▁", -4.0), *((each, -2.0) for each in marked)]
    pieces += [(each, -6.0) for each in letters]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return kind(vocab=special + pieces, extra_ids=0)


def qwen_tokenizer(template: str) -> Qwen2Tokenizer:
    """Know every byte, and the words of a template and of the tests whole."""
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    vocabulary, merges = learnt_pieces(template, special)
    return Qwen2Tokenizer(
        vocab=vocabulary, merges=merges, additional_special_tokens=[*special]
    )


def mistral_tokenizer(template: str) -> Any:
    """Know the same for Mistral, which pads on the left."""
    special = ("<unk>", "<s>", "</s>", "<pad>", "[INST]", "[/INST]", "[IMG]")
    vocabulary, merges = learnt_pieces(template, special)
    backend = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=["[INST]", "[/INST]", "[IMG]"],
        padding_side="left",
        chat_template=(
            "{{ bos_token }}{% for message in messages %}"
            "{% if message.role == 'user' %}[INST]{{ message.content[0].text }}[/INST]"
            "{% else %}{{ message.content[0].text }}{% endif %}{% endfor %}"
        ),
    )


def learnt_pieces(template: str, special: tuple[str, ...]) -> tuple[Any, Any]:
    """Return numbers of byte pairs, special tokens last, and the merges."""
    learnt = Tokenizer(BPE())
    learnt.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=4000,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(ByteLevel.alphabet()),
    )
    learnt.train_from_iterator([template, " " + " ".join(WORDS)], trainer)
    found = json.loads(learnt.to_str())["model"]
    vocabulary = found["vocab"] | {
        name: len(found["vocab"]) + number for number, name in enumerate(special)
    }
    return vocabulary, [tuple(pair) for pair in found["merges"]]


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


@seeded
def tiny_chroma() -> Any:
    """Build a Chroma."""
    t5 = t5_tokenizer()
    return ChromaPipeline(
        transformer=ChromaTransformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=1,
            attention_head_dim=_WIDE // _HEADS,
            num_attention_heads=_HEADS,
            joint_attention_dim=_WIDE,
            axes_dims_rope=(4, 6, 6),
            approximator_num_channels=16,
            approximator_hidden_dim=16,
            approximator_layers=1,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl_autoencoder(4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=T5EncoderModel(t5_config(t5)),
        tokenizer=t5,
    )


def _let_words_show(blocks: Any) -> None:
    """Let a few words change a picture, among hundreds of equal rows of padding."""
    for block in blocks:
        block.attn.add_v_proj.weight.data *= 300


@seeded
def tiny_aura_flow() -> Any:
    """Build an AuraFlow."""
    t5 = t5_tokenizer()
    pipeline = AuraFlowPipeline(
        transformer=AuraFlowTransformer2DModel(
            sample_size=SIDE // 2,
            num_mmdit_layers=2,
            num_single_dit_layers=1,
            attention_head_dim=_WIDE // _HEADS,
            num_attention_heads=_HEADS,
            joint_attention_dim=_WIDE,
            caption_projection_dim=_WIDE,
            pos_embed_max_size=SIDE**2 // 16,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.73),
        vae=kl_autoencoder(4, scaling_factor=0.13025),
        text_encoder=UMT5EncoderModel(t5_config(t5, UMT5Config)),
        tokenizer=t5,
    )
    _let_words_show(pipeline.transformer.joint_transformer_blocks)
    pipeline.transformer.proj_out.weight.data *= 40
    return pipeline


@seeded
def tiny_qwen_image() -> Any:
    """Build a Qwen-Image."""
    tokenizer = qwen_tokenizer(_BEFORE + "assistant")
    return QwenImagePipeline(
        transformer=QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=_WIDE // _HEADS,
            num_attention_heads=_HEADS,
            joint_attention_dim=_WIDE,
            axes_dims_rope=(4, 6, 6),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=0.9,
            max_image_seq_len=8192,
            shift_terminal=0.02,
        ),
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 1],
            num_res_blocks=1,
            temperal_downsample=[False],
            latents_mean=[-0.7, 0.5, 0.1, -0.2],
            latents_std=[2.8, 1.5, 2.3, 1.2],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(_qwen_vl_config(tokenizer)),
        tokenizer=tokenizer,
    )


def _qwen_vl_config(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLConfig:
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": _WIDE,
            "intermediate_size": 2 * _WIDE,
            "num_hidden_layers": 2,
            "num_attention_heads": _HEADS,
            "num_key_value_heads": 1,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [2, 3, 3],
            },
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": _WIDE,
            "fullatt_block_indexes": [0],
        },
    )


@seeded
def tiny_flux2_dev() -> Any:
    """Build a FLUX.2-dev, which is told its guidance."""
    tokenizer = mistral_tokenizer(SYSTEM_MESSAGE)
    return Flux2Pipeline(
        transformer=_flux2_transformer(guidance_embeds=True),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=_flux2_autoencoder(),
        text_encoder=Mistral3ForConditionalGeneration(_mistral3_config(tokenizer)),
        tokenizer=tokenizer,
    )


def _mistral3_config(tokenizer: Any) -> Mistral3Config:
    return Mistral3Config(
        text_config={
            "model_type": "mistral",
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 31,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 8,
        },
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "head_dim": 8,
            "image_size": 32,
            "patch_size": 16,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
    )


@seeded
def tiny_klein() -> Any:
    """Build a FLUX.2 klein that is not distilled."""
    return _klein(is_distilled=False)


@seeded
def tiny_klein_distilled() -> Any:
    """Build a FLUX.2 klein that is distilled to a few steps."""
    return _klein(is_distilled=True)


def _klein(*, is_distilled: bool) -> Any:
    tokenizer = qwen_tokenizer("user assistant <think> </think>")
    tokenizer.chat_template = _CHAT
    return Flux2KleinPipeline(
        transformer=_flux2_transformer(guidance_embeds=False),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=_flux2_autoencoder(),
        text_encoder=Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=28,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
                tie_word_embeddings=True,
                bos_token_id=None,
                eos_token_id=tokenizer.eos_token_id,
            )
        ),
        tokenizer=tokenizer,
        is_distilled=is_distilled,
    )


def _flux2_transformer(*, guidance_embeds: bool) -> Flux2Transformer2DModel:
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=_HEADS,
        joint_attention_dim=48,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance_embeds,
    )
    _let_words_show(transformer.transformer_blocks)
    return transformer


def _flux2_autoencoder() -> AutoencoderKLFlux2:
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    )
    vae.bn.running_mean.uniform_(-1, 1)
    vae.bn.running_var.uniform_(1, 4)
    return vae


TINY: Final[dict[str, Callable[[], Any]]] = {
    "stable-diffusion-3": tiny_sd3,
    "flux": tiny_flux,
    "chroma": tiny_chroma,
    "aura-flow": tiny_aura_flow,
    "qwen-image": tiny_qwen_image,
    "flux-2": tiny_flux2_dev,
    "flux-2-klein": tiny_klein,
}
"""Builders by family; the first of each that has variants."""
