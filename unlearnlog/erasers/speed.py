"""SPEED: an edit of the erased tokens within the null space of the kept ones.

For each projection W, with c the tokens of erased prompts, g those of their targets,
and S = sum c c^T, X = sum g c^T, ``[d_text, d_text]``:

    W' - W = W (X - S) N (I - C2 (C2^T N C2 + slack I)^+ C2^T N),
    N      = P (S P + I / es)^-1

the minimiser of ``sum ||(W + D P) c - W g||^2 + ||D P||^2 / es`` over all D with
D P C2 = 0. C2 holds the start mark and three centres of the padding, which are in every
prompt. P projects onto the directions in which the refined kept tokens' mean square is
below ``threshold``. They are refined for each layer, in two steps:

    filter     with D = W (X - S) (I + S)^-1, the edit with nothing held, a kept token
               p stays if ||D p|| is at least ``filter`` times the mean of all
    directed   each that stays has ``copies`` copies p + z v, v the right singular
    copies     vector of W's smallest singular value that is not zero; a copy stays
               if ||D (p + z v)|| is at least the mean of all copies

Nothing is random here. The published copies draw z from a normal distribution, and
the published centres start from random tokens; here z are that distribution's
quantiles at (j - 1/2) / copies, the same for each token, and each centre starts from
the token farthest from those before it. So the edit is a function of the sets of
tokens. A token that exactly meets a mean stays.

S and X are sums, as in the paper's equations: a concept is not erased less because
others are. The released code takes means over concepts, with ``1 / es`` = 1.

Source:
    https://arxiv.org/abs/2503.07392. Its threshold is 0.1 for few concepts and 1e-4
    for many people, its ``1 / es`` 1 or 0.05; it erases values only. The fixed z and
    centres are ours, and so are the defaults, which suit the bundled model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Self, final

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Change, ClosedForm, Factors, Problem, Touch
from unlearnlog.erasers.tokens import TokenPairs, Tokens
from unlearnlog.errors import TrainingError

_CENTRES: Final = 3
_TIE: Final = 1 - 1e-9
_SINGULAR: Final = 1e-12


@final
@dataclass(frozen=True)
class Speed(ClosedForm):
    """An edit of erased tokens within the null space of the most affected kept tokens.

    Attributes:
        target: What replaces the concept.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change; values alone, as published.
        erase_scale: Weight of each concept against the size of the change, es.
        threshold: Mean square of kept tokens below which a direction may change.
        filter: Kept tokens that would move by less than this share of the mean do not
            count; 0 to count all.
        copies: Copies of each along the direction that W shrinks most; 0 for none.
        slack: Ridge of the constraint on the start mark and the padding; 0 for exact.
    """

    name: ClassVar[str] = "speed"
    source: ClassVar[str] = "https://arxiv.org/abs/2503.07392"
    touches: ClassVar[str] = "values"
    knob: ClassVar[str] = "erase_scale"
    may_be_zero: ClassVar[tuple[str, ...]] = ("n_prompts", "filter", "copies", "slack")

    touch: Touch = "values"
    erase_scale: float = 10.0
    threshold: float = 1.0
    filter: float = 1.0
    copies: int = 10
    slack: float = 0.0

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield each projection's change as factors."""
        move = TokenMove.of(problem.pairs)
        held = torch.stack([problem.start, *centres(problem.padding, _CENTRES)], 1)
        felt = move.felt(problem.kept.rows.T)
        for name, old in problem.old.items():
            kept = self.refined(old, problem.kept, move, felt)
            yield name, self._change(old, move, held, self.free(name, kept))

    def refined(
        self, old: Tensor, kept: Tokens, move: TokenMove, felt: Tensor
    ) -> Tensor:
        """Return the mean outer product of the kept tokens that stay, and of copies.

        Args:
            old: One projection W, ``[d_out, d_text]``.
            kept: All kept tokens, n of them.
            move: The move of the erased tokens.
            felt: The effect of each part of the move on kept tokens, ``[r, n]``.
        """
        gram = (old @ move.left).T @ (old @ move.left)  # [r, r]
        shift = (felt * (gram @ felt)).sum(0).clamp(min=0)  # ||D p||^2, [n]
        stays = _at_least(shift.sqrt(), kept.weights, self.filter)
        rows, weights = kept.rows[stays], kept.weights[stays]
        direction, z = least_seen(old), quantiles(self.copies)
        aside = move.felt(direction[:, None])  # [r, 1]
        both = 2 * (felt[:, stays].T @ gram @ aside) * z
        copied = shift[stays, None] + both + (aside.T @ gram @ aside) * z**2  # [n, k]
        each = weights[:, None].expand_as(copied)
        chosen = each * _at_least(copied.clamp(min=0).sqrt(), each, 1.0)
        counts = weights + chosen.sum(1)
        mixed = torch.outer(rows.T @ (chosen @ z), direction)
        line = (chosen @ z**2).sum() * torch.outer(direction, direction)
        total = Tokens(rows, counts).moment + mixed + mixed.T + line
        return total / counts.sum().clamp(min=1e-300)

    def free(self, name: str, kept: Tensor) -> Tensor:
        """Return orthonormal directions with little kept energy, ``[d_text, k]``.

        Raises:
            TrainingError: Kept tokens use all of them.
        """
        energies, vectors = torch.linalg.eigh(kept)
        free = energies < self.threshold
        if not free.any():
            raise TrainingError(
                f"kept prompts use every direction of text in {name}: the least has "
                f"a mean square of {float(energies[0]):.2g}",
                fix=f"give speed a larger threshold than {self.threshold} in the "
                "policy, or fewer kept prompts",
            )
        found: Tensor = vectors[:, free]
        return found

    def _change(
        self, old: Tensor, move: TokenMove, held: Tensor, free: Tensor
    ) -> Factors:
        """Return the solution within the free directions.

        Every inverse is of the moves' number.
        """
        erased, invariant = free.T @ move.right, free.T @ held  # [k, r], [k, 4]
        system = erased.T @ erased + torch.eye(erased.shape[1]).double() / (
            self.erase_scale
        )
        right = torch.linalg.solve(system, erased.T)  # F^T N, [r, k]
        noticed = self.erase_scale * (invariant - erased @ (right @ invariant))
        inner = invariant.T @ noticed  # C2^T N C2
        inner = (inner + inner.T) / 2 + self.slack * torch.eye(len(inner)).double()
        hold = torch.linalg.pinv(inner, rtol=1e-13, hermitian=True)
        right = right - (right @ invariant) @ hold @ noticed.T
        return Factors(old @ move.left, right @ free.T)


@dataclass(frozen=True)
class TokenMove:
    """The move of erased tokens: ``X - S = left right^T`` and ``S = right right^T``.

    Attributes:
        left: Float64 ``[d_text, r]``, r at most d_text.
        right: Float64 ``[d_text, r]``.
    """

    left: Tensor
    right: Tensor

    @classmethod
    def of(cls, pairs: TokenPairs) -> Self:
        """Return the sums as factors; more tokens than directions are merged."""
        root = pairs.weights.sqrt()
        left, right = (pairs.goal - pairs.erased).T * root, pairs.erased.T * root
        if right.shape[1] > right.shape[0]:
            turn, upper = torch.linalg.qr(right.T)
            left, right = left @ turn, upper.T
        return cls(left, right)

    def felt(self, tokens: Tensor) -> Tensor:
        """Return ``right^T (I + S)^-1 tokens``: the free edit is W left times it.

        Args:
            tokens: Float64 ``[d_text, n]``.
        """
        system = torch.eye(self.right.shape[1]).double() + self.right.T @ self.right
        found: Tensor = torch.linalg.solve(system, self.right.T @ tokens)
        return found


def least_seen(old: Tensor) -> Tensor:
    """Return the unit direction of text that W shrinks most without losing it."""
    wide = old.shape[0] < old.shape[1]
    squares, vectors = torch.linalg.eigh(old @ old.T if wide else old.T @ old)
    sizes = squares.clamp(min=0)
    first = int((sizes <= _SINGULAR * sizes[-1]).sum())
    vector = vectors[:, min(first, len(sizes) - 1)]
    direction = old.T @ vector if wide else vector
    scaled: Tensor = direction / direction.norm().clamp(min=1e-300)
    return scaled


def quantiles(n: int) -> Tensor:
    """Return the unit normal's quantiles at ``(j - 1/2) / n``, float64 ``[n]``."""
    found: Tensor = torch.special.ndtri((torch.arange(n).double() + 0.5) / n)
    return found


def centres(tokens: Tensor, n: int) -> Tensor:
    """Return the centres of k-means, each begun at the token farthest from the others.

    The first begins at the token farthest from the mean. There are fewer where fewer
    tokens differ.

    Args:
        tokens: Float64 ``[m, d_text]``.
        n: Number of centres, at most.
    """
    if not len(tokens):
        return tokens
    tokens = torch.unique(tokens, dim=0)
    found = tokens.mean(0, keepdim=True)
    begun = tokens[:0]
    while len(begun) < n:
        away = _apart(tokens, begun if len(begun) else found).amin(1)
        if len(begun) and float(away.max()) <= _SINGULAR * float(tokens.norm()):
            break
        begun = torch.cat([begun, tokens[int(away.argmax())][None]])
    nearest = _apart(tokens, begun).argmin(1)
    while True:
        begun = torch.stack([tokens[nearest == i].mean(0) for i in range(len(begun))])
        again = _apart(tokens, begun).argmin(1)
        if torch.equal(again, nearest) or len(again.unique()) < len(begun):
            return begun
        nearest = again


def _apart(tokens: Tensor, centres: Tensor) -> Tensor:
    """Return distances ``[m, n]``, zero where two are equal."""
    return torch.cdist(tokens, centres, compute_mode="donot_use_mm_for_euclid_dist")


def _at_least(sizes: Tensor, weights: Tensor, share: float) -> Tensor:
    """Return which sizes reach a share of their weighted mean, bool."""
    mean = (sizes * weights).sum() / weights.sum().clamp(min=1e-300)
    return sizes >= share * mean * _TIE
