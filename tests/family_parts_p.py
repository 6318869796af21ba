"""Checks of families where layers of the attention read the prompt alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

from tests.family_parts import PROMPTS, STEPS, PipelineParts, encoded, noise
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from collections.abc import Sequence


def got(
    parts: PipelineParts, rules: Any, text: Text, pattern: str
) -> dict[str, torch.Tensor]:
    """Return the input of each linear layer that a pattern matches, in one prediction.

    Args:
        parts: The parts of a stock pipeline.
        rules: The rules of its family.
        text: Encoded prompts.
        pattern: Matches full names of weights.
    """
    found: dict[str, torch.Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(
            lambda _, given, name=name: found.__setitem__(name, given[0])
        )
        for name, layer in parts.network.named_modules()
        if re.fullmatch(pattern, f"transformer.{name}.weight")
    ]
    x = torch.randn(len(text), *rules.latent_shape(parts))
    with torch.no_grad():
        rules.predict(
            parts, parts.network, x, torch.tensor(500.0), text=text, guidance=1.0
        )
    for hook in hooks:
        hook.remove()
    return found


def check_read(parts: PipelineParts, rules: Any, pattern: str) -> None:
    """Check that rules say what keys and values of the attention are computed from."""
    text = encoded(parts, rules, ["", *PROMPTS])

    with torch.no_grad():
        read = rules.read_by_attention(parts, parts.network, text)

    layers = got(parts, rules, text, pattern)
    assert len(layers) == 4
    for layer in layers.values():
        torch.testing.assert_close(layer, read, rtol=0, atol=1e-6)


def spoken(rows: Sequence[tuple[int, int] | None], prompt: str) -> list[str]:
    """Return the piece of the prompt behind each row that stands for one."""
    return [prompt[slice(*row)].strip() for row in rows if row]


def check_alphas(parts: PipelineParts, rules: Any) -> None:
    """Check that the schedule is the scheduler's own, which noise is added by."""
    shape = rules.latent_shape(parts)
    scheduler = rules.scheduler(parts, STEPS, shape)
    x0, e = noise(parts, rules), torch.randn(2, *shape)
    t = scheduler.timesteps[1]
    kept = parts.scheduler.alphas_cumprod[t].sqrt()
    lost = (1 - parts.scheduler.alphas_cumprod[t]).sqrt()

    x_t = scheduler.add_noise(x0, e, t.expand(2))

    assert rules.sigmas(parts, shape) is None
    assert len(scheduler.timesteps) == STEPS
    torch.testing.assert_close(x_t, kept * x0 + lost * e, rtol=1e-4, atol=1e-4)
