"""Tiny random pipelines of the families with cross-attention or a single stream."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    HunyuanDiT2DModel,
    HunyuanDiTPipeline,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

D_TEXT: Final = 32
"""Width of the text encoders."""

WORDS: Final = ("a", "of", "by", "photo", "painting", "cat", "dog", "picasso", "monet")

_LETTERS: Final = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'-:<>/|_()?"
)

_CHAT: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}"
)


def t5_tokenizer() -> T5Tokenizer:
    """Know a few words whole, and letters."""
    pieces: Any = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -1.0) for word in WORDS]
    pieces += [(letter, -4.0) for letter in _LETTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def _merges(words: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the merges that build words letter by letter, and what they build."""
    pairs: list[tuple[str, str]] = []
    for word in words:
        begun = word[0]
        for letter in word[1:]:
            if (begun, letter) not in pairs:
                pairs.append((begun, letter))
            begun += letter
    return pairs, ["".join(pair) for pair in pairs]


def gemma_tokenizer() -> GemmaTokenizer:
    """Know letters, and words with the space before them: of instructions, too."""
    call = inspect.signature(SanaPipeline.__call__).parameters
    told = " ".join(call["complex_human_instruction"].default).split()
    pairs, built = _merges(f"▁{word}" for word in (*WORDS, *told))
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", "\n"]
    pieces += [*_LETTERS, *built]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    merges: Any = pairs
    return GemmaTokenizer(
        vocab=vocabulary, merges=merges, add_bos_token=True, model_max_length=2048
    )


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Know every byte, a few words with the space before them, and a chat template."""
    pairs, built = _merges(f"Ġ{word}" for word in WORDS)
    pieces = [*sorted(ByteLevel.alphabet()), *built, "<|endoftext|>"]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    merges: Any = pairs
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges, model_max_length=2048)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}
    )
    tokenizer.chat_template = _CHAT
    return tokenizer


def bert_tokenizer() -> BertTokenizer:
    """Know a few words whole, and letters."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [*_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    return BertTokenizer(vocab=vocabulary, model_max_length=77)


def _t5(tokenizer: T5Tokenizer) -> Any:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=D_TEXT,
        d_kv=8,
        d_ff=2 * D_TEXT,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )
    return T5EncoderModel(config)


def _gemma(tokenizer: GemmaTokenizer) -> Any:
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=D_TEXT,
        intermediate_size=2 * D_TEXT,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        query_pre_attn_scalar=8,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Gemma2Model(config)


def _qwen(tokenizer: Qwen2Tokenizer) -> Any:
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=D_TEXT,
        intermediate_size=2 * D_TEXT,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3Model(config)


def _bert(tokenizer: BertTokenizer) -> Any:
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=D_TEXT,
        intermediate_size=2 * D_TEXT,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertModel(config)


def _vae(widths: tuple[int, ...], *, channels: int = 4, **more: Any) -> Any:
    """Build an autoencoder that shrinks by two for each width after the first."""
    return AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=2,
        latent_channels=channels,
        sample_size=32,
        **more,
    )


def _deep_vae() -> Any:
    return AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    )


def _pixart(side: int, patch: int, **more: Any) -> Any:
    return PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        cross_attention_dim=24,
        sample_size=side,
        patch_size=patch,
        caption_channels=D_TEXT,
        **more,
    )


def _noise_scheduler() -> Any:
    return DPMSolverMultistepScheduler(
        beta_start=0.0001, beta_end=0.02, beta_schedule="linear", steps_offset=1
    )


def tiny_pixart_sigma() -> Any:
    """Build a PixArt-Sigma of 8 x 8 latents and 16 x 16 pictures."""
    tokenizer = t5_tokenizer()
    return PixArtSigmaPipeline(
        tokenizer=tokenizer,
        text_encoder=_t5(tokenizer),
        vae=_vae((8, 8)),
        transformer=_pixart(8, 2),
        scheduler=_noise_scheduler(),
    )


def tiny_pixart_alpha() -> Any:
    """Build a PixArt-Alpha that is told the size of pictures: 128 x 128 latents."""
    tokenizer = t5_tokenizer()
    return PixArtAlphaPipeline(
        tokenizer=tokenizer,
        text_encoder=_t5(tokenizer),
        vae=_vae((4,), mid_block_add_attention=False),
        transformer=_pixart(128, 16),
        scheduler=_noise_scheduler(),
    )


def tiny_sana() -> Any:
    """Build a Sana of 16 x 16 latents and 32 x 32 pictures."""
    tokenizer = gemma_tokenizer()
    return SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=_gemma(tokenizer),
        vae=_deep_vae(),
        transformer=SanaTransformer2DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=12,
            num_layers=2,
            num_cross_attention_heads=2,
            cross_attention_head_dim=12,
            cross_attention_dim=24,
            caption_channels=D_TEXT,
            sample_size=16,
        ),
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )


def tiny_hunyuan_dit() -> Any:
    """Build a HunyuanDiT of 8 x 8 latents and 64 x 64 pictures."""
    tokenizer, second = bert_tokenizer(), t5_tokenizer()
    return HunyuanDiTPipeline(
        vae=_vae((4, 4, 4, 4)),
        text_encoder=_bert(tokenizer),
        tokenizer=tokenizer,
        transformer=HunyuanDiT2DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=4,
            patch_size=2,
            sample_size=8,
            hidden_size=32,
            num_layers=2,
            cross_attention_dim=D_TEXT,
            cross_attention_dim_t5=D_TEXT,
            pooled_projection_dim=16,
        ),
        scheduler=DPMSolverMultistepScheduler(
            beta_start=0.00085,
            beta_end=0.03,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=_t5(second),
        tokenizer_2=second,
    )


def tiny_z_image() -> Any:
    """Build a Z-Image of 8 x 8 latents and 16 x 16 pictures."""
    tokenizer = qwen_tokenizer()
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
        vae=_vae((8, 8), scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_qwen(tokenizer),
        tokenizer=tokenizer,
        transformer=_z_image_transformer(),
    )


def _z_image_transformer() -> Any:
    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=D_TEXT,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 64, 64],
    )
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        torch.nn.init.normal_(token)
    return transformer


def tiny_lumina2() -> Any:
    """Build a Lumina 2 of 8 x 8 latents and 64 x 64 pictures."""
    tokenizer = gemma_tokenizer()
    return Lumina2Pipeline(
        transformer=Lumina2Transformer2DModel(
            sample_size=8,
            in_channels=4,
            hidden_size=24,
            num_layers=2,
            num_refiner_layers=1,
            num_attention_heads=2,
            num_kv_heads=1,
            multiple_of=16,
            axes_dim_rope=(4, 4, 4),
            axes_lens=(300, 32, 32),
            cap_feat_dim=D_TEXT,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0, use_dynamic_shifting=True),
        vae=_vae((4, 4, 4, 4), scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_gemma(tokenizer),
        tokenizer=tokenizer,
    )


PIPELINES: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {
        "pixart-alpha": tiny_pixart_alpha,
        "pixart-sigma": tiny_pixart_sigma,
        "sana": tiny_sana,
        "hunyuan-dit": tiny_hunyuan_dit,
        "z-image": tiny_z_image,
        "lumina-2": tiny_lumina2,
    }
)


def tiny_p(name: str) -> Any:
    """Build the tiny pipeline of a family; the same call gives the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = PIPELINES[name]()
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_p(name: str, folder: Path) -> Path:
    """Write a family's tiny pipeline as a diffusers folder; give the folder."""
    tiny_p(name).save_pretrained(folder)
    return folder
