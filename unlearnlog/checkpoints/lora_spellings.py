"""Spellings of a LoRA's keys, by the tools that read them."""

from __future__ import annotations

from typing import Final

TRANSFORMER: Final = "transformer"
_BEFORE_OLD: Final = "diffusion_model."
"""Prefix of the original names of modules that contain dots."""


def original_key(module: str) -> str:
    """Return the key of an original module in files for ComfyUI and of ai-toolkit."""
    return f"{_BEFORE_OLD}{module}"


def kohya_key(module: str) -> str:
    """Return the key of a module of the denoising network in kohya's files."""
    return f"lora_unet_{module.replace('.', '_')}"
