"""Caches of unfinished work, so that it can be continued: tensors and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.probe_case import Answer

Picture = tuple[str, int]
"""A prompt and a seed, which identify a picture of given weights."""


class TensorCache(Protocol):
    """A cache of tensors that can be computed again; any of them may vanish."""

    def get(self, key: str) -> torch.Tensor | None:
        """Return the tensor of a key, or None."""
        ...

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Store a tensor, if there is room."""
        ...


class NoTensorCache:
    """A cache without storage."""

    def get(self, key: str) -> torch.Tensor | None:  # noqa: ARG002
        """Return None."""
        return None

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Discard the tensor."""


@dataclass(frozen=True)
class KeyedTensorCache:
    """A cache of tensors of one model, computed in one way.

    Attributes:
        shelf: The cache behind it.
        about: The prefix of all keys: what all tensors depend on.
        fresh: Whether stored tensors are ignored.
    """

    shelf: TensorCache
    about: str
    fresh: bool = False

    def get(self, key: str) -> torch.Tensor | None:
        """Return the tensor of a key, or None."""
        return None if self.fresh else self.shelf.get(f"{self.about} {key}")

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Store a tensor, if there is room."""
        self.shelf.put(f"{self.about} {key}", tensor)


class LabelCache(Protocol):
    """A cache of judges' answers by key; any of them may vanish."""

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return the answers of a key."""
        ...

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those of a key."""
        ...


class MemoryLabelCache:
    """A cache of answers that lasts as long as the command.

    Attributes:
        pages: Answers by key.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.pages: dict[str, dict[Picture, Answer]] = {}

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return the answers of a key."""
        return dict(self.pages.get(key, {}))

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those of a key."""
        self.pages.setdefault(key, {}).update(answers)


@dataclass(frozen=True)
class KeyedLabelCache:
    """A cache of answers on one model, painted in one way.

    Attributes:
        notebook: The cache behind it.
        about: The prefix of all keys: what all answers depend on.
        fresh: Whether stored answers are ignored.
    """

    notebook: LabelCache
    about: str
    fresh: bool = False

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return the answers of a key."""
        return {} if self.fresh else self.notebook.read(f"{self.about} {key}")

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those of a key."""
        self.notebook.write(f"{self.about} {key}", answers)
