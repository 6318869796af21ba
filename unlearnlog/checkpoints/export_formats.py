"""Formats in which a model or its change can be written."""

from __future__ import annotations

from typing import Final

from unlearnlog.checkpoints.lora_writer import (
    FORMATS,
    FORMATS_OF_TRANSFORMERS,
    KOHYA_DIFFUSERS,
)
from unlearnlog.checkpoints.original_layout import has_original_layout
from unlearnlog.errors import UsageError
from unlearnlog.models.family_rules.stock_pipelines import pipeline_class
from unlearnlog.models.model_family import ModelFamily

TENSORS: Final = "tensors"
"""The changed tensors themselves, whole and exact, by full name."""

COMFYUI: Final = "comfyui"
"""The difference of each changed tensor, exact, as a patch that ComfyUI adds."""

CHECKPOINT: Final = "checkpoint"
"""The whole model in one file, with the names of the original code."""

_TWO_SPELLINGS: Final = "stable-diffusion-xl"
"""The family where kohya's files have other block names than diffusers."""


def formats_of(family: ModelFamily) -> tuple[str, ...]:
    """Return the formats for a model, the one that is used by default first.

    A pipeline without a LoRA loader, such as PixArt's, takes whole tensors only.

    Args:
        family: The model's family.
    """
    if not hasattr(pipeline_class(family.pipeline), "load_lora_weights"):
        return (TENSORS,)
    loras = FORMATS if family.network == "unet" else FORMATS_OF_TRANSFORMERS
    other = (KOHYA_DIFFUSERS,) if family.name == _TWO_SPELLINGS else ()
    whole = (COMFYUI, CHECKPOINT) if has_original_layout(family) else ()
    return (*loras, *other, *whole, TENSORS)


def check_format(wanted: str, family: ModelFamily) -> str:
    """Return the wanted format, or the default one where it is empty.

    Raises:
        UsageError: The model has no such format.
    """
    known = formats_of(family)
    if wanted and wanted not in known:
        why = f"{family.pipeline} has no LoRA loader" if known == (TENSORS,) else ""
        raise UsageError(
            f"no format '{wanted}' for this model" + (f": {why}" if why else ""),
            fix=f"known for it: {', '.join(known)}",
        )
    return wanted or known[0]
