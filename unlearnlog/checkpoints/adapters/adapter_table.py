"""The table of adapters: ends of keys, and the method that computes each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts, Change
from unlearnlog.checkpoints.adapters.glora import glora
from unlearnlog.checkpoints.adapters.ia3 import ia3, ia3_of_bias
from unlearnlog.checkpoints.adapters.locon import locon
from unlearnlog.checkpoints.adapters.loha import loha
from unlearnlog.checkpoints.adapters.lokr import lokr
from unlearnlog.checkpoints.adapters.oft import oft
from unlearnlog.checkpoints.adapters.peft_rotations import (
    boft_of_peft,
    oft_of_peft,
)
from unlearnlog.checkpoints.adapters.vera import OF_SHARED, SHARED, vera
from unlearnlog.checkpoints.adapters.whole_difference import (
    new_value,
    whole_difference,
)

if TYPE_CHECKING:
    import torch

MAGNITUDES: Final = ("magnitude", "dora_scale")
"""Parts that make a DoRA of another method."""

_LORA: Final[Mapping[str, str]] = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A": "down",
    ".lora_B": "up",
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
}
_HALVES: Final = ("hada_w{}_a", "hada_w{}_b", "hada_t{}")
_KRONECKER: Final = ("lokr_w{}", "lokr_w{}_a", "lokr_w{}_b", "lokr_t{}")
_NUMBERED: Final = tuple(
    name.format(number) for name in (*_HALVES, *_KRONECKER) for number in (1, 2)
)
ENDS: Final[Mapping[str, str]] = {
    **_LORA,
    ".lora_mid.weight": "mid",
    ".alpha": "alpha",
    ".dora_scale": "dora_scale",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    **{f".{name}": name for name in _NUMBERED},
    ".oft_blocks": "oft_blocks",
    ".oft_R.weight": "oft_R",
    ".boft_R": "boft_R",
    ".boft_s": "boft_s",
    ".ia3_l": "ia3_l",
    ".vera_lambda_b": "vera_lambda_b",
    ".vera_lambda_d": "vera_lambda_d",
    ".rescale": "rescale",
    **{f".{name}.weight": name for name in ("a1", "a2", "b1", "b2")},
    ".diff": "diff",
    ".w_norm": "diff",
    ".diff_b": "diff_b",
    ".b_norm": "diff_b",
    ".set_weight": "set",
}
"""Ends of the keys of adapters, and the part that each one holds."""

_ALL: Final = tuple(ENDS)

OF_BIASES: Final = "diff_b"
"""The part that changes the bias of a module and not its weight."""


@dataclass(frozen=True)
class AdapterKind:
    """A method of adapters.

    Attributes:
        name: Its name, with an article.
        parts: All of its parts.
        change: Returns the change of a weight.
        of_bias: Returns the factors of the module's bias, or None for none; None for a
            method without any.
    """

    name: str
    parts: frozenset[str]
    change: Callable[[AdapterParts], Change]
    of_bias: Callable[[AdapterParts], torch.Tensor | None] | None = None


KINDS: Final = (
    AdapterKind("a LoRA", frozenset({"down", "up", "mid"}), locon),
    AdapterKind(
        "a LoHa", frozenset(n for n in _NUMBERED if n.startswith("hada")), loha
    ),
    AdapterKind(
        "a LoKr", frozenset(n for n in _NUMBERED if n.startswith("lokr")), lokr
    ),
    AdapterKind("an OFT", frozenset({"oft_blocks", "rescale"}), oft),
    AdapterKind("an OFT of peft", frozenset({"oft_R"}), oft_of_peft),
    AdapterKind("a BOFT of peft", frozenset({"boft_R", "boft_s"}), boft_of_peft),
    AdapterKind("an IA3", frozenset({"ia3_l"}), ia3, ia3_of_bias),
    AdapterKind(
        "a VeRA",
        frozenset({*OF_SHARED, *SHARED.values()}),
        vera,
    ),
    AdapterKind("a GLoRA", frozenset({"a1", "a2", "b1", "b2"}), glora),
    AdapterKind("a full difference", frozenset({"diff"}), whole_difference),
    AdapterKind("a new value", frozenset({"set"}), new_value),
)
"""Every method that is computed."""


def kinds_of(parts: Iterable[str]) -> list[AdapterKind]:
    """Return the methods that some parts belong to."""
    there = set(parts)
    return [kind for kind in KINDS if kind.parts & there]


def end_of(key: str) -> str:
    """Return the longest end of a key that is one of an adapter; empty for none."""
    if not key.endswith(_ALL):
        return ""
    return max((end for end in ENDS if key.endswith(end)), key=len)


def has_part(key: str) -> bool:
    """Return whether a key is that of a part of a method, other than its alpha."""
    return ENDS.get(end_of(key), "alpha") != "alpha"
