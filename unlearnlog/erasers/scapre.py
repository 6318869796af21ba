"""ScaPre, as its authors' program computes it: a ridge solve for each row of W.

Two algorithms have this name. The paper's solves B W + W A = V* C^T. No term holds W to
its former value, so with V* = 0 its only solution is W = 0, a model without text. The
released program solves another system, which is the one here. For one projection W
``[d_out, d_text]``, each row w_i of it, with c_k the mean last token of concept k's
name, C = [c_1 ... c_n], Pi the projection on their span, o tokens of prompts that name
k, g those of their targets, p kept tokens:

    mu      mean over rows of the entropy, as a share of its most, of (W x)_i on copies
            x = c_k + noise
    m_ik    sigmoid(z_ik / 0.7)^sharpness, z_ik the standard score over rows of the
            information of sign((W x)_i - median) on whether x is a copy of c_k or of
            the token an empty prompt has first
    m_i     max_k m_ik
    R       U diag(mu (1 - sigmoid(s - median s))) U^T,  C = U diag(s) V^T
    M_i     (lamb + mu) I + shrink R + C C^T + es sum o o^T + ps sum p p^T + es m_i Pi
    b_i     (lamb + mu) w_i + es sum_k m_ik sum (w_i g) o^T + ps sum (w_i p) p^T
    w'_i    M_i^-1 b_i,  then part of the way back to w_i (`near`)

Only es m_i Pi differs from row to row. With L L^T the rest of M_i and L^-1 Pi L^-T =
Q D Q^T (of the rank of Pi), T = L^-T Q,

    M_i^-1 = L^-T L^-1 - T diag(a_i D / (1 + a_i D)) T^T,   a_i = es m_i,

so all rows are solved by one Cholesky factor and one thin decomposition.

Noise comes from a generator that starts at a digest of the concept's own c_k: the same
concept has the same copies, whatever else is erased and in whatever order. It is the
same for all projections.

Source:
    ScaPre, https://arxiv.org/abs/2601.06162, and its released program. There lamb is
    0.5, es 2 or 3, sharpness 2 to 8, R is on or off (shrink 1 or 0), each concept has
    one prompt, its name, and all tokens weigh 1. Kept prompts (ps), several prompts a
    concept, weights that sum to 1 and the defaults are ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, final

import torch
from torch import Tensor

from unlearnlog.core.digest import digest_of
from unlearnlog.erasers.closed_form import Change, ClosedForm, Problem, cholesky
from unlearnlog.erasers.concept_texts import Reach
from unlearnlog.erasers.eraser import Request, Scalar
from unlearnlog.errors import PolicyError

N_COPIES: Final = 5
"""Copies of a concept, and as many of the neutral token, for each row's information."""

_NOISE: Final = 0.01
_WIDTH: Final = 0.7
_SAME: Final = 1e-12


@dataclass(frozen=True)
class Copies:
    """Noisy copies of names, and of an empty prompt's token.

    Attributes:
        spread: Copies of names for the entropy, ``[n, n_samples, d_text]``.
        named: Copies of names for the information, ``[n, N_COPIES, d_text]``.
        neutral: As many copies of the empty prompt's token.
    """

    spread: Tensor
    named: Tensor
    neutral: Tensor

    @classmethod
    def of(cls, problem: Problem, n_samples: int) -> Copies:
        """Return each concept's copies, with its own name's token as the seed."""
        drawn = []
        for name in problem.pairs.names:
            seed = int(digest_of(name.numpy().tobytes())[:15], 16)
            rng = torch.Generator().manual_seed(seed)
            sizes = (n_samples, N_COPIES, N_COPIES)
            centres = (name, name, problem.padding[0])
            drawn.append(
                [
                    centre + _NOISE * torch.randn(n, len(name), generator=rng).double()
                    for n, centre in zip(sizes, centres, strict=True)
                ]
            )
        return cls(*(torch.stack(each) for each in zip(*drawn, strict=True)))


@final
@dataclass(frozen=True)
class Scapre(ClosedForm):
    """A new solution for rows that respond to the concept, near their old values.

    Attributes:
        target: What replaces the concept.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        erase_scale: Weight of each concept, es.
        keep_scale: Weight of each kept prompt, ps; 0 as published.
        ridge: Weight of the base's projections, lamb.
        sharpness: How much less rows count that respond little to a concept.
        shrink: Weight of R, 0 for none.
        n_samples: Copies of each concept to measure entropy on.
        n_bins: Bins of its histograms.
        n_near: Steps on the way back to the old rows; 0 for none.
        apart: Whether each text is a concept of its own, as published.
    """

    name: ClassVar[str] = "scapre"
    source: ClassVar[str] = "https://arxiv.org/abs/2601.06162"
    knob: ClassVar[str] = "erase_scale"
    may_be_zero: ClassVar[tuple[str, ...]] = (
        "n_prompts",
        "keep_scale",
        "shrink",
        "n_near",
    )
    before: ClassVar[Mapping[str, Scalar]] = {**ClosedForm.before, "apart": False}

    span: Reach = "tail"
    erase_scale: float = 100.0
    keep_scale: float = 1.0
    ridge: float = 0.5
    sharpness: float = 2.0
    shrink: float = 0.0
    n_samples: int = 20
    n_bins: int = 20
    n_near: int = 1
    apart: bool = False

    def problem(self, request: Request) -> Problem:
        """Return the problem, with each text as a concept where ``apart`` is set."""
        problem = super().problem(request)
        if not self.apart:
            return problem
        return replace(problem, pairs=self.form.apart(request))

    def check(self) -> None:
        """Refuse invalid settings, and a histogram of one bin."""
        super().check()
        if self.n_bins < 2:
            raise PolicyError(f"scapre's n_bins is {self.n_bins}", fix="give 2 or more")

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield the new rows less the old ones, for each projection."""
        copies = Copies.of(problem, self.n_samples)
        for name, old in problem.old.items():
            mu = entropies(copies.spread @ old.T, self.n_bins).mean()
            masks = self.masks(old, copies)
            new = self.solved_rows(problem, name, mu=mu, masks=masks)
            yield name, near(new, old, pull=(self.ridge + mu, mu), n=self.n_near) - old

    def masks(self, old: Tensor, copies: Copies) -> Tensor:
        """Return the weight m_ik of each row and concept, ``[d_out, n]``."""
        told = information(copies.named @ old.T, copies.neutral @ old.T).T
        apart = told - told.mean(0)
        scores = apart / told.std(0, correction=0).clamp(min=_SAME)
        return torch.sigmoid(scores / _WIDTH) ** self.sharpness

    def solved_rows(
        self, problem: Problem, layer: str, *, mu: Tensor, masks: Tensor
    ) -> Tensor:
        """Return ``M_i^-1 b_i`` for every row of a projection, ``[d_out, d_text]``.

        Raises:
            TrainingError: The system is singular.
        """
        old, pairs = problem.old[layer], problem.pairs
        kept = self.keep_scale * problem.kept.moment
        hold = (self.ridge + mu) * problem.one + kept
        span, shrunk = self._spans(pairs.names, mu)
        system = hold + shrunk + pairs.names.T @ pairs.names
        system = system + self.erase_scale * pairs.tokens.moment
        lower = cholesky(system, f"scapre in {layer}")
        heard = (old @ pairs.goal.T) * masks[:, pairs.owner] * pairs.weights
        right = old @ hold + self.erase_scale * heard @ pairs.erased
        # The projection on the span, in coordinates where the rest of the system is I.
        thin = torch.linalg.solve_triangular(lower, span, upper=False)
        turn, sizes, _ = torch.linalg.svd(thin, full_matrices=False)
        turn = torch.linalg.solve_triangular(lower.T, turn, upper=True)
        pulled = self.erase_scale * masks.amax(1, keepdim=True) * sizes.square()
        new: Tensor = torch.cholesky_solve(right.T, lower).T
        new -= (right @ turn * (pulled / (1 + pulled))) @ turn.T
        return new

    def _spans(self, names: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
        """Return a basis of the names' span, ``[d_text, r]``, and ``shrink R``."""
        left, sizes, _ = torch.linalg.svd(names.T, full_matrices=False)
        weights = mu * torch.sigmoid(sizes.median() - sizes)
        span = left[:, sizes > sizes[0] * 1e-10]
        return span, self.shrink * (left * weights) @ left.T


def entropies(said: Tensor, n_bins: int) -> Tensor:
    """Return the entropy of each row's histogram, as a share of the most it can be.

    Args:
        said: Each of ``d_out`` rows times copies, ``[..., d_out]``.
        n_bins: Bins between the least and the largest product of a row.
    """
    rows = said.flatten(0, -2).T  # [d_out, n]
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    place = (rows - low) / (high - low).clamp(min=_SAME)
    bins = (place * n_bins).long().clamp(max=n_bins - 1)
    counts = torch.zeros(len(rows), n_bins).double()
    shares = counts.scatter_add_(1, bins, torch.ones_like(rows)) / rows.shape[1]
    return _nats(shares, 1) / math.log(n_bins)


def information(named: Tensor, neutral: Tensor) -> Tensor:
    """Return the information in the side of the median, in nats, by concept and row.

    Args:
        named: Rows times copies of each concept, ``[n, N, d_out]``.
        neutral: Rows times copies of the neutral token.

    Returns:
        ``[n, d_out]``, from 0 to log 2.
    """
    both = torch.cat([named, neutral], 1)
    above = both > both.quantile(0.5, 1, keepdim=True)
    halves = above.chunk(2, 1)
    joint = torch.stack(
        [
            (half == side).double().mean(1) / 2
            for half in halves
            for side in (True, False)
        ]
    )  # [4, n, d_out]
    sides = torch.stack([joint[0] + joint[2], joint[1] + joint[3]])
    return math.log(2) + _nats(sides, 0) - _nats(joint, 0)


def _nats(shares: Tensor, dim: int) -> Tensor:
    found: Tensor = torch.special.entr(shares).sum(dim)
    return found


def near(new: Tensor, old: Tensor, *, pull: tuple[Tensor, Tensor], n: int) -> Tensor:
    """Return rows part of the way to old ones, in length and in direction.

    Args:
        new: Rows as solved, ``[d_out, d_text]``.
        old: Rows before.
        pull: Weights of the new row and of the old.
        n: Steps, each from the direction of the step before.
    """
    mine, theirs = pull
    length, before = _length(new), _length(old)
    own, goal = _unit(new), _unit(old)
    unit, size = own, length
    for _ in range(n):
        alike = (unit * goal).sum(1, keepdim=True).clamp(min=0)
        size = (mine * length + theirs * before * alike) / (mine + theirs)
        unit = _unit(mine * length * own + theirs * before * alike * goal)
    return size * unit


def _length(rows: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return found


def _unit(rows: Tensor) -> Tensor:
    """Return rows of length 1, and zero for those of no length."""
    return rows / _length(rows).clamp(min=_SAME)
