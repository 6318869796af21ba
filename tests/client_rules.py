"""How other tools find the module of a key, as facts of their source.

Each rule returns the path of a UNet's module in diffusers, or None where the tool skips
the key. Read on 2026-11-30: ComfyUI's ``comfy/lora.py``, A1111's
``extensions-builtin/Lora/networks.py`` and ``lora_convert``, sd-scripts'
``networks/merge_lora.py`` and ``networks/sdxl_merge_lora.py``, InvokeAI's
``lora_conversions/sdxl_lora_conversion_utils.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names

Rule = Callable[[str, Iterable[str]], str | None]


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _originals(modules: Iterable[str]) -> dict[str, str]:
    """Return the module by the flattened name of its counterpart in the original."""
    modules = list(modules)
    n = layers_a_level(modules)
    return {_flat(old): m for m in modules for old in original_names(m, n)}


def _by_diffusers_names(modules: Iterable[str]) -> dict[str, str]:
    return {_flat(module): module for module in modules}


def _stem(key: str) -> str:
    """Return a key of kohya's up to its first dot."""
    return key.partition(".")[0]


def comfyui(key: str, modules: Iterable[str]) -> str | None:
    """Both block names with kohya's prefix; a dotted original name; old processors."""
    modules = list(modules)
    known = {f"lora_unet_{flat}": m for flat, m in _originals(modules).items()}
    known |= {
        f"lora_unet_{flat}": m for flat, m in _by_diffusers_names(modules).items()
    }
    for module in modules:
        old = module.replace(".to_", ".processor.to_")
        known |= {old: module, f"unet.{old}": module}
    ends = (".lora_up.weight", ".lora_down.weight", ".alpha", ".diff", ".lora_A.weight")
    for end in (*ends, ".lora_B.weight"):
        if key.endswith(end):
            return known.get(key.removesuffix(end))
    return None


def a1111(key: str, modules: Iterable[str]) -> str | None:
    """Everything before the first dot, in either block names."""
    flat = _stem(key).removeprefix("lora_unet_")
    if not key.startswith("lora_unet_"):
        return None
    return {**_originals(modules), **_by_diffusers_names(modules)}.get(flat)


def sd_scripts(key: str, modules: Iterable[str]) -> str | None:
    """Diffusers' block names: its UNet of Stable Diffusion 1 and 2 has those."""
    if "lora_down" not in key and "lora_up" not in key and not key.endswith(".alpha"):
        return None
    flat = _stem(key).removeprefix("lora_unet_")
    return _by_diffusers_names(modules).get(flat)


def sd_scripts_xl(key: str, modules: Iterable[str]) -> str | None:
    """Original block names alone: its UNet of SDXL has those."""
    if "lora_down" not in key and "lora_up" not in key and not key.endswith(".alpha"):
        return None
    return _originals(modules).get(_stem(key).removeprefix("lora_unet_"))


RULES: Mapping[str, Rule] = {
    "ComfyUI": comfyui,
    "A1111": a1111,
    "sd-scripts": sd_scripts,
}
RULES_OF_XL: Mapping[str, Rule] = {**RULES, "sd-scripts": sd_scripts_xl}


def a1111_shows(metadata: Mapping[str, str]) -> str:
    """Return which models A1111 shows a LoRA beside, from its metadata."""
    if metadata.get("ss_base_model_version", "").startswith("sdxl_"):
        return "SDXL"
    if metadata.get("ss_v2", "") == "True":
        return "SD2"
    return "SD1" if metadata else "every"
