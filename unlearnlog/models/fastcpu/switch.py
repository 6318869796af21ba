"""The word that switches the fast layers off: ``UNLEARNLOG_FASTCPU=off``.

A list of parts, such as ``convolutions,threads``, leaves those out; a benchmark finds
out by that what each of them is worth.
"""

from __future__ import annotations

import os
from typing import Final, Literal, get_args

import torch

from unlearnlog.errors import UsageError

VARIABLE: Final = "UNLEARNLOG_FASTCPU"

Part = Literal[
    "convolutions",
    "pointwise",
    "upsample",
    "geglu",
    "silu",
    "time",
    "resnet",
    "transformer",
    "products",
    "threads",
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)


def left_out() -> frozenset[str]:
    """Return the parts that are switched off.

    Raises:
        UsageError: The variable names no part.
    """
    said = os.environ.get(VARIABLE, "on").strip().lower()
    if said in {"", "on"}:
        return frozenset()
    if said == "off":
        return frozenset(PARTS)
    names = frozenset(name.strip() for name in said.split(","))
    if strange := sorted(names - {*PARTS}):
        raise UsageError(
            f"{VARIABLE} is '{said}', and '{strange[0]}' is no part",
            fix=f"say on, off, or some of: {', '.join(PARTS)}",
        )
    return names


def is_on(part: Part) -> bool:
    """Whether a part is not switched off."""
    return part not in left_out()


def said_of_it() -> str:
    """Return what a cache has to know of the switch: nothing where all is on."""
    return "".join(f" no-{name}" for name in PARTS if name in left_out())


def may_be_fast(given: torch.Tensor) -> bool:
    """Whether something is computed on the CPU, and nothing is learnt from it."""
    return given.device.type == "cpu" and torch.is_inference_mode_enabled()
