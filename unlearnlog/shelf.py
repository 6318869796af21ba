"""Where long work puts what it has done so far, so that it need not be done again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from unlearnlog.cell import Answer

Picture = tuple[str, int]
"""A prompt and a seed: what a picture of known weights is known by."""


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


class Notebook(Protocol):
    """What judges saw, by key; anything in it may vanish."""

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key."""
        ...

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those under this key."""
        ...


class MemoryNotebook:
    """A notebook for as long as the command runs.

    Attributes:
        pages: What was written down, by key.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pages: dict[str, dict[Picture, Answer]] = {}

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key."""
        return dict(self.pages.get(key, {}))

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those under this key."""
        self.pages.setdefault(key, {}).update(answers)
