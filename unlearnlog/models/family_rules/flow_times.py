"""Noise levels of flow matching: the shift of a schedule, and the trained levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unlearnlog.models.family_rules.protocol import Untyped


def linear_mu(
    config: Mapping[str, Untyped], n_tokens: int, *, most: float = 1.15
) -> float:
    """Return the shift's logarithm for a picture of some tokens.

    It rises on a line from ``base_shift`` at ``base_image_seq_len`` tokens to
    ``max_shift`` at ``max_image_seq_len``.

    Args:
        config: The scheduler's settings.
        n_tokens: Number of tokens of the picture.
        most: ``max_shift`` where the settings have none.
    """
    few, many = (
        config.get("base_image_seq_len", 256),
        config.get("max_image_seq_len", 4096),
    )
    low, high = config.get("base_shift", 0.5), config.get("max_shift", most)
    return float(low + (high - low) * (n_tokens - few) / (many - few))


def timed(
    template: Untyped,
    steps: int,
    device: torch.device,
    *,
    mu: float | None,
    is_even: bool = False,
) -> Untyped:
    """Return a fresh scheduler with its timesteps set.

    Args:
        template: A scheduler with the settings.
        steps: Number of steps.
        device: Device of the timesteps.
        mu: The shift's logarithm; used by schedulers that shift dynamically.
        is_even: Whether the unshifted levels are 1 down to ``1 / steps``, evenly;
            else they are the scheduler's own.

    Raises:
        UsageError: The levels end at a level of the scheduler's choice, which one step
            cannot reach.
    """
    if steps == 1 and template.config.get("shift_terminal"):
        raise UsageError(
            "this model's scheduler cannot paint in 1 step (it has a shift_terminal)",
            fix="give at least 2 steps: steps = 2 under [sampling] in the policy",
        )
    scheduler = type(template).from_config(template.config)
    levels = np.linspace(1.0, 1 / steps, steps) if is_even else None
    own = {"sigmas": levels} if is_even else {"num_inference_steps": steps}
    scheduler.set_timesteps(**own, device=device, mu=mu)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return scheduler


def trained_sigmas(template: Untyped, mu: float | None) -> torch.Tensor:
    """Return the share of noise at each trained timestep, float32 ``[T]``, rising.

    Args:
        template: A scheduler with the settings.
        mu: The shift's logarithm; used by schedulers that shift dynamically.
    """
    scheduler = type(template).from_config(template.config)
    levels: torch.Tensor = scheduler.sigmas.float()
    if template.config.get("use_dynamic_shifting") and mu is not None:
        levels = torch.as_tensor(scheduler.time_shift(mu, 1.0, levels.double().numpy()))
    return levels.float().sort().values
