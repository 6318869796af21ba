"""The text projections of a model in memory, and its other tensors on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    import torch

    from unlearnlog.core.delta import Weights


@final
class BaseWeights(Mapping[str, "torch.Tensor"]):
    """The tensors of a base, in the dtype that they have on disk.

    Iteration and length are those of the text projections, which erasers change. A
    lookup answers for every tensor of the model, so that a state in which others are
    changed, too, can be replayed; these are read from disk each time.
    """

    def __init__(self, projections: Weights, stored: Weights) -> None:
        """Keep the projections, and where the other tensors are read from."""
        self._projections, self._stored = projections, stored

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return any tensor of the model."""
        own = self._projections.get(name)
        return self._stored[name] if own is None else own

    def __contains__(self, name: object) -> bool:
        """Return whether the model has a tensor of this name."""
        return name in self._projections or name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._projections)

    def __len__(self) -> int:
        return len(self._projections)
