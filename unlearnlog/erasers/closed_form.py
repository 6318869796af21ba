"""The base of closed forms: a problem in float64, solved without pictures.

Their deltas are joint: a function of what is erased and what is kept, solved from the
base's weights, so they depend neither on the order of erasures nor on random numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Self

import torch
from torch import Tensor

from unlearnlog.core.delta import Delta
from unlearnlog.core.patch import Full, LowRank, Patch
from unlearnlog.core.prompt import TARGETS, Target
from unlearnlog.erasers.concept_texts import (
    KEEPS,
    REACHES,
    TEXTS,
    WEIGHS,
    ConceptTexts,
    Keeps,
    Reach,
    Texts,
    Weigh,
)
from unlearnlog.erasers.eraser import Eraser, Request, Scalar, Work, fits
from unlearnlog.erasers.places import SOLVED, WHERES, Where, by_place, chosen, settled
from unlearnlog.erasers.tokens import TokenPairs, Tokens
from unlearnlog.errors import TrainingError
from unlearnlog.models.interface import Model

Touch = Literal["keys and values", "values", "keys"]

TOUCHES: Final[tuple[Touch, ...]] = ("keys and values", "values", "keys")
"""The text projections that a closed form may change."""

_SUFFIX: Final = {
    "values": (".to_v.weight", ".add_v_proj.weight"),
    "keys": (".to_k.weight", ".add_k_proj.weight"),
}


@dataclass(frozen=True)
class Factors:
    """A change ``left @ right``, float64: ``[d_out, r]`` and ``[r, d_text]``."""

    left: Tensor
    right: Tensor

    def dense(self) -> Tensor:
        """Return the product, ``[d_out, d_text]``."""
        return self.left @ self.right


Change = Tensor | Factors
"""A change to one projection, written out or as factors, float64."""


def after(old: Tensor, edit: Change) -> Change:
    """Return ``old @ edit``, as factors where the edit is."""
    if isinstance(edit, Factors):
        return Factors(old @ edit.left, edit.right)
    return old @ edit


def written(change: Change) -> Tensor:
    """Return a change written out, ``[d_out, d_text]``."""
    return change.dense() if isinstance(change, Factors) else change


def together(changes: Sequence[Change]) -> Change:
    """Return the sum of changes, as factors where all of them are."""
    thin = [each for each in changes if isinstance(each, Factors)]
    if len(thin) < len(changes):
        return torch.stack([written(each) for each in changes]).sum(0)
    left = torch.cat([each.left for each in thin], 1)
    return Factors(left, torch.cat([each.right for each in thin]))


@dataclass(frozen=True)
class Problem:
    """The inputs of a closed form, float64.

    Attributes:
        old: The projections that may change, ``[d_out, d_text]``.
        pairs: Tokens of erased prompts and of their targets.
        kept: Tokens of kept prompts.
        start: The token that begins every prompt, ``[d_text]``.
        padding: The tokens behind it in an empty prompt, ``[length - 1, d_text]``.
        base: The projections before any erasure, in the base's dtype; empty where the
            method does not use them.
        captions: Mean outer product of all words of kept prompts, where the method
            uses it, ``[d_text, d_text]``.
    """

    old: Mapping[str, Tensor]
    pairs: TokenPairs
    kept: Tokens
    start: Tensor
    padding: Tensor
    base: Mapping[str, Tensor] = field(default_factory=dict)
    captions: Tensor = field(default_factory=lambda: torch.zeros(()).double())

    @property
    def d_text(self) -> int:
        """Width of a token."""
        return self.pairs.erased.shape[1]

    @property
    def one(self) -> Tensor:
        """The identity on tokens."""
        return torch.eye(self.d_text).double()


@dataclass(frozen=True)
class ClosedForm(Eraser):
    """An eraser that solves equations; a method is what `changes` yields.

    Attributes:
        may_be_zero: Settings that need not be above zero.
        target: What replaces the concept.
        span: Which tokens of the prompts take part, see `concept_texts.REACHES`.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        texts: The texts of a concept, see `concept_texts.TEXTS`.
        weigh: Whether a concept's tokens weigh 1 in all, or 1 each.
        keeps: The kept texts, see `concept_texts.KEEPS`.
        where: What changes of a model with joint attention, see `places`; there
            ``touch`` does not apply.
    """

    joint: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("target prompts", "kept prompts")
    may_be_zero: ClassVar[tuple[str, ...]] = ("n_prompts",)
    before: ClassVar[Mapping[str, Scalar]] = {
        "texts": "prompts",
        "weigh": "shares",
        "keeps": "prompts",
        "where": "default",
    }

    target: Target = "anchor"
    span: Reach = "last"
    n_prompts: int = 0
    touch: Touch = "keys and values"
    texts: Texts = "prompts"
    weigh: Weigh = "shares"
    keeps: Keeps = "prompts"
    where: Where = "default"

    def on(self, model: Model) -> Self:
        """Return the eraser with the place of its change settled for a model."""
        where = settled(self.name, self.where, model, usual="entry", allowed=SOLVED)
        return replace(self, where=where)

    @abstractmethod
    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield the change to each projection by name, computed in float64.

        Raises:
            TrainingError: The equations have no solution; names the layer.
        """

    def erase(self, request: Request) -> Delta:
        """Return the solution of the problem, rounded once.

        What reads tokens and what reads the pooled vector are problems of their own.
        """
        request = chosen(request, self.where)
        patches = {}
        for part in by_place(request):
            problem = self.problem(part)
            request.watch.stage("solving", len(problem.old))
            for name, change in self.changes(problem):
                patches[name] = _patch(name, change)
                request.watch.advance(1, {})
        return Delta(patches)

    def problem(self, request: Request) -> Problem:
        """Return the problem, with what is erased and what is kept encoded.

        Raises:
            ConceptError: A concept is its own target, or two have the same tokens.
        """
        pairs = self.form.pairs(request)
        nothing = said_nothing(request)
        kept = self.form.kept(request, pairs.erased)
        ends = _SUFFIX.get(self.touch, ("",))
        if request.place in ("entry", "pooled"):
            ends = ("",)
        return Problem(
            {n: _numbers(n, w) for n, w in request.old.items() if n.endswith(ends)},
            pairs,
            kept,
            nothing[0],
            nothing[1:],
            request.model.base,
        )

    @property
    def form(self) -> ConceptTexts:
        """The choice of texts and tokens from a request."""
        return ConceptTexts(
            self.target,
            self.span,
            self.n_prompts,
            texts=self.texts,
            weigh=self.weigh,
            keeps=self.keeps,
        )

    def work(self, n_concepts: int) -> Work:  # noqa: ARG002
        """Return the amount of work: no picture, and one solve for all concepts."""
        return Work(0, 1)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser itself, with one step of work."""
        return self, Work(0, 1)

    def check(self) -> None:
        """Refuse unknown words, and sizes that are not positive."""
        self.require("target", known=TARGETS)
        self.require("span", known=REACHES)
        self.require("touch", known=TOUCHES)
        self.require("texts", known=TEXTS)
        self.require("weigh", known=WEIGHS)
        self.require("keeps", known=KEEPS)
        self.require("where", known=WHERES)
        self.require_above_zero()


def said_nothing(request: Request) -> Tensor:
    """Return the mark that begins every prompt and the padding behind a short one.

    Where a pipeline puts zeros in the empty prompt's place, they are those of a prompt
    of one word. Of a text whose rows are not counted they are the empty prompt's rows,
    at least two.

    Returns:
        Float64 ``[n, d_text]``, the mark first.
    """
    nothing = request.read([""])[0].double()
    if request.reading("") is not None:
        read = nothing[nothing.any(1)]
        return read if len(read) > 1 else nothing[:1].expand(2, -1)
    if nothing.any():
        return nothing
    word = request.read(["a"])[0].double()
    return torch.cat([word[:1], word[request.model.n_tokens("a") - 1 :]])


def solved(system: Tensor, right: Tensor, what: str) -> Tensor:
    """Return ``right @ system^-1`` for a symmetric, positive definite system.

    Args:
        system: Float64 ``[d, d]``.
        right: Float64 ``[m, d]``.
        what: Name of the equations, for messages.

    Raises:
        TrainingError: It is singular to the precision of float64, or not finite.
    """
    solution: Tensor = torch.cholesky_solve(right.T, cholesky(system, what)).T
    return solution


def cholesky(system: Tensor, what: str) -> Tensor:
    """Return the lower factor of a symmetric, positive definite system.

    Raises:
        TrainingError: It is singular to the precision of float64.
    """
    factor: Tensor
    if not torch.isfinite(system).all():
        raise TrainingError(
            f"the equations of {what} are not finite",
            fix="check the text encoder: its tokens are not finite",
        )
    factor, info = torch.linalg.cholesky_ex(system)
    smallest = torch.finfo(system.dtype).eps * system.trace()
    if info or factor.diagonal().square().min() <= smallest:
        raise TrainingError(
            f"the equations of {what} are singular",
            fix="give the eraser a larger ridge in the policy, or more kept prompts",
        )
    return factor


def _numbers(name: str, weights: Tensor) -> Tensor:
    if not torch.isfinite(weights).all():
        raise TrainingError(
            f"the weights {name} are not finite",
            fix="check the model's folder: type unlearnlog fsck",
        )
    return weights.double()


def _patch(name: str, change: Change) -> Patch:
    """Round a change to float32, as factors where these are fewer numbers."""
    with fits(name, "give the eraser a larger ridge in the policy"):
        if isinstance(change, Tensor):
            return Full(_finite(name, change).float())
        left, right = _finite(name, change.left), _finite(name, change.right)
        if left.numel() + right.numel() < left.shape[0] * right.shape[1]:
            return LowRank(left.float(), right.float())
        return Full(change.dense().float())


def _finite(name: str, tensor: Tensor) -> Tensor:
    if not torch.isfinite(tensor).all():
        raise TrainingError(
            f"the solution for {name} is not finite",
            fix="give the eraser a larger ridge in the policy, or fewer concepts",
        )
    return tensor
