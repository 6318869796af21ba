"""Weights that replace a model's own during one call, by component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import torch
from torch.func import functional_call

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.components import Components, Untyped

OLD_PREFIX: Final = "text_model."
"""Prefix of the names of a CLIP text encoder's weights on disk, not in memory."""

OLDER: Final[Mapping[str, str]] = {
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}
"""Names in an autoencoder's attention in files from before 2023, and in memory."""


@dataclass(frozen=True)
class Overrides:
    """Tensors by component and by name inside of it; empty for the model's own.

    Attributes:
        unet: Tensors of the UNet.
        vae: Tensors of the autoencoder.
        encoders: Tensors of the text encoders, in the order of the pipeline.
    """

    unet: Mapping[str, torch.Tensor] = field(default_factory=dict)
    vae: Mapping[str, torch.Tensor] = field(default_factory=dict)
    encoders: tuple[Mapping[str, torch.Tensor], ...] = ()

    @classmethod
    def of(cls, parts: Components, weights: Weights | None) -> Self:
        """Return weights by component, checked to fit the model.

        Args:
            parts: The model.
            weights: Tensors by full name, ``unet.mid_block...weight``.

        Raises:
            ValueError: A tensor is not one of the model's, or has another shape.
        """
        known = parts.shapes
        found: dict[str, dict[str, torch.Tensor]] = {name: {} for name in known}
        for name, tensor in (weights or {}).items():
            component, inner = inner_name(name, known)
            shape = known.get(component, {}).get(inner)
            if shape != tensor.shape:
                own = "no such tensor" if shape is None else str(list(shape))
                message = f"'{name}' is {list(tensor.shape)}, the model has {own}"
                raise ValueError(message)
            layout = _layout(tensor)
            found[component][inner] = tensor.to(parts.device, memory_format=layout)
        unet, vae, *encoders = found.values()
        return cls(unet, vae, tuple(encoders))

    @property
    def speaks_differently(self) -> bool:
        """Whether a text encoder has overrides."""
        return any(self.encoders)


def inner_name(
    name: str, known: Mapping[str, Mapping[str, torch.Size]]
) -> tuple[str, str]:
    """Return the component of a full name, and the network's name of the tensor.

    Args:
        name: Full name, such as ``text_encoder.text_model.embeddings...weight``.
        known: Shapes by component and inner name.
    """
    component, _, inner = name.partition(".")
    if inner in known.get(component, {}):
        return component, inner
    if component.startswith("text_encoder"):
        return component, inner.removeprefix(OLD_PREFIX)
    return component, newer(inner) if component == "vae" else inner


def newer(name: str) -> str:
    """Return the present name of a tensor of an autoencoder's attention."""
    *before, module, part = ["", *name.split(".")]
    if "attentions" not in before or module not in OLDER:
        return name
    return ".".join([*before[1:], OLDER[module], part])


def older(name: str) -> str:
    """Return the name of a tensor of an autoencoder's attention before 2023."""
    for old, new in OLDER.items():
        head, found, part = name.rpartition(f".{new}.")
        if found and "attentions" in head.split("."):
            return f"{head}.{old}.{part}"
    return name


def computed(
    network: Untyped,
    held: Mapping[str, torch.Tensor],
    given: tuple[Untyped, ...],
    named: dict[str, Untyped],
) -> Untyped:
    """Return a network's result with other weights in place of its own."""
    if not held:
        return network(*given, **named)
    return functional_call(network, dict(held), given, named)


def _layout(tensor: torch.Tensor) -> torch.memory_format:
    """Return the layout of the model's own weights, which is fast for convolutions."""
    of_pictures = tensor.ndim == 4  # out, in, height, width
    return torch.channels_last if of_pictures else torch.preserve_format
