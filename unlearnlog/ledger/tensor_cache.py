"""The cache of tensors in the ledger, from which a stopped command continues."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

    from unlearnlog.ledger.cache_pages import Pages

KEPT: Final = 128
"""Number of tensors that stay, the newest."""

_ONE: Final = "tensor"


@dataclass(frozen=True)
class DiskTensorCache:
    """A cache of tensors, each a page of its own; a lost one is computed again."""

    pages: Pages

    def get(self, key: str) -> torch.Tensor | None:
        """Return the tensor of a key, or None."""
        content = self.pages.get(key)
        if content is None:
            return None

        from safetensors import SafetensorError
        from safetensors.torch import load

        with suppress(SafetensorError, KeyError, ValueError):
            return load(content)[_ONE]
        return None

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Store a tensor, if the disk allows it."""
        from safetensors.torch import save

        self.pages.put(key, save({_ONE: tensor.contiguous()}))
