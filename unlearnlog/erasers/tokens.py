"""Tokens of erased prompts with their goals, and tokens of kept prompts.

Causal text encoders (CLIP's) give a word the same token whatever follows it. So of a
prompt that names a concept only the tokens from the name on depend on it, and kept
prompts begin with those before it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, Self

import torch
from torch import Tensor

from unlearnlog.core.digest import canonical_json
from unlearnlog.errors import ConceptError

if TYPE_CHECKING:
    from unlearnlog.core.prompt import Prompt, Target
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


def kept_tokens(request: Request, span: Span, erased: Tensor) -> Tokens:
    """Return the tokens of kept prompts: their last words, or all of them.

    Each prompt weighs 1 in all. With ``last`` a kept token that is an erased one is
    refused; otherwise two prompts may share tokens.

    Args:
        request: What is kept.
        span: ``last`` for the last word of each, anything else for all tokens.
        erased: The erased tokens, ``[m, d_text]``.

    Raises:
        ConceptError: A kept prompt ends in a token that is to be erased.
    """
    tokens = encoded_bank(request)
    if span != "last":
        length, flat = tokens.shape[1], tokens.flatten(0, 1)
        each = torch.full((len(flat),), 1 / length, dtype=torch.float64)
        return Tokens(*_distinct(flat, each))
    ends = torch.tensor([_last(request, text) for text in request.keep])
    rows = tokens[torch.arange(len(tokens)), ends.long()]
    _refuse_kept(request, rows, erased)
    return Tokens(*_distinct(rows, torch.ones(len(rows)).double()))


def encoded_bank(request: Request) -> Tensor:
    """Return kept prompts encoded, float64 ``[n, length, d_text]``.

    The whole bank is encoded once and cached.
    """
    if not request.keep:
        length, d_text = request.model.encode([""]).tokens.shape[1:]
        return torch.zeros(0, length, d_text).double()
    bank = request.bank if {*request.keep} <= {*request.bank} else request.keep
    key = canonical_json([request.model.manifest.root, "encoded", [*bank]]).decode()
    tokens = request.shelf.get(key)
    if tokens is None or len(tokens) != len(bank):
        tokens = request.model.encode(bank).tokens
        _refuse_no_numbers(bank, tokens)
        request.shelf.put(key, tokens)
    places = {text: i for i, text in enumerate(bank)}
    return tokens[[places[text] for text in request.keep]].double()


def _of_concept(
    request: Request, i: int, target: Target, *, span: Span, n_prompts: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    group = request.forget[i][: n_prompts or None]
    pairs = [(prompt, prompt.target(target)) for prompt in group]
    pairs = [(prompt, instead) for prompt, instead in pairs if prompt.text != instead]
    named = request.model.encode([prompt.text for prompt, _ in pairs]).tokens
    others = request.model.encode([instead for _, instead in pairs]).tokens
    erased, goal, weights, names = [], [], [], []
    for row, (prompt, instead) in enumerate(pairs):
        length = named.shape[1]
        first, last = name_span(request, i, prompt, length)
        names.append(named[row, last].double())
        end = _last(request, instead)
        if span == "last":
            here, there = [last], [end]
        elif span == "all":
            here = there = [*range(first, length)]
        else:
            if span == "behind":
                last, end = _behind(request, prompt, instead)
            n = length - max(last, end)
            here, there = [*range(last, last + n)], [*range(end, end + n)]
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


def _of_family(
    request: Request, pairs: Sequence[tuple[str, str]]
) -> tuple[Tensor, Tensor, Tensor]:
    named = request.model.encode([text for text, _ in pairs]).tokens
    others = request.model.encode([stays for _, stays in pairs]).tokens
    erased, goal, weights = [], [], []
    for one, other in zip(named, others, strict=True):
        first = int((one != other).any(1).int().argmax())
        erased.append(one[first:])
        goal.append(other[first:])
        n = len(one) - first
        weights += [1 / (len(pairs) * n)] * n
    return _merged(torch.cat(erased), torch.cat(goal), weights)


def _merged(
    erased: Tensor, goal: Tensor, weights: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Merge equal pairs, float64."""
    both, weight = _distinct(
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


def _last(request: Request, text: str) -> int:
    """Return the position of a prompt's last word; the beginning where it has none."""
    return max(request.model.n_tokens(text) - 2, START)


def _distinct(rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
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


def _refuse_no_numbers(texts: Sequence[str], tokens: Tensor) -> None:
    for text, row in zip(texts, tokens, strict=True):
        if not torch.isfinite(row).all():
            raise ConceptError(
                f"the text encoder gives the kept prompt '{text}' tokens that are not "
                "finite",
                fix="check the model's text encoder, or compute with --dtype float32",
            )


def _refuse_kept(request: Request, rows: Tensor, erased: Tensor) -> None:
    gone = {row.numpy().tobytes() for row in erased}
    for text, row in zip(request.keep, rows, strict=True):
        if row.numpy().tobytes() in gone:
            raise ConceptError(
                f"the prompt '{text}' is kept, but it ends in an erased token",
                fix="leave out that prompt in the file of concepts, or that alias",
            )
