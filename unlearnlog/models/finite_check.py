"""Numbers that left a dtype's range: said where they arise, before anybody judges them.

Float16 ends at 65504. Beyond it lie infinity and soon what is no number at all: black
pictures, in which a judge sees no concept, and readings that no record takes.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from unlearnlog.errors import ModelError


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether every number is finite."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def check_finite(
    made: torch.Tensor,
    network: str,
    dtype: torch.dtype,
    given: Iterable[torch.Tensor] = (),
) -> None:
    """Refuse what a network made of finite numbers and is not finite itself.

    Args:
        made: Its result.
        network: What it is called, "UNet".
        dtype: What it computes in.
        given: What it was given; where that is not finite it is to blame for nothing.

    Raises:
        ModelError: A number is not finite.
    """
    if all_finite([made]) or not all_finite(given):
        return
    name = str(dtype).removeprefix("torch.")
    fix = {
        torch.float16: "compute in another dtype: --dtype bfloat16 or --dtype float32",
        torch.bfloat16: "compute in another dtype: --dtype float32",
    }.get(dtype, "its weights went wrong: copy, download or make them again")
    raise ModelError(f"the {network} is not finite in {name}", fix=fix)
