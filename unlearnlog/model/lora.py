"""LoRA files: how tools spell the two factors of a text projection, and back.

A loader mixes up alpha where tensors differ in rank, so what is written has one rank,
and alpha is the rank: the product of the factors is the change, scaled by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import torch

from unlearnlog.errors import DeltaError
from unlearnlog.model.foreign import checked, shown

if TYPE_CHECKING:
    from unlearnlog.factors import Factors

Part = Literal["down", "up", "alpha"]
"""The row factor, the column factor, and the number that scales their product."""

FORMATS: Final = ("diffusers", "kohya")
"""The spellings that can be written; each of them can be read, and older ones."""

NAMED: Final = 3
"""How many keys an error names."""

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
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
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


@dataclass
class _Pair:
    """The parts of one factorised change, each with the key it was found by."""

    keys: dict[Part, str] = field(default_factory=dict)
    tensors: dict[Part, torch.Tensor] = field(default_factory=dict)


def written(factors: Mapping[str, Factors], spelling: str) -> dict[str, torch.Tensor]:
    """Name factors as a loader wants to find them.

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
    """Return every key that a factor of these text projections may be called by.

    Args:
        names: Full names, ``unet.<path>.weight``.

    Returns:
        The name and the part, by key.
    """
    known: dict[str, tuple[str, Part]] = {}
    for name in names:
        module = _module(name)
        layer, _, projection = module.rpartition(".")
        flat = f"lora_unet_{module.replace('.', '_')}"
        known |= {flat + end: (name, part) for end, part in _KOHYA.items()}
        for before in _BEFORE:
            for stem, ends in (
                (module, {**_PEFT, **_KOHYA, **_OLD, **_OLDER}),
                (f"{layer}.processor.{projection}", _OLDER),
            ):
                keys = {f"{before}{stem}{end}": part for end, part in ends.items()}
                known |= {key: (name, part) for key, part in keys.items()}
    return known


def read(
    tensors: Mapping[str, torch.Tensor], shapes: Mapping[str, torch.Size]
) -> dict[str, Factors]:
    """Put the factors of a file together, alpha over rank folded into the left one.

    Args:
        tensors: All of the file, by key.
        shapes: Shape of each text projection of the model, by full name.

    Raises:
        DeltaError: A key is none of a text projection, one of a pair is missing or of
            another shape, or a number is of no use.
    """
    known = spellings(shapes)
    if strange := [key for key in tensors if key not in known]:
        raise DeltaError(
            f"{len(strange)} of {len(tensors)} tensors are no factors of this model's "
            f"text projections: {listed(strange)}",
            fix="give a LoRA of the cross-attention's to_k and to_v of this very model "
            "only; an erasure changes nothing else",
        )
    pairs: dict[str, _Pair] = {}
    for key, tensor in tensors.items():
        name, part = known[key]
        pair = pairs.setdefault(name, _Pair())
        if part in pair.keys:
            raise _wrong(key, f"says the same as {shown(pair.keys[part])}")
        pair.keys[part], pair.tensors[part] = key, checked(key, tensor)
    return {name: _folded(pairs[name], shapes[name]) for name in sorted(pairs)}


def listed(keys: Iterable[str]) -> str:
    """Name the first few keys."""
    keys = sorted(keys)
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(shown, keys[:NAMED])) + more


def _folded(pair: _Pair, shape: torch.Size) -> Factors:
    """Check a pair and scale it, float32."""
    present = next(iter(pair.keys.values()))
    if missing := {"down", "up"} - pair.keys.keys():
        what = "row" if "down" in missing else "column"
        raise _wrong(present, f"has no partner: its {what} factor is missing")
    left, right = pair.tensors["up"].double(), pair.tensors["down"].double()
    rank = right.shape[0] if right.ndim == 2 else 0
    if left.shape != (shape[0], rank) or right.shape != (rank, shape[1]) or not rank:
        raise _wrong(
            pair.keys["down"],
            f"is {list(right.shape)} and its partner {list(left.shape)}; "
            f"a change of {list(shape)} wants [r, {shape[1]}] and [{shape[0]}, r]",
        )
    alpha = pair.tensors.get("alpha")
    if alpha is not None:
        if alpha.numel() != 1:
            raise _wrong(pair.keys["alpha"], f"is {list(alpha.shape)}, not one number")
        left = left * (float(alpha) / rank)
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
