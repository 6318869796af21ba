"""LoRA files in the formats of different tools, read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.lora_spellings import (
    TRANSFORMER,
    Part,
    Slot,
    spellings,
)
from unlearnlog.checkpoints.lora_writer import FORMATS as FORMATS
from unlearnlog.checkpoints.lora_writer import (
    FORMATS_OF_TRANSFORMERS as FORMATS_OF_TRANSFORMERS,
)
from unlearnlog.checkpoints.lora_writer import written as written
from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import checked, shown

if TYPE_CHECKING:
    from unlearnlog.core.low_rank import Factors

NAMED: Final = 3
"""Number of keys that an error lists."""

_PROJECTIONS: Final = (".attn2.to_k.weight", ".attn2.to_v.weight")
_ADAPTER: Final = re.compile(r"\.lora_([AB])\.[^.]+\.weight$")
"""A key of peft with the name of an adapter."""


@dataclass
class _Pair:
    """The parts of one low-rank change, each with its key."""

    keys: dict[Part, str] = field(default_factory=dict)
    tensors: dict[Part, torch.Tensor] = field(default_factory=dict)


def _as_it_is(name: str, rank: int) -> float:  # noqa: ARG001 - of any weight
    """Return the scale of a product without alpha."""
    return 1.0


def read(
    tensors: Mapping[str, torch.Tensor],
    shapes: Mapping[str, torch.Size],
    *,
    scale: Callable[[str, int], float] = _as_it_is,
    fusing: Fusing | None = None,
) -> dict[str, Factors]:
    """Return the factors of a file, with alpha over rank multiplied into the left one.

    Args:
        tensors: All tensors of the file, by key.
        shapes: Shape of each weight that may have factors, by full name; the input
            dimensions of a convolution count as one.
        scale: Returns the scale of a weight's product, by full name and rank, where the
            file has no alpha.
        fusing: Original modules of a transformer, and the sizes of its weights.

    Raises:
        DeltaError: A key belongs to none of these weights, a factor is missing or has
            another shape, or a number is not valid.
    """
    tensors = _unnamed(tensors)
    fusing = fusing or Fusing()
    known = spellings(shapes, fusing.table)
    if unknown := [key for key in tensors if key not in known]:
        raise DeltaError(
            f"{len(unknown)} of {len(tensors)} tensors are no factors of this model's "
            f"{_called(shapes)}: {listed(unknown)}",
            fix=f"give a LoRA of the {_called(shapes)} of this model only",
        )
    pairs: dict[str, _Pair] = {}
    for key, tensor in tensors.items():
        whole = checked(key, tensor)
        _check_rest(key, known[key], whole, fusing)
        for slot in known[key]:
            pair = pairs.setdefault(slot.name, _Pair())
            if slot.part in pair.keys:
                first = shown(pair.keys[slot.part])
                raise _wrong(key, f"is the same factor as {first}")
            pair.keys[slot.part] = key
            pair.tensors[slot.part] = _part_of(slot, key, whole, fusing)
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


def _part_of(slot: Slot, key: str, whole: torch.Tensor, fusing: Fusing) -> torch.Tensor:
    """Return the factor of one weight from that of the module that it is fused in.

    Raises:
        DeltaError: The factor has other rows than the module.
    """
    if slot.fused is None or slot.part != "up":
        return whole
    try:
        return fusing.rows(slot.fused, slot.name, whole)
    except ValueError as error:
        raise _wrong(key, f"has {error}") from None


def _check_rest(
    key: str, slots: Sequence[Slot], whole: torch.Tensor, fusing: Fusing
) -> None:
    """Refuse a fused factor that changes weights that are not asked for.

    Raises:
        DeltaError: It changes other weights as well.
    """
    place = slots[0].fused
    if place is None or slots[0].part != "up":
        return
    asked = {slot.name for slot in slots}
    for part in place.parts:
        name = f"{TRANSFORMER}.{part}.weight"
        if name not in asked and fusing.rows(place, name, whole).any():
            raise _wrong(key, f"changes {part}, too")


def _wrong(key: str, what: str) -> DeltaError:
    return DeltaError(
        f"the tensor {shown(key)} {what}", fix="export the LoRA again with its own tool"
    )
