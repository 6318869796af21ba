"""Rows of texts with their targets; of many names without their padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from unlearnlog.erasers.row_alignment import RowPairs

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request

Spotted = tuple[str, str, RowPairs]
"""A text, its target, and the rows of both that take part."""


@dataclass(frozen=True)
class TextRows:
    """Rows of texts that a request reads.

    Attributes:
        request: What is read.
        known: Rows that are computed already, ``[d]``, by text and place; all, or none.
    """

    request: Request
    known: Mapping[tuple[str, int], Tensor]

    @classmethod
    def of(cls, request: Request, spots: Iterable[Spotted]) -> Self:
        """Return the rows of texts, computed at once where one row of each is read."""
        wanted = [*_read(spots)]
        if not request.reads_beginnings or any(len(at) > 1 for _, at in wanted):
            return cls(request, {})
        said = [*dict.fromkeys((text, place) for text, (place,) in wanted)]
        return cls(request, dict(zip(said, request.rows_at(said), strict=True)))

    def of_pair(self, spotted: Spotted) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows of a text, those of its target, and the mean of its name's.

        Float64, ``[n, d]`` twice and ``[d]``.
        """
        text, instead, rows = spotted
        if self.known:
            erased, goal = self._at(text, rows.here), self._at(instead, rows.there)
            return erased, goal, self._at(text, rows.names).mean(0)
        one, other = self.request.read([text, instead]).double()
        return one[rows.here], other[rows.there], one[rows.names].mean(0)

    def _at(self, text: str, places: Sequence[int]) -> Tensor:
        return torch.stack([self.known[text, place] for place in places]).double()


def _read(spots: Iterable[Spotted]) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield texts and targets with the rows that are read of each."""
    for text, instead, rows in spots:
        yield from ((text, rows.here), (instead, rows.there), (text, rows.names))
