"""Trainable changes of the text projections, and their deltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

import torch
from torch import Tensor

from unlearnlog.core.delta import Delta, merged
from unlearnlog.core.patch import Full, LowRank
from unlearnlog.erasers.kept_tokens import encoded_bank
from unlearnlog.erasers.text_subspace import second_moment

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request

CHANGES: Final = ("full", "factors")
"""Every number of a projection, or two thin factors of its change."""


class TrainableChange(Protocol):
    """Trained tensors, and the projections that follow from them."""

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The trained tensors, each by a name of its own."""
        ...

    def moved(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the projections with the change added, float32, with a gradient."""
        ...

    def delta(self, strength: float) -> Delta:
        """Return ``strength`` times the present change."""
        ...


@dataclass(frozen=True)
class FullChange:
    """A change of each projection by ``value @ fence``.

    A fence that takes the tokens of kept prompts to (almost) nothing keeps their keys
    and values: the gradient that reaches ``value`` is then the projected one, at every
    step, and what the optimiser makes of it is projected once more.

    Attributes:
        values: ``[d_out, d_text]`` for each projection, float32, trained.
        fence: ``[d_text, d_text]``, float32; None for the identity.
    """

    values: dict[str, Tensor]
    fence: Tensor | None = None

    @classmethod
    def of(cls, request: Request, fence: Tensor | None = None) -> Self:
        """Return a change of zero."""
        values = {n: torch.zeros(w.shape) for n, w in request.old.items()}
        return cls({n: v.requires_grad_() for n, v in values.items()}, fence)

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The values, by projection."""
        return self.values

    def moved(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return old + value @ fence."""
        return {n: old[n].float() + self._fenced(v) for n, v in self.values.items()}

    def delta(self, strength: float) -> Delta:
        """Return ``strength`` times the change, written out."""
        with torch.no_grad():
            return Delta(
                {n: Full(strength * self._fenced(v)) for n, v in self.values.items()}
            )

    def _fenced(self, value: Tensor) -> Tensor:
        return value if self.fence is None else value @ self.fence


@dataclass(frozen=True)
class ThinChange:
    """A change of each projection by ``left @ right @ fence``.

    Attributes:
        lefts: ``[d_out, r]`` for each projection, float32, trained.
        rights: ``[r, d_text]`` for each projection, float32.
        trains_right: Whether the right factors are trained as well, as in LoRA.
        fence: As in `FullChange`.
    """

    lefts: dict[str, Tensor]
    rights: dict[str, Tensor]
    trains_right: bool = False
    fence: Tensor | None = None

    @classmethod
    def lora(cls, request: Request, rank: int, fence: Tensor | None = None) -> Self:
        """Return a change of zero: left factors of zeros, random right ones.

        Source:
            https://arxiv.org/abs/2106.09685
        """
        rng = torch.Generator().manual_seed(request.seed)
        lefts, rights = {}, {}
        for name, old in request.old.items():
            d_out, d_text = old.shape
            r = min(rank, d_out, d_text)
            right = torch.randn(r, d_text, generator=rng) / d_text**0.5
            lefts[name] = torch.zeros(d_out, r).requires_grad_()
            rights[name] = right.requires_grad_()
        return cls(lefts, rights, trains_right=True, fence=fence)

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The factors that are trained; a right one's name ends in ``.right``."""
        found = dict(self.lefts)
        if self.trains_right:
            found |= {f"{name}.right": right for name, right in self.rights.items()}
        return found

    def moved(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return old + left @ right @ fence."""
        return {n: old[n].float() + a @ self._row(n) for n, a in self.lefts.items()}

    def delta(self, strength: float) -> Delta:
        """Return ``strength`` times the change, as factors."""
        with torch.no_grad():
            return Delta(
                {n: LowRank(strength * a, self._row(n)) for n, a in self.lefts.items()}
            )

    def _row(self, name: str) -> Tensor:
        right = self.rights[name]
        return right if self.fence is None else right @ self.fence


@dataclass(frozen=True)
class SeveralChanges:
    """Changes of different projections, trained together.

    Attributes:
        parts: The changes.
    """

    parts: tuple[TrainableChange, ...]

    @classmethod
    def of(cls, parts: Sequence[TrainableChange]) -> TrainableChange:
        """Return changes as one; a single one is itself."""
        return parts[0] if len(parts) == 1 else cls(tuple(parts))

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The trained tensors of all of them."""
        return {n: p for part in self.parts for n, p in part.parameters.items()}

    def moved(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return all projections with the changes added."""
        return {n: w for part in self.parts for n, w in part.moved(old).items()}

    def delta(self, strength: float) -> Delta:
        """Return ``strength`` times the present changes."""
        return merged([part.delta(strength) for part in self.parts])


def fence_of(request: Request, ridge: float) -> Tensor:
    """Return I - K (K + r I)^-1 for the second moment K of kept tokens, float32.

    Args:
        request: The kept prompts and the model.
        ridge: r, as a share of the mean energy of a direction of kept tokens.

    Source:
        Gradient projection in continual unlearning, https://arxiv.org/abs/2511.07970
    """
    if not request.keep:
        return torch.eye(request.read([""]).shape[-1])
    kept = second_moment(encoded_bank(request))
    floor = ridge * kept.trace() / len(kept) * torch.eye(len(kept)).double()
    fence: Tensor = torch.linalg.solve(kept + floor, floor).float()
    return fence
