"""Where long work puts what it has done so far, so that it need not be done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.probe_case import Answer

Picture = tuple[str, int]
"""A prompt and a seed: what a picture of known weights is known by."""


class TensorCache(Protocol):
    """A place for tensors that can be made again; anything on it may vanish."""

    def get(self, key: str) -> torch.Tensor | None:
        """Return what was put there under this key, or None."""
        ...

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Keep a tensor, if there is room."""
        ...


class NoTensorCache:
    """Keeps nothing."""

    def get(self, key: str) -> torch.Tensor | None:  # noqa: ARG002
        """Return None."""
        return None

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Forget the tensor."""


@dataclass(frozen=True)
class KeyedTensorCache:
    """A shelf on which everything is about one model, computed in one way.

    Attributes:
        shelf: Where tensors are put.
        about: What all of them depend on.
        fresh: Whether what is there already counts as not there.
    """

    shelf: TensorCache
    about: str
    fresh: bool = False

    def get(self, key: str) -> torch.Tensor | None:
        """Return what was put there about the same, under this key, or None."""
        return None if self.fresh else self.shelf.get(f"{self.about} {key}")

    def put(self, key: str, tensor: torch.Tensor) -> None:
        """Keep a tensor, if there is room."""
        self.shelf.put(f"{self.about} {key}", tensor)


class LabelCache(Protocol):
    """What judges saw, by key; anything in it may vanish."""

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key."""
        ...

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those under this key."""
        ...


class MemoryLabelCache:
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


@dataclass(frozen=True)
class KeyedLabelCache:
    """A notebook about one model, computed in one way.

    Attributes:
        notebook: Where answers are written down.
        about: What all of them depend on.
        fresh: Whether what is there already counts as not there.
    """

    notebook: LabelCache
    about: str
    fresh: bool = False

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down about the same, under this key."""
        return {} if self.fresh else self.notebook.read(f"{self.about} {key}")

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those under this key."""
        self.notebook.write(f"{self.about} {key}", answers)
