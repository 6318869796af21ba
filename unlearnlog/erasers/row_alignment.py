"""Rows of an erased prompt, each with the row of its target that it is to become.

An encoder that is causal gives a token the same row whatever follows it, so only the
rows from the concept's name on depend on the name. One that is not causal, such as T5
or BERT, changes every row with the name: then all rows that the network reads take
part, the padding among them where the network reads it without a mask.

Rows are aligned in blocks: what stands before the prompt's first word (a begin token, a
template), the words that prompt and target begin with, those in which they differ, the
words that both end with, and what stands behind the last one (an end token, a template,
padding). Within a block rows become the rows at the same place. The last row becomes
the last; where the target's block is the shorter one its last row stands in for the
missing ones, and where it is the longer one those before its last are left out. A block
that the target does not have becomes the row before it, or else the one behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from unlearnlog.erasers.concept_texts import Reach
    from unlearnlog.models.interface import PromptRows

_OTHERS: Final = ("around", "behind")
"""Spans without the concept's own rows."""

_OWN: Final = 2
"""The block of the words in which prompt and target differ."""

Blocks = list[list[int]]
"""Five: rows before the words, of the first words alike, of others, of the last words
alike, and behind them."""


@dataclass(frozen=True)
class ReadPrompt:
    """A prompt, and the rows that the network reads of it.

    Attributes:
        text: The prompt.
        rows: What its rows stand for.
        read: The rows that are read, in order.
    """

    text: str
    rows: PromptRows
    read: tuple[int, ...]

    @classmethod
    def of(cls, text: str, rows: PromptRows, mask: Sequence[bool] | None) -> Self:
        """Return a prompt with its mask; None for a network that reads all rows."""
        every = range(len(rows.spans))
        read = tuple(i for i in every if mask is None or mask[i])
        return cls(text, rows, read)

    @property
    def parts(self) -> list[tuple[bool, list[int]]]:
        """The rows of each encoder, and whether it is causal."""
        groups = groupby(self.read, lambda row: self.rows.causal[row])
        return [(causal, [*rows]) for causal, rows in groups]

    @property
    def said(self) -> list[int]:
        """The rows of words."""
        return self.words(self.read, 0, len(self.text))

    @property
    def ends(self) -> list[int]:
        """The row of the last word, one for each encoder; the first where it has none.

        An encoder that reads no word while another does is left out.
        """
        every = [rows for _, rows in self.parts]
        found = [self.words(rows, 0, len(self.text))[-1:] for rows in every]
        return [row for some in found for row in some] or [every[-1][0]]

    def words(self, rows: Sequence[int], begin: int, end: int) -> list[int]:
        """Return those rows that stand for characters of a stretch of the prompt."""
        spans = ((row, self.rows.spans[row]) for row in rows)
        return [row for row, at in spans if at and at[1] > begin and at[0] < end]


@dataclass(frozen=True)
class RowPairs:
    """Rows of a prompt with those of its target.

    Attributes:
        here: Rows of the prompt.
        there: Row of the target for each.
        names: The last row of the concept's name, one for each encoder.
    """

    here: list[int]
    there: list[int]
    names: list[int]


def paired_rows(
    one: ReadPrompt, other: ReadPrompt, name: tuple[int, int], span: Reach
) -> RowPairs:
    """Return the rows that take part, with their goals.

    Of an encoder that is not causal all rows take part, whichever span from the name
    on is chosen; with ``around`` and ``behind`` those of the concept's own words do
    not. ``last`` is one row of each encoder: the name's last, which becomes the last
    word's. Of a causal encoder it is the rows before the name that do not take part,
    but for ``whole`` and ``around``; with ``all`` and as many rows in both, those from
    the name's first on become the ones at the same position.

    Args:
        one: The erased prompt.
        other: Its target.
        name: The characters of the concept's name in the prompt.
        span: Which rows take part, see `concept_texts.REACHES`.
    """
    here, there, names = [], [], []
    parts = zip(one.parts, other.parts, strict=True)
    for (causal, mine), (_, theirs) in parts:
        said = one.words(mine, *name)
        if not said:
            continue
        names.append(said[-1])
        if span == "last":
            ends = other.words(theirs, 0, len(other.text))
            pairs = [(said[-1], (ends or theirs)[-1])]
        elif causal and span in ("all", "tail") and len(mine) == len(theirs):
            ends = other.words(theirs, 0, len(other.text)) or theirs[:1]
            pairs = _from_the_name(mine, theirs, said=said, ends=ends, span=span)
        else:
            pairs = _in_blocks((one, mine), (other, theirs), causal, span, said)
        here += [row for row, _ in pairs]
        there += [row for _, row in pairs]
    return RowPairs(here, there, names)


def rows_alike(one: ReadPrompt, other: ReadPrompt) -> tuple[list[int], list[int]]:
    """Return all rows that differ with the words in which two prompts differ.

    Returns:
        Rows of the one prompt, and the row of the other for each.
    """
    before, _ = _ends_alike(one.text, other.text)
    here, there = [], []
    parts = zip(one.parts, other.parts, strict=True)
    for (causal, mine), (_, theirs) in parts:
        first = one.words(mine, before, len(one.text))[:1]
        pairs = _in_blocks((one, mine), (other, theirs), causal, "all", first)
        here += [row for row, _ in pairs]
        there += [row for _, row in pairs]
    return here, there


def _from_the_name(
    mine: Sequence[int],
    theirs: Sequence[int],
    *,
    said: Sequence[int],
    ends: Sequence[int],
    span: Reach,
) -> list[tuple[int, int]]:
    """Return rows from the name on: at the same position, or as far behind it."""
    if span == "all":
        begin = end = mine.index(said[0])
    else:
        begin, end = mine.index(said[-1]), theirs.index(ends[-1])
    n = len(mine) - max(begin, end)
    return list(zip(mine[begin : begin + n], theirs[end : end + n], strict=True))


def _in_blocks(
    one: tuple[ReadPrompt, Sequence[int]],
    other: tuple[ReadPrompt, Sequence[int]],
    causal: bool,
    span: Reach,
    said: Sequence[int],
) -> list[tuple[int, int]]:
    """Return rows block by block; of a causal encoder from the name on."""
    mine, theirs = _blocks(one, other)
    pairs: list[tuple[int, int]] = []
    for i, block in enumerate(mine):
        if i == _OWN and span in _OTHERS:
            continue
        if block:
            pairs += _matched(block, theirs[i] or [_beside(theirs, i)])
    if not causal or span in ("whole", "around"):
        return pairs
    if not said:
        return []
    first = said[-1 if span == "tail" else 0]
    return [(row, goal) for row, goal in pairs if row >= first]


def _matched(mine: Sequence[int], theirs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield rows at the same place of two blocks, the last with the last."""
    last = len(theirs) - 1
    for i, row in enumerate(mine):
        yield row, theirs[last if i == len(mine) - 1 else min(i, last)]


def _beside(blocks: Blocks, i: int) -> int:
    """Return the row before an empty block, or else the first one behind it."""
    before = [row for block in blocks[:i] for row in block]
    behind = [row for block in blocks[i:] for row in block]
    return before[-1] if before else behind[0]


def _blocks(
    one: tuple[ReadPrompt, Sequence[int]], other: tuple[ReadPrompt, Sequence[int]]
) -> tuple[Blocks, Blocks]:
    """Return the blocks of a prompt and of its target."""
    n_alike, ends = _ends_alike(one[0].text, other[0].text)
    heads = [_n_before(*each) for each in (one, other)]
    known = [n for n in heads if n is not None]
    head = min(known, default=max(len(one[1]), len(other[1])))
    found = [
        _split(*each, head if n is None else n, (n_alike, end))
        for each, n, end in zip((one, other), heads, ends, strict=True)
    ]
    return found[0], found[1]


def _split(
    prompt: ReadPrompt, rows: Sequence[int], head: int, alike: tuple[int, int]
) -> Blocks:
    """Split rows into blocks.

    Args:
        prompt: The prompt.
        rows: Its rows.
        head: Number of rows before the first word.
        alike: Where the first words that are alike end, and the last ones begin.
    """
    spans = prompt.rows.spans
    inside = [i for i, row in enumerate(rows) if spans[row]]
    tail = inside[-1] + 1 if inside else head
    found: Blocks = [[*rows[:head]], [], [], [], [*rows[tail:]]]
    place = 1
    for row in rows[head:tail]:
        at = spans[row]
        if at:  # a row that stands for nothing goes with the one before it
            place = 1 if at[1] <= alike[0] else 3 if at[1] > alike[1] else _OWN
        found[place].append(row)
    return found


def _n_before(prompt: ReadPrompt, rows: Sequence[int]) -> int | None:
    """Return the number of rows before the first word; None where there is no word."""
    spans = prompt.rows.spans
    n = sum(1 for _ in takewhile(lambda row: not spans[row], rows))
    return None if n == len(rows) else n


def _ends_alike(one: str, other: str) -> tuple[int, tuple[int, int]]:
    """Return where the words that two texts begin with end, and the last ones begin.

    Returns:
        Characters of the first words that are alike, and for each text the position
        from which the last words are alike.
    """
    words, others = ([*re.finditer(r"\S+", text)] for text in (one, other))
    n = _n_alike(words, others)
    last = _n_alike(words[n:][::-1], others[n:][::-1])
    begin, end = (
        found[len(found) - last].start() if last else len(text)
        for found, text in ((words, one), (others, other))
    )
    return (words[n - 1].end() if n else 0), (begin, end)


def _n_alike(one: Sequence[re.Match[str]], other: Sequence[re.Match[str]]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0][0] == pair[1][0], pairs))
