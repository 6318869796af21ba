"""The trainable copy of a UNet for fine-tunes.

Source:
    LoRA is Hugging Face peft's, with the layers of diffusers' training scripts; Hu et
    al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021,
    https://arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, final

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from unlearnlog.models.overrides import Overrides
from unlearnlog.models.sampling import conditions

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.interface import Method, Text

_ATTENTION: Final = (".attn1.", ".attn2.")
_LORA: Final = ("to_k", "to_q", "to_v", "to_out.0")
"""Layers with a LoRA in diffusers' training scripts."""

_ADAPTER: Final = "default"

Scales = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Shares of latent and noise at timesteps, each ``[b, 1, 1, 1]``."""


@final
class UnetTrainer:
    """A copy of a UNet, in float32, with trainable parameters.

    Attributes:
        parameters: The trainable parameters by name, to be changed in place.
    """

    parameters: Mapping[str, Tensor]

    def __init__(
        self, parts: Components, weights: Weights | None, scales: Scales
    ) -> None:
        """Use `of` instead: no parameter is trainable yet."""
        self._parts, self._scales = parts, scales
        self._net: Untyped = copy.deepcopy(parts.network).float().requires_grad_(False)
        self._own = dict(self._net.named_parameters())
        self.begin_with(weights)
        self._learn_velocity = (
            parts.scheduler.config.get("prediction_type") == "v_prediction"
        )
        self.parameters = {}

    @classmethod
    def of(
        cls,
        parts: Components,
        weights: Weights | None,
        scales: Scales,
        *,
        method: Method,
        adapter: tuple[int, torch.Generator],
    ) -> UnetTrainer:
        """Return a copy of a model's UNet with trainable parameters.

        Args:
            parts: The model.
            weights: Tensors by full name that replace the model's own at the start.
            scales: Shares of latent and noise at timesteps.
            method: The parameters to train.
            adapter: Rank of a LoRA, and the generator of its initial values.

        Raises:
            ValueError: A weight is not one of the model's, or has another shape.
        """
        learner = cls(parts, weights, scales)
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
        """Reset to the model's UNet with these weights.

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
            x0: Latents on the UNet's scale, ``[b, c, h, w]``.
            noise: Unit normal, ``[b, c, h, w]``.
            t: Timesteps, int64 ``[b]``.
            text: Encoded captions, ``b`` of them.
        """
        device = self._parts.device
        x0, noise, t = x0.to(device), noise.to(device), t.to(device)
        kept, lost = self._scales(t)
        options = conditions(self._parts, text, dtype=torch.float32)
        (predicted,) = self._net(kept * x0 + lost * noise, t, **options)
        wanted = kept * noise - lost * x0 if self._learn_velocity else noise
        return mse_loss(predicted, wanted)

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
            return {f"unet.{name}": made(p) for name, p in found}

    @property
    def _has_adapters(self) -> bool:
        return any(".lora_" in name for name in self.parameters)

    def _adapted(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each adapted weight with its LoRA in it, by name inside the UNet."""
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
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):  # peft draws from the global generator
        net.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, target_modules=list(_LORA)),
            adapter_name=_ADAPTER,
        )
    for name, parameter in net.named_parameters():
        if ".lora_A." in name:
            bound = 1 / math.sqrt(parameter.shape[1])  # as peft draws it
            drawn = 2 * torch.rand(parameter.shape, generator=generator) - 1
            parameter.data.copy_(bound * drawn)
