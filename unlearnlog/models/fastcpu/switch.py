"""The variable that switches the fast layers off: ``UNLEARNLOG_FASTCPU=off``.

A list of parts, such as ``convolutions,threads``, switches those off; a benchmark uses
that to measure each of them.
"""

from __future__ import annotations

import os
from typing import Final, Literal, get_args

import torch

from unlearnlog.errors import UsageError

VARIABLE: Final = "UNLEARNLOG_FASTCPU"

Part = Literal[
    "convolutions",
    "geglu",
    "silu",
    "time",
    "resnet",
    "transformer",
    "products",
    "linear",
    "threads",
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)


def left_out() -> frozenset[str]:
    """Return the parts that are switched off.

    Raises:
        UsageError: The variable names an unknown part.
    """
    value = os.environ.get(VARIABLE, "on").strip().lower()
    if value in {"", "on"}:
        return frozenset()
    if value == "off":
        return frozenset(PARTS)
    names = frozenset(name.strip() for name in value.split(","))
    if unknown := sorted(names - {*PARTS}):
        raise UsageError(
            f"{VARIABLE} is '{value}', and '{unknown[0]}' is no part",
            fix=f"set it to on, off, or some of: {', '.join(PARTS)}",
        )
    return names


def is_on(part: Part) -> bool:
    """Return whether a part is not switched off."""
    return part not in left_out()


def said_of_it() -> str:
    """Return the switch's part of a cache key: empty where all parts are on."""
    return "".join(f" no-{name}" for name in PARTS if name in left_out())


def may_be_fast(given: torch.Tensor) -> bool:
    """Return whether a tensor is on the CPU, in inference mode."""
    return given.device.type == "cpu" and torch.is_inference_mode_enabled()
