"""A feed-forward layer computed piece by piece, each piece small enough for a cache."""

from __future__ import annotations

from typing import Final

import torch
from diffusers.models.attention import FeedForward

_N_NUMBERS: Final = 2**18
"""How many numbers a piece's widest array has: 1 MiB of them."""


class PiecewiseFeedForward(FeedForward):
    """Widens, gates and narrows tokens, some of them at a time."""

    @classmethod
    def of(cls, layer):
        made = cls.__new__(cls)
        torch.nn.Module.__init__(made)
        made.net = layer.net
        return made.train(layer.training)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        if not torch.is_inference_mode_enabled():
            return super().forward(hidden_states)
        flat = hidden_states.flatten(0, -2)
        n = 1024
        pieces = flat.split(n)
        if len(pieces) == 1:
            return super().forward(hidden_states)
        return torch.cat([super(PiecewiseFeedForward, self).forward(p) for p in pieces]).view(hidden_states.shape)


def piece(network):
    for within in list(network.modules()):
        for name, layer in list(within.named_children()):
            if type(layer) is FeedForward:
                setattr(within, name, PiecewiseFeedForward.of(layer))
