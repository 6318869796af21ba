"""The table of model families: their pipelines, components and where text enters."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from unlearnlog.errors import ModelError
from unlearnlog.models import distillation
from unlearnlog.models.family_rules.aura_flow import AuraFlowRules
from unlearnlog.models.family_rules.chroma import ChromaRules
from unlearnlog.models.family_rules.flux import FluxRules
from unlearnlog.models.family_rules.flux2 import Flux2DevRules, Flux2KleinRules
from unlearnlog.models.family_rules.hunyuan_dit import HUNYUAN_DIT
from unlearnlog.models.family_rules.lumina2 import LUMINA2
from unlearnlog.models.family_rules.pixart import PIXART_ALPHA, PIXART_SIGMA
from unlearnlog.models.family_rules.qwen_image import QwenImageRules
from unlearnlog.models.family_rules.sana import SANA
from unlearnlog.models.family_rules.sd3 import StableDiffusion3Rules
from unlearnlog.models.family_rules.z_image import Z_IMAGE
from unlearnlog.models.model_family import Fit, ModelFamily

_UNET_ATTENTION: Final = (
    r"unet\.(down_blocks\.\d|mid_block|up_blocks\.\d)\.attentions\.\d"
    r"\.transformer_blocks\.{block}\.attn2\.to_[kv]\.weight"
)
_CROSS: Final = r"transformer\.transformer_blocks\.\d+\.attn2\.to_[kv]\.weight"
_ADDED: Final = r"transformer\.transformer_blocks\.\d+\.attn\.add_[kv]_proj\.weight"
_CONTEXT: Final = r"transformer\.context_embedder\.weight"
_CAPTION: Final = r"transformer\.caption_projection\.linear_[12]\.weight"
_POOLED: Final = r"transformer\.time_text_embed\.text_embedder\.linear_1\.weight"

_CLIP_WORDS: Final = ("CLIPTokenizer", "CLIPTokenizerFast")
_ANY_WORDS: Final = ("PreTrainedTokenizerFast", "TokenizersBackend")
_T5_WORDS: Final = ("T5Tokenizer", "T5TokenizerFast", *_ANY_WORDS)
_QWEN_WORDS: Final = ("Qwen2Tokenizer", "Qwen2TokenizerFast", *_ANY_WORDS)
_GEMMA_WORDS: Final = ("GemmaTokenizer", "GemmaTokenizerFast", *_ANY_WORDS)
_LLAMA_WORDS: Final = ("LlamaTokenizer", "LlamaTokenizerFast", *_T5_WORDS)
_BERT_WORDS: Final = ("BertTokenizer", "BertTokenizerFast", *_ANY_WORDS)
_CLIP: Final = ("CLIPTextModelWithProjection",)
_T5: Final = ("T5EncoderModel",)
_GEMMA: Final = ("Gemma2Model", "Gemma2ForCausalLM")
_KL: Final = ("AutoencoderKL",)

_STABLE_DIFFUSION: Final = {
    "unet": ("UNet2DConditionModel",),
    "vae": _KL,
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": _CLIP_WORDS,
}
_PIXART: Final = {
    "transformer": ("PixArtTransformer2DModel", "Transformer2DModel"),
    "vae": _KL,
    "text_encoder": _T5,
    "tokenizer": _T5_WORDS,
}
_LATENT: Final = Fit("in_channels", "vae", "latent_channels")
_PACKED: Final = Fit("in_channels", "vae", "latent_channels", times=4)
_T5_CAPTION: Final = Fit("caption_channels", "text_encoder", "d_model")

FAMILIES: Final[tuple[ModelFamily, ...]] = (
    ModelFamily(
        name="stable-diffusion",
        title="Stable Diffusion 1 and 2",
        pipeline="StableDiffusionPipeline",
        network="unet",
        attention=_UNET_ATTENTION.replace("{block}", "0"),
        components=MappingProxyType(_STABLE_DIFFUSION),
        causal={"text_encoder": True},
        predicts="noise",
        mark="model.diffusion_model.input_blocks.",
        distilled=distillation.of_unet,
    ),
    ModelFamily(
        name="stable-diffusion-xl",
        title="Stable Diffusion XL",
        pipeline="StableDiffusionXLPipeline",
        network="unet",
        attention=_UNET_ATTENTION.replace("{block}", r"\d+"),
        components=MappingProxyType(
            _STABLE_DIFFUSION
            | {
                "text_encoder_2": ("CLIPTextModelWithProjection",),
                "tokenizer_2": _CLIP_WORDS,
            }
        ),
        causal={"text_encoder": True, "text_encoder_2": True},
        predicts="noise",
        mark="conditioner.embedders.1.",
        distilled=distillation.of_unet,
    ),
    ModelFamily(
        name="pixart-alpha",
        title="PixArt-Alpha",
        pipeline="PixArtAlphaPipeline",
        attention=_CROSS,
        components=MappingProxyType(_PIXART),
        entry=_CAPTION,
        causal={"text_encoder": False},
        predicts="noise",
        fits=(_LATENT, _T5_CAPTION),
        distilled=distillation.by_scheduler,
        rules=PIXART_ALPHA,
    ),
    ModelFamily(
        name="pixart-sigma",
        title="PixArt-Sigma",
        pipeline="PixArtSigmaPipeline",
        attention=_CROSS,
        components=MappingProxyType(_PIXART),
        entry=_CAPTION,
        causal={"text_encoder": False},
        predicts="noise",
        fits=(_LATENT, _T5_CAPTION),
        distilled=distillation.by_scheduler,
        rules=PIXART_SIGMA,
    ),
    ModelFamily(
        name="sana",
        title="Sana",
        pipeline="SanaPipeline",
        attention=_CROSS,
        components=MappingProxyType(
            {
                "transformer": ("SanaTransformer2DModel",),
                "vae": ("AutoencoderDC",),
                "text_encoder": ("Gemma2Model",),
                "tokenizer": _GEMMA_WORDS,
            }
        ),
        entry=_CAPTION,
        causal={"text_encoder": True},
        fits=(
            _LATENT,
            Fit("caption_channels", "text_encoder", "hidden_size"),
        ),
        rules=SANA,
    ),
    ModelFamily(
        name="hunyuan-dit",
        title="HunyuanDiT",
        pipeline="HunyuanDiTPipeline",
        attention=r"transformer\.blocks\.\d+\.attn2\.to_[kv]\.weight",
        components=MappingProxyType(
            {
                "transformer": ("HunyuanDiT2DModel",),
                "vae": _KL,
                "text_encoder": ("BertModel",),
                "tokenizer": _BERT_WORDS,
                "text_encoder_2": _T5,
                "tokenizer_2": _T5_WORDS,
            }
        ),
        entry=r"transformer\.text_embedder\.linear_[12]\.weight",
        pooled=r"transformer\.time_extra_emb\.extra_embedder\.linear_1\.weight",
        causal={"text_encoder": False, "text_encoder_2": False},
        predicts="noise",
        fits=(
            _LATENT,
            Fit("cross_attention_dim", "text_encoder", "hidden_size"),
            Fit("cross_attention_dim_t5", "text_encoder_2", "d_model"),
        ),
        rules=HUNYUAN_DIT,
    ),
    ModelFamily(
        name="stable-diffusion-3",
        title="Stable Diffusion 3 and 3.5",
        pipeline="StableDiffusion3Pipeline",
        attention=_ADDED,
        components=MappingProxyType(
            {
                "transformer": ("SD3Transformer2DModel",),
                "vae": _KL,
                "text_encoder": _CLIP,
                "tokenizer": _CLIP_WORDS,
                "text_encoder_2": _CLIP,
                "tokenizer_2": _CLIP_WORDS,
            }
        ),
        optional=MappingProxyType({"text_encoder_3": _T5, "tokenizer_3": _T5_WORDS}),
        text_class="joint",
        entry=_CONTEXT,
        pooled=_POOLED,
        causal={"text_encoder": True, "text_encoder_2": True, "text_encoder_3": False},
        fits=(_LATENT, Fit("joint_attention_dim", "text_encoder_3", "d_model")),
        mark="joint_blocks.",
        rules=StableDiffusion3Rules(),
    ),
    ModelFamily(
        name="flux",
        title="FLUX.1",
        pipeline="FluxPipeline",
        attention=_ADDED,
        components=MappingProxyType(
            {
                "transformer": ("FluxTransformer2DModel",),
                "vae": _KL,
                "text_encoder": ("CLIPTextModel",),
                "tokenizer": _CLIP_WORDS,
                "text_encoder_2": _T5,
                "tokenizer_2": _T5_WORDS,
            }
        ),
        text_class="joint",
        entry=_CONTEXT,
        pooled=_POOLED,
        causal={"text_encoder": True, "text_encoder_2": False},
        fits=(
            _PACKED,
            Fit("joint_attention_dim", "text_encoder_2", "d_model"),
            Fit("pooled_projection_dim", "text_encoder", "hidden_size"),
        ),
        mark="double_blocks.0.img_attn.norm.key_norm.scale",
        distilled=distillation.of_flux,
        rules=FluxRules(),
    ),
    ModelFamily(
        name="flux-2",
        title="FLUX.2 dev",
        pipeline="Flux2Pipeline",
        attention=_ADDED,
        components=MappingProxyType(
            {
                "transformer": ("Flux2Transformer2DModel",),
                "vae": ("AutoencoderKLFlux2",),
                "text_encoder": ("Mistral3ForConditionalGeneration",),
                "tokenizer": ("PixtralProcessor", "LlamaTokenizerFast", *_ANY_WORDS),
            }
        ),
        text_class="joint",
        entry=_CONTEXT,
        causal={"text_encoder": True},
        fits=(_PACKED,),
        distilled=distillation.of_flux_2,
        rules=Flux2DevRules(),
    ),
    ModelFamily(
        name="flux-2-klein",
        title="FLUX.2 klein",
        pipeline="Flux2KleinPipeline",
        attention=_ADDED,
        components=MappingProxyType(
            {
                "transformer": ("Flux2Transformer2DModel",),
                "vae": ("AutoencoderKLFlux2",),
                "text_encoder": ("Qwen3ForCausalLM",),
                "tokenizer": _QWEN_WORDS,
            }
        ),
        text_class="joint",
        entry=_CONTEXT,
        causal={"text_encoder": True},
        fits=(
            _PACKED,
            Fit("joint_attention_dim", "text_encoder", "hidden_size", times=3),
        ),
        distilled=distillation.of_flux_2,
        rules=Flux2KleinRules(),
    ),
    ModelFamily(
        name="qwen-image",
        title="Qwen-Image",
        pipeline="QwenImagePipeline",
        attention=_ADDED,
        components=MappingProxyType(
            {
                "transformer": ("QwenImageTransformer2DModel",),
                "vae": ("AutoencoderKLQwenImage",),
                "text_encoder": ("Qwen2_5_VLForConditionalGeneration",),
                "tokenizer": _QWEN_WORDS,
            }
        ),
        text_class="joint",
        entry=r"transformer\.txt_in\.weight",
        causal={"text_encoder": True},
        fits=(Fit("in_channels", "vae", "z_dim", times=4),),
        rules=QwenImageRules(),
    ),
    ModelFamily(
        name="chroma",
        title="Chroma",
        pipeline="ChromaPipeline",
        attention=_ADDED,
        components=MappingProxyType(
            {
                "transformer": ("ChromaTransformer2DModel",),
                "vae": _KL,
                "text_encoder": _T5,
                "tokenizer": _T5_WORDS,
            }
        ),
        text_class="joint",
        entry=_CONTEXT,
        causal={"text_encoder": False},
        fits=(_PACKED, Fit("joint_attention_dim", "text_encoder", "d_model")),
        mark="distilled_guidance_layer.",
        rules=ChromaRules(),
    ),
    ModelFamily(
        name="aura-flow",
        title="AuraFlow",
        pipeline="AuraFlowPipeline",
        attention=_ADDED.replace("transformer_blocks", "joint_transformer_blocks"),
        components=MappingProxyType(
            {
                "transformer": ("AuraFlowTransformer2DModel",),
                "vae": _KL,
                "text_encoder": ("UMT5EncoderModel",),
                "tokenizer": _LLAMA_WORDS,
            }
        ),
        text_class="joint",
        entry=_CONTEXT,
        causal={"text_encoder": False},
        fits=(_LATENT, Fit("joint_attention_dim", "text_encoder", "d_model")),
        rules=AuraFlowRules(),
    ),
    ModelFamily(
        name="z-image",
        title="Z-Image",
        pipeline="ZImagePipeline",
        attention=r"transformer\.layers\.\d+\.attention\.to_[kv]\.weight",
        components=MappingProxyType(
            {
                "transformer": ("ZImageTransformer2DModel",),
                "vae": _KL,
                "text_encoder": ("Qwen3Model", "Qwen3ForCausalLM"),
                "tokenizer": _QWEN_WORDS,
            }
        ),
        text_class="single",
        entry=r"transformer\.cap_embedder\.1\.weight",
        causal={"text_encoder": True},
        sign=-1,
        time_runs_back=True,
        fits=(_LATENT, Fit("cap_feat_dim", "text_encoder", "hidden_size")),
        distilled=distillation.of_z_image,
        rules=Z_IMAGE,
    ),
    ModelFamily(
        name="lumina-2",
        title="Lumina 2",
        pipeline="Lumina2Pipeline",
        attention=r"transformer\.layers\.\d+\.attn\.to_[kv]\.weight",
        components=MappingProxyType(
            {
                "transformer": ("Lumina2Transformer2DModel",),
                "vae": _KL,
                "text_encoder": _GEMMA,
                "tokenizer": _GEMMA_WORDS,
            }
        ),
        text_class="single",
        entry=r"transformer\.time_caption_embed\.caption_embedder\.1\.weight",
        causal={"text_encoder": True},
        sign=-1,
        time_runs_back=True,
        fits=(_LATENT, Fit("cap_feat_dim", "text_encoder", "hidden_size")),
        rules=LUMINA2,
    ),
)

_OTHER_TASKS: Final = (
    *("Inpaint", "Img2Img", "ImageToImage", "Edit", "Kontext", "Fill", "Redux"),
    *("Control", "Upscale", "InstructPix2Pix", "Depth2Img", "Layered", "Omni"),
)
"""Words in the class names of pipelines that take a picture."""


def family_of(pipeline: str) -> ModelFamily:
    """Return the family of a pipeline class.

    Args:
        pipeline: The class in ``model_index.json``.

    Raises:
        ModelError: No family has such a pipeline.
    """
    for family in FAMILIES:
        if family.pipeline == pipeline:
            return family
    known = ", ".join(f"{family.title} ({family.pipeline})" for family in FAMILIES)
    if task := next((word for word in _OTHER_TASKS if word in pipeline), None):
        raise ModelError(
            f"a '{pipeline}' paints from a picture ({task}), and concepts are erased "
            "from models that paint from text alone",
            fix="give the text-to-image pipeline that it was made from; these work: "
            f"{known}",
        )
    raise ModelError(
        f"unsupported model family: '{pipeline}'",
        fix=f"use a model whose model_index.json names one of: {known}",
    )
