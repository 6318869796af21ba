"""Formats in which the change of a model can be written."""

from __future__ import annotations

from typing import Final

from unlearnlog.checkpoints.lora_keys import FORMATS, FORMATS_OF_TRANSFORMERS
from unlearnlog.errors import UsageError
from unlearnlog.models.family_rules.stock_pipelines import pipeline_class

TENSORS: Final = "tensors"
"""The changed tensors themselves, whole and exact, by full name."""


def formats_of(pipeline: str, *, is_unet: bool) -> tuple[str, ...]:
    """Return the formats for a model, the one that is used by default first.

    Args:
        pipeline: Class of its pipeline; one without a LoRA loader, such as PixArt's,
            takes whole tensors only.
        is_unet: Whether a UNet denoises.
    """
    if not hasattr(pipeline_class(pipeline), "load_lora_weights"):
        return (TENSORS,)
    return (*(FORMATS if is_unet else FORMATS_OF_TRANSFORMERS), TENSORS)


def check_format(wanted: str, pipeline: str, *, is_unet: bool) -> str:
    """Return the wanted format, or the default one where it is empty.

    Raises:
        UsageError: The model has no such format.
    """
    known = formats_of(pipeline, is_unet=is_unet)
    if wanted and wanted not in known:
        why = f"{pipeline} has no LoRA loader" if known == (TENSORS,) else ""
        raise UsageError(
            f"no format '{wanted}' for this model" + (f": {why}" if why else ""),
            fix=f"known for it: {', '.join(known)}",
        )
    return wanted or known[0]
