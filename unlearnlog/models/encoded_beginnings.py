"""Rows of many prompts at once, each computed of the tokens up to it.

CLIP's text encoders are causal: a token's row does not depend on what follows. A name
is five tokens of the 77 that a prompt is padded to, so its last row costs a fifteenth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

from unlearnlog.models.fastcpu.linear_products import text_linear

Tokens = tuple[torch.Tensor, ...]
"""The first tokens of a prompt for each encoder, int64 ``[length]``."""

Beginning = tuple[tuple[int, ...], ...]
"""The same as numbers."""

Encode = Callable[[Sequence[tuple[torch.Tensor, torch.Tensor]]], torch.Tensor]
"""Encodes tokens and masks ``[n, length]`` of each encoder: ``[n, length, d_text]``."""

_STEP: Final = 4
"""Lengths are filled up to a multiple, so that more prompts share a product."""

_AT_ONCE: Final = 1024
"""Tokens that are encoded at once: enough for wide products, and 13 MB at most."""


class _OneDnnLinear(TorchFunctionMode):
    """Linear layers by oneDNN, where that is faster."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Return the function's result, of a linear layer by `text_linear`."""
        chosen = text_linear if func is torch.nn.functional.linear else func
        return chosen(*args, **(kwargs or {}))


def beginnings(prompts: Sequence[Tokens], encode: Encode) -> torch.Tensor:
    """Return the last row of each beginning of a prompt, float32 ``[n, d_text]``.

    Equal beginnings are encoded once. What a prompt is encoded with depends on these
    prompts alone, so the same prompts have the same bits.
    """
    of_length: defaultdict[int, dict[Beginning, list[int]]] = defaultdict(dict)
    for place, tokens in enumerate(prompts):
        key = tuple(tuple(each.tolist()) for each in tokens)
        longest = max(len(each) for each in key)
        of_length[-(-longest // _STEP) * _STEP].setdefault(key, []).append(place)
    found: dict[int, torch.Tensor] = {}
    for length, places in sorted(of_length.items()):
        distinct = sorted(places)
        share = max(1, _AT_ONCE // length)
        for begin in range(0, len(distinct), share):
            some = distinct[begin : begin + share]
            for key, row in zip(some, _last_rows(some, length, encode), strict=True):
                found |= dict.fromkeys(places[key], row)
    return torch.stack([found[place] for place in range(len(prompts))])


def _last_rows(some: Sequence[Beginning], length: int, encode: Encode) -> torch.Tensor:
    """Return the last row of beginnings of at most a length, ``[n, d_text]``.

    They are filled up with their last token, which no row that is read depends on.
    """
    read = []
    for each in zip(*some, strict=True):
        filled = [[*ids, *ids[-1:] * (length - len(ids))] for ids in each]
        tokens = torch.tensor(filled)
        read.append((tokens, torch.ones_like(tokens)))
    last = torch.tensor([max(map(len, key)) - 1 for key in some])
    with torch.inference_mode(), _OneDnnLinear():
        rows = encode(read)[torch.arange(len(some)), last]
    return rows.clone()
