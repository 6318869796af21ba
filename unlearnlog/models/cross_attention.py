"""The attention of a transformer's cross-attention layers to marked tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Self

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from unlearnlog.errors import ModelError

if TYPE_CHECKING:
    from types import TracebackType

    from unlearnlog.models.components import Components, Untyped

_KEYS: Final = ".to_k.weight"


class _Listening(TorchFunctionMode):
    """Collects attention probabilities while a layer that reads the text computes.

    Attributes:
        found: Probabilities by the layer's name, ``[n_marked, heads, n_positions]``.
    """

    def __init__(self, layers: Mapping[str, Untyped], marks: torch.Tensor) -> None:
        super().__init__()
        self._layers, self._marks = layers, marks
        self._name = ""
        self._hooks: list[Untyped] = []
        self.found: dict[str, torch.Tensor] = {}

    def __enter__(self) -> Self:
        for name, layer in self._layers.items():
            self._hooks.append(layer.register_forward_pre_hook(self._begun(name)))
            self._hooks.append(layer.register_forward_hook(self._ended))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def __torch_function__(
        self, func: Untyped, types: Untyped, args: Untyped = (), kwargs: Untyped = None
    ) -> Untyped:
        """Note the queries and keys of an attention, and compute it."""
        named = kwargs or {}
        if func is scaled_dot_product_attention and self._name:
            self._note(*args[:2], mask=named.get("attn_mask"))
        return func(*args, **named)

    def _begun(self, name: str) -> Callable[..., None]:
        def begin(*_: object) -> None:
            self._name = name

        return begin

    def _ended(self, *_: object) -> None:
        self._name = ""

    def _note(
        self, asked: torch.Tensor, keys: torch.Tensor, *, mask: torch.Tensor | None
    ) -> None:
        scores = (asked @ keys.transpose(-1, -2)).float() / asked.shape[-1] ** 0.5
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, -torch.inf)
        elif mask is not None:
            scores = scores + mask
        marks = pad(self._marks, (0, keys.shape[-2] - self._marks.shape[1]))
        self.found[self._name] = scores.softmax(-1).movedim(-1, 1)[marks]


def attention_to(
    parts: Components, marks: torch.Tensor, predict: Callable[[], torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return the attention to marked tokens in a prediction, by the layer's full name.

    Args:
        parts: The model.
        marks: Mask of the marked tokens, bool ``[b, length]``.
        predict: A prediction of the network for ``b`` latents.

    Returns:
        Probabilities ``[n_marked, heads, n_positions]``, in the order of pictures.

    Raises:
        ModelError: The model has no cross-attention.
    """
    family = parts.family
    prefix = f"{family.network}."
    layers = {
        f"{prefix}{name}": layer
        for name, layer in parts.network.named_modules()
        if re.fullmatch(family.attention, f"{prefix}{name}{_KEYS}")
    }
    if family.text_class != "prompt" or not layers:
        raise ModelError(
            f"{family.title} has no cross-attention whose map could be read: its text "
            "and picture attend to each other",
            fix="use an eraser that needs no attention maps: unlearnlog erasers",
        )
    with _Listening(layers, marks) as listening:
        predict()
    return listening.found
