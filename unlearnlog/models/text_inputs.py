"""The rows of an encoded prompt: what they stand for, and what is read of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, cast

import torch

from unlearnlog.models.interface import Place, PromptRows, Text

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.family_rules.protocol import FamilyRules

_UNGUIDED: Final = 1.0
_SIDE: Final = 8
"""Height and width of latents where their content is not used."""


class _CrossRules(Protocol):
    """The rules of a family with cross-attention."""

    def read_by_attention(
        self, parts: Components, network: Untyped, text: Text
    ) -> torch.Tensor:
        """Return what keys and values are computed from, ``[n, length, d]``."""
        ...


def prompt_rows(parts: Components, rules: FamilyRules, prompt: str) -> PromptRows:
    """Return the characters that each row stands for, and whether it is causal.

    Where encoders of both kinds have rows, those of the causal one come first, as many
    as its tokenizer reads.
    """
    spans = tuple(rules.tokenized(parts, prompt))
    kinds = parts.family.causal
    causal = [name for name, is_so in kinds.items() if is_so]
    n = len(spans) if len(causal) == len(kinds) else 0
    if 0 < len(causal) < len(kinds):
        n = int(parts.tokenizers[causal[0]].model_max_length)
    return PromptRows(spans, (True,) * n + (False,) * (len(spans) - n))


@torch.no_grad()
def read_by(
    parts: Components, rules: FamilyRules, text: Text, place: Place
) -> torch.Tensor:
    """Return what the matrices of a place read, float32 ``[n, length, d]``.

    Rows that the network does not read are zeros.

    Raises:
        ValueError: The place is that of joint attention, which reads the picture, too.
    """
    if place == "pooled" and text.pooled is not None:
        return text.pooled[:, None]
    if place == "cross-attention":
        crossing = cast("_CrossRules", rules)
        found = crossing.read_by_attention(parts, parts.network, text).float().cpu()
    elif place == "entry":
        each = [_at_entry(parts, rules, text[[row]]) for row in range(len(text))]
        found = torch.stack(each)
    else:
        message = f"the prompt alone does not tell what the matrices of {place} read"
        raise ValueError(message)
    if text.mask is not None and text.mask.shape == found.shape[:2]:
        found = found * text.mask[:, :, None]
    return found


class _Stop(Exception):  # noqa: N818 - what happened, not a fault
    """The end of a pass through the network, at its entry."""


def _at_entry(parts: Components, rules: FamilyRules, text: Text) -> torch.Tensor:
    """Return what reaches the entry of one prompt's text, ``[length, d]``.

    The network is called with rows that it reads, and gets no further than its entry.
    """
    length = text.tokens.shape[1]
    read = torch.ones(length, dtype=torch.bool) if text.mask is None else text.mask[0]
    n = int(read.sum())
    mask = None if text.mask is None else text.mask[:, read]
    some = Text(text.tokens[:, read], text.pooled, mask, text.more)
    channels, *_ = rules.latent_shape(parts)
    x = torch.zeros(1, channels, _SIDE, _SIDE, device=parts.device)
    t = torch.full((1,), 500.0, device=parts.device)
    heard: list[torch.Tensor] = []
    hook = _entry(parts).register_forward_pre_hook(_stopping(heard))
    try:
        with suppress(_Stop):
            rules.predict(parts, parts.network, x, t, text=some, guidance=_UNGUIDED)
    finally:
        hook.remove()
    (rows,) = heard
    whole = torch.zeros(length, rows.shape[-1])
    whole[read] = rows.reshape(-1, rows.shape[-1])[:n].float().cpu()
    return whole


def _entry(parts: Components) -> torch.nn.Module:
    """Return the first matrix of the entry."""
    family = parts.family
    modules: dict[str, torch.nn.Module] = dict(parts.network.named_modules())
    return next(
        module
        for name, module in modules.items()
        if re.fullmatch(family.entry, f"{family.network}.{name}.weight")
    )


def _stopping(
    heard: list[torch.Tensor],
) -> Callable[[torch.nn.Module, tuple[Untyped, ...]], None]:
    """Return a hook that keeps a module's input and ends the pass."""

    def stop(module: torch.nn.Module, given: tuple[Untyped, ...]) -> None:
        del module
        heard.append(given[0].detach())
        raise _Stop

    return stop
