"""Tokens of erased prompts with their goals.

Causal text encoders (CLIP's) give a word the same token whatever follows it. So of a
prompt that names a concept only the tokens from the name on depend on it, and kept
prompts begin with those before it, too. With others all tokens depend on it: see
`row_alignment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, Self

import torch
from torch import Tensor

from unlearnlog.erasers.row_alignment import RowPairs, paired_rows, rows_alike
from unlearnlog.errors import ConceptError

if TYPE_CHECKING:
    from unlearnlog.core.prompt import Prompt, Target
    from unlearnlog.erasers.concept_texts import Reach
    from unlearnlog.erasers.eraser import Request

Span = Literal["last", "tail", "all", "behind"]

SPANS: Final[tuple[Span, ...]] = ("last", "tail", "all", "behind")
"""The tokens that take part.

``last``: the last token of the concept's name becomes the last word's of the target.
``tail``: from there to the end of the padding, each becomes the one as far behind the
target's last word. ``all``: from the name's first token to the end, each becomes the
one at the same position. ``behind``: the words behind the name that end the target,
too, and the padding; each becomes the same word of the target.
"""

START: Final = 0
"""Position of the mark that begins every prompt: the same token in all of them."""


@dataclass(frozen=True)
class Tokens:
    """Tokens with their weights, each different one once.

    Attributes:
        rows: Float64 ``[m, d_text]``.
        weights: Float64 ``[m]``.
    """

    rows: Tensor
    weights: Tensor

    @cached_property
    def moment(self) -> Tensor:
        """The weighted sum of outer products, float64 ``[d_text, d_text]``."""
        return self.rows.T @ (self.weights[:, None] * self.rows)


@dataclass(frozen=True)
class TokenPairs:
    """Tokens of erased prompts with their goals.

    A concept's weights sum to 1, so that more names do not weigh more.

    Attributes:
        erased: Float64 ``[m, d_text]``.
        goal: Float64 ``[m, d_text]``.
        weights: Float64 ``[m]``.
        owner: The concept of each pair, int64 ``[m]``.
        names: For each concept the mean of its name's last tokens, ``[n, d_text]``;
            empty for families.
    """

    erased: Tensor
    goal: Tensor
    weights: Tensor
    owner: Tensor
    names: Tensor = field(default_factory=lambda: torch.zeros(0, 0).double())

    @classmethod
    def of(
        cls, request: Request, target: Target, span: Span, *, n_prompts: int = 0
    ) -> Self:
        """Return the tokens of erased prompts and of their targets.

        Args:
            request: What is erased.
            target: What is painted instead.
            span: Which tokens take part.
            n_prompts: Prompts of each concept, 0 for all.

        Raises:
            ConceptError: A concept is its own target, its name ends beyond the text
                encoder's length, or two concepts have the same tokens.
        """
        found = [
            _of_concept(request, i, target, span=span, n_prompts=n_prompts)
            for i in range(len(request.forget))
        ]
        _refuse_twins(request, found)
        parts = (torch.cat(each) for each in zip(*found, strict=True))
        erased, goal, weights, names = parts
        counts = torch.tensor([len(each[0]) for each in found])
        owner = torch.arange(len(found)).repeat_interleave(counts)
        return cls(erased, goal, weights, owner, names)

    @classmethod
    def of_families(cls, request: Request) -> Self | None:
        """Return the tokens of prompts that name only a family, with members that stay.

        Every token from the first that differs takes part. Where several members stay
        the same token has several goals. A family's weights sum to 1.

        Returns:
            None where no erased concept has a family.
        """
        parts = [_of_family(request, pairs) for pairs in request.families]
        if not parts:
            return None
        erased, goal, weights = (torch.cat(each) for each in zip(*parts, strict=True))
        counts = torch.tensor([len(each[0]) for each in parts])
        owner = torch.arange(len(parts)).repeat_interleave(counts)
        return cls(erased, goal, weights, owner)

    def beside(self, other: TokenPairs, scale: float) -> TokenPairs:
        """Return these pairs and others, which weigh ``scale`` times."""
        return TokenPairs(
            torch.cat([self.erased, other.erased]),
            torch.cat([self.goal, other.goal]),
            torch.cat([self.weights, scale * other.weights]),
            torch.cat([self.owner, other.owner + 1 + self.owner.max()]),
        )

    @property
    def tokens(self) -> Tokens:
        """The erased tokens."""
        return Tokens(self.erased, self.weights)

    @property
    def cross(self) -> Tensor:
        """The weighted sum of goal times erased transposed, ``[d_text, d_text]``."""
        return self.goal.T @ (self.weights[:, None] * self.erased)

    def of_concept(self, i: int) -> TokenPairs:
        """Return the pairs of one concept."""
        own = self.owner == i
        return TokenPairs(
            self.erased[own],
            self.goal[own],
            self.weights[own],
            self.owner[own],
            self.names[i : i + 1],
        )

    def each(self) -> Iterator[TokenPairs]:
        """Yield the pairs of each concept in turn."""
        for i in range(int(self.owner.max()) + 1):
            yield self.of_concept(i)


def _of_concept(
    request: Request, i: int, target: Target, *, span: Span, n_prompts: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    group = request.forget[i][: n_prompts or None]
    pairs = [(prompt, prompt.target(target)) for prompt in group]
    pairs = [(prompt, instead) for prompt, instead in pairs if prompt.text != instead]
    named = request.read([prompt.text for prompt, _ in pairs])
    others = request.read([instead for _, instead in pairs])
    erased, goal, weights, names = [], [], [], []
    for row, (prompt, instead) in enumerate(pairs):
        found = rows_of(request, i, (prompt.text, prompt.around, instead), span=span)
        if found is None:
            found = _by_counts(request, i, (prompt, instead), span, named.shape[1])
        here, there = found.here, found.there
        names.append(named[row, found.names].double().mean(0))
        erased.append(named[row, here])
        goal.append(others[row, there])
        weights += [1 / (len(pairs) * len(here))] * len(here)
    if not pairs or torch.equal(torch.cat(erased), torch.cat(goal)):
        called = request.name(i)
        raise ConceptError(
            f"'{called}' is the same as its {target}: there is nothing to erase",
            fix=f"give '{called}' another --anchor, or another --target",
        )
    if not torch.isfinite(torch.cat([*erased, *goal])).all():
        raise ConceptError(
            f"the text encoder gives '{request.name(i)}' tokens that are not finite",
            fix="check the model's text encoder, or compute with --dtype float32",
        )
    name = torch.stack(names).mean(0, keepdim=True)
    return (*_merged(torch.cat(erased), torch.cat(goal), weights), name)


def _by_counts(
    request: Request, i: int, pair: tuple[Prompt, str], span: Span, length: int
) -> RowPairs:
    """Return the rows that take part of a prompt that CLIP encoded."""
    prompt, instead = pair
    first, last = name_span(request, i, prompt, length)
    name, end = [last], last_word(request, instead)
    if span == "last":
        return RowPairs([last], [end], name)
    if span == "all":
        return RowPairs([*range(first, length)], [*range(first, length)], name)
    if span == "behind":
        last, end = _behind(request, prompt, instead)
    n = length - max(last, end)
    return RowPairs([*range(last, last + n)], [*range(end, end + n)], name)


def rows_of(
    request: Request, i: int, said: tuple[str, tuple[str, str], str], *, span: Reach
) -> RowPairs | None:
    """Return the rows of a text that take part, by the characters they stand for.

    Args:
        request: What is erased.
        i: The concept.
        said: The text, the words in it before the name and those up to its end, and the
            target.
        span: Which rows take part.

    Returns:
        None for CLIP alone, whose rows are counted.

    Raises:
        ConceptError: The encoder does not read up to the name.
    """
    text, (before, until), instead = said
    if request.place == "pooled":  # one vector a prompt, whatever the span
        return RowPairs([0], [0], [0])
    one, other = request.reading(text), request.reading(instead)
    if one is None or other is None:
        return None
    found = paired_rows(one, other, (len(before.rstrip()), len(until)), span)
    if not found.names:
        raise ConceptError(
            f"the text encoder does not read up to '{request.name(i)}' in '{text}'",
            fix="shorten the prompt",
        )
    return found


def _of_family(
    request: Request, pairs: Sequence[tuple[str, str]]
) -> tuple[Tensor, Tensor, Tensor]:
    named = request.read([text for text, _ in pairs])
    others = request.read([stays for _, stays in pairs])
    erased, goal, weights = [], [], []
    for (text, stays), one, other in zip(pairs, named, others, strict=True):
        here, there = _of_kin(request, (text, stays), one, other)
        erased.append(one[here])
        goal.append(other[there])
        weights += [1 / (len(pairs) * len(here))] * len(here)
    return _merged(torch.cat(erased), torch.cat(goal), weights)


def _of_kin(
    request: Request, pair: tuple[str, str], one: Tensor, other: Tensor
) -> tuple[list[int], list[int]]:
    """Return the rows from the first that differs on, or of all of a text."""
    read, goal = (request.reading(text) for text in pair)
    if read is not None and goal is not None:
        return rows_alike(read, goal)
    first = int((one != other).any(1).int().argmax())
    return [*range(first, len(one))], [*range(first, len(one))]


def _merged(
    erased: Tensor, goal: Tensor, weights: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Merge equal pairs, float64."""
    both, weight = distinct(
        torch.cat([erased, goal], 1), torch.tensor(weights, dtype=torch.float64)
    )
    d_text = both.shape[1] // 2
    return both[:, :d_text], both[:, d_text:], weight


def name_span(request: Request, i: int, prompt: Prompt, length: int) -> tuple[int, int]:
    """Return the positions of the first and the last token of the concept's name.

    Raises:
        ConceptError: The name ends beyond the text encoder's length.
    """
    count, (before, until) = request.model.n_tokens, prompt.around
    first = count(before.rstrip()) - 1
    last = max(count(until) - 2, first)
    if last >= length - 1:
        raise ConceptError(
            f"the model reads {length} tokens, and '{request.name(i)}' ends at token "
            f"{last + 1} of the prompt '{prompt.text}'",
            fix="shorten the prompt",
        )
    return first, last


def _behind(request: Request, prompt: Prompt, instead: str) -> tuple[int, int]:
    """Return where the words behind the name begin that both prompts end with."""
    words = prompt.text[len(prompt.around[1]) :].split()
    ends = zip(reversed(words), reversed(instead.split()), strict=False)
    n = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))

    def begin(text: str) -> int:
        split = text.split()
        return request.model.n_tokens(" ".join(split[: len(split) - n])) - 1

    return begin(prompt.text), begin(instead)


def last_word(request: Request, text: str) -> int:
    """Return the position of a prompt's last word; the beginning where it has none."""
    return max(request.model.n_tokens(text) - 2, START)


def distinct(rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the different rows, in a fixed order, with the summed weights."""
    different, inverse = torch.unique(rows.double(), dim=0, return_inverse=True)
    summed = torch.zeros(len(different)).double().index_add_(0, inverse, weights)
    return different, summed


def _refuse_twins(request: Request, found: Sequence[tuple[Tensor, ...]]) -> None:
    seen: dict[bytes, int] = {}
    for i, (erased, *_) in enumerate(found):
        key = erased.numpy().tobytes()
        if key in seen:
            raise ConceptError(
                f"'{request.name(seen[key])}' and '{request.name(i)}' are one concept "
                "to this model: their prompts have the same tokens",
                fix="erase one of them and give it the other name with --alias",
            )
        seen[key] = i
