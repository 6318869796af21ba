"""Upsampling and convolution of a small picture with a quarter of the multiplications.

Where every position is doubled, three taps fall on two values. With taps a, b, c and
neighbours p, x, q of a row the two results are ``a p + (b + c) x`` and
``(a + b) x + c q``, which is ``a (p - x) + s x`` and ``s x + c (q - x)`` with
``s = a + b + c``: three products for two results instead of six, on positions that were
not doubled yet. Over both sides that is nine products for four results.
"""

from __future__ import annotations

from typing import Final, Self

import torch
from diffusers.models.upsampling import Upsample2D

from unlearnlog.models.fastcpu.small_convolutions import OwnMatrices, SmallConvolution

SIDES: Final = (2, 4)
"""Sides of pictures where this is faster; the maps grow with a side's fourth power."""

_TAPS: Final = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, 1]]).double()
"""The factors of the three products from a, b, c."""


def along(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the maps of a row to the factors, and of the products to a row.

    Args:
        side: Length of the row, whose neighbours beyond its ends are zero.

    Returns:
        Float64, ``[3, side, side]`` and ``[2 * side, 3, side]``.
    """
    here = torch.eye(side, dtype=torch.float64)
    previous = torch.diag(torch.ones(side - 1, dtype=torch.float64), -1)
    there = torch.stack([previous - here, here, previous.T - here])
    back = torch.zeros(side, 2, 3, side, dtype=torch.float64)
    back[:, 0, 0] = back[:, 0, 1] = back[:, 1, 1] = back[:, 1, 2] = here
    return there, back.flatten(0, 1)


class FastUpsample(Upsample2D):  # type: ignore[misc]  # diffusers is untyped
    """An upsampler that doubles a picture's sides and convolves it."""

    _own: OwnMatrices

    @classmethod
    def of(cls, layer: Upsample2D) -> Self:
        """Return the replacement of a layer that `doubles`, with its convolution."""
        with torch.device("meta"):
            made = cls(layer.channels, use_conv=True, out_channels=layer.out_channels)
        made.conv = layer.conv
        made._own = OwnMatrices(layer.conv.weight)
        made.train(layer.training)
        return made

    def forward(
        self, hidden_states: torch.Tensor, output_size: int | None = None
    ) -> torch.Tensor:
        """Return ``[b, n_in, side, side]`` upsampled; diffusers fixes the names."""
        n, _, height, side = hidden_states.shape
        is_quick = (
            output_size is None
            and height in SIDES
            and self._own.serve(hidden_states, self.conv.weight)
        )
        if not is_quick:
            result: torch.Tensor = super().forward(hidden_states, output_size)
            return result
        there, kernels, back = self._own.of(side, self._matrices_for)
        rows = hidden_states.permute(2, 3, 0, 1).reshape(side * side, -1)
        factors = (there @ rows).view(9, side * side * n, -1)
        products = torch.bmm(factors, kernels).view(9 * side * side, -1)
        made = (back @ products).view(2 * side, 2 * side, n, -1)
        if self.conv.bias is not None:
            made += self.conv.bias
        pictures = made.permute(2, 3, 0, 1)
        return pictures.contiguous(memory_format=torch.channels_last)

    def _matrices_for(self, side: int) -> tuple[torch.Tensor, ...]:
        """Return the maps there and back, and ``[n_in, n_out]`` for each product."""
        there, back = along(side)
        both = torch.einsum("kip,ljq->klijpq", there, there)
        again = torch.einsum("yki,zlj->yzklij", back, back)
        taps = self.conv.weight.double()
        kernels = torch.einsum("ks,lt,oist->klio", _TAPS, _TAPS, taps)
        return (
            both.reshape(-1, side * side).float(),
            kernels.flatten(0, 1).float().contiguous(),
            again.reshape(4 * side * side, -1).float(),
        )


def doubles(layer: torch.nn.Module) -> bool:
    """Return whether a layer only doubles the sides and convolves with 3 x 3 taps."""
    if type(layer) is not Upsample2D or not layer.interpolate:
        return False
    inner = dict(layer.named_children())  # "conv" has other names where it is special
    return list(inner) == ["conv"] and isinstance(inner["conv"], SmallConvolution)
