"""Spellings of a LoRA's keys, by the tools that write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names
from unlearnlog.models.original_modules import (
    Names,
    OriginalPlace,
    original_places,
)
from unlearnlog.models.overrides import OLD_PREFIX

Part = Literal["down", "up", "alpha"]
"""The row factor, the column factor, and the number that scales their product."""

TRANSFORMER: Final = "transformer"
_BEFORE: Final = (
    "",
    "unet.",
    "base_model.model.",
    "unet.base_model.model.",
    "base_model.model.unet.",
)
_BEFORE_TRANSFORMER: Final = (
    "",
    "transformer.",
    "base_model.model.",
    "transformer.base_model.model.",
    "base_model.model.transformer.",
    "diffusion_model.",
)
_PEFT: Final[Mapping[str, Part]] = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".alpha": "alpha",
}
_KOHYA: Final[Mapping[str, Part]] = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
}
_OLD: Final[Mapping[str, Part]] = {".lora.down.weight": "down", ".lora.up.weight": "up"}
_OLDER: Final[Mapping[str, Part]] = {
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
}
_OF_TEXT: Final[Mapping[str, Part]] = {
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
}
_ENDS: Final = {**_PEFT, **_KOHYA}
_BEFORE_OLD: Final = "diffusion_model."
"""Prefix of the original names of modules that contain dots."""

_KOHYA_OF: Final = {
    "unet": ("lora_unet_",),
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
}
_TEXT_ENDS: Final = {**_PEFT, **_KOHYA, **_OLD, **_OLDER, **_OF_TEXT}


@dataclass(frozen=True)
class Slot:
    """The weight and the factor that a key stands for.

    Attributes:
        name: Full name of the weight, ``<component>.<path>.weight``.
        part: Which of its factors.
        fused: Where the key is that of an original module, the place of its rows.
    """

    name: str
    part: Part
    fused: OriginalPlace | None = None


def spellings(names: Iterable[str], table: Names) -> dict[str, list[Slot]]:
    """Return every possible key of the factors of some weights.

    Args:
        names: Full names, ``unet.<path>.weight``.
        table: Original names of the modules of a transformer.

    Returns:
        The weights and the part, by key; an original key may stand for several weights.
    """
    names = list(names)
    known: dict[str, list[Slot]] = {}
    n_layers = layers_a_level(n.removeprefix("unet.") for n in names)
    modules = {name.partition(".")[2].removesuffix(".weight"): name for name in names}
    own = {m: n for m, n in modules.items() if n.startswith(f"{TRANSFORMER}.")}
    for module, name in modules.items():
        component = name.partition(".")[0]
        keys = {} if module in own else _keys(component, module, n_layers)
        for key, part in keys.items():
            known.setdefault(key, []).append(Slot(name, part))
    places = original_places(table, own)
    for module, name in own.items():
        for key, part in _of_transformer(module).items():
            known.setdefault(key, []).append(Slot(name, part))
        for key, part in _of_original(places[module]).items():
            known.setdefault(key, []).append(Slot(name, part, places[module]))
    return known


def _keys(component: str, module: str, n_layers: int) -> dict[str, Part]:
    """Return the keys for the factors of a module of a UNet or a text encoder."""
    olds = original_names(module, n_layers)
    stems: tuple[str, ...] = (module, *olds)
    keys = _of_unet(module)
    keys |= {f"{_BEFORE_OLD}{o}{e}": p for o in olds for e, p in _ENDS.items()}
    if component != "unet":
        short = module.removeprefix(OLD_PREFIX)
        stems = (short, OLD_PREFIX + short)
        keys = _of_text(component, stems)
    for prefix in _KOHYA_OF.get(component, ()):
        flats = [prefix + stem.replace(".", "_") for stem in stems]
        keys |= {flat + e: part for flat in flats for e, part in _KOHYA.items()}
    return keys


def _of_transformer(module: str) -> dict[str, Part]:
    """Return the keys for the factors of a module of a transformer, as diffusers'."""
    ends = {**_PEFT, **_KOHYA, **_OLD}
    keys = {
        f"{before}{module}{end}": part
        for before in _BEFORE_TRANSFORMER
        for end, part in ends.items()
    }
    return keys | {kohya_key(module) + end: part for end, part in _KOHYA.items()}


def _of_original(place: OriginalPlace) -> dict[str, Part]:
    """Return the keys of an original module that are not those of diffusers."""
    if place.parts == (place.module,):
        return {}
    ends = {**_PEFT, **_KOHYA, **_OLD}
    keys = {f"{original_key(place.module)}{end}": part for end, part in ends.items()}
    return keys | {kohya_key(place.module) + end: p for end, p in _KOHYA.items()}


def original_key(module: str) -> str:
    """Return the key of an original module in files for ComfyUI and of ai-toolkit."""
    return f"{_BEFORE_OLD}{module}"


def kohya_key(module: str) -> str:
    """Return the key of a module of the denoising network in kohya's files."""
    return f"lora_unet_{module.replace('.', '_')}"


def _of_unet(module: str) -> dict[str, Part]:
    """Return the keys for the factors of a module of the UNet."""
    layer, _, projection = module.removesuffix(".0").rpartition(".")
    stems = (
        (module, {**_PEFT, **_KOHYA, **_OLD, **_OLDER}),
        (f"{layer}.{projection}", _OLDER),
        (f"{layer}.processor.{projection}", _OLDER),
    )
    return {
        f"{before}{stem}{end}": part
        for before in _BEFORE
        for stem, ends in stems
        for end, part in ends.items()
    }


def _of_text(component: str, stems: Iterable[str]) -> dict[str, Part]:
    """Return the keys for the factors of a module of a text encoder."""
    befores = (f"{component}.", f"{component}.base_model.model.")
    return {
        f"{before}{stem}{end}": part
        for before in befores
        for stem in stems
        for end, part in _TEXT_ENDS.items()
    }
