"""Encoded prompts that several predictions read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

import torch

from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights

T = TypeVar("T")


@dataclass(frozen=True)
class SharedText(Text):
    """Encoded prompts that several predictions read, without gradients.

    What a model computes of them alone, their keys and values, is kept as long as they
    are.
    """

    _computed: list[tuple[Weights | None, object]] = field(
        default_factory=list, repr=False, compare=False
    )

    @classmethod
    def of(cls, text: Text) -> SharedText:
        """Return the same prompts, shared."""
        return cls(text.tokens, text.pooled, text.mask, text.more)

    def __getitem__(self, rows: slice | torch.Tensor | list[int]) -> Text:
        """Return some of the prompts, which keep their rows among all of them."""
        some = super().__getitem__(rows)
        return replace(some, taken_from=(self, torch.arange(len(self))[rows]))

    def computed(self, weights: Weights | None, compute: Callable[[], T]) -> T:
        """Return what a model computes of the prompts with some weights, once.

        Args:
            weights: The same object for the same weights; None for the model's own.
            compute: The computation, the same in every call.
        """
        for known, found in self._computed:
            if known is weights:
                return cast("T", found)
        made = compute()
        self._computed.append((weights, made))
        return made
