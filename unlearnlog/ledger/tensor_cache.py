"""Tensors in the ledger's cache: a command that was stopped goes on from them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

    from unlearnlog.ledger.cache_pages import Pages

KEPT: Final = 128
"""Tensors that stay, the newest."""

_ONE: Final = "tensor"


@dataclass(frozen=True)
class DiskTensorCache:
    """Tensors, each a page of its own; any may vanish, and is made again."""

    pages: Pages

    def get(self, key: str) -> torch.Tensor | None:
        """Return what was put there under this key, or None."""
        content = self.pages.get(key)
        if content is None:
            return None

        from safetensors import SafetensorError
        from safetensors.torch import load

        with suppress(SafetensorError, KeyError, ValueError):
            return load(content)[_ONE]
        return None

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Keep a tensor, if the disk lets us."""
        from safetensors.torch import save

        self.pages.put(key, save({_ONE: tensor.contiguous()}))
