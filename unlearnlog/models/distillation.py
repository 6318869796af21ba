"""Signs in a pipeline's configurations that its network is distilled.

A network that was distilled to the result of guidance, or to a few steps, predicts no
posterior mean, so no information can be computed from its predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Configs = Mapping[str, Mapping[str, Any]]
"""Configuration by component; the pipeline's settings under ``model_index.json``."""

SETTINGS: Final = "model_index.json"
_EMBEDDED: Final = "guidance is built into its {network} ({key})"
_FEW_STEPS: Final = "it is distilled to a few steps ({key})"
_LCM: Final = "LCMScheduler"


def never(_: Configs) -> str:
    """Return that a network is not distilled: an empty text."""
    return ""


def of_unet(configs: Configs) -> str:
    """Return why a UNet is no posterior mean; empty where it is."""
    key = "time_cond_proj_dim"
    told = configs["unet"].get(key) is not None
    return _EMBEDDED.format(network="UNet", key=key) if told else ""


def by_scheduler(configs: Configs) -> str:
    """Return why a model with a scheduler of few steps is no posterior mean, or ''."""
    if configs["scheduler"].get("_class_name") != _LCM:
        return ""
    return _FEW_STEPS.format(key=f"its scheduler is {_LCM}")


def of_flux(configs: Configs) -> str:
    """Return why a FLUX.1 is no posterior mean; empty where it is.

    FLUX.1 schnell takes no guidance, and its scheduler does not shift by size.
    """
    if configs["transformer"].get("guidance_embeds", False):
        return _EMBEDDED.format(network="transformer", key="guidance_embeds")
    key = "use_dynamic_shifting"
    if not configs["scheduler"].get(key, False):
        return _FEW_STEPS.format(key=f"its scheduler's {key} is false")
    return ""


def of_flux_2(configs: Configs) -> str:
    """Return why a FLUX.2 is no posterior mean; empty where it is."""
    if configs["transformer"].get("guidance_embeds", True):
        return _EMBEDDED.format(network="transformer", key="guidance_embeds")
    if configs[SETTINGS].get("is_distilled", False):
        return _FEW_STEPS.format(key="is_distilled")
    return ""


def of_z_image(configs: Configs) -> str:
    """Return why a Z-Image is no posterior mean; empty where it is.

    Z-Image-Turbo differs from Z-Image in the shift of its scheduler, 3 and not 6.
    """
    turbo = 3.0
    if configs["scheduler"].get("shift", turbo) == turbo:
        return _FEW_STEPS.format(key=f"its scheduler's shift is {turbo:g}")
    return ""
