"""Layers that give what diffusers' layers give, sooner.

They have the weights of the layers that they stand for, under the same names, and use
those that they hold at a call. Small convolutions and enlargements are quick wherever
their own weights do not learn; what writes over what it is given, only in inference
mode. All else is computed by the layer as ever, and a network that is not on the CPU
keeps its own layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self, TypeGuard

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.embeddings import TimestepEmbedding
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch.nn.functional import linear, silu

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
from unlearnlog.models.fastcpu.upsample import FastUpsample, doubles

AFTER_A_NORM: Final = ("nonlinearity", "conv_act")
"""Names of the activations that diffusers' blocks of convolutions put behind a norm."""


class FastGEGLU(GEGLU):  # type: ignore[misc]  # diffusers is untyped
    """A gated unit that computes its two halves apart.

    One product for both leaves halves that lie apart in memory line by line, in a
    tensor so large that the system has to find new pages for it each time.
    """

    @classmethod
    def of(cls, layer: GEGLU) -> Self:
        """Stand for a unit; shares its projection."""
        with torch.device("meta"):
            made = cls(1, 1)
        made.proj = layer.proj
        made.train(layer.training)
        return made

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Gate ``[..., d_in]``; the name of what is given is fixed by diffusers."""
        project: torch.nn.Module = self.proj
        if not may_be_fast(hidden_states) or type(project) is not torch.nn.Linear:
            result: torch.Tensor = super().forward(hidden_states)
            return result
        weights = project.weight.chunk(2)
        bias: torch.Tensor | None = project.bias
        biases = (None, None) if bias is None else bias.chunk(2)
        opened, gate = (
            linear(hidden_states, weight, bias)
            for weight, bias in zip(weights, biases, strict=True)
        )
        return opened.mul_(torch.ops.aten.gelu_(gate))


class FastPointwise(torch.nn.Conv2d):
    """A 1 x 1 convolution that is computed as what it is, one matrix product."""

    @classmethod
    def of(cls, layer: torch.nn.Conv2d) -> Self:
        """Stand for a layer of which `is_pointwise` is true; shares its weights."""
        n_out, n_in = layer.weight.shape[:2]
        made = cls(n_in, n_out, 1, device="meta", bias=False)
        made.weight, made.bias = layer.weight, layer.bias
        return made.train(layer.training)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mix the channels of ``[b, n_in, height, width]``."""
        if not may_be_fast(pictures):
            return super().forward(pictures)
        colours = pictures.permute(0, 2, 3, 1).contiguous()  # or it is many products
        mixed = linear(colours, self.weight[:, :, 0, 0], self.bias)
        return mixed.permute(0, 3, 1, 2)


class FastSiLU(torch.nn.SiLU):
    """An activation that writes over what it is given.

    What follows a norm is read by nobody else, and memory that is new costs as much as
    the activation itself. A time's embedding, ``[b, d]``, is read by others.
    """

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Activate ``[b, c, height, width]``; anything else as ever."""
        is_picture = given.dim() == OF_PICTURES
        return silu(given, inplace=is_picture and may_be_fast(given))


def quicken(network: torch.nn.Module) -> None:
    """Let fast layers stand for every layer of a network that they suit."""
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


def is_pointwise(layer: torch.nn.Module) -> TypeGuard[torch.nn.Conv2d]:
    """Tell whether a layer is a plain 1 x 1 convolution."""
    return (
        type(layer) is torch.nn.Conv2d
        and layer.kernel_size == layer.stride == (1, 1)
        and layer.padding == (0, 0)
        and layer.groups == 1
    )


def _is(kind: type) -> Callable[[torch.nn.Module], bool]:
    """Tell layers of a kind from all others, its own subclasses too."""
    return lambda layer: type(layer) is kind


_Kind = tuple[Part, Callable[..., bool], Callable[..., torch.nn.Module]]
_KINDS: Final[tuple[_Kind, ...]] = (
    ("convolutions", suits, SmallConvolution.of),
    ("pointwise", is_pointwise, FastPointwise.of),
    ("upsample", doubles, FastUpsample.of),
    ("geglu", _is(GEGLU), FastGEGLU.of),
    ("time", _is(TimestepEmbedding), FastTimeEmbedding.of),
    ("resnet", is_plain, FastResnet.of),
    ("transformer", _is(Transformer2DModel), FastTransformer.of),
)
"""The parts of the room: what suits which layers, and what stands for them."""
