"""Savings in one prediction: equal texts once, and no graph without gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch

from unlearnlog.models.interface import Text


def spared(predict: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return the prediction, computed in inference mode where gradients are off.

    That mode is faster than `torch.no_grad` alone, since fast layers may work in place.
    The result is a normal tensor that can take part in training.
    """
    if torch.is_grad_enabled():
        return predict()
    with torch.inference_mode():
        predicted = predict()
    return predicted.clone()


def told_apart(text: Text) -> tuple[Text, torch.Tensor]:
    """Return the distinct texts, and the row of each text among them.

    Texts that require a gradient always count as distinct.

    Returns:
        Texts in the order of their first occurrence, and int64 ``[n]``.
    """
    every = torch.arange(len(text))
    parts = [text.tokens] if text.pooled is None else [text.tokens, text.pooled]
    if len(text) < 2 or any(part.requires_grad for part in parts):
        return text, every
    flat = torch.cat([part.flatten(1) for part in parts], 1)
    found, rows = torch.unique(flat, dim=0, return_inverse=True)
    first = torch.full((len(found),), len(text)).scatter_reduce(0, rows, every, "amin")
    if len(first) == len(text):
        return text, every
    first, order = first.sort()
    return text[first], order.argsort()[rows]
