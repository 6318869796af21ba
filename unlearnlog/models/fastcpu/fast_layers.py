"""Faster replacements of diffusers' layers on a CPU.

They share the weights of the layers that they replace, under the same names. Small
convolutions are fast wherever their weights need no gradient; layers that write in
place, only in inference mode. In all other cases the original computation
is used, and a network that is not on the CPU keeps its own layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.embeddings import TimestepEmbedding
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch.nn.functional import linear, silu

from unlearnlog.models.fastcpu.linear_products import FastLinear, fast_linear
from unlearnlog.models.fastcpu.resnet import (
    FastResnet,
    FastTimeEmbedding,
    FastTransformer,
    is_plain,
)
from unlearnlog.models.fastcpu.small_convolutions import (
    OF_PICTURES,
    SmallConvolution,
    suits,
)
from unlearnlog.models.fastcpu.switch import Part, left_out, may_be_fast

AFTER_A_NORM: Final = ("nonlinearity", "conv_act")
"""Names of the activations after a norm in diffusers' blocks of convolutions."""


class FastGEGLU(GEGLU):  # type: ignore[misc]  # diffusers is untyped
    """A gated unit that computes its two halves separately.

    One product for both interleaves the halves in memory, in a tensor so large that the
    system allocates new pages for it each time.
    """

    @classmethod
    def of(cls, layer: GEGLU) -> Self:
        """Return the replacement of a unit, with the same projection."""
        with torch.device("meta"):
            made = cls(1, 1)
        made.proj = layer.proj
        made.train(layer.training)
        return made

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return ``[..., d_in]`` gated; diffusers fixes the argument's name."""
        project: torch.nn.Module = self.proj
        kinds = (torch.nn.Linear, FastLinear)
        if not may_be_fast(hidden_states) or type(project) not in kinds:
            result: torch.Tensor = super().forward(hidden_states)
            return result
        product = fast_linear if type(project) is FastLinear else linear
        weight: torch.Tensor = project.weight  # type: ignore[assignment]
        weights = weight.chunk(2)
        bias: torch.Tensor | None = project.bias  # type: ignore[assignment]
        biases = (None, None) if bias is None else bias.chunk(2)
        values, gate = (
            product(hidden_states, weight, bias)
            for weight, bias in zip(weights, biases, strict=True)
        )
        return values.mul_(torch.ops.aten.gelu_(gate))


class FastSiLU(torch.nn.SiLU):
    """An activation in place.

    The result of a norm has no other reader, and new memory costs as much as the
    activation itself. The embedding of a timestep, ``[b, d]``, has other readers.
    """

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return the activation, in place for ``[b, c, height, width]``."""
        is_picture = given.dim() == OF_PICTURES
        return silu(given, inplace=is_picture and may_be_fast(given))


def quicken(network: torch.nn.Module) -> None:
    """Replace every layer of a network that has a faster replacement."""
    without = left_out()
    for name, layer in list(network.named_children()):
        quicken(layer)
        after_a_norm = type(layer) is torch.nn.SiLU and name in AFTER_A_NORM
        if after_a_norm and "silu" not in without:
            setattr(network, name, FastSiLU())
        for part, fits, stands_for in _KINDS:
            if part not in without and fits(layer):
                setattr(network, name, stands_for(layer))
                break


def _is(kind: type) -> Callable[[torch.nn.Module], bool]:
    """Return a test for layers of exactly one class."""
    return lambda layer: type(layer) is kind


_Kind = tuple[Part, Callable[..., bool], Callable[..., torch.nn.Module]]
_KINDS: Final[tuple[_Kind, ...]] = (
    ("convolutions", suits, SmallConvolution.of),
    ("geglu", _is(GEGLU), FastGEGLU.of),
    ("linear", _is(torch.nn.Linear), FastLinear.of),
    ("time", _is(TimestepEmbedding), FastTimeEmbedding.of),
    ("resnet", is_plain, FastResnet.of),
    ("transformer", _is(Transformer2DModel), FastTransformer.of),
)
"""The parts, each with its test of a layer and its replacement."""
