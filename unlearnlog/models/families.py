"""The model families: their pipelines, components and text projections."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from unlearnlog.errors import ModelError

_ATTENTION: Final = (
    r"unet\.(down_blocks\.\d|mid_block|up_blocks\.\d)\.attentions\.\d"
    r"\.transformer_blocks\.{block}\.attn2\.to_[kv]\.weight"
)
_TOKENIZER: Final = ("CLIPTokenizer", "CLIPTokenizerFast")
_STABLE_DIFFUSION: Final = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL",),
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": _TOKENIZER,
}


@dataclass(frozen=True)
class ModelFamily:
    """Models whose weights have the same names and meaning.

    Attributes:
        name: The family's name in a ledger, lower kebab-case.
        pipeline: The class in a folder's ``model_index.json``.
        pattern: Matches the full name of each text projection: the matrices that turn
            the text encoder's output into keys and values of the cross-attention.
        components: The allowed class names of each required component.
    """

    name: str
    pipeline: str
    pattern: str
    components: Mapping[str, tuple[str, ...]]

    def projections_of(self, names: Iterable[str]) -> list[str]:
        """Return the text projections among parameter names, sorted.

        Args:
            names: Full names with component prefix, ``unet.mid_block...``.

        Raises:
            ModelError: None of the names is a text projection of this family.
        """
        found = sorted(name for name in names if re.fullmatch(self.pattern, name))
        if not found:
            raise ModelError(
                f"no text projection of family '{self.name}' among the UNet's weights",
                fix="check that the model's UNet has cross-attention (attn2) layers",
            )
        return found


FAMILIES: Final[tuple[ModelFamily, ...]] = (
    ModelFamily(
        name="stable-diffusion",
        pipeline="StableDiffusionPipeline",
        pattern=_ATTENTION.replace("{block}", "0"),
        components=MappingProxyType(_STABLE_DIFFUSION),
    ),
    ModelFamily(
        name="stable-diffusion-xl",
        pipeline="StableDiffusionXLPipeline",
        pattern=_ATTENTION.replace("{block}", r"\d+"),
        components=MappingProxyType(
            _STABLE_DIFFUSION
            | {
                "text_encoder_2": ("CLIPTextModelWithProjection",),
                "tokenizer_2": _TOKENIZER,
            }
        ),
    ),
)


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
    known = ", ".join(family.pipeline for family in FAMILIES)
    raise ModelError(
        f"unsupported model family: '{pipeline}'",
        fix=f"use a model whose model_index.json names one of: {known}",
    )
