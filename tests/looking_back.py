"""A model whose text encoder looks back only, as CLIP's, with keys and with values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import digest_of
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.models.interface import Sampling, Text

VALUES = NAME
KEYS = NAME.replace("to_v", "to_k")
D_TEXT = 64
LENGTH = 20


class LookingBack(LinearModel):
    """A word's token depends on the words before it; paints in one step."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(6)
        self.d_text = D_TEXT
        self.n_encoded = 0
        self.base = {
            name: (0.2 * torch.randn(96, D_TEXT, generator=rng)).half()
            for name in (VALUES, KEYS)
        }

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:  # noqa: ARG002 - no encoder's
        """Give tokens ``[n, 20, 64]``; behind the last word all are end marks."""
        self.n_encoded += len(prompts)
        if not prompts:
            return Text(torch.zeros(0, LENGTH, D_TEXT))
        return Text(torch.stack([tokens_of(" ".join(p.split())) for p in prompts]))

    def eps(self, x_t, t, text, *, weights=None):
        values = (weights or self.base)[VALUES][:8]  # as many as a latent has numbers
        return super().eps(x_t, t, text, weights={VALUES: values})

    def paint(self, prompts, seeds, *, sampling, **options):
        sampling = replace(sampling, steps=1)
        return super().paint(prompts, seeds, sampling=sampling, **options)


@cache
def tokens_of(prompt: str) -> torch.Tensor:
    """Return a prompt's tokens, each of it and of all that is before it."""
    words = ["<begin>", *prompt.split()]
    words = [*words, *["<end>"] * (LENGTH - len(words))][:LENGTH]
    said = [" ".join(words[: i + 1]) for i in range(LENGTH)]
    parts = (
        (0.40, [_drawn("what all have in common")] * LENGTH),
        (0.35, [_drawn(word) for word in words]),
        (0.25, [_drawn(f"said so far: {text}") for text in said]),
    )
    return sum(
        (share**0.5 * torch.stack(drawn) for share, drawn in parts),
        torch.zeros(LENGTH, D_TEXT),
    )


@cache
def _drawn(text: str) -> torch.Tensor:
    source = torch.Generator().manual_seed(int(digest_of(text.encode())[:12], 16))
    return torch.randn(D_TEXT, generator=source)


def request_of(model, *groups: tuple[Prompt, ...], keep=(), **options) -> Request:
    """Ask for the erasure of these concepts, called by the names they are spelt by."""
    return Request(
        model,
        old=model.base,
        forget=groups,
        keep=tuple(keep),
        sampling=Sampling(steps=1, guidance=1.0),
        seed=0,
        **{"names": tuple(g[0].named if g else "" for g in groups), **options},
    )


def prompts_of(name: str, subjects: Sequence[str] = ("cat", "dog", "tree")):
    """Return prompts that name a style, with a place in each of three positions."""
    found = []
    for noun in subjects:
        found += [
            Prompt(f"a {noun} by {name}", f"a {noun}", f"photo {noun}", named=name),
            Prompt(f"art of {name} with {noun}", f"art {noun}", "photo", named=name),
            Prompt(f"{name} and a {noun}", f"a {noun}", f"photo {noun}", named=name),
        ]
    return tuple(found)


KEPT = ("a cat", "a dog", "a tree", "", "photo cat", "a cat by Monet", "art of Klimt")
