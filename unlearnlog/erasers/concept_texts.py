"""Texts that name a concept to a closed form: prompts, or names as authors give them.

A program that takes names encodes each of them as a prompt of its own. The target of a
name is that of the shortest prompt with this name in the forget set: "a photo" for a
style, as for "a painting by Picasso".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import torch
from torch import Tensor

from unlearnlog.erasers.kept_tokens import kept_tokens
from unlearnlog.erasers.row_alignment import RowPairs
from unlearnlog.erasers.text_rows import Spotted, TextRows
from unlearnlog.erasers.tokens import (
    SPANS,
    START,
    Span,
    TokenPairs,
    Tokens,
    rows_of,
)
from unlearnlog.errors import ConceptError

if TYPE_CHECKING:
    from unlearnlog.core.prompt import Target
    from unlearnlog.erasers.eraser import Request

Reach = Span | Literal["whole", "around"]

REACHES: Final[tuple[Reach, ...]] = (*SPANS, "whole", "around")
"""The tokens that take part: those of `SPANS`; ``whole``: each, with the one at the
same position; ``around``: each before the name and each behind it, the latter counted
from where both texts end alike."""

Texts = Literal["prompts", "names", "art", "objects"]

TEXTS: Final[tuple[Texts, ...]] = ("prompts", "names", "art", "objects")
"""The texts of a concept: the prompts of its forget set; its names alone; these and
each in the five phrases that authors' programs have for art, or for objects."""

Keeps = Literal["prompts", "names", "names and empty", "empty", "nothing"]

KEEPS: Final[tuple[Keeps, ...]] = (
    "prompts",
    "names",
    "names and empty",
    "empty",
    "nothing",
)
"""The kept texts: prompts of all that stays; its names; the empty prompt beside these
or alone; none."""

Weigh = Literal["shares", "sums"]

WEIGHS: Final[tuple[Weigh, ...]] = ("shares", "sums")
"""Weights of a concept's tokens, and of a kept prompt's: 1 in all, or 1 each."""

PHRASES: Final = {
    "prompts": (),
    "names": (),
    "art": (
        "painting by {}",
        "art by {}",
        "artwork by {}",
        "picture by {}",
        "style of {}",
    ),
    "objects": (
        "image of {}",
        "photo of {}",
        "portrait of {}",
        "picture of {}",
        "painting of {}",
    ),
}
"""Phrases in which authors' programs put a name, beside the name alone."""

Said = tuple[str, tuple[str, str], str]
"""A text, the words in it before the name and those up to its end, and the target."""


@dataclass(frozen=True)
class ConceptTexts:
    """The choice of texts and tokens from a request.

    Attributes:
        target: What replaces a concept.
        span: Which tokens take part, see `REACHES`.
        n_prompts: Texts of each concept, 0 for all of them.
        texts: The texts of a concept, see `TEXTS`.
        weigh: The weight of a token, see `WEIGHS`.
        keeps: The kept texts, see `KEEPS`.
    """

    target: Target
    span: Reach = "last"
    n_prompts: int = 0
    texts: Texts = "prompts"
    weigh: Weigh = "shares"
    keeps: Keeps = "prompts"

    def pairs(self, request: Request) -> TokenPairs:
        """Return the tokens of the erased texts with their targets.

        Raises:
            ConceptError: A concept is its own target, or two have the same tokens.
        """
        plain = self.texts == "prompts" and self.weigh == "shares"
        if plain and self.span != "whole" and self.span != "around":
            return TokenPairs.of(
                request, self.target, self.span, n_prompts=self.n_prompts
            )
        parts = self._parts(request)
        owner = torch.arange(len(parts)).repeat_interleave(
            torch.tensor([len(each.weights) for each in parts])
        )
        return TokenPairs(
            torch.cat([each.erased for each in parts]),
            torch.cat([each.goal for each in parts]),
            torch.cat([each.weights for each in parts]),
            owner,
            torch.cat([each.names.mean(0, keepdim=True) for each in parts]),
        )

    def apart(self, request: Request) -> TokenPairs:
        """Return the same pairs with each text as a concept of its own."""
        parts = self._parts(request)
        before, owners = 0, []
        for each in parts:
            owners.append(each.owner + before)
            before += len(each.names)
        return TokenPairs(
            torch.cat([each.erased for each in parts]),
            torch.cat([each.goal for each in parts]),
            torch.cat([each.weights for each in parts]),
            torch.cat(owners),
            torch.cat([each.names for each in parts]),
        )

    def kept(self, request: Request, erased: Tensor) -> Tokens:
        """Return the tokens of the kept texts.

        Raises:
            ConceptError: A kept prompt ends in a token that is to be erased.
        """
        if self.keeps == "prompts" and self.weigh == "shares":
            span: Span = "last" if self.span == "last" else "all"
            return kept_tokens(request, span, erased)
        texts = self._kept_texts(request)
        rows = [self._of_kept(request, text) for text in texts]
        if not rows:
            empty = torch.zeros(0, erased.shape[1]).double()
            return Tokens(empty, torch.zeros(0).double())
        one = [1.0 if self.weigh == "sums" else 1 / len(each) for each in rows]
        weights = [torch.full((len(r),), w) for r, w in zip(rows, one, strict=True)]
        return Tokens(torch.cat(rows), torch.cat(weights).double())

    def _parts(self, request: Request) -> list[TokenPairs]:
        """Return each concept's pairs.

        Raises:
            ConceptError: Two concepts have the same tokens.
        """
        spots = [self._spots(request, i) for i in range(len(request.forget))]
        rows = TextRows.of(request, chain.from_iterable(spots))
        parts = [
            self._of_concept(request, i, spots[i], rows) for i in range(len(spots))
        ]
        seen: dict[bytes, int] = {}
        for i, each in enumerate(parts):
            first = seen.setdefault(each.erased.numpy().tobytes(), i)
            if first != i:
                raise ConceptError(
                    f"'{request.name(first)}' and '{request.name(i)}' are one concept "
                    "to this model: their names have the same tokens",
                    fix="erase one of them and give it the other name with --alias",
                )
        return parts

    def _kept_texts(self, request: Request) -> list[str]:
        if self.keeps == "prompts":
            return [*request.keep]
        empty = [""] if "empty" in self.keeps else []
        return empty + ([*request.others] if "names" in self.keeps else [])

    def _of_kept(self, request: Request, text: str) -> Tensor:
        """Return the tokens of a kept text: its last one, or all."""
        tokens = request.read([text])[0].double()
        _refuse_no_numbers(f"the kept prompt '{text}'", tokens)
        if self.span != "last":
            return tokens
        if (read := request.reading(text)) is not None:
            return tokens[read.ends]
        if not text:
            return tokens[START + 1 :]
        return tokens[request.model.n_tokens(text) - 2][None]

    def _spots(self, request: Request, i: int) -> list[Spotted]:
        """Return one concept's texts and targets with the rows that take part.

        Raises:
            ConceptError: It is its own target, or a name ends beyond what is read.
        """
        said = list(self._said(request, i))[: self.n_prompts or None]
        if not said or all(text == instead for text, _, instead in said):
            called = request.name(i)
            raise ConceptError(
                f"'{called}' is the same as its {self.target}: there is nothing to "
                "erase",
                fix=f"give '{called}' another --anchor, or another --target",
            )
        length = request.read([""]).shape[1]
        spots = []
        for each in said:
            rows = rows_of(request, i, each, span=self.span)
            if rows is None:
                rows = _Spot.of(request, each, length).rows(self.span, length)
            spots.append((each[0], each[2], rows))
        return spots

    def _of_concept(
        self, request: Request, i: int, spots: Sequence[Spotted], read: TextRows
    ) -> TokenPairs:
        """Return one concept's pairs; their owner is the text."""
        found = [read.of_pair(each) for each in spots]
        erased, goal, names = zip(*found, strict=True)
        _refuse_no_numbers(f"'{request.name(i)}'", *erased, *goal, *names)
        counts = torch.tensor([len(rows) for rows in erased])
        weights = torch.ones(int(counts.sum())).double()
        if self.weigh == "shares":
            weights = (1 / (len(spots) * counts.double())).repeat_interleave(counts)
        return TokenPairs(
            torch.cat(erased),
            torch.cat(goal),
            weights,
            torch.arange(len(spots)).repeat_interleave(counts),
            torch.stack(names),
        )

    def _said(self, request: Request, i: int) -> Iterator[Said]:
        """Yield each text of a concept that is not its own target."""
        if self.texts == "prompts":
            for prompt in request.forget[i]:
                yield prompt.text, prompt.around, prompt.target(self.target)
            return
        found = list(self._names(request, i))
        yield from ((name, ("", name), instead) for name, instead in found)
        for name, instead in found:
            for phrase in PHRASES[self.texts]:
                text, before = phrase.format(name), phrase.format("")
                yield text, (before, text), phrase.format(instead)

    def _names(self, request: Request, i: int) -> Iterator[tuple[str, str]]:
        """Yield each name with its target, the concept's own name first.

        Raises:
            ConceptError: No prompt of the concept contains a name.
        """
        shortest: dict[str, tuple[int, str]] = {}
        for prompt in request.forget[i]:
            if not prompt.named:
                continue
            found = (len(prompt.text.split()), prompt.target(self.target))
            shortest[prompt.named] = min(found, shortest.get(prompt.named, found))
        if not shortest:
            raise ConceptError(
                f"no prompt of '{request.name(i)}' contains its name",
                fix="erase it with --set texts=prompts",
            )
        for name in sorted(shortest, key=lambda name: (name != request.name(i), name)):
            yield name, shortest[name][1]


@dataclass(frozen=True)
class _Spot:
    """The position of a name in a text, and what the text shares with its target.

    Attributes:
        first: Position of the name's first token.
        last: Position of its last.
        end: Position of the last word of the target.
        alike: Number of tokens that both texts begin with.
        behind: Number that both end with, the mark behind the last word included.
        ends: Positions of these marks, in the text and in the target.
    """

    first: int
    last: int
    end: int
    alike: int
    behind: int
    ends: tuple[int, int]

    @classmethod
    def of(cls, request: Request, said: Said, length: int) -> _Spot:
        """Return the position of the name in a text.

        Args:
            request: The model.
            said: The text.
            length: Tokens that the model reads of it.

        Raises:
            ConceptError: The name ends beyond them.
        """
        text, (before, until), instead = said
        count = request.model.n_tokens
        first = count(before.rstrip()) - 1
        last = max(count(until) - 2, first)
        if last >= length - 1:
            raise ConceptError(
                f"the model reads {length} tokens, and the name in '{text}' ends at "
                f"token {last + 1}",
                fix="use fewer words",
            )
        ends = (count(text) - 1, count(instead) - 1)
        words, others = text.split(), instead.split()
        alike = _common(words, others)
        behind = _common(words[alike:][::-1], others[alike:][::-1])
        n_alike = count(" ".join(words[:alike])) - 1
        n_behind = count(text) - count(" ".join(words[: len(words) - behind]))
        return cls(first, last, max(ends[1] - 1, START), n_alike, n_behind + 1, ends)

    def rows(self, span: Reach, length: int) -> RowPairs:
        """Return the rows that take part, with their goals."""
        return RowPairs(*self.places(span, length), [self.last])

    def places(self, span: Reach, length: int) -> tuple[list[int], list[int]]:
        """Return the positions of the tokens that take part, and of their targets."""
        if span == "last":
            return [self.last], [self.end]
        if span == "all":
            return [*range(self.first, length)], [*range(self.first, length)]
        if span == "whole":
            return [*range(length)], [*range(length)]
        if span == "tail":
            n = length - max(self.last, self.end)
            return [*range(self.last, self.last + n)], [*range(self.end, self.end + n)]
        here, there = (end + 1 - self.behind for end in self.ends)
        n = length - max(here, there)
        mine, theirs = [*range(here, here + n)], [*range(there, there + n)]
        if span == "behind":
            return mine, theirs
        return [*range(self.alike), *mine], [*range(self.alike), *theirs]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the number of words that two texts begin with."""
    n = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        n += 1
    return n


def _refuse_no_numbers(what: str, *tokens: Tensor) -> None:
    if not all(torch.isfinite(each).all() for each in tokens):
        raise ConceptError(
            f"the text encoder gives {what} tokens that are not finite",
            fix="check the model's text encoder, or compute with --dtype float32",
        )
