"""What the rows of an encoded prompt stand for, and what a transformer reads of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.models.interface import Place, PromptRows, Text

if TYPE_CHECKING:
    from unlearnlog.models.components import Components, Untyped
    from unlearnlog.models.family_rules.protocol import FamilyRules

_UNGUIDED: Final = 1.0


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
        found = rules.read_by_attention(parts, parts.network, text).float().cpu()
    elif place == "entry":
        each = [_at_entry(parts, rules, text[[row]]) for row in range(len(text))]
        found = torch.stack(each)
    else:
        message = f"the prompt alone does not tell what the matrices of {place} read"
        raise ValueError(message)
    if text.mask is not None and text.mask.shape == found.shape[:2]:
        found = found * text.mask[:, :, None]
    return found


class _Read(Exception):  # noqa: N818 - what happened, not a fault
    """The input of the entry, which ends the pass through the network."""

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.rows = rows


def _at_entry(parts: Components, rules: FamilyRules, text: Text) -> torch.Tensor:
    """Return what reaches the entry of one prompt's text, ``[length, d]``.

    The network is called with rows that it reads, and gets no further than its entry.
    """
    length = text.tokens.shape[1]
    read = torch.ones(length, dtype=torch.bool) if text.mask is None else text.mask[0]
    n = int(read.sum())
    mask = None if text.mask is None else text.mask[:, read]
    some = Text(text.tokens[:, read], text.pooled, mask, text.more)
    x = torch.zeros(1, *rules.latent_shape(parts), device=parts.device)
    t = torch.full((1,), 500.0, device=parts.device)
    hook = _entry(parts).register_forward_pre_hook(_stop)
    try:
        rules.predict(parts, parts.network, x, t, text=some, guidance=_UNGUIDED)
    except _Read as found:
        rows = found.rows.reshape(-1, found.rows.shape[-1])[:n].float().cpu()
    finally:
        hook.remove()
    whole = torch.zeros(length, rows.shape[-1])
    whole[read] = rows
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


def _stop(module: torch.nn.Module, given: tuple[Untyped, ...]) -> None:
    del module
    raise _Read(given[0].detach())
