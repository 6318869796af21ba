"""Convolutions of pictures of 2 x 2 or 4 x 4 positions, with fewer multiplications.

Deep inside a small UNet a picture has few positions and many channels, and a library's
convolution spends most of its time on the border. Along one side, a convolution of so
short a row with three taps is a bilinear map, and such maps have cheap forms: transform
the row, transform the taps, multiply one by one, transform back (Winograd, Arithmetic
Complexity of Computations, 1980; Lavin and Gray, arXiv:1509.09308). With the zeros at
the border left out, a side of 2 takes 3 products instead of 6 and a side of 4 takes 6
instead of 12; over both sides, a quarter of the multiplications. What remains of the
kernel is one matrix for each product, computed once, in float64.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self, TypeGuard

import torch

OF_PICTURES: Final = 4
"""Dimensions of a tensor of pictures."""

_POINTS: Final = (0.0, 1.0, -1.0, 0.5, -2.0)
"""Points of evaluation of the polynomials; these lose fewer bits than integers do."""


@dataclass(frozen=True)
class Products:
    """A convolution along one side: ``back @ ((kernel @ taps) * (there @ row))``.

    Attributes:
        there: Map of the row to the first factors: float64 ``[n_products, side]``.
        kernel: Map of the taps to the second factors: ``[n_products, 3]``.
        back: Map of the products to the row of the result: ``[side, n_products]``.
    """

    there: torch.Tensor
    kernel: torch.Tensor
    back: torch.Tensor


def _of_two() -> Products:
    """Return ``(w1 x0 + w2 x1, w0 x0 + w1 x1)`` with ``w1 (x0 + x1)`` in common."""
    return Products(
        there=torch.tensor([[1, 1], [0, 1], [1, 0]]).double(),
        kernel=torch.tensor([[0, 1, 0], [0, -1, 1], [1, -1, 0]]).double(),
        back=torch.tensor([[1, 1, 0], [1, 0, 1]]).double(),
    )


def _of_four() -> Products:
    """Return the middle four coefficients of a product of two polynomials.

    Row and taps are coefficients; the product has six and is known from its values at
    five points and its leading coefficient.
    """
    back = torch.linalg.inv(_values(6))[1:5]
    return Products(there=_values(4), kernel=_values(3).flip(1), back=back)


def _values(n: int) -> torch.Tensor:
    """Return the map of ``n`` coefficients to values at the points and the last one."""
    points = torch.tensor(_POINTS, dtype=torch.float64)
    last = torch.eye(n, dtype=torch.float64)[-1:]
    return torch.cat([points[:, None] ** torch.arange(n), last])


PRODUCTS: Final = {2: _of_two(), 4: _of_four()}
"""The convolution of a row, by its length."""


class OwnMatrices:
    """Matrices from a layer's own weights, computed once for each side of a picture.

    They are computed again after a change of the weights in place that torch counts. It
    does not count the steps of a fused optimizer, so there are none for weights that
    need a gradient.

    Attributes:
        weight: The weights, float ``[n_out, n_in, 3, 3]``.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight
        self._made: dict[int, tuple[tuple[int, int], tuple[torch.Tensor, ...]]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy of the weights alone: either may change without the other."""
        return type(self)(copy.deepcopy(self.weight, memo))

    def serve(self, pictures: torch.Tensor, weight: torch.Tensor) -> bool:
        """Return whether the matrices apply to pictures ``[b, n_in, side, side]``.

        Args:
            pictures: The input.
            weight: The weights of the call: the layer's own, or others.
        """
        height, width = pictures.shape[-2:]
        return (
            height == width
            and pictures.dim() == OF_PICTURES
            and weight is self.weight
            and not weight.requires_grad
            and pictures.dtype == weight.dtype == torch.float32
            and pictures.device.type == "cpu"
            and not weight.is_inference()  # changes are not counted
        )

    def of(
        self, side: int, make: Callable[[int], tuple[torch.Tensor, ...]]
    ) -> tuple[torch.Tensor, ...]:
        """Return the result of ``make`` for a side with the current weights."""
        state = (self.weight.data_ptr(), self.weight._version)
        if side not in self._made or self._made[side][0] != state:
            with torch.inference_mode(mode=False), torch.no_grad():
                self._made[side] = state, make(side)
        return self._made[side][1]


class SmallConvolution(torch.nn.Conv2d):
    """A 3 x 3 convolution that is fast for small pictures without gradients.

    It has the weights of the layer that it replaces, under the same names. The fast
    path is for float32 on the CPU with its own weights.
    """

    _own: OwnMatrices

    @classmethod
    def of(cls, layer: torch.nn.Conv2d) -> Self:
        """Return the replacement of a layer that `suits`, with the same weights."""
        n_out, n_in = layer.weight.shape[:2]
        made = cls(n_in, n_out, 3, padding=1, device="meta", bias=False)
        made.weight, made.bias = layer.weight, layer.bias
        made._own = OwnMatrices(layer.weight)
        return made.train(layer.training)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the convolution of ``[b, n_in, height, width]``."""
        side = pictures.shape[-1]
        if side not in PRODUCTS or not self._own.serve(pictures, self.weight):
            return super().forward(pictures)
        n = len(pictures)
        there, kernels, back = self._own.of(side, self._matrices_for)
        rows = pictures.permute(0, 2, 3, 1).reshape(n, side * side, -1)
        factors = torch.bmm(there.expand(n, -1, -1), rows)
        products = torch.bmm(factors.transpose(0, 1), kernels)
        made = torch.bmm(back.expand(n, -1, -1), products.transpose(0, 1))
        if self.bias is not None:
            made += self.bias
        return made.view(n, side, side, -1).permute(0, 3, 1, 2)

    def _matrices_for(self, side: int) -> tuple[torch.Tensor, ...]:
        """Return the maps there and back, and ``[n_in, n_out]`` for each product."""
        along = PRODUCTS[side]
        taps = self.weight.double().permute(2, 3, 1, 0).flatten(2)
        kernels = torch.kron(along.kernel, along.kernel) @ taps.flatten(0, 1)
        return (
            torch.kron(along.there, along.there).float(),
            kernels.float().unflatten(1, (self.in_channels, -1)).contiguous(),
            torch.kron(along.back, along.back).float(),
        )


def suits(layer: torch.nn.Module) -> TypeGuard[torch.nn.Conv2d]:
    """Return whether a layer is a plain 3 x 3 convolution that keeps the size."""
    return (
        type(layer) is torch.nn.Conv2d
        and layer.kernel_size == (3, 3)
        and layer.stride == layer.padding == layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.padding_mode == "zeros"
    )
