"""LoRA files in the formats of different tools, written.

Some loaders confuse alpha where tensors differ in rank, so files are written with one
rank, and alpha is the rank: the product of the factors is the change, scaled by one.

Source:
    The keys of kohya's files: github.com/kohya-ss/sd-scripts, ``networks/lora.py``. For
    SDXL it builds the UNet with the original block names, so its own files have those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names
from unlearnlog.checkpoints.lora_spellings import (
    TRANSFORMER,
    kohya_key,
    original_key,
)
from unlearnlog.models.overrides import OLD_PREFIX

if TYPE_CHECKING:
    from unlearnlog.core.low_rank import Factors

KOHYA: Final = "kohya"
KOHYA_DIFFUSERS: Final = "kohya-diffusers"
"""kohya's keys with diffusers' block names, where its own are the original ones."""

DIFFUSERS: Final = "diffusers"
ORIGINAL: Final = "original"

FORMATS: Final = (KOHYA, DIFFUSERS)
"""Formats of a UNet's LoRA, the one that most tools load first."""

FORMATS_OF_TRANSFORMERS: Final = (DIFFUSERS, ORIGINAL, KOHYA)
"""Formats of a transformer's LoRA, the one that most tools load first."""

_UNET: Final = "unet"
_SECOND: Final = "text_encoder_2."
_OF_TEXT: Final = {"text_encoder": "lora_te_", "text_encoder_2": "lora_te2_"}
_OF_FIRST: Final = "lora_te1_"
"""kohya's prefix of the first text encoder where there are two."""


def written(
    factors: Mapping[str, Factors], spelling: str, fusing: Fusing | None = None
) -> dict[str, torch.Tensor]:
    """Return the tensors of a LoRA file by key.

    Args:
        factors: Left and right by full parameter name, all of one rank.
        spelling: One of the formats of this module.
        fusing: Original modules of a transformer, and the sizes of the model's weights.

    Raises:
        ValueError: A name is no weight of a module.
    """
    fusing = fusing or Fusing()
    tensors = {}
    for component, modules in _modules(factors).items():
        is_joined = component == TRANSFORMER and spelling != DIFFUSERS
        modules = fusing.joined(modules) if is_joined else modules
        for module, pair in modules.items():
            shape = fusing.shapes.get(f"{component}.{module}.weight", ())
            left, right = _shaped(pair, shape)
            if spelling in (KOHYA, KOHYA_DIFFUSERS):
                key = _kohya_key(component, module, spelling, fusing)
                tensors[f"{key}.alpha"] = torch.tensor(float(right.shape[0]))
                tensors[f"{key}.lora_down.weight"] = right
                tensors[f"{key}.lora_up.weight"] = left
            else:
                own = f"{component}.{module}"
                key = original_key(module) if spelling == ORIGINAL else own
                tensors[f"{key}.lora_A.weight"] = right
                tensors[f"{key}.lora_B.weight"] = left
    return tensors


def is_in_original_blocks(names: Iterable[str]) -> bool:
    """Return whether kohya's files of a model have the original block names: SDXL's.

    Args:
        names: Full names of the model's tensors.
    """
    return any(name.startswith(f"{_UNET}.add_embedding.") for name in names)


def _kohya_key(component: str, module: str, spelling: str, fusing: Fusing) -> str:
    """Return the key of a module in kohya's files."""
    if component in _OF_TEXT:
        has_two = any(name.startswith(_SECOND) for name in fusing.shapes)
        is_first = has_two and component == "text_encoder"
        prefix = _OF_FIRST if is_first else _OF_TEXT[component]
        inner = OLD_PREFIX + module.removeprefix(OLD_PREFIX)
        return prefix + inner.replace(".", "_")
    is_unet = component == _UNET and spelling == KOHYA
    if is_unet and is_in_original_blocks(fusing.shapes):
        inside = (n for n in fusing.shapes if n.startswith(f"{_UNET}."))
        n_layers = layers_a_level(n.removeprefix(f"{_UNET}.") for n in inside)
        module = next(iter(original_names(module, n_layers)), module)
    return kohya_key(module)


def _shaped(pair: Factors, shape: Iterable[int]) -> Factors:
    """Return factors in the shape of a weight: those of a convolution are ones, too."""
    left, right = pair
    _, *inside = shape or (0, 0)
    if len(inside) > 1:
        right = right.reshape(len(right), *inside)
        left = left.reshape(*left.shape, *(1 for _ in inside[1:]))
    return left, right


def _modules(factors: Mapping[str, Factors]) -> dict[str, dict[str, Factors]]:
    """Return the factors by component and by the module's path inside of it."""
    found: dict[str, dict[str, Factors]] = {}
    for name, each in factors.items():
        component, _, inside = name.partition(".")
        module = inside.removesuffix(".weight")
        if name != f"{component}.{module}.weight":
            message = f"'{name}' is no weight of a module"
            raise ValueError(message)
        found.setdefault(component, {})[module] = each
    return found
