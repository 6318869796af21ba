"""Orthogonal Concept Erasure: a rotation of each projection, which stretches nothing.

For each projection W, with E and G orthonormal bases of the spans of W c and W g, over
the tokens c of erased prompts and g of their targets:

    W' = Q W,    Q = argmax tr(Q^T M) over orthogonal Q = U V^T  for  M = U D V^T,
    M  = - es E E^T (I - G G^T) + ps W C W^T + pc W K W^T + lam W W^T

with C the mean outer product of the words of kept prompts, as a sample of all prompts,
and K the sum of those of kept tokens. Q turns erased tokens away from themselves except
for what they share with their targets; it does not carry them to the targets. The
lengths and angles of all projected tokens stay: ``W'^T W' = W^T W``.

M is ``d_out`` wide, but it maps the column space of W to itself and all else to zero.
So its singular vectors are found in an orthonormal basis B of that space, at most
``d_text`` wide: ``Q = B Q_B B^T + (I - B B^T)``. Where M is zero Q is the identity.
Where M vanishes on a direction that it also yields, no Q is the best one, and that is
an error.

Spans leave out directions below a share ``distinct`` of the largest, after each token
is scaled to length 1 in the layer; so equal and collinear tokens count once.

Source:
    https://arxiv.org/abs/2605.28902; its weights (es, ps, pc, lam) are 2000, 10, 0, 10
    for objects, 500, 10, 1, 10 for styles and 800, 70, 2, 10 for a hundred people; it
    changes values only, and C is the mean over 30,000 captions. Our C, our default es
    and ``distinct`` are our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final, final

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Change, ClosedForm, Problem, Touch
from unlearnlog.erasers.kept_tokens import encoded_bank
from unlearnlog.erasers.token_spans import span, unit
from unlearnlog.errors import TrainingError

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request

_NOTHING: Final = torch.finfo(torch.float64).eps
"""Share of the largest, for each row, below which a direction is rounding."""


@final
@dataclass(frozen=True)
class Oce(ClosedForm):
    """A rotation of each projection that turns erased tokens away.

    Attributes:
        target: The prompt with which erased tokens may still share a direction.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change; values alone, as published.
        erase_scale: Weight of turning erased directions away, es.
        caption_scale: Weight of the words of kept prompts, ps; may be 0.
        keep_scale: Weight of each kept prompt's token, pc; may be 0.
        ridge: Weight of the projection itself, lam.
        distinct: Share of the largest below which a direction of tokens is rounding.
    """

    name: ClassVar[str] = "oce"
    source: ClassVar[str] = "https://arxiv.org/abs/2605.28902"
    touches: ClassVar[str] = "values"
    knob: ClassVar[str] = "erase_scale"
    may_be_zero: ClassVar[tuple[str, ...]] = (
        "n_prompts",
        "caption_scale",
        "keep_scale",
    )

    touch: Touch = "values"
    erase_scale: float = 1000.0
    caption_scale: float = 10.0
    keep_scale: float = 1.0
    ridge: float = 10.0
    distinct: float = 1e-2

    def check(self) -> None:
        """Refuse invalid settings; two of the weights may be zero."""
        super().check()
        self.require_below_one("distinct")

    def problem(self, request: Request) -> Problem:
        """Return the problem with the moment of all words of kept prompts."""
        return replace(super().problem(request), captions=words_moment(request))

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield each projection's change, written out: a rotation has no small rank."""
        kept = self.caption_scale * problem.captions + self.ridge * problem.one
        kept = kept + self.keep_scale * problem.kept.moment
        for name, old in problem.old.items():
            basis, inner = column_basis(old)  # old = basis @ inner
            turn = self.turn(name, inner, problem, kept)
            yield name, basis @ (turn @ inner - inner)

    def turn(self, name: str, inner: Tensor, problem: Problem, kept: Tensor) -> Tensor:
        """Return Q_B, the rotation within the column space, ``[r, r]``.

        Args:
            name: The projection's name, for messages.
            inner: The projection in a basis of its column space, ``[r, d_text]``.
            problem: What is erased.
            kept: ``ps C + pc K + lam I``, ``[d_text, d_text]``.

        Raises:
            TrainingError: Erased tokens span the whole column space, or M is singular.
        """
        erased = span(unit(inner @ problem.pairs.erased.T), self.distinct)
        goal = span(unit(inner @ problem.pairs.goal.T), self.distinct)
        if erased.shape[1] == len(inner):
            raise TrainingError(
                f"the erased tokens span all {len(inner)} directions of {name}: oce "
                "would keep nothing",
                fix="erase fewer concepts at once, or give oce a smaller n_prompts or "
                f"a larger distinct than {self.distinct} in the policy",
            )
        shared = (erased.T @ goal) @ goal.T  # E^T G G^T, [p, r]
        system = inner @ kept @ inner.T
        return polar(name, system - self.erase_scale * erased @ (erased.T - shared))


def polar(name: str, system: Tensor) -> Tensor:
    """Return the orthogonal polar factor ``U V^T`` of a system, ``[r, r]``.

    A direction that the system maps to zero and never yields stays as it is.

    Raises:
        TrainingError: A direction that it maps to zero is yielded: none is nearest.
    """
    left, sizes, right = torch.linalg.svd(system)
    empty = sizes <= _NOTHING * len(sizes) * sizes[:1]
    found: Tensor = left[:, ~empty] @ right[~empty]
    if empty.any():
        found = found + right[empty].T @ right[empty]
        if float((found.T @ found - torch.eye(len(found)).double()).norm()) > 1e-8:
            raise TrainingError(
                f"the equations of oce for {name} are singular: erasing and keeping "
                "cancel in one direction",
                fix="change the eraser's erase_scale a little in the policy",
            )
    return found


def column_basis(old: Tensor) -> tuple[Tensor, Tensor]:
    """Factor W into an orthonormal basis of its columns and the rest.

    Returns:
        Float64 ``[d_out, r]`` and ``[r, d_text]``, r the smaller of W's sides.
    """
    if old.shape[0] <= old.shape[1]:
        return torch.eye(len(old)).double(), old
    basis, inner = torch.linalg.qr(old)
    return basis, inner


def words_moment(request: Request) -> Tensor:
    """Return the mean outer product of the words of kept prompts, marks included.

    Returns:
        Float64 ``[d_text, d_text]``; zeros where nothing is kept.
    """
    tokens = encoded_bank(request)  # [n, length, d_text]
    said = torch.zeros(tokens.shape[:2], dtype=torch.bool)
    for row, text in zip(said, request.keep, strict=True):
        read = request.reading(text)
        row[: request.model.n_tokens(text)] = read is None
        row[read.said if read else []] = True
    rows = tokens[said]
    return rows.T @ rows / max(len(rows), 1)
