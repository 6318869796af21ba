"""The subspace of text that training may change, and a first guess within it.

The first guess is the closed form of the problem one layer down: it brings not the
erased prompt's noise but its keys and values to the target's, token by token. It costs
little beside one step of training and saves most of the steps.

Source:
    The ridge solve is Unified Concept Editing's, https://arxiv.org/abs/2308.14761,
    restricted to few directions of text space; all tokens take part, not the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from unlearnlog.erasers.text_subspace import complement, fair_moment, second_moment

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request


@dataclass(frozen=True)
class FreeSubspace:
    """Directions in which projections may change, and kept tokens' energy along them.

    Attributes:
        right: The directions of text space, ``[r, d_text]``.
        kept: Second moment of kept tokens along them, ``[r, r]``.
        energies: Mean energy of kept tokens' keys or values, by projection.
    """

    right: Tensor
    kept: Tensor
    energies: dict[str, float]

    @classmethod
    def left_by(cls, request: Request, *, rank: int, ridge: float, leak: float) -> Self:
        """Return the subspace that the kept prompts leave free.

        The moments of several concepts are added, not averaged: the energy of one of
        them must not shrink because there are others.

        Args:
            request: What is erased and what is kept.
            rank: How many directions, at most, for each concept.
            ridge: As in `complement`.
            leak: As in `complement`.
        """
        groups = [[p.text for p in group] for group in request.forget]
        taught = [[t for t, goal in p if t != goal] for p in request.families]
        groups += [texts for texts in taught if texts]
        same = [t for pairs in request.families for t, goal in pairs if t == goal]
        moments = torch.stack([second_moment(request.read(g)) for g in groups])
        erased, rank = moments.sum(0), rank * len(groups)
        tokens = request.read([*request.keep, *same])
        kept = fair_moment(tokens, erased, rank=rank, ridge=ridge, leak=leak)
        right = complement(erased, kept, rank=rank, ridge=ridge, leak=leak)
        return cls.along(right, kept, request)

    @classmethod
    def along(cls, right: Tensor, kept: Tensor, request: Request) -> Self:
        """Return the subspace of given directions and second moment of kept tokens."""
        energies = {
            name: float(torch.einsum("oi,ij,oj->", old.double(), kept, old.double()))
            for name, old in request.old.items()
        }
        return cls(right.float(), (right @ kept @ right.T).float(), energies)

    def start(
        self, request: Request, tokens: tuple[Tensor, Tensor], keep: float
    ) -> dict[str, Tensor]:
        """Return the left factors that bring erased keys and values to the target's.

        They minimise ``E||(W + L R) c - W0 c*||^2 + keep E_k||L R k||^2`` over erased
        tokens c with the target's tokens c* in their places, and kept tokens k; W is
        the head's projection and W0 the base's.

        Args:
            request: What is erased and what is kept.
            tokens: Erased prompts and their targets, each ``[n, length, d_text]``.
            keep: Weight of kept tokens.

        Returns:
            ``[d_out, r]`` for each projection, float32, ready to be trained.
        """
        erased, goal = (each.double().flatten(0, 1) for each in tokens)
        along = erased @ self.right.double().T  # [n * length, r]
        moment = along.T @ along / len(along) + keep * self.kept.double()
        moment += 1e-6 * moment.trace() / len(moment) * torch.eye(len(moment)).double()
        left = {}
        for name, old in request.old.items():
            base = request.model.base[name].double()
            missing = goal @ base.T - erased @ old.double().T  # [n * length, d_out]
            right_side = along.T @ missing / len(along)
            left[name] = torch.linalg.solve(moment, right_side).T.float()
        return {name: a.contiguous().requires_grad_() for name, a in left.items()}

    def disturbed(self, left: dict[str, Tensor]) -> Tensor:
        """Return E||dW k||^2 / E||W k||^2 over kept tokens k, mean over projections."""
        shares = [
            torch.einsum("or,rs,os->", a, self.kept, a) / self.energies[name]
            for name, a in left.items()
        ]
        return torch.stack(shares).mean()
