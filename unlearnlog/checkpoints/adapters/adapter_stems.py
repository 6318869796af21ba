"""Names that tools give to the modules of a model in the keys of adapters.

A key is the name of a module and an end, such as ``.lora_down.weight``. ComfyUI takes
every end with every name, and so does this table.

Source:
    ComfyUI, ``comfy/lora.py`` (``model_lora_keys_unet``, ``model_lora_keys_clip``);
    diffusers, ``loaders.lora_conversion_utils``; kohya's sd-scripts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names
from unlearnlog.checkpoints.lora_spellings import TRANSFORMER
from unlearnlog.models.original_modules import (
    Names,
    OriginalPlace,
    original_places,
)
from unlearnlog.models.overrides import OLD_PREFIX

_WEIGHT: Final = ".weight"
_PEFT: Final = "base_model.model."
_BEFORE_ORIGINAL: Final = ("", "diffusion_model.", "model.diffusion_model.")
_FLAT_BEFORE: Final[Mapping[str, tuple[str, ...]]] = {
    "unet": ("lora_unet_", "lycoris_"),
    "transformer": ("lora_unet_", "lycoris_", "lora_transformer_"),
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
    "text_encoder_3": ("lora_te3_",),
}
"""What stands before a name in which dots have become underscores."""

_COMFY_ENCODERS: Final[Mapping[str, tuple[str, ...]]] = {
    "text_encoder": ("clip_l", "clip_h"),
    "text_encoder_2": ("clip_g", "t5xxl"),
    "text_encoder_3": ("t5xxl",),
}
"""ComfyUI's words for text encoders."""


@dataclass(frozen=True)
class AdapterTarget:
    """The module that the name in a key stands for.

    Attributes:
        name: Full name of its weight, ``<component>.<path>.weight``.
        place: Where the name is that of an original module, the place of its rows.
    """

    name: str
    place: OriginalPlace | None = None


def targets(names: Iterable[str], table: Names) -> dict[str, list[AdapterTarget]]:
    """Return the modules of some weights by every name that keys may have for them.

    Args:
        names: Full names, ``unet.<path>.weight``; others than weights are skipped.
        table: Original names of the modules of a transformer.

    Returns:
        Several modules where they are fused in the original format.
    """
    weights = {name.removesuffix(_WEIGHT): name for name in names if _is_weight(name)}
    n_layers = layers_a_level(n.removeprefix("unet.") for n in weights)
    own = [n.partition(".")[2] for n in weights if n.startswith(f"{TRANSFORMER}.")]
    places = original_places(table, own)
    known: dict[str, list[AdapterTarget]] = {}
    for full, name in weights.items():
        component, _, module = full.partition(".")
        for stem in dict.fromkeys(_stems(component, module, n_layers)):
            known.setdefault(stem, []).append(AdapterTarget(name))
        if component == TRANSFORMER:
            for stem in _of_original(places[module]):
                target = AdapterTarget(name, places[module])
                known.setdefault(stem, []).append(target)
    return known


def _is_weight(name: str) -> bool:
    return name.endswith(_WEIGHT)


def _stems(component: str, module: str, n_layers: int) -> Iterator[str]:
    """Yield the names of a module of any component."""
    flat: tuple[str, ...] = (module,)
    if component == "unet":
        olds = original_names(module, n_layers)
        yield from _of_unet(module)
        yield from (f"{before}{old}" for before in _BEFORE_ORIGINAL for old in olds)
        flat = (module, *olds)
    elif component == TRANSFORMER:
        yield from _dotted(component, module)
        yield f"diffusion_model.{module}"
    else:
        short = module.removeprefix(OLD_PREFIX)
        flat = (short, OLD_PREFIX + short)
        yield from _of_text(component, flat)
    for before in _FLAT_BEFORE.get(component, ()):
        yield from (before + each.replace(".", "_") for each in flat)


def _dotted(component: str, module: str) -> Iterator[str]:
    """Yield the names of a module of the denoising network, with and without a path."""
    for before in ("", _PEFT):
        yield f"{before}{module}"
        yield f"{component}.{before}{module}"
    yield f"{_PEFT}{component}.{module}"


def _of_unet(module: str) -> Iterator[str]:
    """Yield the names of a module of the UNet, those of attention processors too."""
    layer, _, projection = module.removesuffix(".0").rpartition(".")
    yield from _dotted("unet", module)
    yield from _dotted("unet", f"{layer}.processor.{projection}")
    if module.endswith(".to_out.0"):
        yield from _dotted("unet", f"{layer}.{projection}")


def _of_text(component: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the names of a module of a text encoder."""
    for name in names:
        yield f"{component}.{name}"
        yield f"{component}.{_PEFT}{name}"
        for word in _COMFY_ENCODERS.get(component, ()):
            yield f"text_encoders.{word}.transformer.{name}"


def _of_original(place: OriginalPlace) -> Iterator[str]:
    """Yield the names of an original module that are not those of diffusers."""
    if place.parts == (place.module,):
        return
    yield from (f"{before}{place.module}" for before in _BEFORE_ORIGINAL)
    flat = place.module.replace(".", "_")
    yield from (f"{before}{flat}" for before in _FLAT_BEFORE[TRANSFORMER])
