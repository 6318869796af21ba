"""Weights that replace a model's own during one call, by component."""

from __future__ import annotations

import re
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

_SPELLINGS: Final = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"^text_model\.", ""),
        (r"^model\.", ""),
        (r"^language_model\.lm_head\.", "lm_head."),
        (r"^language_model\.model\.", "model.language_model."),
        (r"^language_model\.", "model.language_model."),
        (r"^model\.", "model.language_model."),
        (r"^(?=visual\.|vision_tower\.|multi_modal_projector\.)", "model."),
        (r"^", "text_model."),
    )
)
"""Beginnings of the names of a text encoder's weights on disk, and in memory."""

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
        network: Tensors of the UNet or transformer.
        vae: Tensors of the autoencoder.
        encoders: Tensors of the text encoders, by component.
        source: The tensors by full name that these were made of.
    """

    network: Mapping[str, torch.Tensor] = field(default_factory=dict)
    vae: Mapping[str, torch.Tensor] = field(default_factory=dict)
    encoders: Mapping[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)
    source: Weights | None = field(default=None, repr=False, compare=False)

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
        network, vae = found.pop(parts.family.network), found.pop("vae")
        return cls(network, vae, found, weights)

    @property
    def speaks_differently(self) -> bool:
        """Whether a text encoder has overrides."""
        return any(self.encoders.values())


def inner_name(
    name: str, known: Mapping[str, Mapping[str, torch.Size]]
) -> tuple[str, str]:
    """Return the component of a full name, and the network's name of the tensor.

    Args:
        name: Full name, such as ``text_encoder.text_model.embeddings...weight``.
        known: Shapes by component and inner name.
    """
    component, _, inner = name.partition(".")
    own = known.get(component, {})
    if inner in own:
        return component, inner
    if component.startswith("text_encoder"):
        spelled = (pattern.sub(new, inner, count=1) for pattern, new in _SPELLINGS)
        first = inner.removeprefix(OLD_PREFIX)
        return component, next((each for each in spelled if each in own), first)
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
