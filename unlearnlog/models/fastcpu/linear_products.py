"""Linear layers by oneDNN, whose products use AVX-512 on every processor that has it.

MKL, which computes them in torch, takes its narrower kernels on processors of other
makers than Intel: of a product of 4,096 rows, 100 of 240 GFLOP a second on a Zen 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, Self

import torch
from torch.nn.functional import linear

from unlearnlog.models.fastcpu.standing import standing_for
from unlearnlog.models.fastcpu.switch import is_on, may_be_fast

LEAST_ROWS: Final = 64
"""Rows from which on oneDNN is faster; it takes 10 microseconds to begin a product."""

_WIDEST: Final = 192
"""Inputs that are summed at once; more are summed in parts of a multiple of 64.

These are the parts that MKL takes, so that both give the same bits on such processors.
"""

_OF_PARTS: Final = 64


class FastLinear(torch.nn.Linear):
    """A linear layer by oneDNN, without gradients."""

    @classmethod
    def of(cls, layer: torch.nn.Linear) -> Self:
        """Return the replacement of a layer, with the same weights."""
        return standing_for(layer, cls)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return ``[..., d_in]`` projected, ``[..., d_out]``."""
        return fast_linear(given, self.weight, self.bias)


def text_linear(
    tokens: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return tokens projected, by oneDNN unless that is switched off."""
    chosen = fast_linear if is_on("linear") else linear
    return chosen(tokens, weight, bias)


def fast_linear(
    given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return a linear map, by oneDNN where that is faster.

    Args:
        given: Input, ``[..., d_in]``.
        weight: ``[d_out, d_in]``.
        bias: ``[d_out]``, or None.
    """
    if not suits_onednn(given, weight):
        return linear(given, weight, bias)
    first, *rest = parts_of(weight.shape[1])
    whole = not rest
    operator = torch.ops.mkldnn._linear_pointwise
    taken = given if whole else given[..., first].contiguous()
    used = weight if whole else weight[:, first].contiguous()
    made: torch.Tensor = operator(taken, used, bias, "none", [], "")
    for part in rest:
        taken, used = given[..., part].contiguous(), weight[:, part].contiguous()
        made = operator.binary(taken, made, used, None, "add")
    return made


def suits_onednn(given: torch.Tensor, weight: torch.Tensor) -> bool:
    """Return whether oneDNN is faster: many rows in float32, without gradients."""
    return (
        given.dtype == weight.dtype == torch.float32
        and given.shape[:-1].numel() >= LEAST_ROWS
        and may_be_fast(given)
        and weight.is_contiguous()
        and has_wide_products()
    )


@cache
def has_wide_products() -> bool:
    """Return whether this torch has oneDNN's products, and this processor AVX-512."""
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    )


@cache
def parts_of(n_inputs: int) -> Sequence[slice]:
    """Return the slices of inputs that are summed one after another."""
    count = -(-n_inputs // _WIDEST)
    width = -(-n_inputs // count // _OF_PARTS) * _OF_PARTS if count > 1 else n_inputs
    return [slice(at, at + width) for at in range(0, n_inputs, width)]
