"""What one prediction spares: texts given twice, and notes for a gradient of nobody."""

from __future__ import annotations

from collections.abc import Callable

import torch

from unlearnlog.models.interface import Text


def spared(predict: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return what is predicted; in inference mode where no gradient is asked for.

    That mode is quicker than `torch.no_grad` alone, since quick layers may write over
    what they are given. The result is a plain tensor that can be learnt from.
    """
    if torch.is_grad_enabled():
        return predict()
    with torch.inference_mode():
        predicted = predict()
    return predicted.clone()


def told_apart(text: Text) -> tuple[Text, torch.Tensor]:
    """Return the distinct texts, and which of them each one is.

    Texts that something is learnt of are distinct, whatever they say.

    Returns:
        Texts in the order in which they first come, and int64 ``[n]``.
    """
    every = torch.arange(len(text))
    parts = [text.tokens] if text.pooled is None else [text.tokens, text.pooled]
    if len(text) < 2 or any(part.requires_grad for part in parts):
        return text, every
    said = torch.cat([part.flatten(1) for part in parts], 1)
    found, rows = torch.unique(said, dim=0, return_inverse=True)
    first = torch.full((len(found),), len(text)).scatter_reduce(0, rows, every, "amin")
    if len(first) == len(text):
        return text, every
    first, order = first.sort()
    return text[first], order.argsort()[rows]
