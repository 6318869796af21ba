"""Where long work puts what it has done so far, so that it need not be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Shelf(Protocol):
    """A place for tensors that can be made again; anything on it may vanish."""

    def get(self, key: str) -> torch.Tensor | None:
        """Return what was put there under this key, or None."""
        ...

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Keep a tensor, if there is room."""
        ...


class NoShelf:
    """Keeps nothing."""

    def get(self, key: str) -> torch.Tensor | None:  # noqa: ARG002
        """Return None."""
        return None

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Forget the tensor."""
