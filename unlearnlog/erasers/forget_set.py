"""Pictures of what is to be forgotten, painted by the base and kept while they last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearnlog.digest import canonical_json

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request
    from unlearnlog.prompt import Prompt


def drawn(request: Request, n: int) -> list[tuple[Prompt, int]]:
    """Return ``n`` prompts of each concept with their seeds.

    Concepts take turns, so that any run of pictures shows all of them.
    """
    return [
        (group[turn % len(group)], request.seed + turn // len(group))
        for turn in range(n)
        for group in request.forget
    ]


def painted(request: Request, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """Return the base's latents for prompts and seeds, ``[n, c, h, w]``.

    Each batch is put on the request's shelf as soon as it is painted, so a command that
    is stopped here and typed again goes on where it was.
    """
    model, sampling = request.model, request.sampling
    parts = [torch.empty(0, *model.latent_shape)]
    request.watch.stage("painting the forget set", len(texts))
    for begin in range(0, len(texts), sampling.batch):
        part = slice(begin, begin + sampling.batch)
        some, some_seeds = list(texts[part]), list(seeds[part])
        how = [model.manifest.root, sampling.steps, sampling.guidance]
        key = canonical_json([*how, some, some_seeds]).decode()
        latents = request.shelf.get(key)
        if latents is None:
            latents = model.paint(some, some_seeds, sampling=sampling).latents
            request.shelf.put(key, latents)
        parts.append(latents)
        request.watch.advance(len(some), {})
    return torch.cat(parts)
