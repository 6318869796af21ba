"""The check for NaN and infinity in a network's results.

Float16 ends at 65504. Beyond it a network returns infinity and then NaN: black
pictures, on which a judge finds no concept, and readings that cannot be recorded.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from unlearnlog.errors import ModelError


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Return whether every number is finite."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def check_finite(
    made: torch.Tensor,
    network: str,
    dtype: torch.dtype,
    given: Iterable[torch.Tensor] = (),
) -> None:
    """Refuse a result of a network that is not finite while its input is.

    Args:
        made: The result.
        network: The network's name in messages, "UNet".
        dtype: Dtype that it computes in.
        given: The input.

    Raises:
        ModelError: A number of the result is not finite.
    """
    if all_finite([made]) or not all_finite(given):
        return
    name = str(dtype).removeprefix("torch.")
    fix = {
        torch.float16: "compute in another dtype: --dtype bfloat16 or --dtype float32",
        torch.bfloat16: "compute in another dtype: --dtype float32",
    }.get(dtype, "its weights are damaged: copy, download or make them again")
    raise ModelError(f"the {network} is not finite in {name}", fix=fix)
