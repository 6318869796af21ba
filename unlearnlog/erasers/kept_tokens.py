"""Tokens of kept prompts, each encoded once for every erasure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearnlog.core.digest import canonical_json
from unlearnlog.erasers.tokens import Span, Tokens, distinct, last_word
from unlearnlog.errors import ConceptError

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request


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
    if span == "last" and request.reads_beginnings:
        return _last_kept(request, erased)
    tokens = encoded_bank(request)
    if span != "last":
        length, flat = tokens.shape[1], tokens.flatten(0, 1)
        each = torch.full((len(flat),), 1 / length, dtype=torch.float64)
        return Tokens(*distinct(flat, each))
    ends = [_ends(request, text) for text in request.keep]
    found = [row[places] for row, places in zip(tokens, ends, strict=True)]
    rows = torch.cat([tokens[:0, 0], *found])
    texts = [t for t, places in zip(request.keep, ends, strict=True) for _ in places]
    _refuse_kept(texts, rows, erased)
    weights = [1 / len(places) for places in ends for _ in places]
    return Tokens(*distinct(rows, torch.tensor(weights).double()))


def _last_kept(request: Request, erased: Tensor) -> Tokens:
    """Return the last words of kept prompts, computed without their padding."""
    if not request.keep:
        return Tokens(torch.zeros(0, erased.shape[1]).double(), torch.zeros(0).double())
    key = _key(request, "last words", request.keep)
    rows = request.shelf.get(key)
    if rows is None or len(rows) != len(request.keep):
        rows = request.rows_at(
            [(text, last_word(request, text)) for text in request.keep]
        )
        _refuse_no_numbers(request.keep, rows)
        request.shelf.put(key, rows)
    _refuse_kept(request.keep, rows.double(), erased)
    return Tokens(*distinct(rows, torch.ones(len(rows)).double()))


def encoded_bank(request: Request) -> Tensor:
    """Return kept prompts encoded, float64 ``[n, length, d_text]``.

    The whole bank is encoded once and cached.
    """
    if not request.keep:
        length, d_text = request.read([""]).shape[1:]
        return torch.zeros(0, length, d_text).double()
    bank = request.bank if {*request.keep} <= {*request.bank} else request.keep
    key = _key(request, "encoded", bank)
    tokens = request.shelf.get(key)
    if tokens is None or len(tokens) != len(bank):
        tokens = request.read(bank)
        _refuse_no_numbers(bank, tokens)
        request.shelf.put(key, tokens)
    places = {text: i for i, text in enumerate(bank)}
    return tokens[[places[text] for text in request.keep]].double()


def _key(request: Request, what: str, texts: Sequence[str]) -> str:
    """Return the key of encoded texts in a cache."""
    place = () if request.place in (None, "cross-attention") else (request.place,)
    told = [request.model.manifest.root, what, [*texts], *place]
    return canonical_json(told).decode()


def _ends(request: Request, text: str) -> list[int]:
    """Return the rows of a kept prompt's last word, one for each encoder."""
    read = request.reading(text)
    return [last_word(request, text)] if read is None else read.ends


def _refuse_no_numbers(texts: Sequence[str], tokens: Tensor) -> None:
    for text, row in zip(texts, tokens, strict=True):
        if not torch.isfinite(row).all():
            raise ConceptError(
                f"the text encoder gives the kept prompt '{text}' tokens that are not "
                "finite",
                fix="check the model's text encoder, or compute with --dtype float32",
            )


def _refuse_kept(texts: Sequence[str], rows: Tensor, erased: Tensor) -> None:
    gone = {row.numpy().tobytes() for row in erased}
    for text, row in zip(texts, rows, strict=True):
        if row.numpy().tobytes() in gone:
            raise ConceptError(
                f"the prompt '{text}' is kept, but it ends in an erased token",
                fix="leave out that prompt in the file of concepts, or that alias",
            )
