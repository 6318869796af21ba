"""The trainable copy of a network for fine-tunes.

Source:
    LoRA is Hugging Face peft's, with the layers of diffusers' training scripts; Hu et
    al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021,
    https://arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, final

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from unlearnlog.models.overrides import Overrides

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.backbone import Backbone
    from unlearnlog.models.components import Untyped
    from unlearnlog.models.interface import Method, Text

_ATTENTION: Final = (".attn1.", ".attn2.", ".attn.", ".attention.")
_LORA: Final = ("to_k", "to_q", "to_v", "to_out.0")
"""Layers with a LoRA in diffusers' training scripts."""

_ADAPTER: Final = "default"


@final
class NetworkTrainer:
    """A copy of a network, in float32, with trainable parameters.

    Attributes:
        parameters: The trainable parameters by name, to be changed in place.
    """

    parameters: Mapping[str, Tensor]

    def __init__(self, backbone: Backbone, weights: Weights | None) -> None:
        """Use `of` instead: no parameter is trainable yet."""
        self._backbone, self._parts = backbone, backbone.parts
        network = copy.deepcopy(self._parts.network)
        self._net: Untyped = network.float().requires_grad_(False)
        self._own = dict(self._net.named_parameters())
        self.begin_with(weights)
        self.parameters = {}

    @classmethod
    def of(
        cls,
        backbone: Backbone,
        weights: Weights | None,
        *,
        method: Method,
        adapter: tuple[int, torch.Generator],
    ) -> NetworkTrainer:
        """Return a copy of a model's network with trainable parameters.

        Args:
            backbone: The model's network.
            weights: Tensors by full name that replace the model's own at the start.
            method: The parameters to train.
            adapter: Rank of a LoRA, and the generator of its initial values.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        learner = cls(backbone, weights)
        net = learner._net
        if method == "lora":
            _adapt(net, *adapter)
            chosen = {n: p for n, p in net.named_parameters() if ".lora_" in n}
        else:
            chosen = {
                name: parameter
                for name, parameter in net.named_parameters()
                if method == "full" or any(part in name for part in _ATTENTION)
            }
        for parameter in chosen.values():
            parameter.requires_grad_(True)
        net.train()
        learner.parameters = chosen
        return learner

    @torch.no_grad()
    def begin_with(self, weights: Weights | None) -> None:
        """Reset to the model's network with these weights.

        A trained LoRA stays.

        Args:
            weights: Tensors by full name that replace the model's own.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        held = Overrides.of(self._parts, weights).network
        for name, tensor in self._parts.network.named_parameters():
            self._own[name].copy_(held.get(name, tensor))

    def loss(self, x0: Tensor, noise: Tensor, t: Tensor, text: Text) -> Tensor:
        """Return the mean squared error of the training target: noise or velocity.

        Args:
            x0: Latents on the network's scale, ``[b, c, h, w]``.
            noise: Unit normal, ``[b, c, h, w]``.
            t: Timesteps, int64 ``[b]``.
            text: Encoded captions, ``b`` of them.
        """
        device = self._parts.device
        x0, noise, t = x0.to(device), noise.to(device), t.to(device)
        kept, lost = self._backbone.scales(t)
        x_t = kept * x0 + lost * noise
        predicted = self._backbone.predicted_by(self._net, x_t, t, text)
        return mse_loss(predicted, self._backbone.target(x0, noise, t))

    def weights(self, *, copied: bool = True) -> dict[str, Tensor]:
        """Return every tensor that may have changed, by full name.

        A LoRA is added to the weights that it adapts.

        Args:
            copied: Whether to return copies on the CPU instead of views of the
                parameters.
        """
        with torch.no_grad():
            found = self._adapted() if self._has_adapters else self.parameters.items()
            made = _copied if copied else Tensor.detach
            component = self._parts.family.network
            return {f"{component}.{name}": made(p) for name, p in found}

    @property
    def _has_adapters(self) -> bool:
        return any(".lora_" in name for name in self.parameters)

    def _adapted(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each adapted weight with its LoRA in it, by name inside the network."""
        for name, module in self._net.named_modules():
            if hasattr(module, "lora_A") and hasattr(module, "base_layer"):
                change = module.get_delta_weight(_ADAPTER)
                yield f"{name}.weight", module.base_layer.weight + change


def _copied(parameter: Tensor) -> Tensor:
    """Return a copy of a tensor on the CPU, contiguous."""
    copied = parameter.detach().cpu()
    return copied.clone(memory_format=torch.contiguous_format)


def _adapt(net: Untyped, rank: int, generator: torch.Generator) -> None:
    """Add a LoRA to every attention layer, without an effect yet."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(_LORA))
    with torch.random.fork_rng(devices=[]):  # peft draws from the global generator
        inject_adapter_in_model(config, net, adapter_name=_ADAPTER)
    for name, parameter in net.named_parameters():
        if ".lora_A." in name:
            bound = 1 / math.sqrt(parameter.shape[1])  # as peft draws it
            drawn = 2 * torch.rand(parameter.shape, generator=generator) - 1
            parameter.data.copy_(bound * drawn)
