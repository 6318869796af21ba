"""Keys of LoRA files in the formats of different tools, to read and to write.

Some loaders confuse alpha where tensors differ in rank, so files are written with one
rank, and alpha is the rank: the product of the factors is the change, scaled by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import torch

from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names
from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import checked, shown
from unlearnlog.models.overrides import OLD_PREFIX

if TYPE_CHECKING:
    from unlearnlog.core.low_rank import Factors

Part = Literal["down", "up", "alpha"]
"""The row factor, the column factor, and the number that scales their product."""

FORMATS: Final = ("diffusers", "kohya")
"""Formats that can be written; these and older ones can be read."""

NAMED: Final = 3
"""Number of keys that an error lists."""

_PROJECTIONS: Final = (".attn2.to_k.weight", ".attn2.to_v.weight")
_BEFORE: Final = (
    "",
    "unet.",
    "base_model.model.",
    "unet.base_model.model.",
    "base_model.model.unet.",
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
_ADAPTER: Final = re.compile(r"\.lora_([AB])\.[^.]+\.weight$")
"""A key of peft with the name of an adapter."""

_ENDS: Final = {**_PEFT, **_KOHYA}
_BEFORE_OLD: Final = "diffusion_model."
"""Prefix of the original names of modules that contain dots."""

_KOHYA_OF: Final = {
    "unet": ("lora_unet_",),
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
}
_TEXT_ENDS: Final = {**_PEFT, **_KOHYA, **_OLD, **_OLDER, **_OF_TEXT}


@dataclass
class _Pair:
    """The parts of one low-rank change, each with its key."""

    keys: dict[Part, str] = field(default_factory=dict)
    tensors: dict[Part, torch.Tensor] = field(default_factory=dict)


def written(factors: Mapping[str, Factors], spelling: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a LoRA file by key.

    Args:
        factors: Left and right by full parameter name, all of one rank.
        spelling: One of `FORMATS`.
    """
    tensors = {}
    for name, (left, right) in factors.items():
        module = _module(name)
        if spelling == "kohya":
            key = f"lora_unet_{module.replace('.', '_')}"
            tensors[f"{key}.alpha"] = torch.tensor(float(right.shape[0]))
            tensors[f"{key}.lora_down.weight"] = right
            tensors[f"{key}.lora_up.weight"] = left
        else:
            tensors[f"unet.{module}.lora_A.weight"] = right
            tensors[f"unet.{module}.lora_B.weight"] = left
    return tensors


def spellings(names: Iterable[str]) -> dict[str, tuple[str, Part]]:
    """Return every possible key of the factors of some weights.

    Args:
        names: Full names, ``unet.<path>.weight``.

    Returns:
        The name and the part, by key.
    """
    known: dict[str, tuple[str, Part]] = {}
    names = list(names)
    n_layers = layers_a_level(n.removeprefix("unet.") for n in names)
    for name in names:
        component, _, module = name.removesuffix(".weight").partition(".")
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
        known |= {key: (name, part) for key, part in keys.items()}
    return known


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


def _as_it_is(name: str, rank: int) -> float:  # noqa: ARG001 - of any weight
    """Return the scale of a product without alpha."""
    return 1.0


def read(
    tensors: Mapping[str, torch.Tensor],
    shapes: Mapping[str, torch.Size],
    *,
    scale: Callable[[str, int], float] = _as_it_is,
) -> dict[str, Factors]:
    """Return the factors of a file, with alpha over rank multiplied into the left one.

    Args:
        tensors: All tensors of the file, by key.
        shapes: Shape of each weight that may have factors, by full name; the input
            dimensions of a convolution count as one.
        scale: Returns the scale of a weight's product, by full name and rank, where the
            file has no alpha.

    Raises:
        DeltaError: A key belongs to none of these weights, a factor is missing or has
            another shape, or a number is not valid.
    """
    tensors = _unnamed(tensors)
    known = spellings(shapes)
    if unknown := [key for key in tensors if key not in known]:
        raise DeltaError(
            f"{len(unknown)} of {len(tensors)} tensors are no factors of this model's "
            f"{_called(shapes)}: {listed(unknown)}",
            fix=f"give a LoRA of the {_called(shapes)} of this model only",
        )
    pairs: dict[str, _Pair] = {}
    for key, tensor in tensors.items():
        name, part = known[key]
        pair = pairs.setdefault(name, _Pair())
        if part in pair.keys:
            raise _wrong(key, f"is the same factor as {shown(pair.keys[part])}")
        pair.keys[part], pair.tensors[part] = key, checked(key, tensor)
    return {
        name: _folded(pairs[name], shapes[name], partial(scale, name))
        for name in sorted(pairs)
    }


def _unnamed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors without the adapter's name in the keys.

    Raises:
        DeltaError: There are adapters of two names.
    """
    named: dict[str, str] = {}
    for key in tensors:
        if match := _ADAPTER.search(key):
            named.setdefault(match[0].split(".")[2], key)
    if len(named) > 1:
        first, second, *_ = named.values()
        raise DeltaError(
            f"the file holds more than one adapter: {shown(first)} and {shown(second)}",
            fix="save each adapter by itself, and give one of them",
        )
    return {_ADAPTER.sub(r".lora_\1.weight", k): t for k, t in tensors.items()}


def _called(shapes: Iterable[str]) -> str:
    """Return the word for these weights in messages."""
    if all(name.endswith(_PROJECTIONS) for name in shapes):
        return "text projections"
    return "layers"


def listed(keys: Iterable[str]) -> str:
    """Return the first few keys as a list in words."""
    keys = sorted(keys)
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(shown, keys[:NAMED])) + more


def _folded(pair: _Pair, shape: torch.Size, scale: Callable[[int], float]) -> Factors:
    """Return a pair's factors, checked and scaled, float32."""
    present = next(iter(pair.keys.values()))
    if missing := {"down", "up"} - pair.keys.keys():
        what = "row" if "down" in missing else "column"
        raise _wrong(present, f"has no partner: its {what} factor is missing")
    left, right = (pair.tensors[part].double() for part in ("up", "down"))
    sizes = f"is {list(right.shape)} and its partner {list(left.shape)}"
    left, right = (each.flatten(1) if each.ndim > 1 else each for each in (left, right))
    rank = right.shape[0] if right.ndim > 1 else 0
    d_out, d_in = shape[0], math.prod(shape[1:])
    if left.shape != (d_out, rank) or right.shape != (rank, d_in) or not rank:
        raise _wrong(
            pair.keys["down"],
            f"{sizes}; a change of {list(shape)} needs [r, {d_in}] and [{d_out}, r]",
        )
    alpha = pair.tensors.get("alpha")
    if alpha is not None:
        if alpha.numel() != 1:
            raise _wrong(pair.keys["alpha"], f"is {list(alpha.shape)}, not one number")
        left = left * (float(alpha) / rank)
    else:
        left = left * scale(rank)
    return left.float(), right.float()


def _module(name: str) -> str:
    """Return the path of a module of the UNet from the name of its weight."""
    module = name.removeprefix("unet.").removesuffix(".weight")
    if name != f"unet.{module}.weight":
        message = f"'{name}' is no weight of a module of the UNet"
        raise ValueError(message)
    return module


def _wrong(key: str, what: str) -> DeltaError:
    return DeltaError(
        f"the tensor {shown(key)} {what}", fix="export the LoRA again with its own tool"
    )
